"""A plan costs what its ports and source ranges cost, added up, and not multiplied."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count, pairwise

import pytest

from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.plan import plan
from tests.unit.counting import calls
from tests.unit.loadbalancers.builders import right_facts

SIZES = (16, 32, 64, 128)
#: Twice the work, and what sorting and joining add.
DOUBLED = 2.3
NTH = count()


def as_asked(facts: Facts) -> Facts:
    return facts


def without_firewall(facts: Facts) -> Facts:
    return replace(facts, state=replace(facts.state, firewall=()))


def without_anything(facts: Facts) -> Facts:
    return replace(facts, state=replace(facts.state, firewall=(), rules=(), members={}))


@pytest.mark.parametrize("change", [as_asked, without_firewall, without_anything])
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
