"""Decides what happens to the resources on a cluster when its TargetCluster is deleted."""

from hooks import names
from hooks.kube.conditions import Condition
from hooks.kube.objects import part
from hooks.targetclusters.health.model import NAMESPACE_DELETED
from hooks.targetclusters.plan.facts import Facts, SyncResult
from hooks.targetclusters.plan.syncing import SYNCED, Decision, describe_unlisted, dropped_event

#: Seconds until the next deletion round, after one that ran out of time, and after one that failed.
NEXT_ROUND = 1.0
RETRY = 5.0


def plan_deletion(facts: Facts) -> Decision:
    """Decide what to answer for a TargetCluster that is being deleted."""
    left = facts.time_left
    wait = facts.sync.poll_delay(facts.monotonic)
    if wait is not None and left > 0:
        condition = _deleting("stopping the running sync round")
        return Decision(facts.request.children, condition, wait=wait, stop=True)
    if facts.request.spec.deletion_policy == "Orphan" or _is_empty(facts):
        return _finalized("the resources stay on the cluster")
    latest = facts.deletion.latest
    if latest is not None and latest.report is not None and latest.report.complete:
        synced = part(facts.status, "sync").get("objects") or 0
        recorded = facts.count_objects(latest.recorded)
        if synced and not recorded:
            message = (
                f"the inventory lists none of the {synced} objects that were synced; what is left "
                f"stays on the cluster, with the label {names.LABEL_MEMBER_OF}"
            )
            return _finalized(message + _elsewhere(facts), names.EVENT_RESOURCES_ORPHANED)
        count = max(synced, recorded)
        message = f"{count} objects were deleted from the cluster{_elsewhere(facts)}"
        if unlisted := describe_unlisted(latest.report):
            return _finalized(f"{message}; {unlisted}", names.EVENT_RESOURCES_ORPHANED)
        return _finalized(message, names.EVENT_RESOURCES_DELETED)
    problem = _problem(latest)
    if latest is not None and latest.failure and latest.failure.reason == NAMESPACE_DELETED:
        return _orphaned(facts, problem)
    if left <= 0:
        return _orphaned(facts, f"finalizeTimeout has passed; {problem}")
    return _continue(facts, problem, left)


def _continue(facts: Facts, problem: str, left: float) -> Decision:
    """Start the next deletion round when it is due."""
    latest, inventory, new = facts.deletion.latest, facts.inventory, None
    if latest is not None and latest.report is not None and inventory == latest.recorded:
        inventory = new = latest.report.inventory
    children, event = facts.children_for(new), dropped_event(facts, new)
    if facts.request.spec.suspend:
        condition = _deleting("spec.suspend stops every write to the cluster")
        return Decision(children, condition, wait=left, event=event)
    wait = facts.deletion.poll_delay(facts.monotonic)
    if wait is None and latest is not None:
        pause = NEXT_ROUND if latest.report and not latest.report.error else RETRY
        pause = max(pause, latest.report.pause if latest.report else 0.0)
        wait = facts.deletion.started + latest.seconds + pause - facts.monotonic
    if wait is not None and wait > 0:
        return Decision(children, _deleting(problem), wait=min(left, wait), event=event)
    return Decision(children, _deleting(problem), wait=0.0, start=inventory, event=event)


def _is_empty(facts: Facts) -> bool:
    """Tell whether nothing was ever applied to the cluster, as far as can be known."""
    synced = part(facts.status, "sync").get("objects")
    return not (synced or facts.inventory.by_key or facts.inventory.unreadable)


def _orphaned(facts: Facts, problem: str) -> Decision:
    count = facts.count_objects(facts.inventory)
    message = f"{count} objects are left on the cluster: {problem}{_elsewhere(facts)}"
    return _finalized(message, names.EVENT_RESOURCES_ORPHANED)


def _elsewhere(facts: Facts) -> str:
    return f"; left on former clusters: {facts.left_behind}" if facts.left_behind else ""


def _finalized(message: str, reason: str = "") -> Decision:
    event = (reason, message) if reason else None
    return Decision([], _deleting(message), finalized=True, event=event)


def _problem(latest: SyncResult | None) -> str:
    if latest is not None and latest.failure is not None:
        return latest.failure.message
    if latest is None or latest.report is None:
        return "no deletion round has finished yet"
    remaining = len(latest.report.inventory.by_key)
    first = next((f"; {one.entry.key}: {one.message}" for one in latest.report.troubled), "")
    return latest.report.error or f"{remaining} objects are still there{first}"


def _deleting(message: str) -> Condition:
    return Condition(SYNCED, "Unknown", "Deleting", message)
