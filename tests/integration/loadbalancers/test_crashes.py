"""Hooks crash after any write, and their answer is lost; the next calls repair everything."""

from typing import Any

import pytest

from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.plan.change import SHOWN_TOGETHER
from hooks.names import ANNOTATION_ACQUIRING, EVENT_NOT_PROVEN
from tests.integration.loadbalancers.crashes import (
    VARIANTS,
    Scenario,
    Variant,
    crash_everywhere,
    deletion,
    die_after,
    fresh_world,
    nothing_more,
    settle,
)
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World, port
from tests.integration.loadbalancers.test_addresses import FREE, allocate, only_one_is_free
from tests.integration.loadbalancers.test_takeover import adoption, fork, leave_behind


def nothing_yet(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    del hook
    return LoadBalancer(world, ports=[port(80), port(81), port(443)])


def brought(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    del hook
    allocate(world, FREE)
    return LoadBalancer(world, address=FREE, ports=[port(80), port(443)])


def asked_for(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    del hook
    return LoadBalancer(world, address=FREE)


def left_by_the_fork(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    del hook
    lb = LoadBalancer(world, ports=[port(80), port(443)], sourceRanges=["10.0.0.0/8"])
    leave_behind(world, lb, fork)
    lb.change(adopt=adoption(lb))
    return lb


def in_use(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    return nothing_yet(world, hook).settle(hook)


def kept(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    return LoadBalancer(world, address=FREE, keepAddress=True, ports=[port(80), port(443)]).settle(
        hook
    )


def brought_in_use(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    return brought(world, hook).settle(hook)


def local(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    world.place("node-1", "node-2")
    lb = LoadBalancer(world, ports=[port(80), port(443)], externalTrafficPolicy="Local")
    return lb.settle(hook)


def endpoints_move(world: World, lb: LoadBalancer) -> None:
    del lb
    world.place("node-2", "node-3", ending=["node-1"])


def traffic_becomes_local(world: World, lb: LoadBalancer) -> None:
    world.place("node-3")
    lb.change(externalTrafficPolicy="Local")


def much(world: World, lb: LoadBalancer) -> None:
    lb.change(
        ports=[port(80, proxy=True), port(82), port(443, 31443)],
        sourceRanges=["10.0.0.0/8"],
        algorithm="leastconn",
    )
    world.nodes.pop("node-1")


def changing(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    """Make one that has changed to another address, whose former one is about to go."""
    lb = in_use(world, hook)
    another_address(world, lb)
    lb.settle(hook)
    world.advance(SHOWN_TOGETHER + 1)
    return lb.settle(hook)


def another_address(world: World, lb: LoadBalancer) -> None:
    del world
    lb.change(address=FREE)


def a_brought_one(world: World, lb: LoadBalancer) -> None:
    allocate(world, FREE)
    lb.change(address=FREE)


def sticky(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    del hook
    return LoadBalancer(world, ports=[bound(80), bound(443)])


def sticky_in_use(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    return sticky(world, hook).settle(hook)


def bound(number: int) -> Json:
    """Make a port with a stickiness policy."""
    return port(number) | {"stickiness": {"method": "SourceBased"}}


def other_policies(world: World, lb: LoadBalancer) -> None:
    """Ask for another policy, for none, and for one on a port that had none."""
    del world
    cookie = {"method": "LbCookie", "parameters": {"cookie-name": "SRV"}}
    lb.change(ports=[port(80), bound(443) | {"stickiness": cookie}, bound(8080)])


def release_behind_our_back(world: World, lb: LoadBalancer) -> None:
    world.human.done("disassociateIpAddress", id=lb.status["address"]["id"])
    world.advance(400)


SCENARIOS = [
    pytest.param(Scenario(nothing_yet, nothing_more), id="create"),
    pytest.param(Scenario(asked_for, nothing_more), id="create with an address asked for"),
    pytest.param(Scenario(brought, nothing_more, left=(FREE,)), id="create on a brought address"),
    pytest.param(Scenario(left_by_the_fork, nothing_more), id="take over"),
    pytest.param(Scenario(in_use, much), id="change"),
    pytest.param(Scenario(local, endpoints_move), id="endpoints move"),
    pytest.param(Scenario(in_use, traffic_becomes_local), id="traffic becomes local"),
    pytest.param(Scenario(sticky, nothing_more), id="create with stickiness"),
    pytest.param(Scenario(sticky_in_use, other_policies), id="change stickiness"),
    pytest.param(Scenario(in_use, release_behind_our_back), id="repair"),
    pytest.param(Scenario(in_use, another_address), id="change the address"),
    pytest.param(Scenario(in_use, a_brought_one, left=(FREE,)), id="change to a brought address"),
    pytest.param(Scenario(changing, deletion), id="delete while the address changes"),
    pytest.param(Scenario(in_use, deletion), id="delete"),
    pytest.param(Scenario(kept, deletion, left=(FREE,)), id="delete and keep the address"),
    pytest.param(Scenario(brought_in_use, deletion, left=(FREE,)), id="delete a brought address"),
]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_after_a_crash_at_any_write_the_next_calls_come_to_the_same_result(
    scenario: Scenario, variant: Variant
) -> None:
    crash_everywhere(scenario, variant)


@pytest.mark.parametrize("skipped", range(6))
def test_a_choice_left_to_cloudstack_is_found_again_by_its_tag(skipped: int) -> None:
    with fresh_world() as (world, new_hook), only_one_is_free(world):
        lb = LoadBalancer(world)
        status: Any = {"address": {"ip": "198.51.100.99", "tries": 2, "chosenAt": stamp(world)}}
        lb.parent["status"] = status
        die_after(world, lb, [new_hook()], skipped + 1)
        hooks = [new_hook()]
        settle(world, lb, hooks)
        assert lb.status["address"]["ip"] == FREE
        lb.delete()
        settle(world, lb, hooks)
        assert world.remains() == NOTHING


@pytest.mark.parametrize("last", range(5))
def test_a_claim_that_died_and_whose_service_is_deleted_then_leaves_nothing_marked(
    last: int,
) -> None:
    with fresh_world() as (world, new_hook):
        lb = left_by_the_fork(world, new_hook())
        die_after(world, lb, [new_hook()], last)
        lb.delete()
        settle(world, lb, [new_hook()])
        left = world.remains()
        assert left["tags"] == []
        assert left == NOTHING or "AddressKept" in world.cluster.reasons()


@pytest.mark.parametrize("then", ["it serves", "it is deleted"])
def test_a_choice_left_to_cloudstack_is_known_though_it_cannot_be_read(then: str) -> None:
    """What CloudStack named is recorded, so a later call finds it without tags."""
    with fresh_world() as (world, new_hook), only_one_is_free(world):
        lb, hook = LoadBalancer(world), new_hook()
        lb.call(hook)
        [free] = [each.id for each in world.simulator.world.addresses if each.name == FREE]
        control = world.simulator.control
        control.fault("associateIpAddress", "error", code=533, when={"ipaddress": FREE})
        control.fault("listPublicIpAddresses", "error", code=530, when={"id": free}, times=99)
        lb.call(hook, seconds=1.0)
        assert lb.condition("Ready")["status"] == "Unknown"
        [address] = world.addresses()
        assert (address["ipaddress"], address["tags"]) == (FREE, {})
        control.clear_faults()
        if then == "it is deleted":
            lb.delete()
            lb.settle(new_hook())
            assert lb.reason() == "AddressNotProven"
            assert FREE in lb.condition("Ready")["message"]
            return
        hooks = [new_hook()]
        settle(world, lb, hooks)
        assert lb.status["address"]["ip"] == FREE
        assert lb.status["address"]["associatedByController"] is True
        assert ANNOTATION_ACQUIRING not in lb.parent["metadata"].get("annotations", {})
        lb.delete()
        settle(world, lb, hooks)
        assert world.remains() == NOTHING


def stamp(world: World) -> str:
    from hooks.kube.times import timestamp

    return timestamp(world.now)


@pytest.mark.parametrize("then", ["it serves", "it is deleted"])
def test_an_address_that_nothing_proves_since_the_key_was_replaced_is_told(then: str) -> None:
    """The record of a call that died is sealed with the key: without it, anybody may have written.

    So the address is not claimed, and a person learns which one it is.
    """
    with fresh_world() as (world, new_hook):
        lb = LoadBalancer(world)
        lb.call(hook := new_hook())
        assert die_after(world, lb, [hook], 0)
        [address] = world.addresses()
        ip = address["ipaddress"]
        assert address["tags"] == {}
        world.simulator.user.secret_key = "replaced"
        if then == "it is deleted":
            lb.delete()
        settle(world, lb, [new_hook()])
        assert world.cluster.reasons().count(EVENT_NOT_PROVEN) == 1
        [told] = [each for each in world.cluster.events if each.reason == EVENT_NOT_PROVEN]
        assert f"Address {ip} is allocated and has no tags" in told.message
        assert lb.is_finalized() is (then == "it is deleted")
        assert ip in [each["ipaddress"] for each in world.addresses()]
        assert lb.status.get("address", {}).get("ip") != ip or lb.is_finalized()
