"""A list that a part of the work needs fails for good: the rest goes on, and nothing is guessed."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.webhook.reconcile import ANSWER_MARGIN
from tests.controlplane.polling import until
from tests.integration.loadbalancers.driver import (
    NOTHING,
    LoadBalancer,
    World,
    port,
    start_simulator,
)
from tests.integration.loadbalancers.vpc import TIER, keep_nodes

#: Seconds that a call has: half of them must be enough for a list to count as never answered.
CALL_SECONDS = ANSWER_MARGIN + 3.0
#: What CloudStack says where it refuses a list.
TEXT = "the database says no"
FAULTS: dict[str, dict[str, Any]] = {
    **{str(code): {"kind": "error", "code": code, "text": TEXT} for code in (431, 530)},
    "dropped": {"kind": "timeout", "seconds": 0.05},
    "never answered": {"kind": "timeout", "seconds": 600},
    "a gateway's error": {"kind": "html", "code": 504},
}
#: The worlds of the simulator: an isolated network, and a tier of a VPC.
ISOLATED, VPC = "small", "vpc"
#: Lists that opening needs, and those that only a deletion needs.
OPENING = [(ISOLATED, "listFirewallRules"), (VPC, "listNetworkACLs")]
ENDING = [
    *OPENING,
    (ISOLATED, "listPortForwardingRules"),
    (VPC, "listPortForwardingRules"),
    (VPC, "listNetworkACLLists"),
]


def cases(lists: list[tuple[str, str]]) -> list[Any]:
    return [
        pytest.param(name, command, fault, id=f"{name}, {command}, {kind}")
        for name, command in lists
        for kind, fault in FAULTS.items()
    ]


@pytest.fixture
def world(name: str) -> Iterator[World]:
    with start_simulator(name) as simulator:
        made = World(simulator)
        if name == VPC:
            keep_nodes(made, TIER)
        yield made
        made.close()
        assert simulator.control.ignored_parameters() == []


def break_down(world: World, command: str, fault: dict[str, Any]) -> None:
    world.simulator.control.fault(command, times=None, **fault)


def opened(world: World) -> list[Any]:
    """Return what admits clients beside the rules' own lists."""
    return [*world.firewall(), *(each for each in world.items() if each["tags"])]


def says_why(lb: LoadBalancer, command: str, fault: dict[str, Any]) -> bool:
    ready = lb.condition("Ready")
    return (TEXT if fault["kind"] == "error" else command) in ready["message"]


def go_on(lb: LoadBalancer, hook: LoadBalancersHook, is_done: Callable[[], bool]) -> None:
    """Call when the next look is due, until what needs no list is done."""

    def look() -> bool:
        lb.world.advance(lb.next_look() + 1)
        lb.call(hook, seconds=CALL_SECONDS)
        return is_done() and not lb.condition("Reconciling")

    until(look, "what the list has nothing to do with is done")


@pytest.mark.parametrize(("name", "command", "fault"), cases(OPENING))
def test_rules_and_members_change_and_what_admits_clients_stays_as_it_is(
    world: World, hook: LoadBalancersHook, command: str, fault: dict[str, Any]
) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(81)]).settle(hook)
    before = opened(world)
    break_down(world, command, fault)
    world.nodes.popitem()
    lb.change(ports=[port(80), port(8080)], sourceRanges=["10.0.0.0/8"])
    wanted = {"80": ["10.0.0.0/8"], "8080": ["10.0.0.0/8"]}

    def is_done() -> bool:
        rules = world.rules()
        is_narrow = {str(each["publicport"]): each["cidrlist"] for each in rules} == wanted
        return is_narrow and all(set(each["members"]) == set(world.nodes) for each in rules)

    go_on(lb, hook, is_done)
    ready = lb.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("Unknown", "CloudStackRefused")
    assert says_why(lb, command, fault)
    assert lb.condition("FirewallReady")["status"] == "Unknown"
    assert opened(world) == before
    world.simulator.control.clear_faults()
    lb.wait(hook)
    assert lb.is_ready()
    assert {each[3] for each in world.firewall()} <= {("10.0.0.0/8",)}
    items = [each for each in world.items() if each["tags"]]
    assert all(each["cidrlist"] in (["10.0.0.0/8"], "10.0.0.0/8") for each in items)
    assert opened(world) != before


@pytest.mark.parametrize(("name", "command"), OPENING)
def test_a_new_service_gets_its_address_and_rules_and_is_ready_once_all_is_known(
    world: World, hook: LoadBalancersHook, command: str
) -> None:
    """On an address that the call has just acquired there is nothing, so its firewall is known."""
    break_down(world, command, FAULTS["530"])
    lb = LoadBalancer(world, sourceRanges=["10.0.0.0/8"]).settle(hook)
    assert lb.condition("Ready")["status"] == "Unknown"
    [rule] = world.rules()
    assert (set(rule["members"]), rule["cidrlist"]) == (set(world.nodes), ["10.0.0.0/8"])
    admitted = [("tcp", 80, 80, ("10.0.0.0/8",))]
    assert opened(world) == (admitted if command == "listFirewallRules" else [])
    world.simulator.control.clear_faults()
    assert lb.wait(hook).is_ready()
    assert len(opened(world)) == 1


@pytest.mark.parametrize(("name", "command", "fault"), cases(ENDING))
def test_a_deletion_ends_what_needs_no_list_and_does_not_end_itself(
    world: World, hook: LoadBalancersHook, command: str, fault: dict[str, Any]
) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(81)]).settle(hook)
    break_down(world, command, fault)
    lb.delete()
    go_on(lb, hook, lambda: not world.rules() and lb.reason() == "DeletionRefused")
    assert says_why(lb, command, fault)
    assert not lb.is_finalized()
    assert bool(world.addresses()) == (command in ("listFirewallRules", "listPortForwardingRules"))
    world.simulator.control.clear_faults()
    lb.wait(hook)
    assert lb.is_finalized()
    assert world.remains() == NOTHING


@pytest.mark.parametrize("name", [ISOLATED])
@pytest.mark.parametrize("command", ["listFirewallRules", "listPortForwardingRules"])
def test_an_address_changes_only_once_all_is_known_that_is_on_it(
    world: World, hook: LoadBalancersHook, command: str
) -> None:
    lb = LoadBalancer(world, ports=[port(80)]).settle(hook)
    [before] = [each["ipaddress"] for each in world.addresses()]
    break_down(world, command, FAULTS["530"])
    [free, *_] = world.human.list("listPublicIpAddresses", "publicipaddress", state="Free")
    world.human.done(
        "associateIpAddress", ipaddress=free["ipaddress"], networkid=lb.status["networkID"]
    )
    world.nodes.popitem()
    lb.change(address=free["ipaddress"])
    go_on(lb, hook, lambda: [set(each["members"]) for each in world.rules()] == [set(world.nodes)])
    assert lb.status["address"]["ip"] == before
    assert lb.condition("AddressReady")["status"] == "Unknown"
    assert TEXT in lb.condition("Ready")["message"]
    world.simulator.control.clear_faults()
    lb.wait(hook)
    assert lb.status["address"]["ip"] == free["ipaddress"]


@pytest.mark.parametrize("name", [ISOLATED, VPC])
def test_both_addresses_of_a_change_follow_the_service_while_not_all_is_known_of_them(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80)]).settle(hook)
    [free, *_] = world.human.list("listPublicIpAddresses", "publicipaddress", state="Free")
    lb.change(address=free["ipaddress"])
    lb.settle(hook)
    assert len(world.addresses()) == 2
    break_down(world, "listPortForwardingRules", FAULTS["530"])
    world.nodes.popitem()
    lb.change(sourceRanges=["10.0.0.0/8"])

    def is_done() -> bool:
        seen = [(set(each["members"]), each["cidrlist"]) for each in world.rules()]
        return seen == [(set(world.nodes), ["10.0.0.0/8"])] * 2

    go_on(lb, hook, is_done)
    assert TEXT in lb.condition("Ready")["message"]
    assert {each[3] for each in world.firewall()} <= {("10.0.0.0/8",)}
    items = [each["cidrlist"] for each in world.items() if each["tags"]]
    assert all(ranges in (["10.0.0.0/8"], "10.0.0.0/8") for ranges in items)
    world.simulator.control.clear_faults()
    for _ in range(3):
        world.advance(400)
        lb.wait(hook)
    assert [each["ipaddress"] for each in world.addresses()] == [free["ipaddress"]]
