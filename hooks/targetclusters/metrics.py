"""The metrics of the clusters that are watched, from the status of their TargetClusters."""

from collections.abc import Iterable
from typing import TypeVar, get_args

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    UnknownMetricFamily,
)
from prometheus_client.registry import Collector

from hooks.http.bounded_json import Json
from hooks.kube.objects import is_true, part
from hooks.kube.times import read_time
from hooks.targetclusters.clusters import Clusters, WatchedCluster
from hooks.targetclusters.sync.plan.model import Outcome

Family = TypeVar("Family", GaugeMetricFamily, CounterMetricFamily, UnknownMetricFamily)

_EPOCH = "in seconds since 1970."
_STATES = "applied, unchanged, pruned, drifted, contested, deleting, conflicts, failed"
#: Gauges with one value for each cluster: the name after `target_cluster_`, the field of a status
#: that holds the value, a number or a time, and the help.
_GAUGES = (
    ("probe_duration_seconds", "probe.durationSeconds", "Seconds that the last probe took."),
    ("resource_sync_duration_seconds", "sync.durationSeconds", "Seconds of the last sync round."),
    ("last_contact_timestamp_seconds", "lastContactTime", f"When it last answered, {_EPOCH}"),
    ("nodes_ready", "nodes.ready", "Nodes of the cluster that are ready."),
    ("nodes", "nodes.total", "Nodes of the cluster."),
    (
        "credential_expiry_timestamp_seconds",
        "credentialExpiry",
        f"When the kubeconfig's certificate or token expires, {_EPOCH}",
    ),
    (
        "credential_renew_by_timestamp_seconds",
        "credentialRenewBy",
        f"From when on a renewal of the certificate or token is late, {_EPOCH}",
    ),
)


class ClusterMetrics(Collector):
    """Shows Prometheus the clusters that are watched, by the status that was last answered."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters

    def describe(self) -> Iterable[Metric]:
        """Return the metrics without samples."""
        return _families([])

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of every cluster that was answered."""
        return _families(self._clusters.all())


def _families(clusters: list[WatchedCluster]) -> Iterable[Metric]:
    text = "1 if the cluster is Ready, 0 if it is not or unknown."
    ready = _family(GaugeMetricFamily, "health_status", text)
    gauges = {field: _family(GaugeMetricFamily, name, text) for name, field, text in _GAUGES}
    text = (
        "Objects by state: inventory (all that were applied to the cluster), and, after the last "
        f"round, {_STATES}."
    )
    resources = _family(GaugeMetricFamily, "resources", text, "state")
    text = "Sync rounds, by result: success, or failure if something is not in sync afterwards."
    # A CounterMetricFamily would add the suffix _total to the name.
    rounds = _family(UnknownMetricFamily, "resource_sync_count", text, "result")
    text = f"Objects in sync rounds, by outcome: {', '.join(get_args(Outcome))}."
    objects = _family(CounterMetricFamily, "resource_sync_objects_total", text, "outcome")
    for cluster in clusters:
        key, status = (cluster.namespace, cluster.name), cluster.status
        if status is None:
            continue
        ready.add_metric(key, float(is_true({"status": status}, "Ready")))
        for field, gauge in gauges.items():
            if (value := _read(status, field)) is not None:
                gauge.add_metric(key, value)
        sync = part(status, "sync")
        for state in ("inventory", *_STATES.split(", ")):
            if (value := sync.get("objects" if state == "inventory" else state)) is not None:
                resources.add_metric((*key, state), value)
        for result in ("success", "failure"):
            rounds.add_metric((*key, result), cluster.rounds[result])
        for outcome, count in sorted(cluster.objects.items()):
            objects.add_metric((*key, outcome), count)
    return (ready, *gauges.values(), resources, rounds, objects, *_repairs(clusters))


def _repairs(clusters: list[WatchedCluster]) -> Iterable[Metric]:
    text = "Faults of the cluster that are there, by state: waiting, or given_up after maxRetry."
    faults = _family(GaugeMetricFamily, "healing_faults", text, "state")
    text = (
        "1 if so many nodes are not ready that nothing is repaired, or so many pods ill that none "
        "is deleted; else 0."
    )
    breaker = _family(GaugeMetricFamily, "healing_breaker_open", text)
    text = "Repairs that this process tried, by kind of fault and outcome."
    attempts = _family(CounterMetricFamily, "healing_attempts_total", text, "kind", "outcome")
    for cluster in clusters:
        key, healing = (cluster.namespace, cluster.name), part(cluster.status or {}, "healing")
        if healing:
            given_up = healing.get("givenUp", 0)
            faults.add_metric((*key, "waiting"), healing.get("open", 0) - given_up)
            faults.add_metric((*key, "given_up"), given_up)
            breaker.add_metric(key, float(healing.get("breaker") == "Open"))
        for (kind, verdict), count in sorted(cluster.attempts_total.items()):
            attempts.add_metric((*key, kind, verdict), count)
    return (faults, breaker, attempts)


def _family(kind: type[Family], name: str, text: str, *labels: str) -> Family:
    return kind(f"target_cluster_{name}", text, labels=("namespace", "name", *labels))


def _read(status: Json, field: str) -> float | None:
    """Return a number or a time of a status; None if it is absent."""
    *path, key = field.split(".")
    value = part(status, *path).get(key)
    return read_time(value) if isinstance(value, str) else value
