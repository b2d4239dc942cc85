"""Commands fail in every way while a Service joins, changes and leaves a shared address."""

from collections.abc import Iterator
from typing import Any

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from tests.integration.loadbalancers.driver import NOTHING, World, make_hook
from tests.integration.loadbalancers.faults import (
    ANSWERS,
    JOBS,
    begin,
    cases,
    change,
    delete,
    end_stuck_jobs,
    is_well,
    recover,
    told_nothing_secret,
    try_for_a_while,
)
from tests.integration.loadbalancers.test_shared_addresses import sharing, users
from tests.integration.loadbalancers.vpc import vpc_world

#: Those that a shared address adds to, or asks in another way.
READS = [
    "listPublicIpAddresses",
    "listLoadBalancerRules",
    "listFirewallRules",
    "listPortForwardingRules",
]
WRITES = ["createTags", "deleteTags", "deleteLoadBalancerRule", "deleteFirewallRule"]
#: Those of a tier's list beside them: it has items of each user.
ON_TIER = [
    "listNetworkACLs",
    "listNetworkACLLists",
    "createNetworkACL",
    "updateNetworkACLItem",
    "deleteNetworkACL",
    "createTags",
    "deleteTags",
]
#: An error, no answer, and one that is out of shape.
FAULTS = {name: ANSWERS[name] for name in ("431", "530", "timeout", "HTML")}


@pytest.mark.parametrize(("command", "fault"), cases(READS, FAULTS) + cases(WRITES, FAULTS | JOBS))
def test_a_fault_is_reported_the_others_serve_on_and_nothing_leaks(
    world: World,
    hook: LoadBalancersHook,
    command: str,
    fault: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    check_sharing(world, hook, command, fault, caplog)


@pytest.fixture
def tier_world() -> Iterator[World]:
    with vpc_world() as made:
        yield made


@pytest.mark.parametrize(
    ("command", "fault"), cases(ON_TIER, {name: ANSWERS[name] for name in ("431", "HTML")})
)
def test_on_a_tier_it_is_reported_too_and_the_others_serve_on(
    tier_world: World, command: str, fault: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    cloud = tier_world.open_cloud()
    check_sharing(tier_world, make_hook(tier_world, cloud), command, fault, caplog)
    cloud.close()


def check_sharing(
    world: World,
    hook: LoadBalancersHook,
    command: str,
    fault: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Join, change and leave while a command fails; then let it work again."""
    mail = sharing(world, "mail", 25).settle(hook)
    ip = mail.status["address"]["ip"]
    lb = sharing(world, "web", 80, 81)
    texts: list[str] = []
    control = world.simulator.control
    for step in (begin, change, delete):
        step(lb)
        control.fault(times=None, command=command, **fault)
        try_for_a_while(lb, hook)
        if not is_well(lb):
            texts.append(lb.condition("Ready")["message"])
        control.clear_faults()
        end_stuck_jobs(world)
        recover(lb, hook)
        assert users(world, ip) == ({"mail"} if lb.is_finalized() else {"mail", "web"})
    assert control.calls(command), "the fault was never met"
    assert texts or fault.get("executed"), "nobody was told"
    told_nothing_secret(lb, caplog.text + str(texts))
    assert mail.wait(hook).is_ready()
    assert mail.status["address"]["ip"] == ip
    mail.delete()
    mail.settle(hook)
    assert world.remains() == NOTHING
