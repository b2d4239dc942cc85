"""On a VPC tier, commands fail in every way: that is reported, and all is well afterwards."""

from collections.abc import Iterator
from typing import Any

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from tests.integration.loadbalancers.driver import World
from tests.integration.loadbalancers.faults import ANSWERS, JOBS, cases, check
from tests.integration.loadbalancers.vpc import vpc_world

#: What is called otherwise on a tier than on an isolated network, or comes to something else.
READS = [
    "listNetworks",
    "listPublicIpAddresses",
    "listLoadBalancerRules",
    "listNetworkACLs",
    "listNetworkACLLists",
]
WRITES = [
    "associateIpAddress",
    "createLoadBalancerRule",
    "updateLoadBalancerRule",
    "deleteLoadBalancerRule",
    "disassociateIpAddress",
    "createNetworkACL",
    "updateNetworkACLItem",
    "deleteNetworkACL",
]

#: What is called as on an isolated network, where each of these meets every fault.
AS_ELSEWHERE = [
    "listLoadBalancerRuleInstances",
    "listLBStickinessPolicies",
    "assignToLoadBalancerRule",
    "removeFromLoadBalancerRule",
    "createLBStickinessPolicy",
    "deleteLBStickinessPolicy",
    "createTags",
]
SOME = {name: ANSWERS[name] for name in ("431", "530", "HTML")}


@pytest.fixture
def world() -> Iterator[World]:
    with vpc_world() as made:
        yield made


@pytest.mark.parametrize(
    ("command", "fault"),
    [*cases(READS, ANSWERS), *cases(WRITES, ANSWERS | JOBS), *cases(AS_ELSEWHERE, SOME)],
)
def test_a_fault_is_reported_nothing_leaks_and_recovery_needs_nobody(
    world: World,
    hook: LoadBalancersHook,
    command: str,
    fault: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    check(world, hook, command, fault, caplog)
