"""Writes to CloudStack fail in every way: that is reported, and all is well afterwards."""

from typing import Any

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from tests.integration.loadbalancers.driver import World
from tests.integration.loadbalancers.faults import ANSWERS, JOBS, cases, check

COMMANDS = [
    "associateIpAddress",
    "createTags",
    "createLoadBalancerRule",
    "updateLoadBalancerRule",
    "deleteLoadBalancerRule",
    "assignToLoadBalancerRule",
    "removeFromLoadBalancerRule",
    "createFirewallRule",
    "deleteFirewallRule",
    "deleteTags",
    "disassociateIpAddress",
    "createLBStickinessPolicy",
    "deleteLBStickinessPolicy",
]


@pytest.mark.parametrize(("command", "fault"), cases(COMMANDS, ANSWERS | JOBS))
def test_a_fault_is_reported_nothing_leaks_and_recovery_needs_nobody(
    world: World,
    hook: LoadBalancersHook,
    command: str,
    fault: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    check(world, hook, command, fault, caplog)
