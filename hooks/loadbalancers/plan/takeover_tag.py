"""What the tag of a takeover says: which Service takes an address over, and from which.

Both have the same namespace and name. The tag is there before the mark of the address changes, and
goes when all that is on the address has the new mark.
"""

from dataclasses import dataclass
from urllib.parse import quote, unquote

#: Stands for a tag that was missing.
_NONE = "-"


@dataclass(frozen=True, slots=True)
class Takeover:
    """A takeover that has begun.

    Attributes:
        by, source: cluster and UID of the two Services; None for a tag that was missing.
    """

    by: tuple[str | None, str | None]
    source: tuple[str | None, str | None]

    @classmethod
    def read(cls, text: str) -> "Takeover | None":
        """Read a tag; None if it says nothing usable."""
        words = [None if word == _NONE else unquote(word) for word in text.split(" ")]
        if len(words) != 4 or not all(words[:2]):
            return None
        return cls((words[0], words[1]), (words[2], words[3]))

    @property
    def text(self) -> str:
        """Return the tag: four words."""
        return " ".join(map(_word, (*self.by, *self.source)))

    @property
    def half(self) -> tuple[str | None, str | None]:
        """Return cluster and UID in a mark between the removal of the old and the new one."""
        cluster, uid = (
            value if value == own else None for value, own in zip(self.source, self.by, strict=True)
        )
        return cluster, uid


def _word(text: str | None) -> str:
    """Write a value as one word."""
    return _NONE if text is None else quote(text, safe="").replace(_NONE, "%2D")
