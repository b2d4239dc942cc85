"""The metrics of the clusters that are watched, from the status of their TargetClusters."""

from collections.abc import Iterable, Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    UnknownMetricFamily,
)
from prometheus_client.registry import Collector

from hooks.http.bounded_json import Json
from hooks.kube.times import read_time
from hooks.targetclusters.clusters import Clusters

_CLUSTER = ("namespace", "name")
_SYNC_STATES = ("applied", "unchanged", "pruned", "drifted", "conflicts", "failed")
_RESULTS = ("success", "failure")


class ClusterMetrics(Collector):
    """Shows Prometheus the clusters that are watched, by the status that was last answered.

    Args:
        clusters: those that are watched.
    """

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters

    def describe(self) -> Iterable[Metric]:
        """List the metrics without samples."""
        return _families().values()

    def collect(self) -> Iterator[Metric]:
        """Return the metrics of every cluster that was answered."""
        families = _families()
        for cluster in self._clusters.all():
            if cluster.status is None:
                continue
            key, (rounds, objects) = (cluster.namespace, cluster.name), cluster.counts()
            for metric, labels, value in _samples(cluster.status):
                families[metric].add_metric((*key, *labels), value)
            count = families["target_cluster_resource_sync_count"]
            for result in _RESULTS:
                count.add_metric((*key, result), rounds.get(result, 0))
            for outcome, number in sorted(objects.items()):
                families["target_cluster_resource_sync_objects"].add_metric((*key, outcome), number)
        yield from families.values()


_Family = GaugeMetricFamily | CounterMetricFamily | UnknownMetricFamily


def _families() -> dict[str, _Family]:
    """Make every metric, without samples, by its name without `_total`."""
    families = (
        _gauge(
            "target_cluster_health_status",
            "1 where the cluster is Ready, 0 where it is not or unknown.",
        ),
        # Without the suffix _total, which the library adds to every counter.
        UnknownMetricFamily(
            "target_cluster_resource_sync_count",
            "Rounds of syncing resources to the cluster, counted by result: success, or failure "
            "where something is left that is not as it should be.",
            labels=(*_CLUSTER, "result"),
        ),
        CounterMetricFamily(
            "target_cluster_resource_sync_objects_total",
            "Objects in rounds of syncing, by outcome: applied, unchanged, pruned, drifted, "
            "conflict, failed, skipped.",
            labels=(*_CLUSTER, "outcome"),
        ),
        _gauge(
            "target_cluster_resource_sync_duration_seconds",
            "Seconds that the last round of syncing took.",
        ),
        _gauge(
            "target_cluster_resources",
            "Objects by state: inventory (all that were applied to the cluster), and, after the "
            "last round, applied, unchanged, pruned, drifted, conflicts, failed.",
            "state",
        ),
        _gauge("target_cluster_probe_duration_seconds", "Seconds that the last probe took."),
        _gauge(
            "target_cluster_last_contact_timestamp_seconds",
            "When the cluster last answered, in seconds since 1970.",
        ),
        _gauge("target_cluster_nodes_ready", "Nodes of the cluster that are ready."),
        _gauge("target_cluster_nodes", "Nodes of the cluster."),
        _gauge(
            "target_cluster_credential_expiry_timestamp_seconds",
            "When the kubeconfig's certificate or token ends, in seconds since 1970; absent where "
            "neither ends.",
        ),
    )
    return {family.name: family for family in families}


def _gauge(name: str, sentence: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, sentence, labels=(*_CLUSTER, *labels))


#: The metric's name, its labels besides the cluster's, its value.
Sample = tuple[str, tuple[str, ...], float]


def _samples(status: Json) -> Iterator[Sample]:
    """Read what a status says; what it does not say has no sample."""
    yield "target_cluster_health_status", (), float(_is_ready(status))
    nodes = status.get("nodes") or {}
    sync = status.get("sync") or {}
    probe = status.get("probe") or {}
    for metric, value in (
        ("target_cluster_nodes_ready", nodes.get("ready")),
        ("target_cluster_nodes", nodes.get("total")),
        ("target_cluster_probe_duration_seconds", probe.get("durationSeconds")),
        ("target_cluster_resource_sync_duration_seconds", sync.get("durationSeconds")),
        ("target_cluster_last_contact_timestamp_seconds", read_time(status.get("lastContactTime"))),
        (
            "target_cluster_credential_expiry_timestamp_seconds",
            read_time(status.get("credentialExpiry")),
        ),
    ):
        if value is not None:
            yield metric, (), float(value)
    if "objects" in sync:
        yield "target_cluster_resources", ("inventory",), float(sync["objects"])
    for state in _SYNC_STATES:
        if state in sync:
            yield "target_cluster_resources", (state,), float(sync[state])


def _is_ready(status: Json) -> bool:
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in status.get("conditions") or []
    )
