"""Keeps a control plane's quorum: what is down in it at once is no more than it can spare.

A reboot or a stop takes a member away that may still work, though its kubelet does not. So neither
is made while others are down, for whatever reason: one that is new, cordoned, given up, or held
back is down all the same. To start a VM that is stopped takes nothing away.
"""

from collections.abc import Iterable

from hooks.targetclusters.healing.plan.model import Journal, NodeState, Policy, Record, Repair

#: Repairs that take a member away for a while.
_TAKING: tuple[Repair, ...] = ("RebootVM", "StopStartVM")


def why_not_beside(record: Record, journal: Journal, policy: Policy, now: float) -> str:
    """Say whether another node of the control plane is being repaired, or not ready since."""
    if not record.control_plane:
        return ""
    for other in journal.records.values():
        was_stopped = other.kind == "ControlPlaneStopped"  # it boots when the cluster answers
        if (other.control_plane or was_stopped) and other.key != record.key:
            is_due_later = now < other.next_try <= now + policy.longest
            is_there = other.since is not None or was_stopped
            if other.by or (is_there and other.attempts and is_due_later):
                return f"the control plane node {other.object} is being repaired"
    return ""


def why_no_quorum(record: Record, repair: Repair, nodes: Iterable[NodeState]) -> str:
    """Say why a repair would leave a control plane without a quorum; empty if it would not.

    A node that alone is down is repaired, also one of two, or the only one.

    Args:
        record: of the node's fault.
        repair: what is to be done for it.
        nodes: all nodes of the cluster.
    """
    members = {node.name: node.is_ready for node in nodes if node.control_plane}
    if repair not in _TAKING or record.object not in members:
        return ""
    spare = len(members) - (len(members) // 2 + 1)
    others = sorted(name for name, ready in members.items() if not ready and name != record.object)
    if len(others) < max(1, spare):
        return ""
    return (
        f"of {len(members)} control plane nodes, {others[0]} is not ready either: a reboot or a "
        "stop could cost the quorum"
    )
