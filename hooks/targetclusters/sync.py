"""Brings the objects that sources want to a target, and takes away what they no longer want."""

from collections.abc import Callable

from hooks.deadline import Deadline
from hooks.kube import Kube
from hooks.targetclusters.inventory import Inventory
from hooks.targetclusters.sync_memory import SyncMemory
from hooks.targetclusters.sync_plan import DeleteReport, SyncReport, SyncTask


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
    raise NotImplementedError


def delete_inventory(
    target: Kube, cluster: str, inventory: Inventory, *, memory: SyncMemory, deadline: Deadline
) -> DeleteReport:
    """Delete what the inventory holds and is still ours, last applied first, then the ApplySet.

    To be called again with `remaining` until it is `complete`.

    Args:
        target: the target's API server.
        cluster: `namespace/name` of the TargetCluster.
        inventory: what may be on the target.
        memory: of this target.
        deadline: of this round.
    """
    raise NotImplementedError
