"""A cluster with the cloud controller, nodes and a Service that is served."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from simulator.server import Simulator
from tests.controlplane import ControlPlane, polling
from tests.controlplane.api import Objects, Resource
from tests.deploy import installed
from tests.deploy.pods import Moved, Pod, moved
from tests.deploy.rendering import CLOUD_CONTROLLER, text
from tests.e2e.nodes import UNINITIALIZED, initialised

LOAD_BALANCERS = ("cloudstack.targetcluster.example.com/v1alpha1", "cloudstackloadbalancers")
NODES = ("node-1", "node-2")


@dataclass
class Site:
    """A cluster with the cloud controller, two nodes and a Service that is served."""

    cluster: ControlPlane
    simulator: Simulator
    folder: Path
    manifests: Moved = field(default_factory=lambda: moved(text(CLOUD_CONTROLLER)))
    settings: dict[str, str] = field(default_factory=dict)
    pods: int = 0
    nodes: Sequence[str] = NODES

    def install(self) -> None:
        """Apply the manifests."""
        installed.apply(self.cluster, self.manifests)

    def pod(self) -> Pod:
        """Return another pod of the Deployment."""
        self.pods += 1
        deployment = self.manifests.rendered.deployment()
        folder = self.folder / f"pod-{self.pods}"
        return Pod(self.cluster, deployment, folder, settings=self.settings)

    def delete(self) -> None:
        """Delete what was applied; what holds back is not waited for."""
        arguments = ["--ignore-not-found", "--wait=false", "-f", "-"]
        self.cluster.kubectl("delete", *arguments, stdin=self.manifests.text)

    @property
    def services(self) -> Resource:
        return self.cluster.api.resource("v1", "services")

    def load_balancers(self) -> Objects:
        return self.cluster.api.resource(*LOAD_BALANCERS).list()

    def in_cloudstack(self) -> dict[str, Objects]:
        """Return what CloudStack has for the Service."""
        state = self.simulator.control.state()
        addresses = [address for address in state["addresses"] if not address["sourcenat"]]
        rules = state["loadbalancerrules"]
        return {"addresses": addresses, "rules": rules, "firewall": state["firewallrules"]}

    def address(self, name: str = "web") -> str:
        """Wait until a Service has an address, and return it."""

        def ingress() -> Objects:
            service = self.services.get(name, "default")
            return list(service["status"]["loadBalancer"].get("ingress", []))

        return str(polling.until(ingress, f"{name} has an address")[0]["ip"])

    def serve(self, name: str) -> None:
        """Make a Service of type LoadBalancer."""
        spec = {"type": "LoadBalancer", "ports": [{"port": 80}]}
        self.services.create({"metadata": {"name": name, "namespace": "default"}, "spec": spec})

    def join(self) -> None:
        """Let the nodes come, and the Service be made."""
        nodes = self.cluster.api.resource("v1", "nodes", namespaced=False)
        taint = {"key": UNINITIALIZED, "value": "true", "effect": "NoSchedule"}
        for name in self.nodes:
            nodes.create({"metadata": {"name": name}, "spec": {"taints": [taint]}})
        polling.until(lambda: all(initialised(nodes.get(name)) for name in self.nodes), "nodes")
        self.serve("web")


def ready(site: Site) -> bool:
    """Tell whether the load balancer says that it is."""
    conditions = [
        condition
        for balancer in site.load_balancers()
        for condition in balancer.get("status", {}).get("conditions", [])
    ]
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def ids(found: Objects) -> set[str]:
    return {str(one["id"]) for one in found}
