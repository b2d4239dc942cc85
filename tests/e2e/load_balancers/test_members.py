"""Members follow the nodes within seconds; what does not matter changes nothing."""

import time

import pytest

from tests.controlplane.api import Object
from tests.e2e.load_balancers.conftest import NODES
from tests.e2e.site import Site
from tests.e2e.watching import Namespace, ingress, own_condition

EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"


@pytest.fixture
def web(shop: Namespace) -> Namespace:
    shop.create("web")
    shop.await_ready("web")
    return shop


def rule(shop: Namespace, place: Site) -> Object:
    """Return the only rule of the only Service."""
    (found,) = place.rules_of(shop, "web")
    return found


def await_members(shop: Namespace, place: Site, *names: str) -> Object:
    """Wait until the rule has these members, and the Service counts them."""
    place.awaited(
        lambda: set(rule(shop, place)["members"]) == set(names),
        f"members are {', '.join(names)}",
    )
    count = f"members {len(names)}/{len(names)}"
    return shop.await_service(
        "web", lambda one: own_condition(one)["message"].endswith(count), f"says {count}"
    )


def test_a_node_that_joins_and_leaves_is_a_member_meanwhile(web: Namespace, place: Site) -> None:
    before = rule(web, place)
    place.join("node-4")
    await_members(web, place, *NODES, "node-4")
    place.nodes.delete("node-4")
    await_members(web, place, *NODES)
    assert rule(web, place)["id"] == before["id"]
    web.await_event("web", "UpdatedLoadBalancer")


def test_a_node_that_is_excluded_is_no_member(web: Namespace, place: Site) -> None:
    place.nodes.patch("node-1", {"metadata": {"labels": {EXCLUDED: ""}}})
    await_members(web, place, "node-2", "node-3")
    place.nodes.patch("node-1", {"metadata": {"labels": {EXCLUDED: "false"}}})
    await_members(web, place, *NODES)
    place.nodes.patch("node-1", {"metadata": {"labels": {EXCLUDED: None}}})


@pytest.mark.parametrize(
    "key", ["ToBeDeletedByClusterAutoscaler", "node.kubernetes.io/out-of-service"]
)
def test_a_node_whose_end_a_taint_announces_is_no_member(
    web: Namespace, place: Site, key: str
) -> None:
    place.nodes.patch("node-3", {"spec": {"taints": [{"key": key, "effect": "NoSchedule"}]}})
    await_members(web, place, "node-1", "node-2")
    place.nodes.patch("node-3", {"spec": {"taints": []}})
    await_members(web, place, *NODES)


def test_a_node_that_is_not_ready_stays_a_member(web: Namespace, place: Site) -> None:
    place.set_ready("node-2", ready=False)
    place.join("node-4")
    await_members(web, place, *NODES, "node-4")
    place.nodes.delete("node-4")
    await_members(web, place, *NODES)
    place.set_ready("node-2", ready=True)


def test_a_service_whose_nodes_are_all_stopped_says_so_and_keeps_them(
    web: Namespace, place: Site
) -> None:
    for name in NODES:
        place.job("stopVirtualMachine", id=place.machine(name))
        place.set_ready(name, ready=False)
    said = web.await_service(
        "web", lambda one: own_condition(one)["reason"] == "NoRunningMembers", "says so"
    )
    assert own_condition(said)["status"] == "False"
    assert set(rule(web, place)["members"]) == set(NODES)
    assert ingress(said)[0]["ip"] == rule(web, place)["address"]
    for name in NODES:
        place.job("startVirtualMachine", id=place.machine(name))
        place.set_ready(name, ready=True)
    await_members(web, place, *NODES)


def test_an_address_is_shown_when_its_first_member_is_in(shop: Namespace, place: Site) -> None:
    shop.create("web", {"node-selector": "pool=late"})
    waiting = shop.await_service(
        "web", lambda one: own_condition(one).get("reason") == "NoAvailableNodes", "has no node"
    )
    assert ingress(waiting) == []
    place.awaited(lambda: "UnAvailableLoadBalancer" in shop.events("web"), "it is told")
    place.label("node-3", pool="late")
    shown = await_members(shop, place, "node-3")
    assert ingress(shown)[0]["ip"] == rule(shop, place)["address"]
    place.label("node-3", pool=None)
    place.awaited(lambda: not rule(shop, place)["members"], "the member leaves")
    assert ingress(shop.service("web")) == ingress(shown)


def test_an_address_is_shown_half_a_minute_after_its_rules_without_a_member(
    shop: Namespace, place: Site
) -> None:
    shop.create("web", {"node-selector": "pool=none"})
    standing = shop.await_load_balancer(
        "web", lambda one: one.get("status", {}).get("ruleSummary") == "1/1", "has its rule"
    )
    since = time.monotonic()
    assert standing["status"]["address"]["published"] is False
    shown = shop.await_service("web", ingress, "shows its address")
    assert time.monotonic() - since > 25
    only = rule(shop, place)
    assert (list(only["members"]), only["state"]) == ([], "Add")
    assert [one["ip"] for one in ingress(shown)] == [only["address"]]
    assert own_condition(shown)["reason"] == "NoAvailableNodes"
