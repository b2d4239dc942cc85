"""Brings the objects that sources want to a target, and takes away what they no longer want."""

from collections.abc import Callable
from dataclasses import dataclass, field

from hooks.http.deadline import Deadline
from hooks.kube.client import Kube, KubeError
from hooks.targetclusters.sync.apply import words
from hooks.targetclusters.sync.applyset import Parent
from hooks.targetclusters.sync.kinds import Kinds
from hooks.targetclusters.sync.live import Live
from hooks.targetclusters.sync.memory import SyncMemory
from hooks.targetclusters.sync.plan.applyset import Extent, Sets
from hooks.targetclusters.sync.plan.inventory import InventoryEntry, ObjectKey
from hooks.targetclusters.sync.plan.model import (
    DeleteReport,
    DeleteTask,
    ObjectResult,
    SyncReport,
    SyncTask,
)
from hooks.targetclusters.sync.plan.order import rank
from hooks.targetclusters.sync.prune import Remover, remove_all
from hooks.targetclusters.sync.round import Round
from hooks.targetclusters.sync.target import RoundOver, Target


def sync_round(
    target: Kube,
    task: SyncTask,
    *,
    memory: SyncMemory,
    deadline: Deadline,
    clock: Callable[[], float],
) -> SyncReport:
    """Apply and prune what the recorded inventory covers; answer the next inventory.

    The first round with a new object only adds it to the inventory; it is applied by the round
    that is given that inventory as `recorded`. Never raises for anything that the target does.

    Args:
        target: the target's API server.
        task: what is wanted, what is recorded, how to go about it.
        memory: of this target.
        deadline: of the whole round; what it cuts off is done by the next.
        clock: epoch seconds.
    """
    return Round(Target(target, deadline), task, memory, clock).run()


def delete_all(
    target: Kube, task: DeleteTask, *, memory: SyncMemory, deadline: Deadline
) -> DeleteReport:
    """Delete all that is ours, last applied first, then the ApplySet.

    That is what the inventory holds and still carries our label, and what carries it although an
    inventory that was lost does not hold it. To be called again with `remaining` until it is
    `complete`. Never raises for anything that the target does.

    Args:
        target: the target's API server.
        task: what may be there.
        memory: of this target.
        deadline: of this round.
    """
    sets = Sets.of(task.cluster, task.target_namespace, task.inventory)
    deletion = _Deletion(sets, dict(task.inventory.by_key))
    error = ""
    try:
        deletion.run(Target(target, deadline), memory)
    except (RoundOver, KubeError) as trouble:
        error = words(str(trouble)) or "the round's time was over"
    return DeleteReport(
        results=tuple(deletion.results),
        remaining=task.inventory.holding(deletion.left.values()),
        complete=not deletion.left,
        error=error,
    )


@dataclass
class _Deletion:
    """What is still to be deleted, and what became of the rest."""

    sets: Sets
    left: dict[ObjectKey, InventoryEntry]
    results: list[ObjectResult] = field(default_factory=list)

    def run(self, target: Target, memory: SyncMemory) -> None:
        """Delete the members, then the ConfigMaps of the sets."""
        members = self.sets.members
        parents = {
            one.entry.key: Parent(target, one) for one in (self.sets.current, *self.sets.former)
        }
        extent = Extent.of(members)
        for parent in parents.values():
            extent |= parent.read()
        live = Live(target, Kinds(target, memory.kinds), self.sets.ids)
        for entry in members.values():
            live.find(entry.key.group_kind, entry.api_version)
        for group_kind in sorted(extent.group_kinds):
            live.find(group_kind)
        live.read(extent.namespaces, {}, expected=len(members))
        lost = live.unknown({**members, **parents})
        self.left.update((entry.key, entry) for entry in lost)
        entries = sorted(
            (*members.values(), *lost), key=lambda entry: rank(entry.key), reverse=True
        )
        for removed in remove_all(Remover(target, self.sets.ids), live, entries):
            self.results.append(removed.result)
            if removed.gone:
                self.left.pop(removed.result.entry.key, None)
        if not self.left.keys() - parents.keys():
            for parent in parents.values():
                parent.delete()
            self.left.clear()
