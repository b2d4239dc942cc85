"""TargetClusters on real API servers: watched, with Metacontroller and gunicorn between them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane import Cluster, ControlPlane
from tests.e2e import targets
from tests.e2e.targets import NAMESPACE, TargetPlatform, add_node, kubeconfig_of

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def target(control_plane: ControlPlane) -> Iterator[Cluster]:
    with control_plane.target_cluster("target") as running:
        add_node(running, "worker-1")
        add_node(running, "worker-2")
        yield running


@pytest.fixture
def platform(control_plane: ControlPlane, tmp_path: Path) -> Iterator[TargetPlatform]:
    with targets.running(control_plane, tmp_path) as running:
        yield running


EXAMPLE = """
apiVersion: targetcluster.example.com/v1alpha1
kind: TargetCluster
metadata:
  name: example-cluster
  namespace: target-cluster-system
spec:
  kubeconfigSecret: target-cluster-kubeconfig
  monitorInterval: 30s
  resourceSyncPolicy:
    enabled: true
    syncInterval: 5m
  autoHealing:
    enabled: true
    maxRetry: 3
"""


def test_the_example_is_ready(platform: TargetPlatform, target: Cluster) -> None:
    platform.put_secret("target-cluster-kubeconfig", kubeconfig_of(target))
    platform.plane.apply(EXAMPLE)
    cluster = platform.until_says("example-cluster", "Ready", "True Healthy")
    assert cluster["status"]["version"] == "v1.36.3"
    assert cluster["status"]["nodes"]["summary"] == "2/2"
    labels = {"namespace": NAMESPACE, "name": "example-cluster"}
    platform.until_says("example-cluster", "ResourcesSynced", "True Synced")
    assert platform.hooks.metric("target_cluster_health_status", **labels) == 1
    synced = platform.hooks.metric("target_cluster_resource_sync_count", **labels, result="success")
    assert synced == 1
