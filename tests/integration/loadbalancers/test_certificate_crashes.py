"""With a certificate, hooks crash after any write, and the next calls repair it."""

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from tests.integration.loadbalancers.certificates import certificates, put, secured, tls, tls_hook
from tests.integration.loadbalancers.crashes import (
    VARIANTS,
    Scenario,
    Variant,
    crash_everywhere,
    deletion,
    die_after,
    nothing_more,
)
from tests.integration.loadbalancers.driver import LoadBalancer, World, port


def nothing_yet(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    del hook
    put(world)
    return secured(world, [tls(443), port(80)])


def in_use(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    return nothing_yet(world, hook).settle(hook)


def plain(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    put(world)
    return LoadBalancer(world, ports=[port(443), port(80)]).settle(hook)


def rotated(world: World, lb: LoadBalancer) -> None:
    put(world, number=1)
    world.advance(lb.next_look() + 1)


def asked_for_later(world: World, lb: LoadBalancer) -> None:
    del world
    lb.change(ports=[tls(443), port(80)])


def not_asked_for(world: World, lb: LoadBalancer) -> None:
    del world
    lb.change(ports=[port(443), port(80)])


def another_node_port(world: World, lb: LoadBalancer) -> None:
    del world
    lb.change(ports=[tls(443) | {"nodePort": 31999}, port(80)])


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(Scenario(nothing_yet, nothing_more), id="create"),
        pytest.param(Scenario(plain, asked_for_later), id="a live port gets one"),
        pytest.param(Scenario(in_use, rotated), id="another certificate"),
        pytest.param(Scenario(in_use, another_node_port), id="another node port"),
        pytest.param(Scenario(in_use, not_asked_for), id="none any more"),
        pytest.param(Scenario(in_use, deletion), id="delete"),
    ],
)
def test_after_a_crash_at_any_write_the_next_calls_come_to_the_same_result(
    scenario: Scenario, variant: Variant
) -> None:
    crash_everywhere(scenario, variant)


@pytest.mark.parametrize("skipped", range(4))
def test_what_a_call_left_goes_though_the_annotation_went_before_the_next(
    world: World, skipped: int
) -> None:
    """The status has named the certificate before it was uploaded."""
    clouds = [world.open_cloud() for _ in range(2)]
    first, second = (tls_hook(world, each) for each in clouds)
    lb = plain(world, first)
    lb.change(ports=[tls(443), port(80)])
    die_after(world, lb, [first], skipped)
    lb.change(ports=[port(443), port(80)])
    lb.settle(second)
    assert certificates(world) == []
    assert {each["protocol"] for each in world.rules()} == {"tcp"}
    for each in clouds:
        each.close()
