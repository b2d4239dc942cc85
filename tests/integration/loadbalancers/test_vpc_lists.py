"""The list of a tier may be replaced at any time, and is the one that it has now."""

from collections.abc import Iterator

import pytest

from hooks.cloudstack import Cloud
from hooks.http.deadline import Deadline
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.networks import read_acl
from tests.integration.loadbalancers.driver import LoadBalancer, World, start_simulator
from tests.integration.loadbalancers.test_shared_addresses import sharing
from tests.integration.loadbalancers.vpc import (
    FREE,
    LIST,
    TIER,
    allocate,
    give_list,
    keep_nodes,
)


@pytest.fixture
def world() -> Iterator[World]:
    with start_simulator("vpc") as simulator:
        made = World(simulator)
        yield made
        made.close()


def read(world: World, cloud: Cloud, name: str) -> tuple[str, list[int]]:
    """Return the list of a tier, and the numbers of its items."""
    tier = cloud.network(world.network(name), Deadline(8))
    assert tier is not None
    found, items = read_acl(tier, cloud, Deadline(8))
    assert found.id == tier.id
    return found.acl_name, sorted(each.number or 0 for each in items)


def make_list(world: World, *numbers: int) -> str:
    """Make a list with items of these numbers, and return its id."""
    [vpc] = world.human.list("listVPCs", "vpc", name="vpc-1")
    made = world.human.done("createNetworkACLList", name="made", vpcid=vpc["id"])
    list_id = str(made["networkacllist"]["id"])
    for number in numbers:
        world.human.done("createNetworkACL", aclid=list_id, number=str(number), protocol="all")
    return list_id


def replace_list(world: World, name: str, list_id: str) -> None:
    world.human.done("replaceNetworkACLList", networkid=world.network(name), aclid=list_id)


def test_items_that_are_read_say_which_list_they_are_of(world: World, cloud: Cloud) -> None:
    assert read(world, cloud, "tier-1") == ("acl-1", [10, 100])
    assert read(world, cloud, "tier-2") == ("default_deny", [1, 2])
    asked = world.simulator.control.counts()
    assert (asked["listNetworks"], asked["listNetworkACLs"]) == (2, 2)


@pytest.mark.parametrize("numbers", [(7,), ()], ids=["with items", "without items"])
def test_a_list_that_was_replaced_is_seen_at_once(
    world: World, cloud: Cloud, numbers: tuple[int, ...]
) -> None:
    assert read(world, cloud, "tier-1") == ("acl-1", [10, 100])
    replace_list(world, "tier-1", make_list(world, *numbers))
    assert read(world, cloud, "tier-1") == ("made", list(numbers))
    assert read(world, cloud, "tier-1") == ("made", list(numbers))


def test_a_tier_that_had_no_list_is_seen_to_have_one(world: World, cloud: Cloud) -> None:
    assert read(world, cloud, "tier-3") == ("", [])
    replace_list(world, "tier-3", make_list(world, 5))
    assert read(world, cloud, "tier-3") == ("made", [5])


@pytest.mark.parametrize("address", ["its own", "a brought one", "a shared one"])
def test_an_item_that_a_call_left_untagged_in_the_list_before_goes_with_the_service(
    world: World, hook: LoadBalancersHook, address: str
) -> None:
    """Its seal shows whose it is; also where the address stays, and goes on to show."""
    keep_nodes(world, TIER)
    if address == "a shared one":
        sharing(world, "mail", 25).settle(hook)
        lb = sharing(world, "web", 80).settle(hook)
    else:
        asked = {"address": FREE} if address == "a brought one" else {}
        if asked:
            allocate(world)
        lb = LoadBalancer(world, **asked).settle(hook)
    [left] = [each for each in world.items() if str(each["startport"]) == "80"]
    world.human.done("deleteTags", resourcetype="NetworkACL", resourceids=left["id"])
    give_list(world)
    lb.wait(hook)
    assert lists_with_port(world, 80) == [LIST, "acl-new"]
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert lists_with_port(world, 80) == []


def lists_with_port(world: World, port: int) -> list[str]:
    """Return the lists that have an item of ours for a port."""
    return [each["list"] for each in world.items() if str(each["startport"]) == str(port)]
