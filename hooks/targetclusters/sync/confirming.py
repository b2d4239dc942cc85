"""Asks once more which cluster it is before anything counts as gone.

A round asks that at its beginning. A name, or what balances behind it, may lead elsewhere since.
"""

from dataclasses import replace

from hooks.http.deadline import Deadline
from hooks.kube.client import Kube, KubeError
from hooks.kube.identity import ClusterIdentity
from hooks.targetclusters.identities import read_identity
from hooks.targetclusters.sync.plan.inventory import Inventory
from hooks.targetclusters.sync.plan.model import SyncReport

#: Seconds of that question, which a round that is out of time asks too.
CONFIRM_SECONDS = 5.0
_MOVED = "the name leads to another cluster since the round began, so nothing counts as gone"


def confirm_loss(
    made: SyncReport, recorded: Inventory, target: Kube, cluster: ClusterIdentity
) -> SyncReport:
    """Return the report of a round; nothing is gone if the target says that it is another cluster.

    One that does not answer any more says nothing. Never raises for anything that the target does.
    """
    is_whole = recorded.by_key.keys() <= made.inventory.by_key.keys()
    if is_whole or not _has_changed(cluster, target):
        return made
    entries = {**recorded.by_key, **made.inventory.by_key}
    return replace(
        made,
        inventory=made.inventory.with_entries(entries.values()),
        results=tuple(each for each in made.results if not each.is_gone),
        complete=False,
        error=made.error or _MOVED,
    )


def _has_changed(cluster: ClusterIdentity, target: Kube) -> bool:
    deadline = Deadline(CONFIRM_SECONDS)
    try:
        now = read_identity(target, cluster.ca, deadline, place=cluster.place)
    except KubeError:
        return False
    return now.same_as(cluster) is False
