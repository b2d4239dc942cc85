"""Decides what becomes of the resources on a cluster when its TargetCluster is deleted."""

from dataclasses import dataclass

from hooks import names
from hooks.http.bounded_json import Json
from hooks.kube.conditions import Condition
from hooks.targetclusters.health.judge import SECRET_NOT_FOUND
from hooks.targetclusters.plan.schedule import next_look
from hooks.targetclusters.plan.syncing import (
    SYNCED,
    Deletion,
    SyncView,
    count_objects,
    kept_children,
    new_children,
)
from hooks.targetclusters.sync.plan.inventory import Inventory

ROUND = "round"
DELETION = "deletion"

#: Seconds until a round of deleting follows one that was cut off, and one that failed.
NEXT_ROUND = 1.0
RETRY = 5.0


@dataclass(frozen=True)
class FinalizeDecision:
    """What is answered of a TargetCluster that is being deleted.

    Attributes:
        children: the inventory's ConfigMaps; none any more at the end.
        finalized: nothing is left to be done.
        wait: seconds until there may be something to do.
        start: the inventory whose objects are to be deleted; None for no round.
        stop: the round of syncing that runs is to end.
        condition: ResourcesSynced.
        told: reason and message of an Event; a Warning where things were left behind.
    """

    children: list[Json]
    condition: Condition
    finalized: bool = False
    wait: float = 0.0
    start: Inventory | None = None
    stop: bool = False
    told: tuple[str, str] | None = None


def decide(view: SyncView, *, deleted_at: float) -> FinalizeDecision:
    """Decide what to answer now.

    Args:
        view: what is known.
        deleted_at: epoch seconds at which the deletion was asked for.
    """
    spec = view.spec
    left = deleted_at + spec.finalize_timeout - view.now
    if view.rounds.running == ROUND and left > 0:
        wait = next_look(view.rounds.running_since or view.now, view.now)
        return FinalizeDecision(
            kept_children(view), _deleting("the round that runs is ended"), wait=wait, stop=True
        )
    if spec.deletion_policy == "Orphan" or _is_nothing(view):
        return FinalizeDecision([], _deleting("the resources stay on the cluster"), finalized=True)
    latest = view.rounds.latest if isinstance(view.rounds.latest, Deletion) else None
    if latest is not None and latest.report is not None and latest.report.complete:
        message = f"{_brought(view, latest.given)} objects are deleted from the cluster"
        told = (names.EVENT_RESOURCES_DELETED, message)
        return FinalizeDecision([], _deleting(message), finalized=True, told=told)
    if latest is not None and latest.stop and latest.stop.fault.reason == SECRET_NOT_FOUND:
        return _orphaned(view, latest.stop.fault.message)
    if left <= 0:
        why = f"the cluster was waited for as long as finalizeTimeout says: {_trouble(latest)}"
        return _orphaned(view, why)
    return _go_on(view, latest, left)


def _go_on(view: SyncView, latest: Deletion | None, left: float) -> FinalizeDecision:
    """Start the next round of deleting when its time has come."""
    children = kept_children(view)
    inventory = view.shown
    if latest is not None and latest.report is not None and inventory == latest.given:
        inventory = latest.report.remaining
        children = new_children(view, inventory)
    if view.spec.suspend:
        condition = _deleting("spec.suspend stops every write to the cluster")
        return FinalizeDecision(children, condition, wait=min(left, 300.0))
    condition = _deleting(_trouble(latest))
    if view.rounds.running_since is not None:
        wait = next_look(view.rounds.running_since, view.now)
        return FinalizeDecision(children, condition, wait=min(left, wait))
    if latest is not None:
        pause = NEXT_ROUND if latest.report and not latest.report.error else RETRY
        wait = latest.started_at + latest.seconds + pause - view.now
        if wait > 0:
            return FinalizeDecision(children, condition, wait=min(left, wait))
    return FinalizeDecision(children, condition, start=inventory)


def _is_nothing(view: SyncView) -> bool:
    """Tell whether nothing was ever brought to the cluster, as far as can be known."""
    return not _brought(view, view.shown) and not view.shown.by_key and not view.shown.unreadable


def _brought(view: SyncView, inventory: Inventory) -> int:
    """Answer how many objects were brought to the cluster, some of which may be gone by now."""
    counted = (view.status.get("sync") or {}).get("objects") or 0
    return max(counted, count_objects(view.key, inventory))


def _orphaned(view: SyncView, why: str) -> FinalizeDecision:
    message = f"{count_objects(view.key, view.shown)} objects are left on the cluster: {why}"
    told = (names.EVENT_RESOURCES_ORPHANED, message)
    return FinalizeDecision([], _deleting(message), finalized=True, told=told)


def _trouble(latest: Deletion | None) -> str:
    if latest is None:
        return "no round of deleting has ended yet"
    if latest.stop is not None:
        return latest.stop.fault.message
    if latest.report is None:
        return "nothing is known of the last round of deleting"
    remaining = len(latest.report.remaining.by_key)
    return latest.report.error or f"{remaining} objects are still there"


def _deleting(message: str) -> Condition:
    return Condition(SYNCED, "Unknown", "Deleting", message)
