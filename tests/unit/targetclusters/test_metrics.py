import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from hooks.http.bounded_json import Json
from hooks.targetclusters.clusters import FORGET_CLUSTER_AFTER, Clusters, WatchedCluster
from hooks.targetclusters.healing.plan.model import Attempt
from hooks.targetclusters.metrics import ClusterMetrics
from tests.targets.driving import Clock, target_cluster
from tests.unit.targetclusters.watching import record

ATTEMPT = Attempt("NodeNotReady", "node-1", "RebootVM", "Failed", "refused")
READY: Json = {
    "conditions": [{"type": "Ready", "status": "True"}],
    "nodes": {"ready": 2, "total": 3},
    "probe": {"durationSeconds": 0.25},
    "lastContactTime": "2027-01-15T08:00:00Z",
    "credentialExpiry": "2027-01-16T08:00:00Z",
    "credentialRenewBy": "2027-01-16T07:54:00Z",
    "healing": {"open": 0, "givenUp": 0, "breaker": "Closed"},
    "sync": {"objects": 7, "applied": 2, "deleting": 3, "failed": 1, "durationSeconds": 1.5},
}


class Exposition:
    """Metrics, and what Prometheus reads of them."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clusters = Clusters(record, self.clock)
        self.registry = CollectorRegistry()
        self.metrics = ClusterMetrics(self.clusters)
        self.registry.register(self.metrics)

    def observe(self, name: str, status: Json) -> WatchedCluster:
        watched = self.clusters.get(target_cluster(name))
        watched.status = status
        return watched

    def text(self) -> str:
        return generate_latest(self.registry).decode()

    def __call__(self, name: str, cluster: str = "a", **labels: str) -> float | None:
        labels = {"namespace": "team", "name": cluster, **labels}
        return self.registry.get_sample_value(name, labels)


@pytest.fixture
def exposition() -> Exposition:
    return Exposition()


def test_a_status_is_shown(exposition: Exposition) -> None:
    exposition.observe("a", READY)
    assert exposition("target_cluster_health_status") == 1
    assert exposition("target_cluster_nodes_ready") == 2
    assert exposition("target_cluster_nodes") == 3
    assert exposition("target_cluster_probe_duration_seconds") == 0.25
    assert exposition("target_cluster_last_contact_timestamp_seconds") == 1_800_000_000
    assert exposition("target_cluster_credential_expiry_timestamp_seconds") == 1_800_086_400
    assert exposition("target_cluster_credential_renew_by_timestamp_seconds") == 1_800_086_040
    assert exposition("target_cluster_resource_sync_duration_seconds") == 1.5
    assert exposition("target_cluster_resources", state="inventory") == 7
    assert exposition("target_cluster_resources", state="failed") == 1
    assert exposition("target_cluster_resources", state="deleting") == 3


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({}, id="no-status"),
        pytest.param({"conditions": [{"type": "Ready", "status": "False"}]}, id="not-ready"),
        pytest.param({"conditions": [{"type": "Ready", "status": "Unknown"}]}, id="unknown"),
        pytest.param({"conditions": [{"type": "Reachable", "status": "True"}]}, id="other"),
    ],
)
def test_what_is_not_known_to_be_ready_is_0_and_the_rest_is_absent(
    exposition: Exposition, status: Json
) -> None:
    exposition.observe("a", status)
    assert exposition("target_cluster_health_status") == 0
    assert exposition("target_cluster_nodes") is None
    assert exposition("target_cluster_credential_expiry_timestamp_seconds") is None


def test_rounds_are_counted_by_result_from_zero_on(exposition: Exposition) -> None:
    watched = exposition.observe("a", READY)
    assert exposition("target_cluster_resource_sync_count", result="success") == 0
    watched.count_round(success=True, outcomes={"applied": 3})
    watched.count_round(success=False, outcomes={"applied": 1, "failed": 2})
    assert exposition("target_cluster_resource_sync_count", result="success") == 1
    assert exposition("target_cluster_resource_sync_count", result="failure") == 1
    assert exposition("target_cluster_resource_sync_objects_total", outcome="applied") == 4
    assert exposition("target_cluster_resource_sync_objects_total", outcome="failed") == 2


def test_a_round_of_a_cluster_that_is_gone_does_not_bring_it_back(exposition: Exposition) -> None:
    watched = exposition.observe("a", READY)
    exposition.clusters.forget(watched)
    watched.count_round(success=True, outcomes={})
    assert "team" not in exposition.text()


def test_a_cluster_without_calls_is_shown_no_more(exposition: Exposition) -> None:
    exposition.observe("a", READY)
    exposition.observe("b", READY)
    exposition.clock.now += FORGET_CLUSTER_AFTER
    exposition.observe("b", READY)
    exposition.clock.now += 1
    assert exposition("target_cluster_health_status", "a") is None
    assert exposition("target_cluster_health_status", "b") == 1


def test_every_metric_is_registered_by_the_name_that_is_shown(exposition: Exposition) -> None:
    watched = exposition.observe("a", READY)
    watched.count_round(success=True, outcomes={"applied": 1})
    watched.count_attempts([ATTEMPT])
    shown = {
        family.name: {sample.name for sample in family.samples}
        for family in text_string_to_metric_families(exposition.text())
    }
    assert shown["target_cluster_health_status"] == {"target_cluster_health_status"}
    assert shown["target_cluster_resource_sync_count"] == {"target_cluster_resource_sync_count"}
    assert all(shown.values())
    assert list(shown) == [family.name for family in exposition.metrics.describe()]


def test_faults_and_attempts_are_shown(exposition: Exposition) -> None:
    watched = exposition.observe("a", {"healing": {"open": 3, "givenUp": 1, "breaker": "Open"}})
    watched.count_attempts([ATTEMPT])
    watched.count_attempts([])
    assert exposition("target_cluster_healing_faults", state="waiting") == 2
    assert exposition("target_cluster_healing_faults", state="given_up") == 1
    assert exposition("target_cluster_healing_breaker_open") == 1
    labels = {"kind": "NodeNotReady", "outcome": "Failed"}
    assert exposition("target_cluster_healing_attempts_total", **labels) == 1


def test_a_second_registration_is_refused(exposition: Exposition) -> None:
    with pytest.raises(ValueError, match="target_cluster_health_status"):
        exposition.registry.register(ClusterMetrics(exposition.clusters))
