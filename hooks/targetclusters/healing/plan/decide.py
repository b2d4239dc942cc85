"""Decides, from what is seen and what is remembered, which repair is due.

    fault              evidence                            repair                  healed when
    NodeNotReady       not Ready for nodeTimeout, its VM
                       Stopped                             start the VM            the node is Ready
                       Running                             reboot; from the second the node is Ready
                                                           on stop, start
                       anything else                       none: it is changing,
                                                           or gone
    PodNotReady        a system pod with a controller
                       is ill for podTimeout (pods.py)     delete it               it is well
    ControlPlane-      the cluster is out of reach, and
    Stopped            a VM of its control plane is
                       Stopped                             start the VM            it answers
    ClusterNotRunning  the Kubernetes Service cluster is
                       Stopped or in Alert                 start the cluster       it is Running

`find_faults` reads the evidence, `remember` brings the journal up to date, `due_repairs` applies
the bounds, `choose_repair` reads the state of the VM, `find_clash` keeps two repairs of one thing
apart, `begin` and `with_outcome` write an attempt down.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace

from hooks.http.backoff import delay
from hooks.http.texts import shorten
from hooks.kube.times import CLOCK_SLACK
from hooks.names import ANNOTATION_HEAL
from hooks.targetclusters.healing.plan.control_plane import why_not_beside
from hooks.targetclusters.healing.plan.known_nodes import mark, note_ready, read_marks
from hooks.targetclusters.healing.plan.model import (
    REPAIRS,
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
FORGET_FAULT_AFTER = 3600.0
#: Faults that are remembered. Of more, the rest have their turn when others are gone.
MAX_RECORDS = 256
#: Faults of which the attempts are remembered with a VM, too.
_OF_VMS = ("NodeNotReady", "ControlPlaneStopped")
#: Characters of an outcome.
MAX_OUTCOME = 200
#: Seconds after which it is written again that a fault is looked for.
NOTE_EVERY = 60.0
#: States of a Kubernetes Service cluster that a start may help.
_STARTABLE = ("Stopped", "Alert")
#: Repairs that may reach every VM of a cluster: nothing is repaired beside them, nor beside those
#: that only another version of the operator knows.
OF_CLUSTER: tuple[Repair, ...] = ("StartCluster",)
#: And those in which its nodes are repaired: in others, the service works on them.
_SETTLED = ("Running", "Alert")
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
    """Return the faults that are there, control plane nodes first.

    One has a reason not to be repaired where somebody works on it, or wants it so.
    """
    found, held = [], held_by_service(evidence)
    for node in evidence.nodes or ():
        if node.is_ready:
            continue
        why_not = _LEFT_ALONE if node.left_alone else _CORDONED if node.cordoned else node.leaving
        times = node.created, node.changed
        fault = Fault("NodeNotReady", node.name, why_not or held, node.control_plane, *times)
        found.append(replace(fault, allowed=node.allowed, mark=mark(node)))
    if evidence.cluster_state in _STARTABLE:
        found.append(Fault("ClusterNotRunning", evidence.cluster_id))
    else:
        stopped = evidence.stopped or ()  # all at once, as one member of several has no quorum
        found += [Fault("ControlPlaneStopped", machine.node, held) for machine in stopped]
    found += find_pod_faults(evidence.pods or PodsSeen())
    return tuple(sorted(found, key=lambda each: (not each.control_plane, each.key)))


@dataclass(frozen=True)
class Look:
    """A look at a cluster.

    Attributes:
        now: epoch seconds.
        longest_gap: seconds since the last look, at most, for what was seen then and now to have
            lasted. Who looks after a longer time, or with another clock, knows nothing of it.
        again: when a person asked to begin again, in epoch seconds; 0 for never.
    """

    now: float
    longest_gap: float
    again: float = 0.0


def remember(journal: Journal, evidence: Evidence, faults: Iterable[Fault], look: Look) -> Journal:
    """Return the journal with what is seen now.

    A fault of a kind that was not read stays as it is. One that is gone is forgotten after an hour
    in which it was looked for, or at once if nothing was tried. One that comes back within the hour
    keeps its attempts.
    """
    there, again = {fault.key: fault for fault in faults}, look.again
    records = dict(journal.records)
    if again > journal.again:
        records = {key: _begun_again(each) for key, each in records.items()}
    for key, each in list(records.items()):
        if each.kind not in evidence.known:
            continue
        records[key] = noted = _noted(each, there.get(key), look)
        gone_since = noted.gone_since
        is_gone = gone_since is not None and look.now - gone_since >= FORGET_FAULT_AFTER
        is_over = is_gone or not each.attempts
        if key not in there and is_over and each.is_settled:
            del records[key]
    for key, fault in there.items():
        if key not in records and _has_room(records, fault.kind):
            records[key] = _noted(Record(fault.kind, fault.object), fault, look)
    known = note_ready(journal, evidence, look.now)
    started = min(journal.started or look.now, look.now + CLOCK_SLACK)
    again = max(again, journal.again)
    return replace(journal, records=records, again=again, started=started, known=known)


def begin_elsewhere(journal: Journal, place: str, cluster_uid: str) -> Journal:
    """Return the journal for the cluster whose nodes were read now: another one begins anew.

    What is being tried and what is owed stay, as do the faults of the Kubernetes Service cluster,
    which CloudStack has told.

    Args:
        journal: as it was.
        place: where the kubeconfig leads to.
        cluster_uid: which cluster it is; empty if that is not known.
    """
    is_same_place = journal.place in ("", place)
    if is_same_place and (not cluster_uid or journal.cluster_uid in ("", cluster_uid)):
        uid = cluster_uid or journal.cluster_uid
        return replace(journal, place=place, cluster_uid=uid)
    stays = {
        key: each
        if each.kind == "ClusterNotRunning"
        else replace(_begun_again(each), since=None, gone_since=None)
        for key, each in journal.records.items()
        if each.kind == "ClusterNotRunning" or not (each.is_settled and each.is_known)
    }
    return replace(
        journal,
        records=stays,
        started=0.0,
        machines=(),
        place=place,
        known="",
        cluster_uid=cluster_uid,
    )


def was_just_started(record: Record, updated: float | None, policy: Policy, now: float) -> bool:
    """Tell whether somebody else has started or stopped a VM so lately that it may be booting.

    Args:
        record: of the node's fault.
        updated: when CloudStack last started or stopped the VM, by its clock; None if not known.
        policy: the bounds.
        now: epoch seconds.
    """
    if updated is None or not 0 <= now + CLOCK_SLACK - updated < policy.node_timeout + CLOCK_SLACK:
        return False
    by_us = record.ended_at is not None and updated <= record.ended_at + CLOCK_SLACK
    return not by_us


def due_repairs(journal: Journal, faults: Iterable[Fault], policy: Policy, *, now: float) -> Due:
    """Return which repairs are due now, those of the control plane first."""
    there = [fault for fault in faults if fault.key in journal.records]
    waits: dict[str, str] = {}
    due: list[Record] = []
    given_up = []
    busy, known = journal.open, read_marks(journal.known)
    for fault in there:
        record = journal.records[fault.key]
        if record.by:
            waits[fault.key] = "its repair is being made"
        elif record.attempts >= policy.max_retry:
            given_up.append(fault.key)
        elif why := (
            _why_wait(fault, record, policy, now)
            or _is_strange(fault, known)
            or _behind_cluster(fault, journal, policy, now)
            or why_not_beside(record, journal, policy, now)
        ):
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
        case "ControlPlaneStopped", _:
            return None
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
        is_alone = other.repair in OF_CLUSTER or other.repair not in REPAIRS
        if object_id == other.vm or repair in OF_CLUSTER or is_alone:
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
        ended_at=None,
        next_try=now + pause,
        repair=repair,
        outcome="",
        owed_at=now if is_owed else record.owed_at,
    )


def with_outcome(record: Record, outcome: str, policy: Policy, *, sent: bool, now: float) -> Record:
    """Return the record of an attempt that has ended; what was surely not sent counts as none."""
    attempts = record.attempts if sent else max(0, record.attempts - 1)
    pause = delay(max(1, attempts), first=policy.first, longest=policy.longest)
    text = shorten(outcome, MAX_OUTCOME)
    return replace(
        record, attempts=attempts, ended_at=now, next_try=now + pause, outcome=text, by=""
    )


def with_lost_outcome(record: Record) -> Record:
    """Return the record of an attempt whose process ended before it did: it counts."""
    outcome = "not known: the operator ended during the repair"
    return replace(record, outcome=record.outcome or outcome, by="")


def _has_room(records: dict[str, Record], kind: str) -> bool:
    """Tell whether one more of a kind is remembered; what is needed least gives way.

    That is what another version wrote, and then what is gone by now: the attempts on a VM are
    remembered with that, too. Pods have no VM, and leave half of the room to others.
    """
    pods = sum(each.kind == "PodNotReady" for each in records.values())
    if kind == "PodNotReady" and pods >= MAX_RECORDS // 2:
        return False
    if len(records) < MAX_RECORDS:
        return True
    settled = [each for each in records.values() if each.is_settled]
    strange = [each for each in settled if not each.is_known]
    gone = [each for each in settled if each.gone_since is not None and each.kind in _OF_VMS]
    if not strange and not gone:
        return False
    del records[min(strange or gone, key=lambda each: each.gone_since or each.seen_at or 0.0).key]
    return True


def _begun_again(record: Record) -> Record:
    return replace(record, attempts=1 if record.by else 0, next_try=0.0)


def _why_wait(fault: Fault, record: Record, policy: Policy, now: float) -> str:
    if fault.why_not:
        return fault.why_not
    seen = now if record.since is None else record.since
    # A node that is registered in the future, by a clock ahead of ours, counts as new.
    created = fault.created if (fault.created or 0.0) <= now else seen
    if created is not None and now - created < policy.startup_timeout:
        return "the node was registered less than startupTimeout ago"
    since = max(seen, record.held_until)
    is_pod = fault.kind == "PodNotReady"
    if now - since < (policy.pod_timeout if is_pod else policy.node_timeout):
        return f"it is there for less than {'podTimeout' if is_pod else 'nodeTimeout'}"
    # What a wrong clock wrote is further away than the longest pause, and holds nothing up.
    if now < record.next_try <= now + policy.longest:
        return "the next attempt is not due yet"
    return ""


def _is_strange(fault: Fault, known: Container[str]) -> str:
    """Say whether a node was never seen Ready: it may be a leftover of long ago.

    Its VM may be another cluster's by now, as after a restore. A person allows it on the node.
    """
    if not fault.mark or fault.mark in known or fault.allowed:
        return ""
    return (
        "healing has not seen it Ready on this VM, which may be another's by now; the annotation "
        f'{ANNOTATION_HEAL}: "true" on the node allows a repair'
    )


def _behind_cluster(fault: Fault, journal: Journal, policy: Policy, now: float) -> str:
    """Say whether the Kubernetes Service cluster has its turn before its nodes."""
    if fault.kind != "NodeNotReady":
        return ""
    for cluster in journal.records.values():
        if cluster.kind != "ClusterNotRunning":
            continue
        if _has_its_turn(cluster, policy, now):
            return "the Kubernetes Service cluster is to be started first"
        if cluster.attempts and now < cluster.next_try <= now + policy.longest:
            return "the Kubernetes Service cluster was started just now"
    return ""


def _has_its_turn(cluster: Record, policy: Policy, now: float) -> bool:
    """Tell whether a cluster's start is awaited; not for ever, as it may not be allowed."""
    if cluster.since is None or cluster.attempts >= policy.max_retry:
        return False
    last = max(cluster.since, cluster.held_until, cluster.tried_at or 0.0)
    return now - last < policy.node_timeout + policy.longest


def _noted(record: Record, fault: Fault | None, look: Look) -> Record:
    """Return the record of a fault that was looked for; None: it is not there."""
    now = look.now
    age = look.longest_gap + 1 if record.seen_at is None else now - record.seen_at
    is_gap = not -CLOCK_SLACK <= age <= look.longest_gap
    seen_at = now if is_gap or age >= NOTE_EVERY else record.seen_at
    if fault is None:
        gone_since = now if is_gap or record.gone_since is None else record.gone_since
        return replace(record, since=None, gone_since=gone_since, seen_at=seen_at)
    # The cluster's clock may be another than ours: only that it tells another time says something.
    has_changed = record.changed is not None and fault.changed != record.changed
    since = now if is_gap or has_changed or record.since is None else record.since
    is_let_go = record.is_held and not fault.why_not
    return replace(
        record,
        since=since,
        gone_since=None,
        seen_at=seen_at,
        held_until=now if is_let_go else min(record.held_until, now),
        is_held=bool(fault.why_not),
        changed=fault.changed,
        control_plane=fault.control_plane,
    )


def held_by_service(evidence: Evidence) -> str:
    """Say why a cluster's nodes are left to the Kubernetes Service; empty: they are not."""
    if not evidence.cluster_id or evidence.cluster_state in _SETTLED:
        return ""
    if evidence.cluster_state is None:
        return "the state of the Kubernetes Service cluster is not known"
    return f"the Kubernetes Service cluster is {evidence.cluster_state}"
