"""What the tag of a takeover says: which Service takes an address over, and from which.

Both have the same namespace and name. The tag is there before the mark of the address changes, and
goes when all that is on the address has the new mark.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

#: Stands for a tag that was missing.
_NONE = "-"
#: Stands for the same cluster as before.
_SAME = "="
#: What would end a word or change its meaning. A tag's value takes few characters, so all others,
#: which the marks hold too, stay as they are.
_ESCAPED = re.compile(rf"[%\s]|^[{_NONE}{_SAME}]$")


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
        source = words[0] if text.split(" ")[2] == _SAME else words[2]
        return cls((words[0], words[1]), (source, words[3]))

    @property
    def text(self) -> str:
        """Return the tag: four words, as `CLUSTER UID - -`."""
        cluster, uid = self.source
        former = _SAME if cluster and cluster == self.by[0] else _word(cluster)
        return " ".join((*map(_word, self.by), former, _word(uid)))

    @property
    def half(self) -> tuple[str | None, str | None]:
        """Return cluster and UID in a mark between the removal of the old and the new one."""
        cluster, uid = (
            value if value == own else None for value, own in zip(self.source, self.by, strict=True)
        )
        return cluster, uid


def _word(text: str | None) -> str:
    """Write a value as one word."""
    if text is None:
        return _NONE
    return _ESCAPED.sub(lambda match: quote(match[0], safe="").replace("-", "%2D"), text)
