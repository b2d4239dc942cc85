"""The memory of policies is wrong: none of others goes, and the next check is right."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from hooks.cloudstack import Cloud
from hooks.cloudstack.models.loadbalancing import StickinessPolicy
from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.names import STICKINESS_POLICY, TAG_STICKINESS
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World, make_hook, port
from tests.integration.loadbalancers.lies import LyingPolicies, Policies, PolicyLie
from tests.integration.loadbalancers.test_stickiness import (
    BY_SOURCE,
    COOKIE,
    CREATE,
    DELETE,
    policies,
    set_by_hand,
    sticky,
)

#: Public port of the other Service, whose policy nothing may touch.
OTHERS = 8443


def none(remembered: Policies) -> Policies:
    del remembered
    return ()


def otherwise(remembered: Policies) -> Policies:
    return tuple(replace(each, params=(("expire", "1s"),)) for each in remembered)


def right(remembered: Policies) -> Policies:
    """Say that the rule has what its port asked for, whatever it has."""
    del remembered
    return (StickinessPolicy("p-1", STICKINESS_POLICY, "SourceBased", (("expire", "10800s"),)),)


def gone(remembered: Policies) -> Policies:
    return tuple(replace(each, id="p-gone") for each in remembered)


def theirs(remembered: Policies) -> Policies:
    return tuple(replace(each, name="somebody's") for each in remembered)


def twice(remembered: Policies) -> Policies:
    return (*remembered, *(replace(each, id="p-2") for each in remembered))


LIES = [none, otherwise, right, gone, theirs, twice]


def nothing_happens(lb: LoadBalancer) -> None:
    del lb


def none_is_asked_for(lb: LoadBalancer) -> None:
    lb.change(ports=[port(80), port(81)])


def another_is_asked_for(lb: LoadBalancer) -> None:
    lb.change(ports=[sticky(80, COOKIE), sticky(81)])


def a_port_goes(lb: LoadBalancer) -> None:
    lb.change(ports=[sticky(80)])


#: What happens, and the policies by port in the end.
CHANGES: list[tuple[Callable[[LoadBalancer], None], dict[int, Json | None]]] = [
    (nothing_happens, {80: BY_SOURCE, 81: BY_SOURCE}),
    (none_is_asked_for, {80: None, 81: None}),
    (another_is_asked_for, {80: COOKIE, 81: BY_SOURCE}),
    (a_port_goes, {80: BY_SOURCE}),
]


@pytest.fixture
def other(world: World, hook: LoadBalancersHook) -> Iterator[str]:
    """Another Service with a policy, as it was left: return the policy's id."""
    LoadBalancer(world, "other", ports=[sticky(OTHERS)]).settle(hook)
    before = _of_port(world, OTHERS)
    yield str(before["stickiness"][0]["id"])
    assert _of_port(world, OTHERS) == before


def _of_port(world: World, public: int) -> Json:
    return next(rule for rule in world.rules() if rule["publicport"] == public)


def let_lie(hook: LoadBalancersHook, world: World, lie: PolicyLie) -> LoadBalancersHook:
    hook._members = LyingPolicies(world, lie)
    return hook


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("changed", CHANGES)
@pytest.mark.parametrize("lie", [*LIES, "of the other Service"])
def test_a_lie_harms_no_policy_of_others_and_the_next_check_puts_ours_right(
    world: World,
    cloud: Cloud,
    other: str,
    lie: PolicyLie | str,
    changed: tuple[Callable[[LoadBalancer], None], dict[int, Json | None]],
    *,
    replicas: int,
) -> None:
    def of_other(remembered: Policies) -> Policies:
        return tuple(replace(each, id=other) for each in remembered)

    change, expected = changed
    chosen = of_other if isinstance(lie, str) else lie
    hooks = [let_lie(make_hook(world, cloud), world, chosen) for _ in range(replicas)]
    lb = LoadBalancer(world, ports=[sticky(80), sticky(81)])
    lb.settle(*hooks)
    change(lb)
    world.simulator.control.clear_calls()
    for turn in range(4):
        lb.call(hooks[turn % replicas])
    written = set(world.writes())
    assert written <= {CREATE, DELETE, "deleteTags", *_WRITES_OF_A_PORT}
    for _ in range(2):  # with the right members, who is due is read
        lb.wait(*hooks)
    assert lb.is_ready()
    ours = {number: found for number, found in policies(world).items() if number != OTHERS}
    assert ours == expected
    marked = {rule["publicport"] for rule in world.rules(lb.name) if TAG_STICKINESS in rule["tags"]}
    assert marked == {number for number, found in expected.items() if found}
    asked = {call["params"]["id"] for call in world.simulator.control.calls(DELETE)}
    assert other not in asked
    lb.delete()
    lb.settle(*hooks)
    assert lb.is_finalized()
    assert {rule["publicport"] for rule in world.rules()} == {OTHERS}


_WRITES_OF_A_PORT = {
    "deleteLoadBalancerRule",
    "createFirewallRule",
    "createTags",
    "deleteFirewallRule",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_policy_that_somebody_put_in_the_place_of_ours_stays_whatever_is_remembered(
    world: World, hook: LoadBalancersHook, lie: PolicyLie
) -> None:
    let_lie(hook, world, lie)
    lb = LoadBalancer(world, ports=[sticky(80)]).settle(hook)
    set_by_hand(world, "1h")
    lb.change(ports=[port(80)])
    lb.settle(hook)
    lb.wait(hook)
    assert policies(world) == {80: {"method": "SourceBased", "parameters": {"expire": "1h"}}}
    assert not any(TAG_STICKINESS in rule["tags"] for rule in world.rules())
    lb.delete()
    lb.settle(hook)
    assert world.remains() == NOTHING
