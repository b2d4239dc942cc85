"""What a TargetCluster asks of a real cluster, and what an account needs for that."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.controlplane import Cluster, ControlPlane
from tests.e2e.targets import TargetPlatform, add_node, condition, says
from tests.targets.objects import encoded, kubeconfig

ACCOUNT = "without-rights"
NO_NODES, NO_PODS = {"minReadyNodes": 0}, {"minReadyPods": "0%"}


@pytest.fixture(scope="module")
def target(control_plane: ControlPlane) -> Iterator[Cluster]:
    with control_plane.target_cluster("checked") as running:
        running.kubectl("create", "serviceaccount", ACCOUNT)
        add_node(running, "worker-1")
        add_node(running, "worker-2", ready=False)
        yield running


def add_pod(target: Cluster, name: str, *, node: str = "worker-1", **status: Any) -> None:
    """Create a pod in the namespace default, or change its status."""
    pods = target.api.resource("v1", "pods")
    spec = {"nodeName": node, "containers": [{"name": "c", "image": "i"}]}
    pods.create({"metadata": {"name": name, "namespace": "default"}, "spec": spec})
    pods.patch(name, {"status": status}, "default", subresource="status")


def ready(*, yes: bool) -> dict[str, Any]:
    return {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True" if yes else "False"}],
    }


@pytest.mark.parametrize(
    "checks",
    [
        pytest.param({**NO_NODES, **NO_PODS}, id="no-share-of-either"),
        pytest.param({**NO_NODES, "podNamespaces": []}, id="no-namespaces"),
    ],
)
def test_what_is_not_asked_for_needs_no_right(
    platform: TargetPlatform, target: Cluster, checks: dict[str, Any]
) -> None:
    token = target.service_account_token(ACCOUNT, "default")
    platform.put_secret("target", target.kubeconfig_as(token))
    platform.make("modest", healthChecks=checks)
    cluster = platform.until_says("modest", "Ready", "True Healthy")
    assert says(cluster, "NodesReady") == "True NotAsked"
    assert says(cluster, "SystemPodsReady") == "True NotAsked"
    assert cluster["status"]["user"] == f"system:serviceaccount:default:{ACCOUNT}"
    assert "nodes" not in cluster["status"]


@pytest.mark.parametrize(
    ("left_out", "missing"), [(NO_NODES, "SystemPodsReady"), (NO_PODS, "NodesReady")]
)
def test_what_is_asked_for_and_may_not_be_read_is_named(
    platform: TargetPlatform, target: Cluster, left_out: dict[str, Any], missing: str
) -> None:
    token = target.service_account_token(ACCOUNT, "default")
    platform.put_secret("target", target.kubeconfig_as(token))
    platform.make("curious", healthChecks=left_out)
    cluster = platform.until_says("curious", missing, "Unknown Forbidden")
    assert says(cluster, "Ready") == "Unknown Forbidden"
    assert says(cluster, "Reachable") == "True Answered"


def test_nobody_is_not_accepted(platform: TargetPlatform, target: Cluster) -> None:
    authority = {"certificate-authority-data": encoded(target.ca.read_text())}
    platform.put_secret("target", kubeconfig(target.url, cluster=authority))
    platform.make("nobody", failureThreshold=1, healthChecks={**NO_NODES, **NO_PODS})
    cluster = platform.until_says("nobody", "CredentialsValid", "False Anonymous")
    assert "system:anonymous" in condition(cluster, "CredentialsValid")["message"]
    assert says(cluster, "Ready") == "False Anonymous"


def test_pods_have_a_share_that_counts_only_those_that_could_run(
    platform: TargetPlatform, target: Cluster
) -> None:
    for number in range(3):
        add_pod(target, f"web-{number}", **ready(yes=True))
    add_pod(target, "web-3", **ready(yes=False))
    add_pod(target, "ended", phase="Failed", reason="Terminated")
    add_pod(target, "done", phase="Succeeded")
    add_pod(target, "on-a-node-that-is-down", node="worker-2", **ready(yes=False))
    checks = {"podNamespaces": ["default"], "minReadyPods": "75%"}
    platform.make("shared", failureThreshold=1, healthChecks=checks)
    cluster = platform.until_says("shared", "Ready", "True Healthy")
    pods = cluster["status"]["systemPods"]
    assert pods == {"ready": 3, "total": 4, "notReady": ["default/web-3"]}
    platform.change("shared", healthChecks={"minReadyPods": "76%"})
    cluster = platform.until_says("shared", "Ready", "False NotReady")
    assert "default/web-3" in condition(cluster, "SystemPodsReady")["message"]
    platform.change("shared", healthChecks={"minReadyPods": 3})
    platform.until_says("shared", "Ready", "True Healthy")
