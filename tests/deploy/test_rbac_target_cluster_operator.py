"""Every verb that the target-cluster-operator is granted is needed, and it needs no other.

Judged with a Metacontroller of its own, whose rights are ours to give; a cluster's own one has what
its owner gives it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hooks.targetclusters.round_lease import lease_name
from tests.controlplane import Cluster, ControlPlane, polling
from tests.controlplane.api import Object
from tests.deploy import installed
from tests.deploy.accounts import Roles, bound, wildcards
from tests.deploy.conftest import AUDITED, EVIDENCE
from tests.deploy.evidence import Verb
from tests.deploy.pods import Pod, moved
from tests.deploy.rendering import DEPLOY, render, text
from tests.e2e.targets import NAMESPACE, TargetHooks, TargetPlatform, add_node, kubeconfig_of, says

ALONE = DEPLOY / "overlays" / "target-cluster-operator-alone"
NAME = "target-cluster-operator"
GROUP = "targetcluster.example.com"

ROLES = Roles(
    render(ALONE),
    {
        "hooks": [
            ("ClusterRole", "", NAME),
            ("Role", NAMESPACE, NAME),
            ("Role", NAMESPACE, f"{NAME}-leases"),
        ],
        "metacontroller": [
            ("ClusterRole", "", f"{NAME}-metacontroller"),
            ("Role", NAMESPACE, f"{NAME}-metacontroller"),
            ("Role", NAMESPACE, f"{NAME}-leader"),
        ],
    },
    unseen={
        Verb(GROUP, "targetclusters/finalizers", "update"): "a question of admission, as for nodes",
        Verb("", "configmaps", "delete"): "of an inventory that needs one part less than before",
        Verb(
            "", "events", "list"
        ): "of an inventory that is refused: e2e/targetclusters/test_recording",
        Verb(
            "coordination.k8s.io", "leases", "patch"
        ): "of a fault: e2e/targetclusters/test_healing",
    },
)

CLUSTER = """
apiVersion: targetcluster.example.com/v1alpha1
kind: TargetCluster
metadata:
  name: shop
  namespace: target-cluster-system
spec:
  kubeconfigSecret: shop-kubeconfig
  monitorInterval: 1s
  resourceSyncPolicy:
    enabled: true
    syncInterval: 1s
"""
SOURCE = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: web
  namespace: target-cluster-system
  labels:
    targetcluster.example.com/sync: "true"
data:
  greeting: hello
---
apiVersion: v1
kind: Secret
metadata:
  name: web
  namespace: target-cluster-system
  labels:
    targetcluster.example.com/sync: "true"
stringData:
  password: hunter2
"""
#: Another replica's, which writes to the cluster just then.
LEASE_NAME = lease_name(f"{NAMESPACE}/shop")
LEASE = f"""
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata:
  name: {LEASE_NAME}
  namespace: {NAMESPACE}
spec:
  holderIdentity: another
"""


class PodHooks(TargetHooks):
    """The hooks in a pod."""

    def __init__(self, pod: Pod, ports: tuple[int, int]) -> None:
        self.port, self.metrics_port = ports
        self.process = pod.processes["hooks"]


@pytest.fixture(scope="module")
def entries(
    cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Object]]:
    """Return what the API server was asked while every flow that is documented went by."""
    folder = tmp_path_factory.mktemp("rbac")
    with cluster.target_cluster("shop") as target, ready(cluster, folder) as platform:
        add_node(target, "worker-1")
        a_cluster_is_watched_and_supplied(platform, target)
        an_event_repeats(platform, target)
        a_cluster_goes(platform)
        yield cluster.audited()


@contextmanager
def ready(cluster: ControlPlane, folder: Path) -> Iterator[TargetPlatform]:
    manifests = moved(text(ALONE))
    installed.apply(cluster, manifests)
    cluster.start_controllers()
    ROLES.bind(cluster)
    users = {who: (who, EVIDENCE) for who in AUDITED}
    deployment = manifests.rendered.deployment()
    pod = Pod(cluster, deployment, folder / "pod", users, {"METRICS_BIND": "127.0.0.1"})
    with pod.running():
        hooks = PodHooks(pod, (manifests.ports[8080], manifests.ports[8383]))
        yield TargetPlatform(cluster, hooks, pod.processes["metacontroller"])


def a_cluster_is_watched_and_supplied(platform: TargetPlatform, target: Cluster) -> None:
    platform.put_secret("shop-kubeconfig", kubeconfig_of(target))
    platform.plane.apply(SOURCE)
    platform.plane.apply(LEASE)
    platform.plane.apply(CLUSTER)
    platform.until_says("shop", "Ready", "True Healthy")
    polling.until(lambda: is_looked_at(platform.plane), "the replica waits for another one")
    platform.plane.api.resource("coordination.k8s.io/v1", "leases").delete(LEASE_NAME, NAMESPACE)
    platform.until_says("shop", "ResourcesSynced", "True Synced")
    copies = target.api.resource("v1", "configmaps")
    polling.until(lambda: copies.find("web", NAMESPACE), "the source is on the target")


def is_looked_at(cluster: ControlPlane) -> bool:
    asked = [each.get("objectRef", {}) for each in cluster.audited() if each["verb"] == "get"]
    return any((each.get("resource"), each.get("name")) == ("leases", LEASE_NAME) for each in asked)


def an_event_repeats(platform: TargetPlatform, target: Cluster) -> None:
    """Have another process say what the first has said: it finds the Event there."""
    platform.put_secret("shop-kubeconfig", "nonsense")
    platform.until("shop", lambda found: not says(found, "Ready").startswith("True"))
    platform.hooks.process.restart()
    platform.put_secret("shop-kubeconfig", kubeconfig_of(target))
    platform.until_says("shop", "Ready", "True Healthy")


def a_cluster_goes(platform: TargetPlatform) -> None:
    platform.clusters.delete("shop", NAMESPACE)
    polling.until(lambda: platform.clusters.find("shop", NAMESPACE) is None, "it is gone")


@pytest.mark.parametrize("who", AUDITED)
def test_no_verb_is_missing(entries: list[Object], who: str) -> None:
    assert ROLES.missing(entries, who) == set()


@pytest.mark.parametrize("who", AUDITED)
def test_no_verb_is_granted_that_nothing_uses(entries: list[Object], who: str) -> None:
    assert ROLES.unused(entries, who) == []


def test_nothing_is_granted_by_a_wildcard() -> None:
    assert wildcards(render(ALONE)) == []


def test_every_role_is_bound_to_the_pods_account() -> None:
    account = render(ALONE).pod()["serviceAccountName"]
    assert bound(render(ALONE)) == {(role, NAMESPACE, account) for role in ROLES.names()}
