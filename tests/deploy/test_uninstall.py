"""Both ways to uninstall, in the order of the guide and in the wrong one: what is left where."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

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
    pods: int = 0

    def install(self) -> None:
        """Apply the manifests."""
        installed.apply(self.cluster, self.manifests)

    def pod(self) -> Pod:
        """Return another pod of the Deployment."""
        self.pods += 1
        deployment = self.manifests.rendered.deployment()
        return Pod(self.cluster, deployment, self.folder / f"pod-{self.pods}")

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

    def address(self) -> str:
        """Wait until the Service has an address, and return it."""

        def ingress() -> Objects:
            service = self.services.get("web", "default")
            return list(service["status"]["loadBalancer"].get("ingress", []))

        return str(polling.until(ingress, "web has an address", within=90)[0]["ip"])

    def join(self) -> None:
        """Let the nodes come, and the Service be made."""
        nodes = self.cluster.api.resource("v1", "nodes", namespaced=False)
        taint = {"key": UNINITIALIZED, "value": "true", "effect": "NoSchedule"}
        for name in NODES:
            nodes.create({"metadata": {"name": name}, "spec": {"taints": [taint]}})
        polling.until(
            lambda: all(initialised(nodes.get(name)) for name in NODES), "nodes", within=60
        )
        self.services.create(
            {
                "metadata": {"name": "web", "namespace": "default"},
                "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
            }
        )


@pytest.fixture
def site(empty_cluster: ControlPlane, tmp_path: Path) -> Iterator[Site]:
    with Simulator() as simulator:
        site = Site(empty_cluster, simulator, tmp_path)
        site.install()
        empty_cluster.start_controllers()
        installed.give_cloud_config(empty_cluster, simulator, tmp_path)
        yield site


def until_gone(site: Site) -> None:
    """Wait until nothing that was applied is left, the CRDs and their objects least of all."""

    def left() -> list[str]:
        crds = site.cluster.api.resource(
            "apiextensions.k8s.io/v1", "customresourcedefinitions", namespaced=False
        )
        return [crd["metadata"]["name"] for crd in crds.list()]

    polling.until(lambda: not left(), "all CRDs are gone", within=60)


def without_finalizers(site: Site) -> None:
    """Let the load balancers go without being cleaned up, as the guide says."""
    for balancer in site.load_balancers():
        metadata = balancer["metadata"]
        place = ["-n", metadata["namespace"], "patch", "cslb", metadata["name"]]
        site.cluster.kubectl(*place, "--type=merge", "-p", '{"metadata": {"finalizers": []}}')


def test_everything_is_released_where_services_go_first(site: Site) -> None:
    with site.pod().running():
        site.join()
        site.address()
        assert all(site.in_cloudstack().values())
        site.services.delete("web", "default")
        polling.until(lambda: not site.load_balancers(), "the load balancer goes", within=60)
        site.delete()
    until_gone(site)
    assert not any(site.in_cloudstack().values())


def test_addresses_stay_where_the_controller_stops_first(site: Site) -> None:
    with site.pod().running():
        site.join()
        address = site.address()
        polling.until(lambda: ready(site), "the load balancer is ready", within=60)
    before = site.in_cloudstack()
    assert before["rules"]
    without_finalizers(site)
    site.delete()
    until_gone(site)
    assert site.in_cloudstack() == before
    assert site.address() == address
    # Installed again, it goes on with what there is.
    site.install()
    site.cluster.start_controllers()
    with site.pod().running():
        polling.until(lambda: ready(site), "the load balancer is taken up again", within=90)
        assert site.address() == address
    after = site.in_cloudstack()
    assert ids(after["rules"]) == ids(before["rules"])
    assert ids(after["addresses"]) == ids(before["addresses"])


@pytest.mark.parametrize("release", [True, False], ids=["release", "keep"])
def test_the_wrong_order_is_put_right_as_the_guide_says(site: Site, release: bool) -> None:
    with site.pod().running():
        site.join()
        site.address()
    before = site.in_cloudstack()
    # The pod is gone, and only then the Service goes, and everything that was applied.
    site.services.delete("web", "default")
    site.delete()
    polling.until(lambda: site.load_balancers()[0]["metadata"].get("deletionTimestamp"), "held")
    if release:
        site.install()
        with site.pod().running():
            polling.until(
                lambda: not any(site.in_cloudstack().values()), "all is released", within=90
            )
    else:
        without_finalizers(site)
        until_gone(site)
        assert site.in_cloudstack() == before


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
