"""Decides, from what is seen and what is remembered, which repair is due.

    fault              evidence                            repair                  healed when
    NodeNotReady       not Ready for nodeTimeout, its VM
                       Stopped                             start the VM            the node is Ready
                       Running                             reboot; from the second the node is Ready
                                                           on stop (forced), start
                       anything else                       none: it is changing,
                                                           or gone
    PodNotReady        a system pod with a controller
                       is ill for podTimeout (pods.py)     delete it               it is well
    ClusterNotRunning  the Kubernetes Service cluster is
                       Stopped or in Alert                 start the cluster       it is Running

`find_faults` reads the evidence, `remember` brings the journal up to date, `next_due` applies the
bounds, `choose_repair` reads the state of the VM, `find_clash` sees to it that nothing is repaired
twice at once, `begin` and `end` write an attempt down.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from hooks.http.backoff import delay
from hooks.http.texts import shorten
from hooks.targetclusters.healing.plan.model import (
    CloudRepair,
    Evidence,
    Fault,
    Journal,
    PodsSeen,
    Policy,
    Record,
    Repair,
)
from hooks.targetclusters.healing.plan.pods import find_pod_faults

#: Seconds after which a fault that is gone is forgotten, with its attempts.
FORGET_AFTER = 3600.0
#: Faults that are remembered. Of more, the rest have their turn when others are gone.
MAX_RECORDS = 256
#: Characters of an outcome.
MAX_OUTCOME = 200
#: States of a Kubernetes Service cluster that a start may help.
_STARTABLE = ("Stopped", "Alert")
#: Repairs that may reach every VM of a cluster, so nothing is repaired beside them.
_OF_CLUSTER: tuple[Repair, ...] = ("StartCluster",)
_CORDONED = "the node is cordoned"
_LEFT_ALONE = "the node has an annotation that forbids repairs"


@dataclass(frozen=True)
class Due:
    """What is due.

    Attributes:
        records: the faults for which a repair is due, the most urgent first; the first is made
            first, and what is due beside it is decided anew.
        waits: for each other fault that is there, why it waits; by key.
        given_up: the faults that have had all their attempts, by key.
    """

    records: tuple[Record, ...]
    waits: Mapping[str, str]
    given_up: tuple[str, ...]


def find_faults(evidence: Evidence) -> tuple[Fault, ...]:
    """Return the faults that are there, control plane nodes first."""
    found = []
    for node in evidence.nodes or ():
        if not node.is_ready:
            why_not = _LEFT_ALONE if node.left_alone else _CORDONED if node.cordoned else ""
            found.append(Fault("NodeNotReady", node.name, why_not, node.control_plane))
    if evidence.cluster_state in _STARTABLE:
        found.append(Fault("ClusterNotRunning", evidence.cluster_id))
    found += find_pod_faults(evidence.pods or PodsSeen())
    return tuple(sorted(found, key=lambda each: (not each.control_plane, each.key)))


def breaker(evidence: Evidence, policy: Policy) -> str:
    """Say why nothing is repaired, as too many nodes are unhealthy; empty if they are not."""
    if evidence.nodes is None:
        return ""
    total, down = len(evidence.nodes), sum(not each.is_ready for each in evidence.nodes)
    if down <= policy.unhealthy.of(total):
        return ""
    return (
        f"{down} of {total} nodes are not ready, more than maxUnhealthy ({policy.unhealthy}): "
        "nothing is repaired"
    )


def hold_pods(faults: Iterable[Fault], why_not: str) -> tuple[Fault, ...]:
    """Return the faults, of which those of pods are not repaired for a reason; empty for none."""
    return tuple(
        replace(fault, why_not=why_not) if why_not and fault.kind == "PodNotReady" else fault
        for fault in faults
    )


def pod_breaker(evidence: Evidence, policy: Policy) -> str:
    """Say why no pod is deleted, as too many are ill; empty if they are not."""
    seen = evidence.pods or PodsSeen()
    if len(seen.ill) <= policy.unhealthy.of(seen.total):
        return ""
    return (
        f"{len(seen.ill)} of {seen.total} pods are ill, more than maxUnhealthy "
        f"({policy.unhealthy}): no pod is deleted"
    )


def remember(
    journal: Journal, evidence: Evidence, faults: Iterable[Fault], *, again: float, now: float
) -> Journal:
    """Return the journal with what is seen now.

    A fault of a kind that was not read stays as it is. One that is gone is forgotten after an hour,
    or at once if nothing was tried. One that comes back within the hour keeps its attempts.

    Args:
        journal: what is remembered.
        evidence: what was seen.
        faults: as `find_faults` returns them.
        again: when a person asked to begin again, in epoch seconds; 0 for never.
        now: epoch seconds.
    """
    there = {fault.key: fault for fault in faults}
    records = dict(journal.records)
    if again > journal.again:
        records = {key: _begun_again(each) for key, each in records.items()}
    for key, each in list(records.items()):
        if each.kind not in evidence.known:
            continue
        if key in there:
            since = now if each.since is None else min(each.since, now)
            records[key] = replace(
                each, since=since, gone_since=None, control_plane=there[key].control_plane
            )
            continue
        gone_since = now if each.gone_since is None else min(each.gone_since, now)
        records[key] = replace(each, since=None, gone_since=gone_since)
        is_over = not each.attempts or now - gone_since >= FORGET_AFTER
        if is_over and not each.by and each.owed_at is None:
            del records[key]
    for key, fault in there.items():
        if key not in records and len(records) < MAX_RECORDS:
            records[key] = Record(
                fault.kind, fault.object, since=now, control_plane=fault.control_plane
            )
    return Journal(records, max(again, journal.again))


def next_due(journal: Journal, faults: Iterable[Fault], policy: Policy, *, now: float) -> Due:
    """Return which repairs are due now, those of the control plane first."""
    there = [fault for fault in faults if fault.key in journal.records]
    waits: dict[str, str] = {}
    due: list[Record] = []
    given_up = []
    busy = journal.open
    for fault in there:
        record = journal.records[fault.key]
        if record.by:
            waits[fault.key] = "its repair is being made"
        elif record.attempts >= policy.max_retry:
            given_up.append(fault.key)
        elif why := _why_wait(fault, record, policy, now) or _beside(record, journal, now):
            waits[fault.key] = why
        elif len(busy) >= policy.max_concurrent:
            waits[fault.key] = f"a repair of {busy[0].object} is being made"
        else:
            due.append(record)
    return Due(tuple(due), waits, tuple(given_up))


def choose_repair(record: Record, state: str) -> CloudRepair | None:
    """Return the repair for the state of a node's VM; None for a state in which none is right."""
    match record.kind, state:
        case "ClusterNotRunning", _:
            return "StartCluster" if state in _STARTABLE else None
        case _, "Stopped":
            return "StartVM"
        case _, "Running":
            was_booted = record.attempts and record.repair in ("RebootVM", "StopStartVM")
            return "StopStartVM" if was_booted else "RebootVM"
        case _:
            return None


def find_clash(journal: Journal, repair: Repair, object_id: str) -> str:
    """Say which repair that is being made keeps another from its beginning; empty for none.

    Args:
        journal: what is being tried, by any process.
        repair: what is to be tried.
        object_id: of the VM, or cluster, on which.
    """
    for other in journal.open:
        if object_id == other.vm or repair in _OF_CLUSTER or other.repair in _OF_CLUSTER:
            return f"{other.repair} of {other.vm} is being made"
    return ""


def begin(record: Record, repair: Repair, policy: Policy, *, now: float) -> Record:
    """Return the record of an attempt that is about to be made: it counts from now on."""
    attempts = record.attempts + 1
    pause = delay(attempts, first=policy.first, longest=policy.longest)
    is_owed = repair == "StopStartVM" and record.owed_at is None
    return replace(
        record,
        attempts=attempts,
        tried_at=now,
        next_try=now + pause,
        repair=repair,
        outcome="",
        owed_at=now if is_owed else record.owed_at,
    )


def end(record: Record, outcome: str, policy: Policy, *, sent: bool, now: float) -> Record:
    """Return the record of an attempt that has ended; what was surely not sent counts as none."""
    attempts = record.attempts if sent else max(0, record.attempts - 1)
    pause = delay(max(1, attempts), first=policy.first, longest=policy.longest)
    text = shorten(outcome, MAX_OUTCOME)
    return replace(record, attempts=attempts, next_try=now + pause, outcome=text, by="")


def lose(record: Record) -> Record:
    """Return the record of an attempt whose process ended before it did: it counts."""
    outcome = "not known: the operator ended during the repair"
    return replace(record, outcome=record.outcome or outcome, by="")


def _begun_again(record: Record) -> Record:
    return replace(record, attempts=1 if record.by else 0, next_try=0.0)


def _why_wait(fault: Fault, record: Record, policy: Policy, now: float) -> str:
    if fault.why_not:
        return fault.why_not
    since = now if record.since is None else record.since
    is_pod = fault.kind == "PodNotReady"
    if now - since < (policy.pod_timeout if is_pod else policy.node_timeout):
        return f"it is there for less than {'podTimeout' if is_pod else 'nodeTimeout'}"
    # What a wrong clock wrote is further away than the longest pause, and holds nothing up.
    if now < record.next_try <= now + policy.longest:
        return "the next attempt is not due yet"
    return ""


def _beside(record: Record, journal: Journal, now: float) -> str:
    """Say whether another node of the control plane is being repaired, or not ready since."""
    if not record.control_plane:
        return ""
    for other in journal.records.values():
        if other.control_plane and other.key != record.key:
            is_awaited = other.since is not None and other.attempts and now < other.next_try
            if other.by or is_awaited:
                return f"the control plane node {other.object} is being repaired"
    return ""
