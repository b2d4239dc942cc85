"""What Prometheus is told of the clusters: from their objects' status, so that it is the truth."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hooks.http.bounded_json import Json
from hooks.kube.times import read_time
from hooks.targetclusters.sync.plan.model import Outcome
from hooks.webhook.metrics import Definition

_CLUSTER = ("namespace", "name")

HEALTH = Definition(
    "target_cluster_health_status",
    "gauge",
    _CLUSTER,
    "1 where the cluster is Ready, 0 where it is not or that is not known.",
)
SYNC_COUNT = Definition(
    "target_cluster_resource_sync_count",
    "counter",
    (*_CLUSTER, "result"),
    "Rounds of bringing resources to the cluster, by result: success, or failure where "
    "something was left that is not as it should be.",
)
SYNC_OBJECTS = Definition(
    "target_cluster_resource_sync_objects_total",
    "counter",
    (*_CLUSTER, "outcome"),
    "Objects that rounds looked at, by outcome: applied, unchanged, pruned, drifted, conflict, "
    "failed, skipped.",
)
SYNC_SECONDS = Definition(
    "target_cluster_resource_sync_duration_seconds",
    "gauge",
    _CLUSTER,
    "Seconds that the last round of bringing resources to the cluster took.",
)
RESOURCES = Definition(
    "target_cluster_resources",
    "gauge",
    (*_CLUSTER, "state"),
    "Objects by state: inventory (all that were brought there), and, as the last round left "
    "them, applied, unchanged, pruned, drifted, conflicts, failed.",
)
PROBE_SECONDS = Definition(
    "target_cluster_probe_duration_seconds",
    "gauge",
    _CLUSTER,
    "Seconds that the last probe took.",
)
LAST_CONTACT = Definition(
    "target_cluster_last_contact_timestamp_seconds",
    "gauge",
    _CLUSTER,
    "When the cluster last answered, in seconds since 1970.",
)
NODES_READY = Definition(
    "target_cluster_nodes_ready", "gauge", _CLUSTER, "Nodes of the cluster that are ready."
)
NODES = Definition("target_cluster_nodes", "gauge", _CLUSTER, "Nodes of the cluster.")
CREDENTIAL_EXPIRY = Definition(
    "target_cluster_credential_expiry_timestamp_seconds",
    "gauge",
    _CLUSTER,
    "When the kubeconfig's certificate or token ends, in seconds since 1970; not there where "
    "neither has an end.",
)

#: Every metric of the clusters, in the order of the reference page.
DEFINITIONS = (
    HEALTH,
    SYNC_COUNT,
    SYNC_OBJECTS,
    SYNC_SECONDS,
    RESOURCES,
    PROBE_SECONDS,
    LAST_CONTACT,
    NODES_READY,
    NODES,
    CREDENTIAL_EXPIRY,
)

#: Seconds after which a cluster that nobody asked about is no longer told of: each that is
#: watched is asked about three times in that time, one that was deleted elsewhere never again.
UNSEEN_SECONDS = 900.0

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
        """Name nothing beforehand: the names are fixed, the clusters are not."""
        return ()

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
        families = {definition.name: _family(definition) for definition in DEFINITIONS}
        for key, status, rounds, objects in clusters:
            for definition, labels, value in _samples(status):
                _add(families, definition, (*key, *labels), value)
            for result in _RESULTS:
                _add(families, SYNC_COUNT, (*key, result), rounds[result])
            for outcome, count in sorted(objects.items()):
                _add(families, SYNC_OBJECTS, (*key, outcome), count)
        yield from families.values()


Sample = tuple[Definition, tuple[str, ...], float]


def _samples(status: Json) -> Iterator[Sample]:
    """Read what a status says; what it does not say is not told."""
    yield HEALTH, (), float(_is_ready(status))
    nodes = status.get("nodes") or {}
    sync = status.get("sync") or {}
    probe = status.get("probe") or {}
    for definition, value in (
        (NODES_READY, nodes.get("ready")),
        (NODES, nodes.get("total")),
        (PROBE_SECONDS, probe.get("durationSeconds")),
        (SYNC_SECONDS, sync.get("durationSeconds")),
        (LAST_CONTACT, read_time(status.get("lastContactTime"))),
        (CREDENTIAL_EXPIRY, read_time(status.get("credentialExpiry"))),
    ):
        if value is not None:
            yield definition, (), float(value)
    if "objects" in sync:
        yield RESOURCES, ("inventory",), float(sync["objects"])
    for state in _SYNC_STATES:
        if state in sync:
            yield RESOURCES, (state,), float(sync[state])


def _is_ready(status: Json) -> bool:
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in status.get("conditions") or []
    )


def _family(definition: Definition) -> Metric:
    labels = list(definition.labels)
    if definition.type == "counter" and definition.name.endswith("_total"):
        return CounterMetricFamily(definition.name, definition.sentence, labels=labels)
    if definition.type == "counter":
        # The library would add _total to a counter's name; this one was promised without.
        return Metric(definition.name, definition.sentence, "unknown")
    return GaugeMetricFamily(definition.name, definition.sentence, labels=labels)


def _add(
    families: Mapping[str, Metric], definition: Definition, labels: Iterable[str], value: float
) -> None:
    named = dict(zip(definition.labels, labels, strict=True))
    families[definition.name].add_sample(definition.name, named, value)
