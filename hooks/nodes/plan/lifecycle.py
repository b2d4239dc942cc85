"""Whether a node's VM has gone for good, and whether its node may be deleted for it."""

from dataclasses import dataclass

#: So many snapshots, each taken anew, must have missed a VM before its node may go.
SNAPSHOTS_NEEDED = 3
#: More than this share of our nodes missing at once is held, ...
GUARD_SHARE = 0.25
#: ... if it is more than this many nodes.
GUARD_NODES = 2
_NAMES_TOLD = 5


@dataclass(frozen=True)
class AbsenceRecord:
    """How long a VM has been missing; kept on the Instance.

    Attributes:
        since: of the first snapshot without it, in epoch seconds.
        snapshots: how many different snapshots were without it.
        last_snapshot: when the newest of them was taken, in epoch seconds.
    """

    since: float
    snapshots: int
    last_snapshot: float


@dataclass(frozen=True)
class MissingNodes:
    """What is looked up before a node is deleted.

    Attributes:
        nodes: how many Instances there are, that is nodes of ours.
        missing: the nodes whose VMs the snapshot is without.
        ready: those of the missing that are Ready all the same.
        gone: CloudStack, asked for this VM by its id, has none.
    """

    nodes: int
    missing: tuple[str, ...]
    ready: tuple[str, ...]
    gone: bool


def prolonged_absence(before: AbsenceRecord | None, taken_at: float) -> AbsenceRecord:
    """Count a snapshot that is without the VM; the same snapshot counts once."""
    taken = float(int(taken_at))
    if before is None:
        return AbsenceRecord(taken, 1, taken)
    if taken <= before.last_snapshot:
        return before
    return AbsenceRecord(before.since, before.snapshots + 1, taken)


def deletion_due(absence: AbsenceRecord, *, now: float, grace: float) -> bool:
    """Tell whether the VM has been missing long and often enough, times in seconds."""
    return now - absence.since >= grace and absence.snapshots >= SNAPSHOTS_NEEDED


def held(
    missing_nodes: MissingNodes, absence: AbsenceRecord, *, now: float, hold: float, confirmed: bool
) -> str | None:
    """Say why the node must be kept, or None where it may be deleted.

    A Ready node without a VM is a contradiction: then it is the snapshot that is wrong (another
    project's key, say), and no node is deleted for it, however long it lasts. Many nodes at
    once may be an outage or an autoscaler: they are held for `hold` seconds, or until a person
    confirms.
    """
    if not missing_nodes.gone:
        return "CloudStack still knows its VM by id"
    if missing_nodes.ready:
        return (
            f"the snapshot is not trusted: it is without the VMs of nodes that are Ready "
            f"({_told(missing_nodes.ready)})"
        )
    many = len(missing_nodes.missing) > max(GUARD_NODES, GUARD_SHARE * missing_nodes.nodes)
    if many and not confirmed and now - absence.since < hold:
        return (
            f"{len(missing_nodes.missing)} of {missing_nodes.nodes} nodes lost their VMs at once "
            f"({_told(missing_nodes.missing)}); held for {hold:g} s, "
            "or until an annotation confirms"
        )
    return None


def _told(names: tuple[str, ...]) -> str:
    more = len(names) - _NAMES_TOLD
    return ", ".join(sorted(names)[:_NAMES_TOLD]) + (f" and {more} more" if more > 0 else "")
