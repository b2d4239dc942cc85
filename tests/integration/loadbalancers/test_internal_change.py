"""An internal Service changes to another address: the new one serves before the old one goes."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.plan.change import SERVES_ON, SHOWN_TOGETHER
from tests.integration.loadbalancers.changing import WHOLE, Changing
from tests.integration.loadbalancers.driver import NOTHING, World, make_hook
from tests.integration.loadbalancers.faults import ANSWERS, JOBS, cases, end_stuck_jobs
from tests.integration.loadbalancers.internal import (
    FREE,
    OTHER,
    balancers,
    create,
    internal_world,
    sources,
)


@pytest.fixture
def world() -> Iterator[World]:
    with internal_world() as made:
        yield made


class Internal(Changing):
    """An internal Service whose address changes."""

    def __init__(self, world: World, hook: LoadBalancersHook, **annotations: str) -> None:
        super().__init__(world, hook, internal="true", **annotations)

    @property
    def serving(self) -> list[str]:
        """Return the addresses on which each port has a load balancer with all members."""
        wanted = {each["port"]: each["nodePort"] for each in self.service["spec"]["ports"]}
        found: dict[str, Json] = {}
        for each in balancers(self.world):
            if set(each["members"]) == set(self.world.nodes):
                found.setdefault(each["address"], {})[each["publicport"]] = each["privateport"]
        return sorted(ip for ip, ports in found.items() if ports == wanted)


@pytest.mark.parametrize("before", ["", FREE], ids=["chosen", "asked for"])
def test_the_new_address_serves_before_the_old_one_goes(
    world: World, hook: LoadBalancersHook, before: str
) -> None:
    service = Internal(world, hook, **({"address": before} if before else {}))
    old = service.ip
    service.ask(OTHER)
    service.wait(SHOWN_TOGETHER - 5)
    assert service.seen == [[old], [OTHER, old]]
    service.wait(10)
    assert service.shown == [OTHER]
    service.wait(SERVES_ON - 30)
    assert service.serving == sorted((OTHER, old))
    service.wait(WHOLE)
    assert service.seen == [[old], [OTHER, old], [OTHER]]
    assert sources(world) == {OTHER}
    assert service.lb.is_ready()
    assert "addressChange" not in service.lb.status
    reasons = world.cluster.reasons()
    assert (reasons.count("AddressChanging"), reasons.count("AddressChanged")) == (1, 1)
    assert not {"AddressLost", "RepairedLoadBalancer"} & set(reasons)
    service.lb.delete()
    service.lb.settle(hook)
    assert world.remains() == NOTHING


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ("10.30.4.1", "AddressNotFree"),
        ("10.30.9.9", "AddressRefused"),
        (OTHER, "AddressInUse"),
    ],
    ids=["the gateway's", "outside of the tier", "another's"],
)
def test_the_old_address_serves_on_while_the_new_one_is_refused(
    world: World, hook: LoadBalancersHook, asked: str, reason: str
) -> None:
    theirs = create(world, 8080, OTHER)
    service = Internal(world, hook)
    old = service.ip
    service.ask(asked)
    service.wait(100)
    ready = service.lb.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", reason)
    assert ready["message"].startswith(f"{old} serves until {asked} does: ")
    service.ask("")
    service.wait(30)
    assert service.lb.is_ready()
    assert service.seen == [[old]]
    assert theirs in {each["id"] for each in balancers(world)}
    assert sources(world) == {old, OTHER}


@pytest.mark.parametrize("switched", [False, True], ids=["before it serves", "after it serves"])
def test_a_change_that_is_taken_back_leaves_the_old_address(
    world: World, hook: LoadBalancersHook, *, switched: bool
) -> None:
    service = Internal(world, hook, address=FREE)
    if not switched:
        world.simulator.control.fault("assignToLoadBalancerRule", "error", code=530, times=99)
    service.ask(OTHER)
    if switched:
        service.until_switched()
    else:
        for _ in range(4):
            service.step()
        assert sources(world) == {FREE, OTHER}
        world.simulator.control.clear_faults()
    service.ask(FREE)
    service.wait(2 * WHOLE)
    assert sources(world) == {FREE}
    assert service.shown == [FREE]
    assert service.lb.is_ready()


def test_ports_nodes_and_ranges_change_on_both_addresses(
    world: World, hook: LoadBalancersHook
) -> None:
    service = Internal(world, hook, address=FREE)
    service.ask(OTHER)
    service.until_switched()
    world.nodes.pop("node-6")
    ports = [
        {"name": "p443", "port": 443, "protocol": "TCP", "nodePort": 30443},
        {"name": "p80", "port": 80, "protocol": "TCP", "nodePort": 30081},
    ]
    service.ask(OTHER, ports=ports, loadBalancerSourceRanges=["10.0.0.0/8"])
    service.lb.settle(hook)
    assert service.serving == [FREE, OTHER]
    [cidrs] = {tuple(each["cidrlist"]) for each in world.items() if each["tags"]}
    assert cidrs == ("10.0.0.0/8",)
    service.wait()
    assert service.serving == [OTHER]


def test_plan_mode_lists_what_comes_and_what_goes(world: World, hook: LoadBalancersHook) -> None:
    service = Internal(world, hook, address=FREE)
    before = world.state()
    service.annotate("mode", "plan")
    service.ask(OTHER)
    service.wait(10)
    [created, assigned, deleted] = service.lb.status["plan"]
    assert created.startswith("create internal load balancer")
    assert OTHER in created
    assert assigned.startswith("assign node-6, node-7 to rule")
    assert deleted.startswith("delete rule")
    assert world.state() == before
    assert service.lb.is_ready()


@pytest.mark.parametrize("when", ["built", "switched", "withdrawn"])
def test_a_status_that_is_lost_makes_nothing_go_that_is_shown(
    world: World, hook: LoadBalancersHook, when: str
) -> None:
    service = Internal(world, hook, address=FREE)
    service.ask(OTHER)
    service.step()
    if when != "built":
        service.until_switched()
    if when == "withdrawn":
        service.wait(SHOWN_TOGETHER + 5)
    service.lb.parent.pop("status")
    service.wait(2 * WHOLE)
    assert service.serving == [OTHER]
    assert sources(world) == {OTHER}
    assert service.seen[-1] == [OTHER]


def test_a_late_status_names_the_old_address_and_changes_nothing(
    world: World, hook: LoadBalancersHook
) -> None:
    service = Internal(world, hook, address=FREE)
    before = deepcopy(service.lb.status)
    service.ask(OTHER)
    service.wait()
    service.lb.parent["status"] = before
    service.wait()
    assert sources(world) == {OTHER}
    assert service.shown == [OTHER]
    assert service.lb.is_ready()


def test_two_replicas_change_once(world: World) -> None:
    clouds = [world.open_cloud(), world.open_cloud()]
    hooks = [make_hook(world, each) for each in clouds]
    service = Internal(world, hooks[0], address=FREE)
    service.ask(OTHER)
    for turn in range(30):
        service.hook = hooks[turn % 2]
        service.step()
        world.advance(max(1.0, service.lb.next_look()))
    assert service.seen == [[FREE], [OTHER, FREE], [OTHER]]
    assert sources(world) == {OTHER}
    for each in clouds:
        each.close()


FAULTS = [
    *cases(["createLoadBalancer", "createTags", "assignToLoadBalancerRule"], ANSWERS | JOBS),
    *cases(["deleteLoadBalancerRule"], ANSWERS | JOBS),
    *cases(["listLoadBalancers", "listLoadBalancerRuleInstances"], ANSWERS),
]


@pytest.mark.parametrize(("command", "fault"), FAULTS)
def test_a_fault_on_the_way_leaves_one_that_serves(
    world: World, hook: LoadBalancersHook, command: str, fault: dict[str, Any]
) -> None:
    service = Internal(world, hook, address=FREE)
    control = world.simulator.control
    control.clear_calls()
    control.fault(times=None, command=command, **fault)
    service.ask(OTHER)
    service.wait(WHOLE)
    assert service.serving
    assert control.calls(command), "the fault was never met"
    control.clear_faults()
    end_stuck_jobs(world)
    service.wait(3 * WHOLE)
    assert service.serving == [OTHER]
    assert sources(world) == {OTHER}
    service.lb.delete()
    service.lb.settle(hook)
    assert world.remains() == NOTHING
