"""What a Service of our name left: its rules become ours before its address does."""

from dataclasses import replace

from hooks import names
from hooks.cloudstack.models.tags import Tag
from hooks.loadbalancers.plan.facts import CloudState, Refusal
from hooks.loadbalancers.plan.plan import plan
from tests.unit.loadbalancers.builders import address, facts, our_tags, request, rule, texts

ASKED = request()
OLD = our_tags(ASKED, **{names.TAG_SERVICE_UID: "old-uid"})
LEFT = CloudState(
    addresses=(address(tags=(*OLD, Tag(names.TAG_ORIGIN, names.TAG_ORIGIN_CONTROLLER))),),
    rules=(rule(80, "aold-tcp-80", tags=OLD),),
)
FACTS = facts(ASKED, state=LEFT)


def test_the_address_waits_until_its_rules_are_ours() -> None:
    [action] = plan(FACTS).actions
    assert "rule" in str(action)
    tagged = replace(LEFT, rules=(rule(80, "aold-tcp-80", tags=our_tags(ASKED)),))
    [then] = plan(replace(FACTS, state=tagged)).actions
    assert "address" in str(then)


def test_a_rule_that_cannot_be_taken_over_holds_the_address() -> None:
    [action] = plan(FACTS).actions
    refused = facts(ASKED, state=LEFT, refusals=(Refusal(action, 431, "no such rule"),))
    made = plan(refused)
    assert texts(made.actions) == []
    assert "no such rule" in str(made.response)
