"""Reads what is known of a TargetCluster from its request and its jobs; waits for nothing."""

from hooks.targetclusters.clusters import WatchedCluster
from hooks.targetclusters.plan.facts import Facts
from hooks.targetclusters.request import TargetClusterRequest


def observe(request: TargetClusterRequest, watched: WatchedCluster) -> Facts:
    """Return what is known now.

    Args:
        request: what Metacontroller sent.
        watched: its record.

    Raises:
        Exception: a bug that ended a job.
    """
    return Facts(
        **vars(request),
        probe=watched.probe.state(),
        sync=watched.sync.state(),
        deletion=watched.deletion.state(),
        now=watched.clock(),
    )
