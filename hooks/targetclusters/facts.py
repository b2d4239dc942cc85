"""Reads what is known of a TargetCluster from its request and its jobs; waits for nothing."""

from hooks.http.bounded_json import Json
from hooks.kube.times import epoch
from hooks.targetclusters.clusters import WatchedCluster
from hooks.targetclusters.plan.facts import Facts
from hooks.targetclusters.request import Spec
from hooks.webhook.contract import BadRequest, CompositeRequest


def observe(request: CompositeRequest, spec: Spec, watched: WatchedCluster) -> Facts:
    """Return what is known now.

    Args:
        request: what Metacontroller sent.
        spec: the TargetCluster's spec.
        watched: its record.

    Raises:
        BadRequest: the deletion timestamp is not a time.
        Exception: a bug that ended a job.
    """
    cluster = request["parent"]
    return Facts(
        cluster=cluster,
        spec=spec,
        config_maps=config_maps(request),
        deleted_at=_deleted_at(cluster),
        probe=watched.probe.state(),
        sync=watched.sync.state(),
        deletion=watched.deletion.state(),
        now=watched.clock(),
    )


def config_maps(request: CompositeRequest) -> tuple[Json, ...]:
    """Return the ConfigMaps of a request, which hold the inventory, by name."""
    children = request["children"].get("ConfigMap.v1") or {}
    return tuple(children[name] for name in sorted(children))


def _deleted_at(cluster: Json) -> float | None:
    text = cluster["metadata"].get("deletionTimestamp")
    try:
        return epoch(text) if text else None
    except ValueError:
        raise BadRequest(
            "parent.metadata.deletionTimestamp",
            f"is {text!r}, must be a time such as 2026-01-01T00:00:00Z",
        ) from None
