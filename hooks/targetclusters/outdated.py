"""Tells whether a TargetCluster and its inventory are still as a request showed them."""

from itertools import count

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import METADATA, Kube, NotFound
from hooks.kube.kinds import CONFIG_MAP
from hooks.kube.objects import part
from hooks.names import LABEL_SHARD
from hooks.targetclusters.access.kubeconfig_secrets import TARGET_CLUSTER
from hooks.targetclusters.request import TargetClusterRequest
from hooks.targetclusters.sync.plan.inventory import part_name


def is_outdated(own: Kube, request: TargetClusterRequest, deadline: Deadline) -> bool:
    """Tell whether the TargetCluster, its spec or its inventory is another by now.

    Args:
        own: the API server with the TargetCluster; only metadata is read.
        request: what was shown.
        deadline: for all reads.

    Raises:
        KubeError: that cannot be read.
    """
    if is_changed(own, request.cluster, deadline):
        return True
    shown = request.cluster["metadata"]
    namespace, name = shown["namespace"], shown["name"]
    for config_map in request.config_maps:
        metadata = part(config_map, "metadata")
        path = CONFIG_MAP.path(namespace, str(metadata.get("name")))
        found = _metadata(own, path, deadline)
        if found.get("resourceVersion") != metadata.get("resourceVersion"):
            return True
    names = {part(config_map, "metadata").get("name") for config_map in request.config_maps}
    following = next(each for number in count(1) if (each := part_name(name, number)) not in names)
    added = _metadata(own, CONFIG_MAP.path(namespace, following), deadline)
    owners = added.get("ownerReferences") or ()
    return any(owner.get("uid") == shown.get("uid") for owner in owners)


def is_changed(own: Kube, cluster: Json, deadline: Deadline) -> bool:
    """Tell whether a TargetCluster or its spec is another than `cluster` by now.

    Raises:
        KubeError: that cannot be read.
    """
    shown = cluster["metadata"]
    path = TARGET_CLUSTER.path(shown["namespace"], shown["name"])
    return _state(_metadata(own, path, deadline)) != _state(shown)


def _metadata(own: Kube, path: str, deadline: Deadline) -> Json:
    """Return the metadata of an object; empty if there is none. Raises KubeError."""
    try:
        return part(own.get(path, deadline=deadline, accept=METADATA), "metadata")
    except NotFound:
        return {}


def _state(metadata: Json) -> tuple[object, ...]:
    """Return what is another for a new TargetCluster, spec or shard, and for a deletion."""
    is_deleting, labels = bool(metadata.get("deletionTimestamp")), part(metadata, "labels")
    return metadata.get("uid"), metadata.get("generation"), is_deleting, labels.get(LABEL_SHARD)
