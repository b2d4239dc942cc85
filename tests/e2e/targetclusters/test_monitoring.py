"""TargetClusters on real API servers: watched, with Metacontroller and gunicorn between them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.controlplane import Cluster, ControlPlane, polling
from tests.controlplane.api import Object
from tests.e2e.targets import NAMESPACE, TargetPlatform, add_node, condition, kubeconfig_of, says

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "10-cluster-watched"
LABELS = {"namespace": NAMESPACE, "name": "example-cluster"}


@pytest.fixture(scope="module")
def target(control_plane: ControlPlane) -> Iterator[Cluster]:
    with control_plane.target_cluster("watched", audit=True) as running:
        add_node(running, "worker-1")
        add_node(running, "worker-2")
        yield running


def test_the_example_is_ready_and_everything_says_so(
    platform: TargetPlatform, target: Cluster
) -> None:
    platform.put_secret("target-cluster-kubeconfig", kubeconfig_of(target))
    platform.plane.apply(EXAMPLE / "target-cluster.yaml")
    cluster = platform.until_says("example-cluster", "Ready", "True Healthy")
    assert cluster["status"]["version"] == "v1.36.3"
    assert cluster["status"]["nodes"] == {"ready": 2, "total": 2, "summary": "2/2", "notReady": []}
    assert cluster["status"]["capacity"] == {"cpu": "8", "memory": "16291272Ki", "pods": "220"}
    platform.until_says("example-cluster", "Healing", "False NoAccount")
    platform.until_says("example-cluster", "ResourcesSynced", "True Synced")
    get = ("get", "targetclusters.targetcluster.example.com", "example-cluster", "-n", NAMESPACE)
    shown = yaml.safe_load(platform.plane.kubectl(*get, "-o", "yaml"))
    assert says(shown, "Ready") == "True Healthy"
    assert shown["status"]["version"] == "v1.36.3"
    assert shown["status"]["nodes"]["summary"] == "2/2"
    head, row = (line.split() for line in platform.plane.kubectl(*get).splitlines())
    assert head == ["NAME", "READY", "VERSION", "NODES", "SYNCED", "HEALING", "AGE"]
    assert row[1:6] == ["True", "v1.36.3", "2/2", "True", "NoAccount"]
    platform.plane.kubectl(
        "wait", "tc/example-cluster", "-n", NAMESPACE, "--for=condition=Ready", "--timeout=120s"
    )
    metric = platform.hooks.metric
    assert metric("target_cluster_health_status", **LABELS) == 1
    assert metric("target_cluster_resource_sync_count", **LABELS, result="success") == 1
    platform.until_event("example-cluster", "ClusterReady")
    about = f"{NAMESPACE}/example-cluster"
    logged = {
        (line["level"], line["message"])
        for line in platform.hooks.log()
        if line.get("object") == about
    }
    assert ("info", "v1.36.3, 2 of 2 nodes ready") in logged
    assert ("info", "0 objects are in sync") in logged
    assert target.token not in platform.hooks.process.log.read_text()


def test_a_stopped_cluster_is_noticed_and_comes_back(
    platform: TargetPlatform, target: Cluster
) -> None:
    interval = 4.0
    platform.make("stopped", monitorInterval=f"{interval:g}s")
    known = platform.until_says("stopped", "Ready", "True Healthy")
    target.api_server.kill()
    try:
        lost = platform.until_says("stopped", "Reachable", "False Unreachable")
        assert lost["status"]["stale"] is True
        assert lost["status"]["nodes"] == known["status"]["nodes"]
        contact = lost["status"]["lastContactTime"]
        assert contact >= known["status"]["lastContactTime"]
        later = platform.until("stopped", lambda c: c["status"]["probe"] != lost["status"]["probe"])
        assert later["status"]["lastContactTime"] == contact
        metric = platform.hooks.metric(
            "target_cluster_health_status", namespace=NAMESPACE, name="stopped"
        )
        assert metric == 0
    finally:
        target.start_api_server()
    back = platform.until_says("stopped", "Ready", "True Healthy")
    assert back["status"]["stale"] is False
    platform.until_event("stopped", "ClusterNotReady")


def test_a_restarted_operator_remembers_how_often_probes_failed(
    platform: TargetPlatform, target: Cluster
) -> None:
    platform.make("counted", failureThreshold=100, healthChecks={"timeout": "1s"})
    platform.until_says("counted", "Ready", "True Healthy")
    target.api_server.kill()

    def failures(cluster: Object) -> int:
        checks = {check["condition"]: check for check in cluster["status"]["probe"]["checks"]}
        return int(checks["Reachable"]["failures"])

    try:
        platform.until("counted", lambda c: failures(c) >= 3)
        platform.hooks.kill()
        before = failures(platform.clusters.get("counted", NAMESPACE))
        platform.hooks.start()
        after = platform.until("counted", lambda c: failures(c) != before)
        assert failures(after) == before + 1
        assert condition(after, "Reachable")["status"] == "True"
    finally:
        target.start_api_server()


def test_nodes_that_are_all_not_ready_are_not_ready(
    platform: TargetPlatform, target: Cluster
) -> None:
    platform.make("limping", failureThreshold=1)
    platform.until_says("limping", "Ready", "True Healthy")
    for name in ("worker-1", "worker-2"):
        add_node(target, name, ready=False)
    try:
        cluster = platform.until_says("limping", "Ready", "False TooFewReady")
        assert "0 of 2 nodes are ready, 1 required" in condition(cluster, "Ready")["message"]
        assert condition(cluster, "Reachable")["status"] == "True"
    finally:
        for name in ("worker-1", "worker-2"):
            add_node(target, name)


def test_a_deleted_clusters_series_go_away(platform: TargetPlatform) -> None:
    platform.make("deleted", resourceSyncPolicy={"enabled": True})
    platform.until_says("deleted", "ResourcesSynced", "True Synced")

    def series() -> set[str]:
        lines = platform.hooks.scrape().body.decode().splitlines()
        return {line.partition("{")[0] for line in lines if 'name="deleted"' in line}

    assert {"target_cluster_health_status", "target_cluster_resource_sync_count"} < series()
    platform.clusters.delete("deleted", NAMESPACE)
    platform.until_gone("deleted")
    polling.until(lambda: not series(), "the series are gone")
