"""Both ways to uninstall, in the order of the guide and in the wrong one: what is left where.

Each test has nothing left in the end, and the next one goes on with the same API server.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hooks.names import CLOUDSTACK_GROUP
from simulator.server import Simulator
from tests.controlplane import ControlPlane, polling
from tests.deploy import installed
from tests.deploy.checkout import run_block
from tests.deploy.pods import moved
from tests.deploy.site import Site, ids, ready
from tests.documented.runs import GUIDES
from tools.manifests import PROVIDER


@pytest.fixture
def site(cluster: ControlPlane, tmp_path: Path) -> Iterator[Site]:
    with Simulator() as simulator:
        site = Site(cluster, simulator, tmp_path, moved(PROVIDER.read_text()))
        assert not crds(site)
        site.install()
        cluster.start_controllers()
        installed.give_cloud_config(cluster, simulator, tmp_path)
        yield site
    cluster.kubectl("delete", "nodes", *site.nodes)
    cluster.kubectl("-n", installed.NAMESPACE, "delete", "secret", "cloudstack-secret")


def until_gone(site: Site) -> None:
    """Wait until nothing that was applied is left, the CRDs and their objects least of all."""
    polling.until(lambda: not crds(site), "all CRDs are gone")


def crds(site: Site) -> set[str]:
    """Return the groups of the CRDs that are there, be they on their way out."""
    api = site.cluster.api
    found = api.resource("apiextensions.k8s.io/v1", "customresourcedefinitions", namespaced=False)
    return {crd["spec"]["group"] for crd in found.list()}


def without_finalizers(site: Site) -> None:
    """Let the load balancers go without being cleaned up, by the guide's own command."""
    run_block("patch cslb ", GUIDES / "uninstall.md", site.folder / "checkout", site.cluster)


def uninstall(site: Site) -> None:
    """Take everything away in the order of the guide, while the controller runs."""
    site.services.delete("web", "default")
    polling.until(lambda: not site.load_balancers(), "the load balancer goes")
    site.delete()


def test_everything_is_released_where_services_go_first(site: Site) -> None:
    with site.pod().running():
        site.join()
        site.address()
        assert all(site.in_cloudstack().values())
        uninstall(site)
    until_gone(site)
    assert not any(site.in_cloudstack().values())


def test_addresses_stay_where_the_controller_stops_first(site: Site) -> None:
    with site.pod().running():
        site.join()
        address = site.address()
        polling.until(lambda: ready(site), "the load balancer is ready")
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
        polling.until(lambda: ready(site), "the load balancer is taken up again")
        assert site.address() == address
        after = site.in_cloudstack()
        assert ids(after["rules"]) == ids(before["rules"])
        assert ids(after["addresses"]) == ids(before["addresses"])
        uninstall(site)
    until_gone(site)


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
    polling.until(lambda: crds(site) == {CLOUDSTACK_GROUP}, "the others go")
    if release:
        site.install()
        with site.pod().running():
            polling.until(lambda: not any(site.in_cloudstack().values()), "all is released")
        site.delete()
    else:
        without_finalizers(site)
    until_gone(site)
    assert release or site.in_cloudstack() == before
