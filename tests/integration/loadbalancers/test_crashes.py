"""Hooks crash after any write, and their answer is lost; the next calls repair everything."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.plan.change import SHOWN_TOGETHER
from hooks.names import ANNOTATION_ACQUIRING, EVENT_NOT_PROVEN
from tests.integration.loadbalancers.driver import (
    NOTHING,
    LoadBalancer,
    World,
    make_hook,
    port,
    start_simulator,
)
from tests.integration.loadbalancers.lies import let_lie
from tests.integration.loadbalancers.test_addresses import FREE, allocate, only_one_is_free
from tests.integration.loadbalancers.test_takeover import adoption, fork, leave_behind
from tests.integration.loadbalancers.vpc import keep_nodes

#: Crashes that are tried at once, each in a world of its own.
AT_ONCE = 4


@dataclass(frozen=True)
class Place:
    """A CloudStack: the simulator's world, whose VMs are nodes (empty for all), its version."""

    world: str = "small"
    network: str = ""
    version: str = ""


#: Isolated networks, and the newest version.
ISOLATED = Place()


@dataclass(frozen=True)
class Scenario:
    """What is done in a place, and what is left after everything is deleted."""

    begin: Callable[[World, LoadBalancersHook], LoadBalancer]
    ask: Callable[[World, LoadBalancer], None]
    left: tuple[str, ...] = ()
    place: Place = ISOLATED


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


def nothing_more(world: World, lb: LoadBalancer) -> None:
    del world, lb


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


def deletion(world: World, lb: LoadBalancer) -> None:
    del world
    lb.delete()


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


#: How many replicas crash, and what they are shown and remember.
VARIANTS = [
    pytest.param(1, False, False, id="one replica"),
    pytest.param(2, False, False, id="two replicas"),
    pytest.param(1, True, False, id="late news"),
    pytest.param(2, True, True, id="two replicas, late news and a memory that lies"),
]


@contextmanager
def fresh_world(
    place: Place = ISOLATED, *, lying: bool = False
) -> Iterator[tuple[World, Callable[[], LoadBalancersHook]]]:
    """Start a world; return what makes hooks, each with its own client and memory, or with lies."""
    with ExitStack() as stack:
        settings: dict[str, Any] = {"api_version": place.version} if place.version else {}
        simulator = stack.enter_context(start_simulator(place.world, **settings))
        world = World(simulator)
        stack.callback(world.close)
        if place.network:
            keep_nodes(world, place.network)

        def new_hook() -> LoadBalancersHook:
            cloud = world.open_cloud()
            stack.callback(cloud.close)
            made = make_hook(world, cloud, load_balancer_certificates=True)
            return let_lie(made, world) if lying else made

        yield world, new_hook


def shape(world: World) -> Json:
    """Return everything that exists, without ids, and without numbers and seals of ACL items."""
    state = world.state() | {"items": world.items()}
    hidden = {"id", "addressid", "number", "reason", "stickiness", "certificate"}

    def shown(each: Json) -> Json:
        bare = {key: value for key, value in each.items() if key not in hidden}
        policies = [(one["methodname"], one["params"]) for one in each.get("stickiness", ())]
        return bare | {"policies": policies, "secured": bool(each.get("certificate"))}

    return {
        kind: sorted(map(shown, state[kind]), key=str)
        for kind in ("addresses", "loadbalancerrules", "loadbalancers", "firewallrules", "items")
    }


def undisturbed(scenario: Scenario) -> tuple[Json, int]:
    """Play a scenario without a crash; return the result and the number of writes."""
    with fresh_world(scenario.place) as (world, new_hook):
        hook = new_hook()
        lb = scenario.begin(world, hook)
        scenario.ask(world, lb)
        world.simulator.control.clear_calls()
        settle(world, lb, [hook])
        return shape(world), sum(world.writes().values())


def die_after(world: World, lb: LoadBalancer, hooks: list[LoadBalancersHook], writes: int) -> bool:
    """Let the hooks work until so many writes are done; their answer is lost."""
    world.simulator.control.fault("*", "stop-after", skip=writes, executed=True)
    for turn in range(20):
        before = lb.status
        lb.call(hooks[turn % len(hooks)], seconds=3.0)
        if world.simulator.control.armed.stopped:
            lb.parent["status"] = before
            break
        if lb.is_finalized():
            break
        if lb.status == before and not lb.condition("Reconciling"):
            if "addressChange" not in lb.status:
                break
            world.advance(lb.next_look())
    died = world.simulator.control.armed.stopped
    world.simulator.control.clear_faults()
    return died


@pytest.mark.parametrize(("replicas", "late", "lying"), VARIANTS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_after_a_crash_at_any_write_the_next_calls_come_to_the_same_result(
    scenario: Scenario, replicas: int, *, late: bool, lying: bool
) -> None:
    crash_everywhere(scenario, replicas, late=late, lying=lying)


def crash_everywhere(scenario: Scenario, replicas: int, *, late: bool, lying: bool) -> None:
    """Play a scenario as often as it has writes; each time the hooks die after one more."""
    wanted, writes = undisturbed(scenario)
    assert writes > 0

    def crash(last: int) -> None:
        with fresh_world(scenario.place, lying=lying) as (world, new_hook):
            hooks = [new_hook() for _ in range(replicas)]
            lb = scenario.begin(world, hooks[0])
            scenario.ask(world, lb)
            lb.late = late
            assert die_after(world, lb, hooks, last), f"no write came after {last}"
            lb.late = False
            hooks = [new_hook() for _ in range(replicas)]
            settle(world, lb, hooks)
            if lying and not lb.is_finalized():
                lb.wait(*hooks)
            assert shape(world) == wanted, f"after write {last + 1} of {writes}"
            if not lb.is_finalized():
                lb.delete()
                settle(world, lb, hooks)
            assert world.remains() == {**NOTHING, "addresses": list(scenario.left)}
            assert world.simulator.control.ignored_parameters() == []

    with ThreadPoolExecutor(AT_ONCE) as pool:  # most of the time goes into waiting
        list(pool.map(crash, range(writes)))


def settle(world: World, lb: LoadBalancer, hooks: list[LoadBalancersHook]) -> None:
    """Call and wait until all is well, and a change of address has come to its end."""
    for _ in range(10):
        lb.settle(*hooks)
        if lb.is_finalized() or (lb.is_ready() and "addressChange" not in lb.status):
            return
        world.advance(float(lb.answers[-1].response["resyncAfterSeconds"]) + 1)  # type: ignore[typeddict-item]
    raise AssertionError(f"never well: {lb.condition('Ready')}")


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
