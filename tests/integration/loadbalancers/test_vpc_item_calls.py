"""What the items in a tier's list cost: a call for each run of ports, whatever the ranges."""

from collections import Counter
from collections.abc import Iterator

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from tests.integration.loadbalancers.driver import LoadBalancer, World, port
from tests.integration.loadbalancers.vpc import give_list, vpc_world


@pytest.fixture
def world() -> Iterator[World]:
    """A world whose jobs have ended when they are first asked about: so calls can be counted."""
    with vpc_world(job_delay=0.0) as made:
        yield made


def ranges(count: int) -> list[str]:
    return [f"10.{number}.0.0/16" for number in range(count)]


def settled(world: World, hook: LoadBalancersHook, lb: LoadBalancer) -> Counter[str]:
    """Settle a load balancer, and return the calls about items, and the tags of items."""
    world.simulator.control.clear_calls()
    lb.settle(hook, seconds=300)
    assert lb.is_finalized() or lb.is_ready(), lb.condition("Ready")
    found = Counter(
        {
            command: count
            for command, count in world.simulator.control.counts().items()
            if "NetworkACL" in command
        }
    )
    tagged = world.simulator.control.calls("createTags")
    found["tags"] = sum(each["params"]["resourcetype"] == "NetworkACL" for each in tagged)
    return +found


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("gap", [1, 2], ids=["one run of ports", "each port for itself"])
def test_an_item_a_run_of_ports_and_two_lists_a_look(
    world: World, hook: LoadBalancersHook, size: int, gap: int
) -> None:
    ports = [port(8000 + gap * number) for number in range(size)]
    lb, runs = LoadBalancer(world, ports=ports, sourceRanges=ranges(size)), 1 if gap == 1 else size
    # Read when the address is chosen, and at the end: the tier's list, and what has our tags.
    made = {"createNetworkACL": runs, "tags": runs, "listNetworkACLs": 4}
    assert settled(world, hook, lb) == made
    lb.change(sourceRanges=ranges(size)[:-1] or ["192.0.2.0/24"])
    assert settled(world, hook, lb) == {"updateNetworkACLItem": runs, "listNetworkACLs": 4}
    world.advance(lb.next_look() + 1)
    assert settled(world, hook, lb) == {"listNetworkACLs": 2}
    lb.delete()
    # Twice with the address, and once when it is gone: then all lists of the VPC are read.
    gone = {"deleteNetworkACL": runs, "listNetworkACLs": 8, "listNetworkACLLists": 1}
    assert settled(world, hook, lb) == gone


@pytest.mark.parametrize("size", [1, 2, 4])
def test_another_list_costs_an_item_more_and_one_less_for_each_run_of_ports(
    world: World, hook: LoadBalancersHook, size: int
) -> None:
    lb = LoadBalancer(world, ports=[port(8000 + 2 * number) for number in range(size)])
    lb.settle(hook, seconds=300)
    give_list(world)
    world.advance(lb.next_look() + 1)
    # The new list is empty, so the tier says which one it is.
    expected = {"createNetworkACL": size, "tags": size, "deleteNetworkACL": size}
    assert settled(world, hook, lb) == {**expected, "listNetworkACLs": 4}
