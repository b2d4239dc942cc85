"""Decides what a TargetCluster's sync answers, and which jobs to start."""

from dataclasses import replace

from hooks import names
from hooks.http.bounded_json import Json
from hooks.kube.conditions import Condition, merge_conditions
from hooks.kube.events import Event, Reference
from hooks.kube.objects import find_condition, part
from hooks.targetclusters.health.judge import REACHABLE
from hooks.targetclusters.plan import actions
from hooks.targetclusters.plan.actions import Action, JobPool
from hooks.targetclusters.plan.facts import Facts
from hooks.targetclusters.plan.finalizing import plan_deletion
from hooks.targetclusters.plan.healing import plan_healing
from hooks.targetclusters.plan.releasing import plan_release
from hooks.targetclusters.plan.status import ProbedStatus, add_probe, write_status
from hooks.targetclusters.plan.syncing import Decision, plan_syncing
from hooks.targetclusters.request import TargetClusterRequest
from hooks.webhook.contract import CompositeResponse, Plan

#: Seconds until Metacontroller calls again, at least and at most.
MIN_WAIT = 0.05
MAX_WAIT = 300.0
#: Seconds that a probe, and a sync round, of a cluster that answers may take.
QUICK_PROBE = 2.0
QUICK_ROUND = 15.0
#: Reasons of ResourcesSynced=False that pass by themselves.
_QUIET = ("Progressing", "Deleting")
_LOST = (
    "the ConfigMaps with the inventory are gone; what no source wants any more stays on the "
    f"cluster, with the label {names.LABEL_MEMBER_OF}"
)
_GOOD_NEWS = (
    names.EVENT_CLUSTER_READY,
    names.EVENT_RESOURCES_SYNCED,
    names.EVENT_RESOURCES_DELETED,
    names.EVENT_REPAIR_MADE,
)


def plan_sync(facts: Facts) -> Plan[Action]:
    """Decide what to answer now, from what finished jobs have found."""
    probed = add_probe(facts)
    decision = plan_syncing(facts, probed.checks)
    wait = _probe_wait(facts, probed)
    jobs: list[Action] = [actions.StartProbe(_probe_pool(probed))] if wait <= 0 else []
    if decision.start is not None:
        jobs.append(actions.StartRound(decision.start, _round_pool(facts)))
    if decision.stop:
        jobs.append(actions.StopRound())
    healed = plan_healing(facts)
    if healed.start:
        jobs.append(actions.StartHealing(_probe_pool(probed)))
    status = write_status(facts, probed, decision, healed)
    waits = [each for each in (wait, decision.wait, healed.wait) if each is not None]
    response = CompositeResponse(
        status=status, children=decision.children, resyncAfterSeconds=_rounded(min(waits))
    )
    events = (*_transition_events(facts, status), *_decided_events(facts, decision))
    events = (*events, *(_event(facts, *each) for each in healed.events))
    if decision.start is not None and facts.lost_inventory:
        events = (*events, _event(facts, names.EVENT_INVENTORY_LOST, _LOST))
    return Plan(response, tuple(jobs), events)


def plan_finalize(facts: Facts) -> Plan[Action]:
    """Decide what to answer for a TargetCluster that is being deleted."""
    probed = add_probe(facts)
    decision, release = plan_deletion(facts), plan_release(facts)
    if decision.finalized and release.wait is not None:
        decision = replace(decision, children=facts.request.children, finalized=False, event=None)
        decision = replace(decision, wait=release.wait)
    pool, jobs = _probe_pool(probed), list[Action]()
    if decision.stop:
        jobs.append(actions.StopRound())
    if decision.start is not None:
        jobs.append(actions.StartDeletion(decision.start, pool))
    if release.start:
        jobs.append(actions.StartHealing(pool))
    healed = plan_healing(facts)
    response = CompositeResponse(
        status=write_status(facts, probed, decision, healed),
        children=decision.children,
        finalized=decision.finalized,
    )
    if not decision.finalized:
        waits = [each for each in (decision.wait or 0.0, release.wait) if each is not None]
        response["resyncAfterSeconds"] = _rounded(min(waits))
    told = [*healed.events, *([release.event] if decision.finalized and release.event else [])]
    events = (*_decided_events(facts, decision), *(_event(facts, *each) for each in told))
    return Plan(response, tuple(jobs), events)


def answer_unchanged(request: TargetClusterRequest, *, finalized: bool) -> CompositeResponse:
    """Return the answer about what somebody else looks after: no change."""
    status = request.cluster.get("status") or {}
    response = CompositeResponse(status=status, children=request.children)
    if finalized:
        response["finalized"] = True
    return response


def answer_waiting(request: TargetClusterRequest, *, now: float) -> CompositeResponse:
    """Return the answer while another shard looks after a TargetCluster: only that is said.

    No time is given for the next call: Metacontroller calls when the finalizer goes.
    """
    response = answer_unchanged(request, finalized=False)
    other, status = request.other_shard, response["status"]
    message = (
        f"the controller {other} has not let it go; if that is gone for good, remove its "
        f"finalizer {names.CONTROLLER_FINALIZER}{other}"
    )
    waiting = (
        Condition("Ready", "Unknown", "AwaitingShard", message),
        Condition("Reconciling", "True", "AwaitingShard", message),
    )
    before = status.get("conditions") or []
    said = merge_conditions(
        before, waiting, now=now, generation=request.cluster["metadata"].get("generation")
    )
    types = [condition.type for condition in waiting]
    kept = [condition for condition in before if condition.get("type") not in types]
    response["status"] = {**status, "conditions": [*said, *kept]}
    return response


def _probe_wait(facts: Facts, probed: ProbedStatus) -> float:
    """Return the seconds until a probe is due, or until the running one is polled."""
    delay = facts.probe.poll_delay(facts.monotonic)
    if delay is not None:
        return delay
    probe = part(probed.fields, "probe")
    if probe.get("observedGeneration") != facts.generation:
        return 0.0
    wait = facts.until_due(probe.get("lastTime"), facts.probe, facts.request.spec.monitor_interval)
    return max(0.0, wait or 0.0)


def _probe_pool(probed: ProbedStatus) -> JobPool:
    """Return the pool for a cluster's probe: whether it answers, and quickly."""
    probe = part(probed.fields, "probe")
    if not probe.get("lastTime"):
        return "new"
    quick = probe.get("durationSeconds", 0.0) <= QUICK_PROBE
    reachable = probed.checks[REACHABLE].condition.status == "True"
    return "quick" if reachable and quick else "slow"


def _round_pool(facts: Facts) -> JobPool:
    """Return the pool for a sync round: a cluster may answer probes quickly and writes never."""
    latest = facts.sync.latest
    if latest is None:
        return "new"
    if latest.report is None or latest.report.error:
        return "slow"
    return "quick" if latest.seconds <= QUICK_ROUND else "slow"


def _rounded(seconds: float) -> float:
    return round(min(MAX_WAIT, max(MIN_WAIT, seconds)), 3)


def _transition_events(facts: Facts, status: Json) -> tuple[Event, ...]:
    """Return an Event for each condition that has changed since the status that was sent."""
    events = []
    for entry in status["conditions"]:
        old = find_condition(facts.request.cluster, entry["type"])
        turned = old.get("status") != entry["status"]
        new_reason = old.get("reason") != entry["reason"]
        explained = f"{entry['reason']}: {entry['message']}"
        match entry["type"], entry["status"], entry["reason"]:
            case "Ready", "True", _ if turned:
                events.append(_event(facts, names.EVENT_CLUSTER_READY, entry["message"]))
            case "Ready", "False", _ if turned or new_reason:
                events.append(_event(facts, names.EVENT_CLUSTER_NOT_READY, explained))
            case "ResourcesSynced", "True", _ if turned:
                events.append(_event(facts, names.EVENT_RESOURCES_SYNCED, entry["message"]))
            case "ResourcesSynced", "False", reason if new_reason and reason not in _QUIET:
                events.append(_event(facts, names.EVENT_RESOURCES_NOT_SYNCED, explained))
            case "ClusterChanged", "True", _ if turned or old.get("message") != entry["message"]:
                events.append(_event(facts, names.EVENT_CLUSTER_CHANGED, entry["message"]))
            case "Healing", "False", "RetriesExhausted" if (
                new_reason or old.get("message") != entry["message"]
            ):
                events.append(_event(facts, names.EVENT_RETRIES_EXHAUSTED, entry["message"]))
            case "Healing", "False", "BreakerOpen" if new_reason:
                events.append(_event(facts, names.EVENT_BREAKER_OPEN, entry["message"]))
            case "CredentialsValid", _, "ExpiringSoon" | "Expired" if new_reason:
                events.append(_event(facts, names.EVENT_CREDENTIALS_EXPIRING, entry["message"]))
            case _:
                pass
    return tuple(events)


def _decided_events(facts: Facts, decision: Decision) -> tuple[Event, ...]:
    return () if decision.event is None else (_event(facts, *decision.event),)


def _event(facts: Facts, reason: str, message: str) -> Event:
    is_good = reason in _GOOD_NEWS
    return Event(
        Reference.to(facts.request.cluster), reason, message, "Normal" if is_good else "Warning"
    )
