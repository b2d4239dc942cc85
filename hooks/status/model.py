"""What is told of one thing that is wrong, and how bad it is."""

from dataclasses import dataclass
from enum import IntEnum

#: Reasons of work that goes on, which need somebody only if they last.
UNDER_WAY = frozenset(
    {"Progressing", "Reconciling", "WaitingForAddress", "Deleting", "AwaitingTakeover"}
    | {"LeftToNewService", "AwaitingShard", "NewSpec"}
)

#: Headings of the page on troubleshooting.
NO_ADDRESS = "A Service has no address"
TAINTED = "A node stays tainted"
NOT_DELETED = "A node is not deleted although its VM is gone"
NOT_READY = "A TargetCluster is not Ready"
NO_POD = "The pod does not run"
HELD = "Something cannot be deleted"


class Severity(IntEnum):
    """How bad a trouble is; the page says it in words."""

    FAILS = 0
    IMPAIRED = 1
    WAITS = 2
    PLANNED = 3

    @property
    def word(self) -> str:
        """Return the word that the page shows."""
        return ("Not working", "Impaired", "Waiting", "Planned")[self]


@dataclass(frozen=True)
class Trouble:
    """One thing that is wrong, of one object or of many.

    Attributes:
        names: of the first objects, by name; `count` is how many there are.
        also: more sentences of the same object.
        section: the heading of the page on troubleshooting.
        condition: which one says so, where the page on troubleshooting tells them apart.
        command: what shows more; empty where a name fits no command.
        since: when it began, as the object says; empty if it does not.
    """

    severity: Severity
    kind: str
    names: tuple[str, ...]
    reason: str
    message: str
    also: tuple[str, ...] = ()
    section: str = ""
    command: str = ""
    since: str = ""
    condition: str = ""
    count: int = 1
