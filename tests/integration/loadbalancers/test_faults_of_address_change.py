"""CloudStack fails in every way while a Service changes to another address.

One of the two serves all the time, and in the end the new one does alone.
"""

from collections.abc import Callable
from typing import Any

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.plan.change import SERVES_ON, SHOWN_TOGETHER
from tests.integration.loadbalancers.changing import ips
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World
from tests.integration.loadbalancers.faults import (
    ANSWERS,
    JOBS,
    cases,
    end_stuck_jobs,
    is_well,
    recover,
    told_nothing_secret,
    try_for_a_while,
)
from tests.integration.loadbalancers.test_addresses import FREE

BUILDING = [
    "associateIpAddress",
    "createTags",
    "createLoadBalancerRule",
    "assignToLoadBalancerRule",
    "createFirewallRule",
]
ENDING = ["createTags", "disassociateIpAddress"]
READING = [
    "listPublicIpAddresses",
    "listLoadBalancerRules",
    "listFirewallRules",
    "listPortForwardingRules",
    "queryAsyncJobResult",
]


def serving(world: World) -> set[str]:
    """Return the addresses with a rule that has all members and is open."""
    opened = {each["address"] for each in world.state()["firewallrules"]}
    full = {each["address"] for each in world.rules() if set(each["members"]) == set(world.nodes)}
    return opened & full


def change(lb: LoadBalancer, hook: LoadBalancersHook) -> None:
    del hook
    lb.change(address=FREE)


def end(lb: LoadBalancer, hook: LoadBalancersHook) -> None:
    """Let the time come at which the old address goes."""
    lb.change(address=FREE)
    lb.settle(hook)
    lb.world.advance(SHOWN_TOGETHER + 1)
    lb.settle(hook)
    lb.world.advance(SERVES_ON)


def check(
    lb: LoadBalancer,
    hook: LoadBalancersHook,
    begin: Callable[[LoadBalancer, LoadBalancersHook], None],
    command: str,
    fault: dict[str, Any],
) -> None:
    """Change while a command fails; then let it work again."""
    world, control = lb.world, lb.world.simulator.control
    begin(lb, hook)
    control.clear_calls()
    control.fault(times=None, command=command, **fault)
    try_for_a_while(lb, hook)
    assert serving(world)
    assert control.calls(command), "the fault was never met"
    if not is_well(lb):
        assert lb.condition("Ready")["message"]
    control.clear_faults()
    end_stuck_jobs(world)
    for _ in range(12):
        recover(lb, hook)
        assert serving(world)
        if "addressChange" not in lb.status:
            break
        world.advance(lb.next_look() + 1)
        lb.call(hook)
    assert serving(world) == {FREE}
    assert ips(world) == [FREE]
    lb.delete()
    lb.settle(hook)
    assert world.remains() == NOTHING


@pytest.mark.parametrize(
    ("command", "fault"), [*cases(BUILDING, ANSWERS | JOBS), *cases(READING, ANSWERS)]
)
def test_a_fault_while_the_new_address_is_built_leaves_one_that_serves(
    world: World,
    hook: LoadBalancersHook,
    command: str,
    fault: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    lb = LoadBalancer(world).settle(hook)
    check(lb, hook, change, command, fault)
    told_nothing_secret(lb, caplog.text)


@pytest.mark.parametrize(
    ("command", "fault"), [*cases(ENDING, ANSWERS | JOBS), *cases(READING, ANSWERS)]
)
def test_a_fault_while_the_old_address_goes_leaves_the_new_one_serving(
    world: World,
    hook: LoadBalancersHook,
    command: str,
    fault: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    lb = LoadBalancer(world).settle(hook)
    check(lb, hook, end, command, fault)
    told_nothing_secret(lb, caplog.text)
