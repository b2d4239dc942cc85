"""What other providers leave on a VPC tier is taken over in place, and becomes narrower.

They leave the tier open to everybody, whatever ranges the Service has (measured).
"""

from collections.abc import Callable, Iterator

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World, make_hook, port
from tests.integration.loadbalancers.test_takeover import adoption, existing, fork
from tests.integration.loadbalancers.vpc import LEFT, leave_behind, ranges, vpc_world

NARROW = ["10.0.0.0/8", "192.168.0.0/16"]
PROVIDERS = [
    pytest.param(existing, "0.0.0.0/0", id="existing provider"),
    pytest.param(fork, "", id="its fork"),
]


@pytest.fixture
def world() -> Iterator[World]:
    with vpc_world() as made:
        yield made


def left_by(
    world: World, name: Callable[[LoadBalancer, int], str], cidr: str
) -> tuple[LoadBalancer, list[str]]:
    """Leave what a provider makes; return the load balancer, and the ids of the rules."""
    lb = LoadBalancer(world, ports=[port(80), port(443)], sourceRanges=NARROW)
    rules = leave_behind(world, lb, name, cidr=cidr, opens=bool(cidr))
    lb.change(adopt=adoption(lb))
    return lb, rules


@pytest.mark.parametrize(("name", "cidr"), PROVIDERS)
def test_rules_are_renamed_tagged_and_narrowed_in_place(
    world: World, hook: LoadBalancersHook, name: Callable[[LoadBalancer, int], str], cidr: str
) -> None:
    lb, rules = left_by(world, name, cidr)
    lb.settle(hook)
    assert lb.is_ready(), lb.condition("Ready")
    assert [each["id"] for each in lb.status["rules"]] == rules
    assert [each["name"] for each in lb.status["rules"]] == [
        f"{lb.name}-tcp-80",
        f"{lb.name}-tcp-443",
    ]
    assert ranges(world) == dict.fromkeys(("80", "443"), ",".join(NARROW))
    assert lb.status["address"]["ip"] == LEFT
    assert not {"createLoadBalancerRule", "deleteLoadBalancerRule"} & set(world.writes())
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert world.remains() == NOTHING


def test_plan_mode_shows_that_the_rules_become_narrower(
    world: World, hook: LoadBalancersHook
) -> None:
    lb, _ = left_by(world, existing, "0.0.0.0/0")
    lb.change(mode="Plan")
    lb.settle(hook)
    assert f"change rule {lb.name}-tcp-80: cidrs {', '.join(NARROW)}" in lb.status["plan"]
    assert world.writes() == {}


@pytest.mark.parametrize(("name", "cidr"), PROVIDERS)
def test_where_lists_cannot_change_all_rules_go_before_others_take_their_place(
    name: Callable[[LoadBalancer, int], str], cidr: str
) -> None:
    """A creation may never end: what is open to everybody does not wait for it."""
    with vpc_world(api_version="4.20.1.0") as world:
        cloud = world.open_cloud()
        lb, _ = left_by(world, name, cidr)
        lb.settle(make_hook(world, cloud))
        calls = [each["command"] for each in world.simulator.control.calls()]
        of_rules = [each for each in calls if each.endswith("teLoadBalancerRule")]
        assert of_rules == ["deleteLoadBalancerRule"] * 2 + ["createLoadBalancerRule"] * 2
        assert ranges(world) == dict.fromkeys(("80", "443"), " ".join(NARROW))
        assert lb.is_ready()
        cloud.close()
