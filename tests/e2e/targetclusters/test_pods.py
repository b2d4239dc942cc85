"""Pods of a real target cluster that are ill are deleted: by a real API server's rules."""

from collections.abc import Iterator

import pytest

from tests.controlplane import Cluster, ControlPlane, polling
from tests.controlplane.api import Object
from tests.e2e import targets
from tests.e2e.targetclusters.healing import QUICK, fault
from tests.e2e.targets import NAMESPACE, TargetPlatform, add_node, condition

PODS: Object = {"enabled": True, "podTimeout": "1s", "namespaces": ["kube-system"]}
DNS = "kube-system/ReplicaSet/dns-5d78"
CRASHING: Object = {
    "name": "dns",
    "image": "dns",
    "imageID": "",
    "ready": False,
    "restartCount": 7,
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
}


@pytest.fixture(scope="module")
def operator(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TargetPlatform]:
    folder = tmp_path_factory.mktemp("operator")
    with targets.running(control_plane, folder, POD_NAMESPACE=NAMESPACE) as platform:
        yield platform


@pytest.fixture(scope="module")
def target(control_plane: ControlPlane) -> Iterator[Cluster]:
    with control_plane.target_cluster("pods", audit=True) as running:
        add_node(running, "n-1")
        yield running


@pytest.fixture
def pods(target: Cluster) -> Iterator[list[str]]:
    """Put three pods of two controllers on the node, and name those of the first."""
    made = [admit(target, "dns-5d78-a"), admit(target, "dns-5d78-b")]
    admit(target, "proxy-a", kind="DaemonSet", owner="proxy")
    yield made
    for pod in target.api.resource("v1", "pods").list("kube-system"):
        name = pod["metadata"]["name"]
        path = f"/api/v1/namespaces/kube-system/pods/{name}"
        target.api.call("DELETE", path, {"gracePeriodSeconds": 0})


def admit(target: Cluster, name: str, kind: str = "ReplicaSet", owner: str = "dns-5d78") -> str:
    """Make a pod that is well, as a controller, the scheduler and a kubelet do."""
    controller = {
        "apiVersion": "apps/v1",
        "kind": kind,
        "name": owner,
        "uid": f"uid-of-{owner}",
        "controller": True,
    }
    resource = target.api.resource("v1", "pods")
    metadata = {"name": name, "namespace": "kube-system", "ownerReferences": [controller]}
    spec = {"nodeName": "n-1", "containers": [{"name": "dns", "image": "dns"}]}
    resource.create({"metadata": metadata, "spec": spec})
    fall(target, name, ready=True)
    return name


def fall(target: Cluster, name: str, *, ready: bool, **status: object) -> None:
    """Write a pod's status, as its kubelet does."""
    said = {"type": "Ready", "status": str(ready)}
    body = {"status": {"phase": "Running", "conditions": [said], **status}}
    pods = target.api.resource("v1", "pods")
    pods.patch(name, body, "kube-system", subresource="status")


def find(target: Cluster, name: str) -> Object | None:
    return target.api.resource("v1", "pods").find(name, "kube-system")


def make(platform: TargetPlatform, name: str, kubeconfig: str = "target") -> None:
    """Create a TargetCluster that heals pods, without any account of CloudStack."""
    platform.make(name, kubeconfigSecret=kubeconfig, autoHealing={**QUICK, "pods": PODS})


def test_a_pod_that_crashes_is_deleted_with_its_grace_and_the_others_stay(
    platform: TargetPlatform, target: Cluster, pods: list[str]
) -> None:
    make(platform, "crashing")
    platform.until_says("crashing", "Ready", "True Healthy")
    fall(target, pods[0], ready=False, containerStatuses=[CRASHING])

    def going() -> bool:
        pod = find(target, pods[0])
        return pod is not None and "deletionTimestamp" in pod["metadata"]

    polling.until(going, "the pod is being deleted")
    pod = find(target, pods[0]) or {}
    assert pod["metadata"]["deletionGracePeriodSeconds"] == 30
    cluster = platform.until("crashing", lambda one: bool(fault(one, DNS).get("attempts")))
    assert fault(cluster, DNS)["repair"] == "DeletePod"
    others = target.api.resource("v1", "pods").list("kube-system")
    assert [
        one["metadata"]["name"] for one in others if "deletionTimestamp" in one["metadata"]
    ] == [pods[0]]


def test_what_deletions_do_not_help_is_given_up(
    platform: TargetPlatform, target: Cluster, pods: list[str]
) -> None:
    """Each pod that is deleted goes, and the next one of its controller crashes too."""
    make(platform, "again")
    platform.until_says("again", "Ready", "True Healthy")
    fall(target, pods[0], ready=False, containerStatuses=[CRASHING])
    for name in ("dns-5d78-c", "dns-5d78-d"):
        polling.until(lambda: _ends(target), "a pod is being deleted")
        admit(target, name)
        fall(target, name, ready=False, containerStatuses=[CRASHING])
    cluster = platform.until_says("again", "Healing", "False RetriesExhausted")
    assert fault(cluster, DNS)["attempts"] == 2


def _ends(target: Cluster) -> bool:
    """End a pod that is being deleted, as its kubelet does; tell whether there was one."""
    for pod in target.api.resource("v1", "pods").list("kube-system"):
        if "deletionTimestamp" in pod["metadata"]:
            name = pod["metadata"]["name"]
            path = f"/api/v1/namespaces/kube-system/pods/{name}"
            target.api.call("DELETE", path, {"gracePeriodSeconds": 0})
            return True
    return False


def test_rights_that_are_missing_are_named_before_they_are_needed(
    platform: TargetPlatform, target: Cluster, pods: list[str]
) -> None:
    target.kubectl("create", "serviceaccount", "watcher")
    target.kubectl("create", "clusterrole", "watch", "--verb=list", "--resource=nodes,pods")
    target.kubectl(
        "create",
        "clusterrolebinding",
        "watch",
        "--clusterrole=watch",
        "--serviceaccount=default:watcher",
    )
    token = target.service_account_token("watcher", "default")
    platform.put_secret("watcher", target.kubeconfig_as(token))
    make(platform, "watched", "watcher")

    def says(cluster: Object) -> bool:
        return "delete pods in kube-system" in condition(cluster, "Healing").get("message", "")

    cluster = platform.until("watched", says)
    assert "get nodes" in condition(cluster, "Healing")["message"]
    fall(target, pods[0], ready=False, containerStatuses=[CRASHING])
    cluster = platform.until("watched", lambda one: "right" in fault(one, DNS).get("waits", ""))
    assert fault(cluster, DNS)["attempts"] == 0
    assert "deletionTimestamp" not in (find(target, pods[0]) or {})["metadata"]
