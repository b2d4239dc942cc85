"""A dict for what may be lost at any moment: it keeps the newest entries only."""

from collections import OrderedDict
from typing import TypeVar

Value = TypeVar("Value")

#: Entries that are kept.
REMEMBERED = 10_000


class Recent(OrderedDict[str, Value]):
    """Keeps REMEMBERED entries; those that were written longest ago go first."""

    def __setitem__(self, key: str, value: Value) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > REMEMBERED:
            self.popitem(last=False)
