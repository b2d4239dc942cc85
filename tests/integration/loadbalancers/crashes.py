"""Plays scenarios in which hooks die after a write, each in a world of its own."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from tests.integration.loadbalancers.driver import (
    NOTHING,
    LoadBalancer,
    World,
    make_hook,
    start_simulator,
)
from tests.integration.loadbalancers.lies import let_lie
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


@dataclass(frozen=True)
class Variant:
    """How many replicas crash, whether they are shown late news, and whether their memory lies."""

    replicas: int = 1
    late: bool = False
    lying: bool = False


#: The only one for what goes as elsewhere, where each is tried.
WORST = Variant(replicas=2, late=True, lying=True)
VARIANTS = [
    pytest.param(Variant(), id="one replica"),
    pytest.param(Variant(replicas=2), id="two replicas"),
    pytest.param(Variant(late=True), id="late news"),
    pytest.param(WORST, id="two replicas, late news and a memory that lies"),
]


def nothing_more(world: World, lb: LoadBalancer) -> None:
    del world, lb


def deletion(world: World, lb: LoadBalancer) -> None:
    del world
    lb.delete()


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


@cache
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
        lb.call(hooks[turn % len(hooks)])
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


def crash_everywhere(scenario: Scenario, variant: Variant) -> None:
    """Play a scenario as often as it has writes; each time the hooks die after one more."""
    wanted, writes = undisturbed(scenario)
    assert writes > 0

    def crash(last: int) -> None:
        with fresh_world(scenario.place, lying=variant.lying) as (world, new_hook):
            hooks = [new_hook() for _ in range(variant.replicas)]
            lb = scenario.begin(world, hooks[0])
            scenario.ask(world, lb)
            lb.late = variant.late
            assert die_after(world, lb, hooks, last), f"no write came after {last}"
            lb.late = False
            hooks = [new_hook() for _ in range(variant.replicas)]
            settle(world, lb, hooks)
            if variant.lying and not lb.is_finalized():
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
