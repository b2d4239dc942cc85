"""What is known of a rule's policies after one of them changed."""

import pytest

from hooks.cloudstack.models.loadbalancing import StickinessPolicy
from hooks.loadbalancers.plan.effects import state_after
from hooks.loadbalancers.plan.facts import CloudState
from hooks.loadbalancers.plan.sticky_actions import (
    RemoveStickiness,
    SetStickiness,
    StickinessChange,
)
from hooks.names import STICKINESS_POLICY
from tests.unit.loadbalancers.builders import rule

PERSONS = StickinessPolicy("p-1", "by-hand", "LbCookie", ())
OURS = StickinessPolicy("p-2", STICKINESS_POLICY, "SourceBased", ())
SET = SetStickiness("r-1", "web", "SourceBased")
REMOVE = RemoveStickiness("p-2", "r-1", "web")


@pytest.mark.parametrize(
    ("before", "action", "after"),
    [
        pytest.param({"r-1": (PERSONS,)}, SET, {"r-1": (OURS,)}, id="in the place of a person's"),
        pytest.param({}, SET, {"r-1": (OURS,)}, id="in the place of what was not read"),
        pytest.param({"r-1": (PERSONS, OURS)}, REMOVE, {"r-1": (PERSONS,)}, id="ours alone goes"),
        pytest.param({}, REMOVE, {}, id="what was not read stays unknown"),
    ],
)
def test_nothing_is_assumed_that_was_not_read(
    before: dict[str, tuple[StickinessPolicy, ...]],
    action: StickinessChange,
    after: dict[str, tuple[StickinessPolicy, ...]],
) -> None:
    state = CloudState(rules=(rule(80, id="r-1"),), policies=before)
    found = state_after(state, action, "p-2")
    assert found is not None
    assert found.policies == after
