"""Hooks die after any write of a Service that joins, changes or leaves a shared address."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import pytest

from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from tests.integration.loadbalancers.crashes import (
    AT_ONCE,
    ISOLATED,
    VARIANTS,
    WORST,
    Place,
    Variant,
    die_after,
    fresh_world,
    settle,
    shape,
)
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World, port
from tests.integration.loadbalancers.test_shared_addresses import BROUGHT, hold, sharing
from tests.integration.loadbalancers.vpc import TIER

ANNOTATION = "service.beta.kubernetes.io/cloudstack-load-balancer-shared-address"


@dataclass(frozen=True)
class Scenario:
    """What is there before: the load balancer whose calls die, and others on its address.

    Attributes:
        left: the addresses that stay when all are deleted.
        place: where they are.
    """

    begin: Callable[[World, LoadBalancersHook], tuple[LoadBalancer, list[LoadBalancer]]]
    left: tuple[str, ...] = ()
    place: Place = ISOLATED


def first(world: World, hook: LoadBalancersHook) -> tuple[LoadBalancer, list[LoadBalancer]]:
    del hook
    return sharing(world, "web", 80, 81), []


def joining(world: World, hook: LoadBalancersHook) -> tuple[LoadBalancer, list[LoadBalancer]]:
    mail = sharing(world, "mail", 82).settle(hook)
    return sharing(world, "web", 80, 81), [mail]


def joining_a_brought_one(
    world: World, hook: LoadBalancersHook
) -> tuple[LoadBalancer, list[LoadBalancer]]:
    hold(world)
    mail = sharing(world, "mail", 82, address=BROUGHT).settle(hook)
    return sharing(world, "web", 80, 81), [mail]


def changing(world: World, hook: LoadBalancersHook) -> tuple[LoadBalancer, list[LoadBalancer]]:
    web, others = joining(world, hook)
    web.settle(hook)
    web.change(ports=[port(80), port(83)], sourceRanges=["10.0.0.0/8"])
    return web, others


def leaving(world: World, hook: LoadBalancersHook) -> tuple[LoadBalancer, list[LoadBalancer]]:
    web, others = joining(world, hook)
    web.settle(hook).delete()
    return web, others


def leaving_and_keeping(
    world: World, hook: LoadBalancersHook
) -> tuple[LoadBalancer, list[LoadBalancer]]:
    web, others = joining(world, hook)
    web.change(keepAddress=True)
    web.settle(hook).delete()
    return web, others


def leaving_a_brought_one(
    world: World, hook: LoadBalancersHook
) -> tuple[LoadBalancer, list[LoadBalancer]]:
    web, others = joining_a_brought_one(world, hook)
    web.settle(hook).delete()
    return web, others


def leaving_last(world: World, hook: LoadBalancersHook) -> tuple[LoadBalancer, list[LoadBalancer]]:
    web, _ = first(world, hook)
    web.settle(hook).delete()
    return web, []


def made_again(world: World, hook: LoadBalancersHook) -> tuple[LoadBalancer, list[LoadBalancer]]:
    old, others = joining(world, hook)
    old.settle(hook).delete()
    new = sharing(world, "web", 80, 83, uid=str(uuid.UUID(int=7)))
    world.cluster.objects[new.service_path]["metadata"]["annotations"] = {ANNOTATION: "front"}
    old.settle(hook)
    return new, [*others, old]


def of_two(world: World, hook: LoadBalancersHook) -> tuple[LoadBalancer, list[LoadBalancer]]:
    """Two addresses of one share, as after two replicas acquired one each: web is on the later."""
    mail = sharing(world, "mail", 82).settle(hook)
    world.advance(5)
    web = sharing(world, "web", 80, sharedAddress="back").settle(hook)
    rename_share(world, web, "front")
    web.change(sharedAddress="front")
    return web, [mail]


def rename_share(world: World, lb: LoadBalancer, share: str) -> None:
    """Give the address of a load balancer the mark of another share, by hand."""
    key, address = "cloudstack.targetcluster.example.com/share", lb.status["address"]["id"]
    of = {"resourcetype": "PublicIpAddress", "resourceids": address}
    before = lb.parent["spec"]["sharedAddress"]
    world.human.done("deleteTags", **of, tags={key: before})
    world.human.done("createTags", **of, tags={key: share})


SCENARIOS = [
    pytest.param(Scenario(first), id="the first"),
    pytest.param(Scenario(joining), id="join"),
    pytest.param(Scenario(joining_a_brought_one, (BROUGHT,)), id="join on a brought address"),
    pytest.param(Scenario(changing), id="change"),
    pytest.param(Scenario(leaving), id="leave"),
    pytest.param(Scenario(leaving_last), id="leave as the last"),
    pytest.param(Scenario(leaving_a_brought_one, (BROUGHT,)), id="leave a brought address"),
    pytest.param(Scenario(made_again), id="made again"),
    pytest.param(Scenario(of_two), id="leave the second of two addresses"),
]


@cache
def undisturbed(scenario: Scenario) -> tuple[Json, int]:
    """Play a scenario without a crash; return the result and the number of writes."""
    with fresh_world(scenario.place) as (world, new_hook):
        hook = new_hook()
        lb, others = scenario.begin(world, hook)
        world.simulator.control.clear_calls()
        come_to_rest(world, [lb], [hook])
        writes = sum(world.writes().values())
        come_to_rest(world, [*others, lb], [hook])
        return shape(world), writes


def come_to_rest(world: World, lbs: list[LoadBalancer], hooks: list[LoadBalancersHook]) -> None:
    """Call until all is well, once more at the next check of each."""
    for lb in lbs:
        if lb.is_finalized():
            continue
        settle(world, lb, hooks)
        if not lb.is_finalized():
            lb.wait(*hooks)
            settle(world, lb, hooks)


#: A tier's list has items of each user, which come and go with it.
ON_TIER = Place("vpc", TIER)
SCENARIOS_ON_TIER = [
    pytest.param(Scenario(joining, place=ON_TIER), id="join"),
    pytest.param(Scenario(changing, place=ON_TIER), id="change"),
    pytest.param(Scenario(leaving, place=ON_TIER), id="leave"),
    pytest.param(Scenario(leaving_last, place=ON_TIER), id="leave as the last"),
    pytest.param(Scenario(made_again, place=ON_TIER), id="made again"),
]


@pytest.mark.parametrize("variant", [VARIANTS[0], VARIANTS[-1]])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_after_a_crash_at_any_write_the_next_calls_come_to_the_same_result(
    scenario: Scenario, variant: Variant
) -> None:
    crash_everywhere(scenario, variant)


@pytest.mark.parametrize("scenario", SCENARIOS_ON_TIER)
def test_after_a_crash_on_a_tier_the_next_calls_come_to_the_same_result(scenario: Scenario) -> None:
    crash_everywhere(scenario, WORST)


def crash_everywhere(scenario: Scenario, variant: Variant) -> None:
    """Play a scenario as often as it has writes; each time the hooks die after one more."""
    wanted, writes = undisturbed(scenario)
    assert writes > 0

    def crash(last: int) -> None:
        with fresh_world(scenario.place, lying=variant.lying) as (world, new_hook):
            hooks = [new_hook() for _ in range(variant.replicas)]
            lb, others = scenario.begin(world, hooks[0])
            lb.late = variant.late
            assert die_after(world, lb, hooks, last), f"no write came after {last}"
            lb.late = False
            hooks = [new_hook() for _ in range(variant.replicas)]
            come_to_rest(world, [lb, *others, lb], hooks)
            assert shape(world) == wanted, f"after write {last + 1} of {writes}"
            for each in (lb, *others):
                if not each.is_finalized():
                    each.delete()
                    settle(world, each, hooks)
            assert world.remains() == {**NOTHING, "addresses": list(scenario.left)}
            assert world.simulator.control.ignored_parameters() == []

    with ThreadPoolExecutor(AT_ONCE) as pool:  # most of the time goes into waiting
        list(pool.map(crash, range(writes)))


def test_who_keeps_the_address_and_dies_while_leaving_has_it_stay() -> None:
    """The origin says so before the Service's tag goes."""
    with fresh_world() as (world, new_hook):
        lb, others = leaving_and_keeping(world, new_hook())
        ip = lb.status["address"]["ip"]
        for last in range(4):
            die_after(world, lb, [new_hook()], last)
        come_to_rest(world, [lb], [new_hook()])
        for each in others:
            each.delete()
            settle(world, each, [new_hook()])
        assert world.remains() == {**NOTHING, "addresses": [ip]}
