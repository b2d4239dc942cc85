"""Reads from CloudStack fail in every way: that is reported, and all is well afterwards."""

from typing import Any

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from tests.integration.loadbalancers.driver import World
from tests.integration.loadbalancers.faults import ANSWERS, cases, check

COMMANDS = [
    "listCapabilities",
    "listNetworks",
    "listPublicIpAddresses",
    "listLoadBalancerRules",
    "listLoadBalancerRuleInstances",
    "listLBStickinessPolicies",
    "listFirewallRules",
    "queryAsyncJobResult",
]


@pytest.mark.parametrize(("command", "fault"), cases(COMMANDS, ANSWERS))
def test_a_fault_is_reported_nothing_leaks_and_recovery_needs_nobody(
    world: World,
    hook: LoadBalancersHook,
    command: str,
    fault: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    check(world, hook, command, fault, caplog)
