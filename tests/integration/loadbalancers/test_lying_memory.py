"""The memory of members is wrong: nothing but members is touched, and the next check is right."""

from collections.abc import Callable
from typing import Any

import pytest

from hooks.cloudstack import Cloud
from hooks.loadbalancers.hook import LoadBalancersHook
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World, make_hook, port
from tests.integration.loadbalancers.faults import ANSWERS, JOBS, cases, check
from tests.integration.loadbalancers.lies import FOREIGN, LyingAlike, let_lie, lies_of

LIES = ["missing", "none", "foreign", "extra"]
MEMBER_COMMANDS = {"assignToLoadBalancerRule", "removeFromLoadBalancerRule"}


def nothing_happens(lb: LoadBalancer) -> None:
    del lb


def a_node_leaves(lb: LoadBalancer) -> None:
    lb.world.nodes.pop("node-1")


def a_port_is_added(lb: LoadBalancer) -> None:
    lb.change(ports=[port(80), port(81), port(82)])


def a_port_goes(lb: LoadBalancer) -> None:
    lb.change(ports=[port(80)])


CHANGES = [nothing_happens, a_node_leaves, a_port_is_added, a_port_goes]
#: What else is written, by the number of ports after the change.
OTHER_WRITES = {
    1: {
        "deleteLoadBalancerRule",
        "deleteTags",
        "createFirewallRule",
        "createTags",
        "deleteFirewallRule",
    },
    2: set[str](),
    3: {"createLoadBalancerRule", "createFirewallRule", "createTags"},
}


def other_writes(world: World) -> dict[str, int]:
    """Return the writes that change no members."""
    return {name: n for name, n in world.writes().items() if name not in MEMBER_COMMANDS}


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("late", [False, True], ids=["", "late news"])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("lie", LIES)
def test_a_lie_changes_nothing_but_members_and_the_next_check_puts_them_right(
    world: World,
    cloud: Cloud,
    lie: str,
    change: Callable[[LoadBalancer], None],
    replicas: int,
    *,
    late: bool,
) -> None:
    hooks = [let_lie(make_hook(world, cloud), world, lies_of(world)[lie]) for _ in range(replicas)]
    lb = LoadBalancer(world, ports=[port(80), port(81)])
    lb.settle(*hooks)
    change(lb)
    world.simulator.control.clear_calls()
    lb.late = late
    for turn in range(4):
        lb.call(hooks[turn % replicas])
    lb.late = False
    lb.settle(*hooks)
    ports = len(lb.parent["spec"]["ports"])
    assert set(other_writes(world)) == OTHER_WRITES[ports]
    lb.wait(*hooks)
    assert lb.is_ready()
    assert [set(rule["members"]) for rule in world.rules(lb.name)] == [set(world.nodes)] * ports
    assert len(world.addresses()) == 1
    removed = world.simulator.control.calls("removeFromLoadBalancerRule")
    told = {vm for call in removed for vm in call["params"]["virtualmachineids"].split(",")}
    serving = {each["spec"]["instanceID"] for each in world.nodes.values()}
    assert not told & serving
    lb.delete()
    lb.settle(*hooks)
    assert lb.is_finalized()
    assert world.remains() == NOTHING


def test_a_foreign_member_that_is_told_of_is_removed_from_our_rule_and_nothing_else(
    world: World, hook: LoadBalancersHook
) -> None:
    let_lie(hook, world, lies_of(world)["foreign"])
    lb = LoadBalancer(world).settle(hook)
    world.nodes.pop("node-1")
    world.simulator.control.clear_calls()
    lb.settle(hook)
    asked = [
        call["params"]["virtualmachineids"]
        for call in world.simulator.control.calls("removeFromLoadBalancerRule")
    ]
    assert all(FOREIGN in each for each in asked[:1])
    lb.wait(hook)
    assert lb.is_ready()
    assert [set(rule["members"]) for rule in world.rules(lb.name)] == [set(world.nodes)]


@pytest.mark.parametrize("changed", [0, 1], ids=["the first rule", "the second rule"])
@pytest.mark.parametrize("change", CHANGES)
def test_rules_that_are_called_alike_and_are_not_are_right_in_the_end(
    world: World, cloud: Cloud, change: Callable[[LoadBalancer], None], changed: int
) -> None:
    """Somebody has changed one of them, and all others are another Service's, of other members."""
    honest = make_hook(world, cloud)
    world.place("node-3")
    other = LoadBalancer(world, "other", ports=[port(8443)], externalTrafficPolicy="Local")
    other.settle(honest)
    lb = LoadBalancer(world, ports=[port(80), port(81)]).settle(honest)
    rule = lb.status["rules"][changed]["id"]
    gone = world.nodes["node-2"]["spec"]["instanceID"]
    world.human.done("removeFromLoadBalancerRule", id=rule, virtualmachineids=gone)
    hook = make_hook(world, cloud)
    hook._members = LyingAlike(world)
    change(lb)
    world.simulator.control.clear_calls()
    lb.settle(hook)
    written = {call["params"].get("id") for name in MEMBER_COMMANDS for call in _calls(world, name)}
    assert written.isdisjoint(each["id"] for each in world.rules(other.name))
    restarted = make_hook(world, cloud)
    lb.wait(restarted).wait(restarted)
    assert lb.is_ready()
    ports = len(lb.parent["spec"]["ports"])
    assert [set(rule["members"]) for rule in world.rules(lb.name)] == [set(world.nodes)] * ports
    assert [set(rule["members"]) for rule in world.rules(other.name)] == [{"node-3"}]


def _calls(world: World, command: str) -> list[dict[str, Any]]:
    return world.simulator.control.calls(command)


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        *cases(sorted(MEMBER_COMMANDS), ANSWERS | JOBS),
        *cases(["listLoadBalancerRuleInstances"], ANSWERS),
    ],
)
def test_faults_beside_lies_are_reported_and_nothing_leaks(
    world: World,
    hook: LoadBalancersHook,
    command: str,
    fault: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    check(world, let_lie(hook, world), command, fault, caplog)
