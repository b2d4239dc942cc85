"""Deletes objects from a target that are still ours, and checks whether they are gone."""

from hooks.kube.client import Conflict, KubeError
from hooks.targetclusters.sync.live import LiveState
from hooks.targetclusters.sync.plan.inventory import InventoryEntry
from hooks.targetclusters.sync.plan.model import LiveObject, ObjectResult
from hooks.targetclusters.sync.target import Target, describe_error


def delete_object(state: LiveState, entry: InventoryEntry) -> ObjectResult:
    """Delete one object if it still carries one of our ids; a failure becomes a result.

    Raises:
        RoundEnded: no more calls in this round.
    """
    problem = state.problem(entry.key)
    if not problem:
        try:
            return _delete_object(state, entry)
        except KubeError as error:
            problem = describe_error(error, confidential=entry.kind == "Secret")
    return ObjectResult(entry, "failed", f"is not deleted: {problem}")


def _delete_object(state: LiveState, entry: InventoryEntry) -> ObjectResult:
    kind = state.kinds.get(entry.key.group_kind)
    if kind is None:
        message = "is gone: the target does not serve its kind"
        return ObjectResult(entry, "pruned", message, is_gone=True)
    path = kind.path(entry.namespace, entry.name)
    # An object that is not listed is gone, or no longer carries our label.
    live = state.objects.get(entry.key) or state.target.find_live(path)
    if live is None:
        return ObjectResult(entry, "pruned", "was already gone", is_gone=True)
    if live.part_of not in state.sets.ids:
        message = "no longer carries our label; it is left alone"
        return ObjectResult(entry, "skipped", message, is_gone=True)
    if not live.is_deleting and not _delete(state.target, path, live):
        message = "changed on the target meanwhile; it is looked at again"
        return ObjectResult(entry, "skipped", message, needs_recheck=True)
    if state.target.find_live(path) is None:
        return ObjectResult(entry, "pruned", is_gone=True)
    message = "is being deleted, and waits for its finalizers"
    return ObjectResult(entry, "pruned", message, needs_recheck=True)


def _delete(target: Target, path: str, live: LiveObject) -> bool:
    """Delete an object, also if only its version has changed; False if it is another now."""
    try:
        target.delete(path, live)
    except Conflict:
        again = target.find_live(path)
        if again is None or (again.uid, again.part_of) != (live.uid, live.part_of):
            return False
        target.delete(path, again)
    return True
