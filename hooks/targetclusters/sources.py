"""Reads the sources of a TargetCluster from its own API server."""

from dataclasses import dataclass, field

from hooks.deadline import Deadline
from hooks.kube import Kube
from hooks.targetclusters.sync_plan import DesiredSet
from hooks.webhook import Json


@dataclass
class SourceCache:
    """What the sources of one TargetCluster held when last read; it may be lost."""

    entries: dict[str, object] = field(default_factory=dict)


def gather(
    own: Kube, cluster: Json, *, kubeconfig_secret: str, cache: SourceCache, deadline: Deadline
) -> DesiredSet:
    """Read what a TargetCluster's sources want on its target.

    Bad sources end as `problems`, never as an exception; an API server out of reach too, with
    `whole` unset.

    Args:
        own: the API server that holds the TargetCluster.
        cluster: the TargetCluster.
        kubeconfig_secret: name of the Secret that must never be synced.
        cache: of this TargetCluster.
        deadline: of the reading.
    """
    raise NotImplementedError
