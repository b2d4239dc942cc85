"""What is assumed after an action is what the model of CloudStack shows after it."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from hooks.cloudstack.models.tags import Resource
from hooks.loadbalancers.plan.effects import state_after
from hooks.loadbalancers.plan.facts import CloudState
from hooks.loadbalancers.plan.stickiness import is_marked
from hooks.loadbalancers.request import read
from tests.unit.loadbalancers.builders import facts
from tests.unit.loadbalancers.generated import Play, slowly, spec_of, specs, worlds
from tests.unit.loadbalancers.model import Model
from tests.unit.loadbalancers.tiers import tiers


def shown(state: CloudState, known: CloudState) -> CloudState:
    """Return what both tell of a state, in one order; what only one of them tells is left out.

    The policies of a rule that has just got its tag are unknown until they are read.
    """
    rules = sorted((replace(each, state="", network_id="") for each in state.rules), key=str)
    return replace(
        state,
        free=(),
        addresses=tuple(sorted(state.addresses, key=str)),
        rules=tuple(rules),
        members={each.id: dict.fromkeys(state.members.get(each.id, {}), "") for each in rules},
        policies={
            each.id: state.policies[each.id]
            for each in rules
            if is_marked(each) and each.id in known.policies
        },
        firewall=tuple(
            sorted((replace(each, state="", network_id="") for each in state.firewall), key=str)
        ),
        acl=None if state.acl is None else tuple(sorted(state.acl, key=str)),
    )


def ids(state: CloudState) -> set[str]:
    """Return the ids of rules, firewall rules, ACL items and stickiness policies."""
    policies = (each for found in state.policies.values() for each in found)
    resources: tuple[Resource, ...] = (*state.rules, *state.firewall, *(state.acl or ()))
    return {each.id for each in resources} | {each.id for each in policies}


@slowly
@given(st.one_of(worlds(), tiers()), specs)
def test_the_state_after_an_action_is_what_is_read_after_it(
    model: Model, drawn: dict[str, object]
) -> None:
    play = Play(model, spec_of(drawn))
    for _ in range(4):
        planned = play.plan()
        for action in planned.actions:
            known = facts(read(play.body), network=model.network)
            before = model.state(known)
            if model.apply(action):
                continue
            after = model.state(known)
            new = min(ids(after) - ids(before), default="")
            assumed = state_after(before, action, new)
            if assumed is not None:
                assert shown(assumed, assumed) == shown(after, assumed)
        play.body["parent"]["status"] = planned.response.get("status")
