"""With internal load balancers, commands fail in every way: that is said, and nothing leaks."""

from collections.abc import Iterator
from typing import Any

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World, port
from tests.integration.loadbalancers.faults import ANSWERS, JOBS, cases, check_steps
from tests.integration.loadbalancers.internal import internal, internal_world

READS = ["listLoadBalancers", "listLoadBalancerRuleInstances", "listNetworkACLs"]
WRITES = [
    "createLoadBalancer",
    "createTags",
    "assignToLoadBalancerRule",
    "removeFromLoadBalancerRule",
    "deleteLoadBalancerRule",
    "createNetworkACL",
]


@pytest.fixture
def world() -> Iterator[World]:
    with internal_world() as made:
        yield made


def change(lb: LoadBalancer) -> None:
    lb.world.nodes.pop("node-6")
    lb.change(ports=[port(80), port(81, 31081)], sourceRanges=["10.0.0.0/8"])


@pytest.mark.parametrize(
    ("command", "fault"), [*cases(READS, ANSWERS), *cases(WRITES, ANSWERS | JOBS)]
)
def test_a_fault_is_reported_nothing_leaks_and_recovery_needs_nobody(
    world: World,
    hook: LoadBalancersHook,
    command: str,
    fault: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    lb = internal(world, ports=[port(80), port(81)], sourceRanges=["192.168.0.0/16"])
    check_steps(lb, hook, (command, fault), change, caplog)
    assert world.remains() == NOTHING
