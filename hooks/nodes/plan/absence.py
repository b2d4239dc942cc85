"""Whether a node's VM is gone for good."""

from dataclasses import dataclass, replace

from hooks.http.bounded_json import Json
from hooks.kube.objects import part
from hooks.kube.times import epoch

#: How many snapshots must lack a VM before its node may be deleted.
SNAPSHOTS_NEEDED = 3


@dataclass(frozen=True)
class AbsenceRecord:
    """How long a VM has been missing; kept on the Instance, for people.

    Attributes:
        since: of the first snapshot without it, in epoch seconds.
        snapshots: how many different snapshots were without it.
        last_snapshot: when the newest of them was taken, in epoch seconds.
    """

    since: float
    snapshots: int
    last_snapshot: float


@dataclass(frozen=True)
class SeenAbsence:
    """How long this process itself has seen a VM missing: what a deletion depends on.

    A recorded time does not count, for the clock may have been set since.

    Attributes:
        subject: the Node's uid, the VM's id, and since when the record says that it is missing.
        first, last: when the first and the newest snapshot without it were taken, in monotonic
            seconds.
        snapshots: how many different snapshots were without it.
    """

    subject: tuple[str, str, float]
    first: float
    last: float
    snapshots: int = 1

    @property
    def vm_id(self) -> str:
        """Return the id of the VM."""
        return self.subject[1]

    @property
    def seconds(self) -> float:
        """Return the seconds between the first snapshot without the VM and the newest."""
        return self.last - self.first

    def extend(self, taken: float) -> "SeenAbsence":
        """Count a snapshot that lacks the VM; the same snapshot counts once."""
        if taken <= self.last:
            return self
        return replace(self, last=taken, snapshots=self.snapshots + 1)


def read_absence(instance: Json | None) -> AbsenceRecord | None:
    """Read from an Instance how long its VM has been missing; None where it is not.

    A record that cannot be read counts as none: the VM is counted as missing from now on.
    """
    try:
        missing = part(instance or {}, "observed")["missing"]
        since, last = epoch(missing["since"]), epoch(missing["lastSnapshot"])
        return AbsenceRecord(since, int(missing["snapshots"]), last)
    except (KeyError, ValueError, TypeError):
        return None


def extend_absence(before: AbsenceRecord | None, taken_at: float) -> AbsenceRecord:
    """Count a snapshot that lacks the VM; the same snapshot counts once."""
    taken = float(int(taken_at))
    if before is None:
        return AbsenceRecord(taken, 1, taken)
    if taken <= before.last_snapshot:
        return before
    return AbsenceRecord(before.since, before.snapshots + 1, taken)


def is_overdue(seen: SeenAbsence, *, grace: float) -> bool:
    """Tell whether the VM has been missing for `grace` seconds, and from enough snapshots."""
    return seen.seconds >= grace and seen.snapshots >= SNAPSHOTS_NEEDED
