"""With internal load balancers, hooks crash after any write, and the next calls repair it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from hooks.http.deadline import Deadline
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.plan.change import SERVES_ON, SHOWN_TOGETHER
from tests.integration.loadbalancers.crashes import (
    VARIANTS,
    Place,
    Scenario,
    Variant,
    crash_everywhere,
    deletion,
    nothing_more,
)
from tests.integration.loadbalancers.driver import LoadBalancer, World, make_hook, port
from tests.integration.loadbalancers.internal import (
    FREE,
    OTHER,
    TIER,
    await_nothing,
    balancers,
    create,
    internal,
    internal_world,
    sources,
)
from tests.integration.loadbalancers.test_crashes import bound


def nothing_yet(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    del hook
    return internal(world, ports=[port(80), bound(81)], sourceRanges=["10.0.0.0/8"])


def asked_for(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    del hook
    return internal(world, ports=[port(80), port(81)], address=FREE)


def in_use(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    return asked_for(world, hook).settle(hook)


def much(world: World, lb: LoadBalancer) -> None:
    lb.change(
        ports=[port(80), port(81, 31081), port(82)],
        sourceRanges=["192.168.0.0/16"],
        algorithm="leastconn",
    )
    world.nodes.pop("node-6")


def another_address(world: World, lb: LoadBalancer) -> None:
    del world
    lb.change(address=OTHER)


def changing(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    """Make one that has changed to another address, whose former one is about to go."""
    lb = in_use(world, hook)
    another_address(world, lb)
    lb.settle(hook)
    world.advance(SHOWN_TOGETHER + 1)
    lb.settle(hook)
    world.advance(SERVES_ON)
    return lb


def deleted_behind_our_back(world: World, lb: LoadBalancer) -> None:
    for each in balancers(world):
        world.human.done("deleteLoadBalancer", id=each["id"])
    del lb
    world.advance(400)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    ("begin", "ask"),
    [
        pytest.param(nothing_yet, nothing_more, id="create"),
        pytest.param(asked_for, nothing_more, id="create with an address asked for"),
        pytest.param(in_use, much, id="change"),
        pytest.param(in_use, deleted_behind_our_back, id="repair"),
        pytest.param(in_use, another_address, id="change the address"),
        pytest.param(changing, nothing_more, id="take the former address down"),
        pytest.param(changing, deletion, id="delete while the address changes"),
        pytest.param(in_use, deletion, id="delete"),
    ],
)
def test_after_a_crash_at_any_write_the_next_calls_come_to_the_same_result(
    begin: object, ask: object, variant: Variant
) -> None:
    scenario = Scenario(begin, ask, place=Place("vpc", TIER))  # type: ignore[arg-type]
    crash_everywhere(scenario, variant)


def test_of_two_replicas_that_begin_at_once_one_address_is_left() -> None:
    """Both read that there is none, and both create the first one, on two addresses."""
    with internal_world() as world:
        clouds = [world.open_cloud() for _ in range(2)]
        hooks = [make_hook(world, each) for each in clouds]
        lb = internal(world, ports=[port(80), port(81)])
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda hook: hook.sync(lb.request(), Deadline(8.0)), hooks))
        lb.settle(*hooks)
        assert (lb.is_ready(), len(sources(world)), len(balancers(world))) == (True, 1, 2)
        second = create(world, 80, OTHER, balancers(world)[0]["name"], node=30080)
        lb.wait(*hooks)
        assert second not in {each["id"] for each in balancers(world)}
        assert (lb.is_ready(), len(balancers(world))) == (True, 2)
        lb.delete()
        lb.settle(*hooks)
        await_nothing(world)
        for each in clouds:
            each.close()
