"""What Prometheus is told of the clusters: from their objects' status, so that it is the truth."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    UnknownMetricFamily,
)
from prometheus_client.registry import Collector

from hooks.http.bounded_json import Json
from hooks.kube.times import read_time
from hooks.targetclusters.sync.plan.model import Outcome

#: Seconds after which a cluster that nobody asked about is no longer told of: each that is
#: watched is asked about three times in that time, one that was deleted elsewhere never again.
UNSEEN_SECONDS = 900.0

_CLUSTER = ("namespace", "name")
_SYNC_STATES = ("applied", "unchanged", "pruned", "drifted", "conflicts", "failed")
_RESULTS = ("success", "failure")


@dataclass
class _Seen:
    """What is known of one cluster."""

    at: float
    status: Json
    rounds: Counter[str] = field(default_factory=Counter)
    objects: Counter[str] = field(default_factory=Counter)


class ClusterMetrics(Collector):
    """Takes note of the clusters, and tells Prometheus when it asks.

    Args:
        registry: where to be asked.
        clock: epoch seconds.
    """

    def __init__(self, registry: CollectorRegistry, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str], _Seen] = {}
        registry.register(self)

    def observe(self, namespace: str, name: str, status: Json) -> None:
        """Take note of a TargetCluster's status."""
        with self._lock:
            seen = self._seen.setdefault((namespace, name), _Seen(self._clock(), status))
            seen.at, seen.status = self._clock(), status

    def count_round(
        self, namespace: str, name: str, *, success: bool, outcomes: Mapping[Outcome, int]
    ) -> None:
        """Count a round of syncing, of a cluster that is known."""
        with self._lock:
            seen = self._seen.get((namespace, name))
            if seen is not None:
                seen.rounds["success" if success else "failure"] += 1
                seen.objects.update(outcomes)

    def forget(self, namespace: str, name: str) -> None:
        """Tell no more of a cluster."""
        with self._lock:
            self._seen.pop((namespace, name), None)

    def describe(self) -> Iterable[Metric]:
        """List the metrics without samples."""
        return _families().values()

    def collect(self) -> Iterator[Metric]:
        """Tell of every cluster that is still there."""
        with self._lock:
            recently = self._clock() - UNSEEN_SECONDS
            for key in [key for key, seen in self._seen.items() if seen.at < recently]:
                del self._seen[key]
            clusters = [
                (key, seen.status, Counter(seen.rounds), Counter(seen.objects))
                for key, seen in sorted(self._seen.items())
            ]
        families = _families()
        for key, status, rounds, objects in clusters:
            for metric, labels, value in _samples(status):
                families[metric].add_metric((*key, *labels), value)
            for result in _RESULTS:
                families["target_cluster_resource_sync_count"].add_metric(
                    (*key, result), rounds[result]
                )
            for outcome, count in sorted(objects.items()):
                families["target_cluster_resource_sync_objects"].add_metric((*key, outcome), count)
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
