"""A plan costs what its ports and source ranges cost, added up, and not multiplied."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count, pairwise

import pytest

from hooks.cloudstack.models.tags import Tag
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.firewall import own_firewall
from hooks.loadbalancers.plan.plan import plan
from hooks.names import TAG_ORIGIN, TAG_ORIGIN_CONTROLLER, TAG_SHARE
from tests.unit.counting import calls
from tests.unit.loadbalancers.builders import right_facts
from tests.unit.loadbalancers.plan.tier_items import TIER, ours

SIZES = (16, 32, 64, 128)
#: Twice the work, and what sorting and joining add.
DOUBLED = 2.3
NTH = count()


def as_asked(facts: Facts) -> Facts:
    return facts


def without_firewall(facts: Facts) -> Facts:
    return replace(facts, state=replace(facts.state, firewall=()))


def on_a_tier(facts: Facts) -> Facts:
    """Admit the sources by items of the list of a tier instead of firewall rules."""
    items = tuple(
        ours(number, each.start_port or 0, cidrs=each.cidrs, tags=each.tags)
        for number, each in enumerate(facts.state.firewall, start=1)
    )
    state = replace(facts.state, firewall=(), acl=items)
    return replace(facts, network=TIER, state=state)


def on_a_tier_of_others(facts: Facts) -> Facts:
    """The same, with items of people who admit and deny some, and none of ours."""
    tier = on_a_tier(facts)
    people = tuple(
        replace(each, tags=(), cidrs=each.cidrs[:1], action="Deny" if number % 2 else "Allow")
        for number, each in enumerate(tier.state.acl or ())
    )
    return replace(tier, state=replace(tier.state, acl=people))


def without_anything(facts: Facts) -> Facts:
    return replace(facts, state=replace(facts.state, firewall=(), rules=(), members={}))


@pytest.mark.parametrize(
    "change",
    [as_asked, without_firewall, without_anything, on_a_tier, on_a_tier_of_others],
)
@pytest.mark.parametrize("grows", ["ports", "ranges", "both"])
def test_twice_the_ports_and_ranges_are_twice_the_work(
    change: Callable[[Facts], Facts], grows: str
) -> None:
    costs = []
    for size in SIZES:
        ports, ranges = (16 if grows == "ranges" else size), (16 if grows == "ports" else size)
        # No two plans share a range, so nothing is known from an earlier one.
        facts = change(right_facts(ports, ranges, next(NTH)))
        costs.append(calls(lambda facts=facts: plan(facts)))  # type: ignore[misc]
    for before, after in pairwise(costs):
        assert after <= DOUBLED * before


def test_twice_the_rules_on_a_shared_address_are_twice_the_work() -> None:
    costs = []
    for size in SIZES:
        facts = right_facts(size, 1, next(NTH))
        [address] = facts.state.addresses
        share = (Tag(TAG_SHARE, "front"), Tag(TAG_ORIGIN, TAG_ORIGIN_CONTROLLER))
        bare = tuple(replace(each, tags=()) for each in facts.state.firewall)
        addresses = (replace(address, tags=share),)
        facts = replace(facts, state=replace(facts.state, addresses=addresses, firewall=bare))
        costs.append(calls(lambda facts=facts: own_firewall(facts, ())))  # type: ignore[misc]
    for before, after in pairwise(costs):
        assert after <= DOUBLED * before
