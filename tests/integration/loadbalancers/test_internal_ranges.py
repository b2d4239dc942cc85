"""Who connects to an internal load balancer: clients on its tier, and whom its list admits."""

from collections.abc import Iterator

import pytest

from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from tests.integration.loadbalancers.driver import World, port
from tests.integration.loadbalancers.internal import (
    LIST,
    TIER,
    await_nothing,
    balancers,
    internal,
    internal_world,
)
from tests.integration.loadbalancers.vpc import give_list, list_id

TEN = ["10.0.0.0/8", "192.168.0.0/16"]


@pytest.fixture
def world() -> Iterator[World]:
    with internal_world() as made:
        yield made


def ours(world: World) -> list[Json]:
    """Return the items with tags or a reason, which are ours alone."""
    return [each for each in world.items() if each["tags"] or each["reason"]]


def add_item(world: World, **fields: object) -> None:
    """Add an item to the tier's list, as a person does."""
    asked = {"aclid": list_id(world, LIST), "protocol": "tcp", "traffictype": "Ingress", **fields}
    world.human.done("createNetworkACL", **asked)


@pytest.mark.parametrize("ranges", [["0.0.0.0/0"], ["0.0.0.0/1", "128.0.0.0/1"]])
def test_ranges_of_everybody_leave_the_list_and_the_condition_says_who_connects(
    world: World, hook: LoadBalancersHook, ranges: list[str]
) -> None:
    lb = internal(world, sourceRanges=ranges).settle(hook)
    assert (lb.is_ready(), ours(world)) == (True, [])
    condition = lb.condition("FirewallReady")
    assert (condition["status"], condition["reason"]) == ("True", "OpenOnTier")
    assert condition["message"] == (
        "Clients on tier tier-internal connect, and from elsewhere those whom network ACL list "
        "acl-internal admits"
    )


def test_ranges_are_admitted_from_elsewhere_by_items_that_come_and_go_with_them(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = internal(world, ports=[port(80), port(81)], sourceRanges=TEN).settle(hook)
    [item] = ours(world)
    assert (item["startport"], item["endport"], item["cidrlist"]) == (80, 81, TEN)
    condition = lb.condition("FirewallReady")
    assert condition["status"] == "True"
    assert condition["message"].endswith("Clients on tier tier-internal always connect")
    assert len(balancers(world)) == 2
    ids = [each["id"] for each in balancers(world)]
    lb.change(sourceRanges=["10.0.0.0/8"])
    lb.settle(hook)
    assert [each["cidrlist"] for each in ours(world)] == [["10.0.0.0/8"]]
    assert [each["id"] for each in balancers(world)] == ids
    lb.change(sourceRanges=["0.0.0.0/0"])
    lb.settle(hook)
    assert (ours(world), lb.is_ready()) == ([], True)
    lb.change(sourceRanges=TEN)
    lb.settle(hook)
    lb.delete()
    lb.settle(hook)
    await_nothing(world)


def test_a_list_that_admits_more_is_told(world: World, hook: LoadBalancersHook) -> None:
    add_item(world, number=1, startport=1, endport=1000, cidrlist="172.16.0.0/12")
    lb = internal(world, sourceRanges=TEN).settle(hook)
    assert (lb.is_ready(), lb.reason()) == (True, "OpenedByOthers")
    assert "172.16.0.0/12" in lb.condition("Ready")["message"]


def test_a_list_that_denies_clients_is_told(world: World, hook: LoadBalancersHook) -> None:
    add_item(world, number=1, startport=80, endport=80, cidrlist="10.0.0.0/8", action="Deny")
    lb = internal(world, sourceRanges=TEN).settle(hook)
    assert (lb.is_ready(), lb.reason()) == (True, "DeniedByList")
    assert "deny clients from elsewhere: 1: 80/tcp" in lb.condition("Ready")["message"]


def test_a_list_that_takes_no_items_shuts_out_clients_from_elsewhere_and_that_is_told(
    world: World, hook: LoadBalancersHook
) -> None:
    give_list(world, "default_deny", TIER)
    lb = internal(world, sourceRanges=TEN).settle(hook)
    assert (lb.is_ready(), lb.reason()) == (True, "DeniedByList")
    assert "Until then no client from elsewhere connects" in lb.condition("Ready")["message"]
    assert "cloudstack#9054" not in lb.condition("Ready")["message"]
