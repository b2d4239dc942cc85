"""How often CloudStack is called for a load balancer on a VPC tier, and on none."""

from collections.abc import Iterator

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from tests.integration.loadbalancers.driver import LoadBalancer, World, make_hook, start_simulator
from tests.integration.loadbalancers.test_calls import polls, ports, reads
from tests.integration.loadbalancers.vpc import vpc_world


@pytest.fixture
def world() -> Iterator[World]:
    """A world whose jobs have ended when they are first asked about: so calls can be counted."""
    with vpc_world(job_delay=0.0) as made:
        yield made


@pytest.mark.parametrize("count", [1, 3, 10])
def test_what_a_load_balancer_with_so_many_ports_costs(
    world: World, hook: LoadBalancersHook, count: int
) -> None:
    """As on an isolated network, with an ACL item for a firewall rule, and two lists of items."""
    LoadBalancer(world, "first").settle(hook)
    world.simulator.control.clear_calls()
    lb = LoadBalancer(world, ports=ports(count)).settle(hook, seconds=300)
    assert lb.is_ready()
    assert sum(world.writes().values()) == 4 + 2 * count + 1
    assert reads(world) == 11
    assert polls(world) == 3 + 2 * count
    assert "listNetworks" not in world.simulator.control.counts()


def test_items_are_made_while_members_are_assigned(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world)
    lb.call(hook)
    world.simulator.control.fault("assignToLoadBalancerRule", "job-never-ends")
    lb.call(hook, seconds=3)
    [rule] = world.rules(lb.name)
    assert rule["members"] == {}
    assert [item["tags"] for item in world.items() if item["tags"]] != []


def test_a_drift_check_takes_two_lists_of_items_in_the_place_of_one_of_firewall_rules(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=ports(2)).settle(hook)
    world.simulator.control.clear_calls()
    lb.wait(hook)
    assert world.simulator.control.counts() == {
        "listPublicIpAddresses": 1,
        "listLoadBalancerRules": 1,
        "listLoadBalancerRuleInstances": 2,
        "listNetworkACLs": 2,
    }


def test_a_deletion_takes_one_write_more_for_the_item(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=ports(10)).settle(hook, seconds=300)
    world.simulator.control.clear_calls()
    lb.delete()
    lb.settle(hook)
    assert world.writes() == {
        "createTags": 1,
        "deleteNetworkACL": 1,
        "disassociateIpAddress": 1,
        "deleteTags": 1,
    }


def test_an_isolated_network_costs_nothing_for_what_only_tiers_have() -> None:
    with start_simulator() as simulator:
        world = World(simulator)
        cloud = world.open_cloud()
        hook = make_hook(world, cloud)
        lb = LoadBalancer(world, sourceRanges=["10.0.0.0/8"]).settle(hook)
        lb.wait(hook)
        lb.delete()
        lb.settle(hook)
        assert lb.is_finalized()
        assert not [each for each in simulator.control.counts() if "ACL" in each or "VPC" in each]
        cloud.close()
        world.close()
