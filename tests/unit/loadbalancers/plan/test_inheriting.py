"""What a Service of our name left: a tag says that it is taken over, and whose it was."""

from dataclasses import replace

import pytest

from hooks import names
from hooks.cloudstack.models.tags import Tag
from hooks.loadbalancers.plan.facts import CloudState, LiveService, Refusal
from hooks.loadbalancers.plan.plan import plan
from hooks.loadbalancers.plan.takeover_tag import Takeover
from tests.unit.loadbalancers.builders import (
    CLUSTER_ID,
    IP,
    UID,
    address,
    address_tags,
    facts,
    our_tags,
    request,
    rule,
    texts,
)

ASKED = request()
OLD = our_tags(ASKED, **{names.TAG_SERVICE_UID: "old-uid"})
ORIGIN = Tag(names.TAG_ORIGIN, names.TAG_ORIGIN_CONTROLLER)
TAKEOVER = Takeover((CLUSTER_ID, UID), (CLUSTER_ID, "old-uid"))
BEGUN = Tag(names.TAG_TAKEOVER, TAKEOVER.text)
HALF = tuple(tag for tag in OLD if tag.key != names.TAG_SERVICE_UID)
RULE = rule(80, "aold-tcp-80", tags=OLD)


def left(*tags: Tag, of_rule: tuple[Tag, ...] = OLD) -> CloudState:
    """Show an address with these tags, and one rule."""
    return CloudState((address(tags=(*tags, ORIGIN)),), rules=(replace(RULE, tags=of_rule),))


@pytest.mark.parametrize(
    ("state", "action"),
    [
        pytest.param(left(*OLD), f"begin to take over address {IP}", id="as it was left"),
        pytest.param(left(*OLD, BEGUN), f"take over address {IP}", id="begun"),
        pytest.param(left(*HALF, BEGUN), f"tag address {IP}", id="half done"),
        pytest.param(left(*our_tags(ASKED), BEGUN), "take over rule aold-tcp-80", id="the address"),
        pytest.param(
            left(*our_tags(ASKED), BEGUN, of_rule=HALF), "tag rule aold-tcp-80", id="half a rule"
        ),
    ],
)
def test_each_step_of_a_takeover_is_known_by_the_tags(state: CloudState, action: str) -> None:
    assert action in texts(plan(facts(ASKED, state=state)).actions)


def test_a_takeover_ends_when_everything_has_our_mark() -> None:
    ours = our_tags(ASKED)
    assert f"untag address {IP}" in texts(
        plan(facts(ASKED, state=left(*ours, BEGUN, of_rule=ours))).actions
    )
    going_on = plan(facts(ASKED, state=left(*ours, BEGUN)))
    assert f"untag address {IP}" not in texts(going_on.actions)


def test_without_the_tag_of_a_takeover_a_rule_of_another_uid_is_not_ours() -> None:
    state = CloudState((address(tags=address_tags(ASKED)),), rules=(RULE,))
    made = plan(facts(ASKED, state=state, service=None))
    assert "is taken by rule aold-tcp-80" in str(made.response)


def test_a_takeover_that_is_refused_leaves_everything() -> None:
    [action] = plan(facts(ASKED, state=left(*OLD))).actions
    refused = facts(ASKED, state=left(*OLD), refusals=(Refusal(action, 431, "no such address"),))
    made = plan(refused)
    assert texts(made.actions) == []
    assert "no such address" in str(made.response)


@pytest.mark.parametrize(
    ("by", "action"),
    [
        pytest.param((CLUSTER_ID, "gone"), f"begin to take over address {IP}", id="our cluster"),
        pytest.param(("c-3", UID), "", id="another cluster"),
    ],
)
def test_what_another_service_takes_over_is_left_to_another_cluster(
    by: tuple[str, str], action: str
) -> None:
    tag = Tag(names.TAG_TAKEOVER, Takeover(by, TAKEOVER.source).text)
    made = plan(facts(ASKED, state=left(*HALF, tag)))
    assert texts(made.actions) == ([action] if action else [])
    if not action:
        assert "taken over by the same Service of cluster c-3" in str(made.response)


@pytest.mark.parametrize(
    ("tags", "action"),
    [
        pytest.param((*HALF, BEGUN), f"give address {IP} back", id="half done"),
        pytest.param((*OLD, BEGUN), f"untag address {IP}", id="only begun"),
    ],
)
@pytest.mark.parametrize("why", ["another address", "deleted"])
def test_a_takeover_that_is_not_wanted_any_more_is_undone(
    tags: tuple[Tag, ...], action: str, why: str
) -> None:
    if why == "deleted":
        going = request(metadata={"deletionTimestamp": "2027-01-15T08:00:00Z"})
        known = facts(going, state=left(*tags), service=LiveService(still_wants=False))
    else:
        known = facts(request(address="198.51.100.9"), state=left(*tags))
    assert texts(plan(known).actions) == [action]


def test_the_service_that_an_address_was_taken_from_half_has_it_again() -> None:
    source = Takeover((CLUSTER_ID, "new-uid"), (CLUSTER_ID, UID))
    tags = (*HALF, Tag(names.TAG_TAKEOVER, source.text))
    going = request(metadata={"deletionTimestamp": "2027-01-15T08:00:00Z"})
    gone = LiveService(still_wants=False)
    made = plan(facts(going, state=left(*tags, of_rule=our_tags(going)), service=gone))
    assert texts(made.actions) == [f"tag address {IP}"]


@pytest.mark.parametrize(
    "takeover",
    [
        TAKEOVER,
        Takeover(("c 2", "u"), (None, None)),
        Takeover(("c-2", UID), ("c-1", None)),
        Takeover(("-", "100%"), ("c-1", "u")),
        Takeover(("=", UID), ("=", UID)),
        Takeover(("c 2", UID), ("=", "-")),
        Takeover(("a%20b", UID), ("a b\u00a0c", UID)),
        Takeover(("k8s-eu-west-1-" + "a" * 76, UID), ("k8s-eu-west-1-" + "b" * 76, UID)),
        Takeover(("ü" * 90, UID), ("é" * 90, UID)),
        Takeover(("c-" * 85, UID), ("c-" * 85, UID)),
    ],
)
def test_a_tag_says_what_was_written(takeover: Takeover) -> None:
    assert Takeover.read(takeover.text) == takeover
    assert len(takeover.text) <= 255


def test_a_tag_of_an_earlier_build_is_read() -> None:
    assert Takeover.read("c%2D2 u c%C3%BC -") == Takeover(("c-2", "u"), ("cü", None))


def test_a_takeover_that_no_tag_can_say_is_refused() -> None:
    old, new = "a" * 100, "b" * 100
    asked = request(takeoverFrom=old)
    mark = our_tags(asked, **{names.TAG_CLUSTER: old})
    state = left(*mark, of_rule=mark)
    made = plan(replace(facts(asked, state=state), cluster_id=new))
    assert texts(made.actions) == []
    assert "the ids of the two clusters are too long together" in str(made.response)
    made = plan(replace(facts(asked, state=state), cluster_id="b"))
    assert texts(made.actions) == [f"begin to take over address {IP}"]


@pytest.mark.parametrize("text", ["", "c-2", "c-2 u c-1", "- - c-1 u", "c-2 u c-1 u more"])
def test_a_tag_of_somebody_else_says_nothing(text: str) -> None:
    assert Takeover.read(text) is None
