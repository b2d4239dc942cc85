"""From an earlier version to this one and back, with everything live.

Nothing in CloudStack or on a target moves, no node is tainted again, and what came with the new
version shows.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from simulator.server import Simulator
from tests.controlplane import ControlPlane, polling
from tests.controlplane.api import Object
from tests.deploy import installed
from tests.deploy.earlier import VERSION, earlier, has_later_fields
from tests.deploy.pods import Moved, moved
from tests.deploy.rendering import CLOUD_CONTROLLER, environment, render, text
from tests.deploy.site import LOAD_BALANCERS, NODES, Site, ready
from tests.deploy.watched import ALONE, Watched, supply
from tests.e2e.nodes import initialised
from tests.e2e.targets import NAMESPACE
from tools.manifests import PROVIDER

INSTANCES = ("cloudstack.targetcluster.example.com/v1alpha1", "cloudstackinstances")


def test_the_earlier_version_differs_in_what_a_version_may_change() -> None:
    before, now = moved(earlier(render(CLOUD_CONTROLLER))).rendered, render(CLOUD_CONTROLLER)
    assert len(before.objects) == len(now.objects)
    assert not any(obj in now.objects for obj in before.objects if "labels" in obj["metadata"])
    hooks = before.pod()["containers"][0]
    assert hooks["image"].endswith(f":{VERSION}")
    assert "POD_NAME" not in environment(hooks)


@pytest.fixture
def site(empty_cluster: ControlPlane, tmp_path: Path) -> Iterator[Site]:
    with Simulator() as simulator:
        before = moved(earlier(render(CLOUD_CONTROLLER)))
        # A converged load balancer says more the next time that CloudStack is looked at.
        settings = {"DRIFT_RESYNC": "10s"}
        site = Site(empty_cluster, simulator, tmp_path, before, settings)
        site.install()
        empty_cluster.start_controllers()
        installed.give_cloud_config(empty_cluster, simulator, tmp_path)
        yield site


def seen(site: Site) -> dict[str, list[Object]]:
    """Read what the operator keeps, as it is in the API server."""
    resources = [site.cluster.api.resource(*one) for one in (INSTANCES, LOAD_BALANCERS)]
    instances, balancers = (resource.list() for resource in resources)
    return {"CloudStackInstance": instances, "CloudStackLoadBalancer": balancers}


def uids(site: Site) -> dict[str, list[str]]:
    return {
        kind: sorted(str(obj["metadata"]["uid"]) for obj in found)
        for kind, found in seen(site).items()
    }


def until_later_fields_show(site: Site) -> None:
    try:
        polling.until(lambda: all(later_fields(site)), "what came later shows")
    except AssertionError as error:
        raise AssertionError(f"{error}; there is {seen(site)}") from error


def later_fields(site: Site) -> list[bool]:
    """Tell of each object whether it has what came later."""
    found = [has_later_fields(obj, kind) for kind, objs in seen(site).items() for obj in objs]
    assert len(found) == len(NODES) + 1
    return found


def nodes(site: Site) -> dict[str, str]:
    """Return the version of every node, which any write changes."""
    found = site.cluster.api.resource("v1", "nodes", namespaced=False).list()
    assert all(map(initialised, found))
    return {node["metadata"]["name"]: node["metadata"]["resourceVersion"] for node in found}


def written(simulator: Simulator) -> set[str]:
    """Name the commands that changed, or were to change, something in CloudStack."""
    commands = simulator.control.counts()
    return {name for name in commands if not name.startswith(("list", "query"))}


def swap(site: Site, manifests: Moved, pods: ExitStack) -> None:
    """Apply another version while the pod of this one runs, then put one of its in its place."""
    site.cluster.kubectl("apply", "-f", "-", stdin=manifests.text)
    pods.close()
    site.manifests = manifests
    pods.enter_context(site.pod().running())


def test_the_cloud_controller_goes_up_and_down_while_everything_serves(site: Site) -> None:
    before = site.manifests
    now = moved(PROVIDER.read_text(), before.ports)
    with ExitStack() as pods:
        pods.enter_context(site.pod().running())
        site.join()
        address = site.address()
        polling.until(lambda: ready(site), "the load balancer is ready")
        assert not any(later_fields(site))
        kept, objects, versions = site.in_cloudstack(), uids(site), nodes(site)
        assert all(kept.values())
        site.simulator.control.clear_calls()
        for manifests, later in ((now, True), (before, False)):
            swap(site, manifests, pods)
            if later:
                until_later_fields_show(site)
            works(site, "labelled" if later else "labelled-again")
            assert written(site.simulator) == set()
            assert (site.in_cloudstack(), uids(site)) == (kept, objects)
            assert nodes(site) == versions
            assert site.address() == address
            assert ready(site)


def works(site: Site, port: str) -> None:
    """Have a Service changed in a way that shows in Kubernetes alone, and wait until it does."""
    [had] = site.services.get("web", "default")["spec"]["ports"]
    site.services.patch("web", {"spec": {"ports": [{**had, "name": port}]}}, "default")

    def named() -> bool:
        [balancer] = site.load_balancers()
        return [one["name"] for one in balancer["spec"]["ports"]] == [port]

    polling.until(named, f"the port is called {port}")


def test_the_target_cluster_operator_goes_up_and_down_and_cleans_up(watched: Watched) -> None:
    before = moved(earlier(render(ALONE)))
    now = moved(text(ALONE), before.ports)
    installed.apply(watched.cluster, before)
    watched.cluster.start_controllers()
    with ExitStack() as pods:
        pods.enter_context(watched.pod(before).running())
        supply(watched)
        watched.until_ready(server=False)
        assert "finalizeTimeout" not in watched.shop()["spec"]
        brought, kept, uid = watched.copy(), watched.inventory(), watched.shop()["metadata"]["uid"]
        assert brought
        for manifests, later in ((now, True), (before, False)):
            watched.cluster.kubectl("apply", "-f", "-", stdin=manifests.text)
            pods.close()
            pods.enter_context(watched.pod(manifests).running())
            watched.until_ready(server=later)
            assert watched.shop()["spec"].get("finalizeTimeout") == ("10m" if later else None)
            assert watched.shop()["metadata"]["uid"] == uid
            # Not as much as written again.
            assert watched.copy() == brought
            assert watched.inventory()["data"] == kept["data"]
        watched.clusters.delete("shop", NAMESPACE)
        polling.until(lambda: not watched.clusters.list(), "it goes")
        assert watched.copy() is None
