"""Brings the objects that sources want to a target, and takes away what they no longer want."""

from collections.abc import Callable
from dataclasses import dataclass, field

from hooks.deadline import Deadline
from hooks.kube import Kube, KubeError
from hooks.targetclusters.inventory import Inventory, InventoryEntry, ObjectKey
from hooks.targetclusters.sync_apply import words
from hooks.targetclusters.sync_applyset import Parent
from hooks.targetclusters.sync_applyset_plan import Extent, Sets
from hooks.targetclusters.sync_kinds import Kinds
from hooks.targetclusters.sync_live import Live
from hooks.targetclusters.sync_memory import SyncMemory
from hooks.targetclusters.sync_order_plan import rank
from hooks.targetclusters.sync_plan import DeleteReport, ObjectResult, SyncReport, SyncTask
from hooks.targetclusters.sync_prune import Remover, remove_all
from hooks.targetclusters.sync_round import Round
from hooks.targetclusters.sync_target import RoundOver, Target


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


def delete_inventory(
    target: Kube, cluster: str, inventory: Inventory, *, memory: SyncMemory, deadline: Deadline
) -> DeleteReport:
    """Delete what the inventory holds and is still ours, last applied first, then the ApplySet.

    To be called again with `remaining` until it is `complete`. Never raises for anything that
    the target does.

    Args:
        target: the target's API server.
        cluster: `namespace/name` of the TargetCluster.
        inventory: what may be on the target.
        memory: of this target.
        deadline: of this round.
    """
    namespace = cluster.partition("/")[0]
    deletion = _Deletion(Sets.of(cluster, namespace, inventory), dict(inventory.by_key))
    error = ""
    try:
        deletion.run(Target(target, deadline), memory)
    except (RoundOver, KubeError) as trouble:
        error = words(str(trouble)) or "the round's time was over"
    return DeleteReport(
        results=tuple(deletion.results),
        remaining=inventory.holding(deletion.left.values()),
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
        parents = [Parent(target, one) for one in (self.sets.current, *self.sets.former)]
        for parent in parents:
            parent.read()
        live = Live(target, Kinds(target, memory.kinds), self.sets.ids)
        for entry in members.values():
            live.find(entry.key.group_kind, entry.api_version)
        live.read(Extent.of(members).namespaces, {}, expected=len(members))
        entries = sorted(members.values(), key=lambda entry: rank(entry.key), reverse=True)
        for removed in remove_all(Remover(target, self.sets.ids), live, entries):
            self.results.append(removed.result)
            if removed.gone:
                self.left.pop(removed.result.entry.key, None)
        if not self.left.keys() & members.keys():
            for parent in parents:
                parent.delete()
            self.left.clear()
