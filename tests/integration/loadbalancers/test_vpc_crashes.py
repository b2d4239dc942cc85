"""On a VPC tier, hooks crash after any write, and the next calls repair everything."""

from collections.abc import Callable

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from tests.integration.loadbalancers.crashes import (
    VARIANTS,
    WORST,
    Place,
    Scenario,
    Variant,
    crash_everywhere,
    deletion,
    nothing_more,
)
from tests.integration.loadbalancers.driver import LoadBalancer, World, port
from tests.integration.loadbalancers.test_crashes import (
    bound,
    changing,
    endpoints_move,
    local,
    much,
    other_policies,
    release_behind_our_back,
)
from tests.integration.loadbalancers.test_takeover import adoption, fork
from tests.integration.loadbalancers.vpc import (
    DENYING,
    FREE,
    TIER,
    allocate,
    create_rule,
    give_list,
    leave_behind,
)


def on_tier(
    begin: Callable[[World, LoadBalancersHook], LoadBalancer],
    ask: Callable[[World, LoadBalancer], None],
    *left: str,
    version: str = "",
) -> Scenario:
    return Scenario(begin, ask, left, Place("vpc", TIER, version))


def nothing_yet(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    del hook
    return LoadBalancer(world, ports=[port(80), port(81)], sourceRanges=["192.0.2.0/24"])


def brought(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    del hook
    allocate(world)
    return LoadBalancer(world, address=FREE, ports=[port(80), port(443)])


def left_by_the_fork(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    del hook
    lb = LoadBalancer(world, ports=[port(80), port(443)], sourceRanges=["10.0.0.0/8"])
    leave_behind(world, lb, fork)
    lb.change(adopt=adoption(lb))
    return lb


def in_use(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    return nothing_yet(world, hook).settle(hook)


def other_ranges(world: World, lb: LoadBalancer) -> None:
    del world
    lb.change(sourceRanges=["192.0.2.0/25", "10.0.0.0/8"])


def put_on_another_tier(world: World, lb: LoadBalancer) -> None:
    """Leave a rule of ours where CloudStack creates it if the address serves another tier."""
    for rule in lb.status["rules"]:
        world.human.done("deleteLoadBalancerRule", id=rule["id"])
    create_rule(world, lb.status["address"]["id"], DENYING, 80, lb.status["rules"][0]["name"])
    world.advance(400)


def another_list(world: World, lb: LoadBalancer) -> None:
    """Give the tier another list, and shut clients out."""
    give_list(world)
    lb.change(sourceRanges=["10.0.0.0/8"], ports=[port(80), port(443)])


def another_list_and_deletion(world: World, lb: LoadBalancer) -> None:
    give_list(world)
    lb.delete()


def sticky(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    return LoadBalancer(world, ports=[bound(80), bound(443)]).settle(hook)


def another_address(world: World, lb: LoadBalancer) -> None:
    del world
    lb.change(address=FREE)


SCENARIOS = [
    pytest.param(on_tier(nothing_yet, nothing_more), id="create"),
    pytest.param(on_tier(brought, nothing_more, FREE), id="a brought address"),
    pytest.param(on_tier(left_by_the_fork, nothing_more), id="take over"),
    pytest.param(on_tier(in_use, much), id="change"),
    pytest.param(on_tier(in_use, other_ranges, version="4.20.1.0"), id="lists that cannot change"),
    pytest.param(on_tier(in_use, release_behind_our_back), id="repair"),
    pytest.param(on_tier(in_use, put_on_another_tier), id="rules on another tier"),
    pytest.param(on_tier(in_use, another_list), id="another list"),
    pytest.param(on_tier(in_use, deletion), id="delete"),
    pytest.param(on_tier(in_use, another_list_and_deletion), id="delete after another list"),
]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_after_a_crash_at_any_write_the_next_calls_come_to_the_same_result(
    scenario: Scenario, variant: Variant
) -> None:
    crash_everywhere(scenario, variant)


#: What goes on a tier as on an isolated network: there each variant is tried, here the worst.
AS_ELSEWHERE = [
    pytest.param(on_tier(sticky, other_policies), id="change stickiness"),
    pytest.param(on_tier(local, endpoints_move), id="endpoints move"),
    pytest.param(on_tier(in_use, another_address), id="change the address"),
    pytest.param(on_tier(changing, deletion), id="delete while the address changes"),
]


@pytest.mark.parametrize("scenario", AS_ELSEWHERE)
def test_after_a_crash_of_what_is_as_elsewhere_the_result_is_the_same(scenario: Scenario) -> None:
    crash_everywhere(scenario, WORST)
