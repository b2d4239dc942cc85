"""The account may not list certificates: Services serve on, and go where none was ever made."""

import pytest

from hooks.cloudstack import Cloud
from hooks.loadbalancers.hook import LoadBalancersHook
from tests.integration.loadbalancers.certificates import (
    certificates,
    put,
    secured,
    shown,
    tls,
    tls_hook,
)
from tests.integration.loadbalancers.driver import NOTHING, World, make_hook, port


@pytest.fixture
def hook(world: World, cloud: Cloud) -> LoadBalancersHook:
    return tls_hook(world, cloud)


def test_an_account_that_may_not_list_certificates_serves_on(
    world: World, hook: LoadBalancersHook
) -> None:
    put(world)
    lb = secured(world, [tls(443), port(80)]).settle(hook)
    world.simulator.control.stage("account", "user", denied=["listSslCerts"])
    before = shown(world)
    lb.wait(hook)
    assert (shown(world), len(certificates(world))) == (before, 1)
    lb.delete()
    lb.settle(hook)
    assert not lb.is_finalized()
    world.simulator.control.stage("account", "user", denied=[])
    lb.wait(hook)
    assert world.remains() == NOTHING


def test_a_service_that_only_asks_goes_though_the_role_knows_no_certificates(
    world: World, cloud: Cloud
) -> None:
    """The roles that people wrote before there were certificates do not list them."""
    hook = make_hook(world, cloud)
    world.simulator.control.stage("account", "user", denied=["listSslCerts"])
    lb = secured(world, [tls(443), port(80)]).settle(hook)
    assert "listSslCerts" not in world.simulator.control.counts()
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert world.remains() == NOTHING


def test_members_come_back_while_certificates_cannot_be_listed(world: World, cloud: Cloud) -> None:
    hook = tls_hook(world, cloud)
    put(world)
    lb = secured(world).settle(hook)
    [rule] = world.rules()
    listed = world.human.ok("listLoadBalancerRuleInstances", id=rule["id"])
    members = [each["id"] for each in listed["loadbalancerruleinstance"]]
    assert len(members) == len(world.nodes)
    world.simulator.control.stage("account", "user", denied=["listSslCerts"])
    world.human.done(
        "removeFromLoadBalancerRule",
        id=rule["id"],
        virtualmachineids=list(members),
    )
    for _ in range(3):
        lb.wait(hook)
    assert set(world.rules()[0]["members"]) == set(world.nodes)
