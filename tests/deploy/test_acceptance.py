"""From an API server that has nothing to a cluster that works, by what the guides say."""

from contextlib import ExitStack
from pathlib import Path

import yaml

from hooks.names import (
    CLOUD_CONTROLLER,
    EVENT_CLUSTER_READY,
    EVENT_SYNCED,
    TARGET_CLUSTER_OPERATOR,
)
from simulator.server import Simulator
from tests.controlplane import ControlPlane, polling
from tests.controlplane.api import Object, Objects
from tests.deploy import installed
from tests.deploy.pods import Pod, moved, secret_of_files
from tests.deploy.rendering import DEPLOY, text
from tests.e2e.nodes import UNINITIALIZED, initialised
from tests.e2e.targetclusters.test_monitoring import EXAMPLE
from tests.e2e.targets import GROUP_VERSION, NAMESPACE, add_node, kubeconfig_of, says
from tests.e2e.waves import names_of, register_all, until_all_initialised
from tools.manifests import PROVIDER

OVERLAYS = DEPLOY / "overlays"


def until_address(cluster: ControlPlane) -> str:
    """Make a Service of type LoadBalancer, and return the address that it gets."""
    services = cluster.api.resource("v1", "services")
    services.create(
        {
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
        }
    )

    def ingress() -> Objects:
        balanced = services.get("web", "default")["status"]["loadBalancer"]
        return list(balanced.get("ingress", []))

    return str(polling.until(ingress, "the Service has an address")[0]["ip"])


def test_one_file_and_a_secret_are_enough_for_a_cluster_of_tainted_nodes(
    empty_cluster: ControlPlane, tmp_path: Path
) -> None:
    manifests = moved(PROVIDER.read_text())
    names = names_of(10)
    with Simulator(world="large", vms=10) as simulator:
        empty_cluster.kubectl("apply", "-f", "-", stdin=manifests.text)
        empty_cluster.start_controllers()
        installed.give_cloud_config(empty_cluster, simulator, tmp_path)
        with installed.running(empty_cluster, manifests, simulator, tmp_path) as platform:
            register_all(platform, names)
            until_all_initialised(platform, names)
            assert until_address(empty_cluster)


def test_the_quick_start_needs_no_cloudstack(empty_cluster: ControlPlane, tmp_path: Path) -> None:
    manifests = moved(text(OVERLAYS / "quick-start"))
    [config] = manifests.rendered.of("ConfigMap")
    machines = yaml.safe_load(config["data"]["world.yaml"])["virtualmachines"]
    empty_cluster.kubectl("apply", "-f", "-", stdin=manifests.text)
    empty_cluster.start_controllers()
    pod = Pod(empty_cluster, manifests.rendered.deployment(), tmp_path / "pod")
    with pod.running():
        nodes = empty_cluster.api.resource("v1", "nodes", namespaced=False)
        taint = {"key": UNINITIALIZED, "value": "true", "effect": "NoSchedule"}
        for machine in machines:
            nodes.create({"metadata": {"name": machine["name"]}, "spec": {"taints": [taint]}})
        polling.until(lambda: all(map(initialised, nodes.list())), "the nodes are initialised")
        assert until_address(empty_cluster).startswith("198.51.100.")


def test_the_keys_of_the_quick_start_are_the_simulators() -> None:
    given = (OVERLAYS / "quick-start" / "cloud-config").read_text()
    with Simulator(str(OVERLAYS / "quick-start" / "world.yaml")) as simulator:
        assert f"api-key = {simulator.user.api_key}\n" in given
        assert f"secret-key = {simulator.user.secret_key}\n" in given


def test_both_operators_work_side_by_side(empty_cluster: ControlPlane, tmp_path: Path) -> None:
    manifests = moved(text(OVERLAYS / "both-operators"))
    deployments = {each["metadata"]["name"]: each for each in manifests.rendered.of("Deployment")}
    with ExitStack() as stack:
        simulator = stack.enter_context(Simulator())
        target = stack.enter_context(empty_cluster.target_cluster("shop"))
        add_node(target, "worker-1")
        installed.apply(empty_cluster, manifests)
        empty_cluster.start_controllers()
        installed.give_cloud_config(empty_cluster, simulator, tmp_path)
        for name, deployment in deployments.items():
            settings = {"METRICS_BIND": "127.0.0.1"}
            pod = Pod(empty_cluster, deployment, tmp_path / name, settings=settings)
            stack.enter_context(pod.running())
        (tmp_path / "kubeconfig").write_text(kubeconfig_of(target))
        kubeconfig = [tmp_path / "kubeconfig"]
        secret_of_files(empty_cluster, NAMESPACE, "target-cluster-kubeconfig", kubeconfig)
        empty_cluster.apply(EXAMPLE / "target-cluster.yaml")
        clusters = empty_cluster.api.resource(GROUP_VERSION, "targetclusters")
        polling.until(
            lambda: says(clusters.get("example-cluster", NAMESPACE), "Ready") == "True Healthy",
            "the TargetCluster is Ready",
        )
        nodes = empty_cluster.api.resource("v1", "nodes", namespaced=False)
        taint = {"key": UNINITIALIZED, "value": "true", "effect": "NoSchedule"}
        nodes.create({"metadata": {"name": "node-1"}, "spec": {"taints": [taint]}})
        polling.until(lambda: initialised(nodes.get("node-1")), "the node is initialised")
        for namespace, reason, operator in (
            ("default", EVENT_SYNCED, CLOUD_CONTROLLER),
            (NAMESPACE, EVENT_CLUSTER_READY, TARGET_CLUSTER_OPERATOR),
        ):
            event = until_event(empty_cluster, namespace, reason)
            assert (event["source"]["component"], event["reportingComponent"]) == (operator,) * 2
            assert event["source"]["host"] == event["reportingInstance"] != ""


def until_event(cluster: ControlPlane, namespace: str, reason: str) -> Object:
    """Return an Event with a reason, once there is one."""
    events = cluster.api.resource("v1", "events")

    def found() -> Objects:
        return [each for each in events.list(namespace) if each["reason"] == reason]

    return polling.until(found, f"an Event {reason} is there")[0]
