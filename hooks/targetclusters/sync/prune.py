"""Deletes objects from a target that are still ours, and sees whether they are gone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hooks.kube.client import Conflict, KubeError, NotFound
from hooks.targetclusters.sync.apply import explain
from hooks.targetclusters.sync.live import Live
from hooks.targetclusters.sync.plan.inventory import InventoryEntry
from hooks.targetclusters.sync.plan.kinds import Kind
from hooks.targetclusters.sync.plan.model import ObjectResult, Outcome
from hooks.targetclusters.sync.plan.object import LiveObject
from hooks.targetclusters.sync.target import Target, look


@dataclass(frozen=True)
class Removed:
    """What became of an object that is to go.

    Attributes:
        gone: it is there no more, or no longer ours: the inventory need not hold it.
    """

    result: ObjectResult
    gone: bool


class Remover:
    """Deletes the objects of one round that carry the id of one of our ApplySets."""

    def __init__(self, target: Target, ours: frozenset[str]) -> None:
        self._target = target
        self._ours = ours

    def remove(self, entry: InventoryEntry, kind: Kind | None, seen: LiveObject | None) -> Removed:
        """Delete one object, seen as the target listed it; what fails is told in the result.

        Args:
            entry: of the inventory.
            kind: as the target serves it; None where it does not any more.
            seen: None where it was not listed: it is gone or carries our label no more.

        Raises:
            RoundOver: no more calls in this round.
        """
        if kind is None:
            return _removed(entry, "pruned", "went with its kind")
        path = kind.path(entry.namespace, entry.name)
        try:
            return self._remove(entry, path, seen or look(self._target, path))
        except KubeError as error:
            message = explain(error, confidential=entry.kind == "Secret")
            return Removed(ObjectResult(entry, "failed", f"is not deleted: {message}"), gone=False)

    def _remove(self, entry: InventoryEntry, path: str, seen: LiveObject | None) -> Removed:
        if seen is None:
            return _removed(entry, "pruned", "was gone already")
        if seen.part_of not in self._ours:
            return _removed(entry, "skipped", "carries our label no more and is left")
        if not seen.deleting:
            try:
                self._delete(path, seen)
            except Conflict:
                again = look(self._target, path)
                if again is None or again.uid != seen.uid or again.part_of != seen.part_of:
                    message = "changed on the target meanwhile; it is looked at again"
                    return Removed(ObjectResult(entry, "skipped", message), gone=False)
                self._delete(path, again)
        if look(self._target, path) is None:
            return _removed(entry, "pruned")
        message = "is being deleted, and waits for its finalizers"
        return Removed(ObjectResult(entry, "pruned", message), gone=False)

    def _delete(self, path: str, seen: LiveObject) -> None:
        try:
            self._target.delete(path, uid=seen.uid, resource_version=seen.resource_version)
        except NotFound:
            return


def remove_all(
    remover: Remover, live: Live, entries: Iterable[InventoryEntry]
) -> Iterator[Removed]:
    """Delete objects one after the other, as they are on the target by `live`."""
    for entry in entries:
        trouble = live.trouble(entry.key)
        if trouble:
            yield Removed(ObjectResult(entry, "failed", f"is not deleted: {trouble}"), gone=False)
        else:
            kind = live.kinds.get(entry.key.group_kind)
            yield remover.remove(entry, kind, live.seen.get(entry.key))


def _removed(entry: InventoryEntry, outcome: Outcome, message: str = "") -> Removed:
    return Removed(ObjectResult(entry, outcome, message), gone=True)
