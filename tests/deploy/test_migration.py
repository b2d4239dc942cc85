"""The guide to migrate, followed where the existing provider has looked after a cluster."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulator.server import Simulator
from tests.controlplane import ControlPlane
from tests.controlplane.api import Object
from tests.deploy import installed
from tests.deploy.checkout import make_checkout, run
from tests.deploy.pods import Moved, moved
from tests.deploy.rendering import PROJECT
from tests.documented.pages import sections
from tests.e2e.cloud import Cloud
from tests.e2e.watching import PREFIX
from tools.manifests import PROVIDER

GUIDE = PROJECT / "docs" / "guides" / "migrate.md"
INSTALL = "kubectl apply -f provider.yaml"
OLD = Path(__file__).parent / "existing-provider.yaml"
OLD_FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
NODES = ("node-1", "node-2")
NETWORK = "net-1"


@dataclass(frozen=True)
class Inherited:
    """A cluster as the existing provider leaves it: two nodes, and a Service that is served."""

    cluster: ControlPlane
    simulator: Simulator
    checkout: Path
    manifests: Moved

    def service(self) -> Object:
        return self.cluster.api.resource("v1", "services").get("web", "default")

    def nodes(self) -> dict[str, Object]:
        nodes = self.cluster.api.resource("v1", "nodes", namespaced=False).list()
        return {node["metadata"]["name"]: node for node in nodes}

    def rules(self) -> dict[str, Object]:
        return {rule["id"]: rule for rule in self.simulator.control.state()["loadbalancerrules"]}

    def changes(self) -> list[str]:
        """Return the commands by which anything was changed in CloudStack since the last time."""
        commands = [call["command"] for call in self.simulator.control.calls()]
        self.simulator.control.clear_calls()
        reading = ("list", "query", "login")
        return [command for command in commands if not command.startswith(reading)]


@pytest.fixture
def inherited(empty_cluster: ControlPlane, tmp_path: Path) -> Iterator[Inherited]:
    checkout = make_checkout(tmp_path / "checkout", empty_cluster)
    manifests = moved(PROVIDER.read_text())
    (checkout / "provider.yaml").write_text(manifests.text)
    with Simulator() as simulator:
        empty_cluster.start_controllers()
        installed.give_cloud_config(empty_cluster, simulator, tmp_path)
        empty_cluster.apply(OLD.read_text())
        cloud = Cloud.of(simulator)
        left_nodes(empty_cluster, cloud)
        left_service(empty_cluster, cloud)
        simulator.control.clear_calls()
        yield Inherited(empty_cluster, simulator, checkout, manifests)


def left_nodes(cluster: ControlPlane, cloud: Cloud) -> None:
    """Make the nodes as the existing provider has initialised them."""
    nodes = cluster.api.resource("v1", "nodes", namespaced=False)
    for name in NODES:
        provider_id = f"external-cloudstack://{cloud.find(name)['id']}"
        nodes.create({"metadata": {"name": name}, "spec": {"providerID": provider_id}})
        status = {"conditions": [{"type": "Ready", "status": "True"}]}
        nodes.patch(name, {"status": status}, subresource="status")


def left_service(cluster: ControlPlane, cloud: Cloud) -> None:
    """Make a Service as the existing provider serves it, and what it has in CloudStack."""
    services = cluster.api.resource("v1", "services")
    service = services.create(
        {
            "metadata": {"name": "web", "namespace": "default", "finalizers": [OLD_FINALIZER]},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
        }
    )
    [network] = [
        one["id"] for one in cloud.api.list("listNetworks", "network") if one["name"] == NETWORK
    ]
    made = cloud.api.done("associateIpAddress", networkid=network)["ipaddress"]
    uid = service["metadata"]["uid"].replace("-", "")
    rule = cloud.api.done(
        "createLoadBalancerRule",
        publicipid=made["id"],
        networkid=network,
        name=f"{('a' + uid)[:32]}-tcp-80",
        algorithm="roundrobin",
        publicport=80,
        privateport=service["spec"]["ports"][0]["nodePort"],
        openfirewall="false",
    )["loadbalancer"]
    machines = ",".join(cloud.find(name)["id"] for name in NODES)
    cloud.api.done("assignToLoadBalancerRule", id=rule["id"], virtualmachineids=machines)
    cloud.api.done(
        "createFirewallRule",
        ipaddressid=made["id"],
        protocol="tcp",
        startport=80,
        endport=80,
        cidrlist="0.0.0.0/0",
    )
    status = {"loadBalancer": {"ingress": [{"ip": made["ipaddress"]}]}}
    services.patch("web", {"status": status}, "default", subresource="status")


def test_the_guide_leads_from_the_existing_provider_to_ours(
    inherited: Inherited, tmp_path: Path
) -> None:
    nodes, rules = inherited.nodes(), inherited.rules()
    address = inherited.service()["status"]["loadBalancer"]["ingress"][0]["ip"]
    section = sections(GUIDE)["From the existing provider"]
    steps = [block.code for block in section if not block.reason]
    [installing] = [number for number, code in enumerate(steps) if INSTALL in code]
    [going_on] = [number for number, code in enumerate(steps) if "mode-\n" in code]

    for code in steps[: installing + 1]:
        run(code, inherited.checkout, inherited.cluster.kubeconfig)
    assert inherited.service()["metadata"]["annotations"][f"{PREFIX}mode"] == "plan"
    with installed.running(inherited.cluster, inherited.manifests, inherited.simulator, tmp_path):
        for code in steps[installing + 1 : going_on]:
            run(code, inherited.checkout, inherited.cluster.kubeconfig)
        assert inherited.changes() == []
        assert inherited.rules() == rules
        for code in steps[going_on:]:
            run(code, inherited.checkout, inherited.cluster.kubeconfig)
    assert not {command for command in inherited.changes() if command.startswith(("delete", "dis"))}
    service = inherited.service()
    assert [one["ip"] for one in service["status"]["loadBalancer"]["ingress"]] == [address]
    assert "finalizers" not in service["metadata"]
    taken = inherited.rules()
    assert set(taken) == set(rules)
    assert all(rule["tags"] for rule in taken.values())
    for name, node in inherited.nodes().items():
        assert node["spec"]["providerID"] == nodes[name]["spec"]["providerID"]
        assert node["metadata"]["labels"]["node.kubernetes.io/instance-type"]
    left = inherited.cluster.kubectl("-n", "kube-system", "get", "deployments", "-o", "name")
    assert left.split() == ["deployment.apps/cloudstack-cloud-controller"]
