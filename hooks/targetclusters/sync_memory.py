"""What the sync engine remembers of a target between rounds; losing it only costs calls."""

from dataclasses import dataclass, field

from hooks.targetclusters.inventory import ObjectKey


@dataclass(frozen=True)
class Retry:
    """An object that failed.

    Attributes:
        failures: how many times in a row.
        due: epoch seconds before which it is not tried again.
        digest: of what was tried; a changed object is tried at once.
        message: what went wrong.
    """

    failures: int
    due: float
    digest: str
    message: str


@dataclass
class SyncMemory:
    """One target's memory; used by one round at a time.

    Attributes:
        retries: the objects that failed.
    """

    retries: dict[ObjectKey, Retry] = field(default_factory=dict)
