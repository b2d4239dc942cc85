"""What the metrics of a hook show of each object: the last that was said of it."""

import threading
from typing import Generic, TypeVar

from hooks.http.deadline import Monotonic
from hooks.http.recent import Recent

Row = TypeVar("Row")

#: Seconds after which an object without calls is not shown any more. Metacontroller calls for each
#: about three times in that time, and never again if another replica answered its deletion.
FORGET_AFTER = 900.0


class Shown(Generic[Row]):
    """The newest row of each object, by namespace and name; bounded, and lost with the process.

    Args:
        monotonic: monotonic seconds.
    """

    def __init__(self, monotonic: Monotonic) -> None:
        self._monotonic = monotonic
        self._rows = Recent[tuple[str, float, Row]]()
        self._lock = threading.Lock()

    def note(self, key: str, uid: str, row: Row) -> None:
        """Show a row for an object from now on."""
        with self._lock:
            self._rows[key] = uid, self._monotonic(), row

    def get(self, key: str, uid: str) -> Row | None:
        """Return the row of an object; None where none is shown of this UID."""
        with self._lock:
            known = self._rows.get(key)
            return known[2] if known and known[0] == uid else None

    def forget(self, key: str, uid: str) -> None:
        """Show an object no longer, unless it has another UID by now."""
        with self._lock:
            if key in self._rows and self._rows[key][0] == uid:
                del self._rows[key]

    def rows(self) -> list[Row]:
        """Return the row of each object that was called for lately, in the order of their names."""
        with self._lock:
            oldest = self._monotonic() - FORGET_AFTER
            for key in [key for key, (_, noted, _) in self._rows.items() if noted < oldest]:
                del self._rows[key]
            return [self._rows[key][2] for key in sorted(self._rows)]
