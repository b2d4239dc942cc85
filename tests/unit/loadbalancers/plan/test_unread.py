"""What waits while CloudStack does not list a part of what there is."""

from dataclasses import replace
from typing import Any

import pytest

from hooks import names
from hooks.cloudstack.models.account import Capabilities
from hooks.cloudstack.models.tags import Tag
from hooks.loadbalancers.plan.facts import CloudState, LiveService, Part
from hooks.loadbalancers.plan.plan import plan
from hooks.loadbalancers.plan.takeover_tag import Takeover
from tests.unit.loadbalancers.builders import (
    CLUSTER_ID,
    EVERYONE,
    IP,
    UID,
    address_tags,
    facts,
    our_tags,
    port,
    recorded,
    request,
    rule,
    texts,
)
from tests.unit.loadbalancers.plan.planning import ALL, TAGS, condition, planned
from tests.unit.loadbalancers.plan.planning import state as shown
from tests.unit.loadbalancers.plan.tier_items import TIER

WORDS = "listSomething: the database says no (530)"
TEN = ["10.0.0.0/8"]
#: As many ranges as a rule takes, and one more; they do not join.
MANY = [f"10.{number}.0.0/24" for number in range(61)]
DELETED = {"deletionTimestamp": "2027-01-15T08:00:00Z"}
GONE = LiveService(still_wants=False)


def unread(known: CloudState, *parts: Part) -> CloudState:
    return replace(known, unread=dict.fromkeys(parts, WORDS))


@pytest.mark.parametrize(
    ("version", "ranges", "listed", "made"),
    [
        pytest.param((4, 22), TEN, EVERYONE, ["change", "create"], id="lists restrict"),
        pytest.param((4, 20), TEN, EVERYONE, [], id="the firewall alone does"),
        pytest.param((4, 22), MANY, ("10.0.0.0/24",), [], id="too many for a list"),
        pytest.param((4, 22), [], EVERYONE, [], id="nobody may connect"),
    ],
)
def test_nothing_is_opened_that_only_an_unknown_firewall_restricts(
    version: tuple[int, ...], ranges: list[str], listed: tuple[str, ...], made: list[str]
) -> None:
    asked = request(ports=[port(80), port(81)], sourceRanges=ranges)
    state = unread(shown(rule(80, tags=TAGS, cidrs=listed)), "firewall")
    found = planned(asked, state, version=Capabilities(version))
    assert sorted(text.split()[0] for text in texts(found.actions)) == made
    firewall = condition(found, "FirewallReady")
    assert WORDS in firewall["message"]
    assert firewall["reason"] == names.REASON_CLOUDSTACK_REFUSED


@pytest.mark.parametrize("part", ["items", "firewall", "forwards"])
@pytest.mark.parametrize("mode", ["Plan", "Apply"])
def test_members_are_kept_right_whatever_is_unknown(part: Part, mode: str) -> None:
    network = TIER if part == "items" else facts(request()).network
    state = unread(shown(rule(80, tags=TAGS), members=ALL - {"vm-n3"}), part)
    asked = request(mode=mode)
    found = planned(asked, state, network=network)
    changes = [*texts(found.actions), *(found.response.get("status") or {}).get("plan", [])]
    assert any("n3" in text for text in changes)


OLD = our_tags(request(), **{names.TAG_SERVICE_UID: "old-uid"})
BEGUN = Tag(names.TAG_TAKEOVER, Takeover((CLUSTER_ID, UID), (CLUSTER_ID, "old-uid")).text)


def taken_over(*parts: Part, **asked: Any) -> list[str]:
    """Plan for an address that is taken over, where all that is known has our mark."""
    made = request(status=recorded(), **asked)
    state = shown(rule(80, tags=TAGS))
    address = replace(state.addresses[0], vpc_id="vpc-1", tags=(*address_tags(made), BEGUN))
    state = unread(replace(state, addresses=(address,), acl=()), *parts)
    service = {"service": GONE} if "metadata" in asked else {}
    return texts(plan(facts(made, state=state, network=TIER, **service)).actions)


def test_a_takeover_ends_only_once_all_items_are_known() -> None:
    assert f"untag address {IP}" in taken_over()
    assert f"untag address {IP}" not in taken_over("items")


def test_an_address_with_which_items_come_is_released_after_them() -> None:
    [name] = [rule(80).name]
    assert taken_over(metadata=DELETED) == [f"release address {IP} with all its rules"]
    assert taken_over("items", metadata=DELETED) == [f"delete rule {name}"]


def test_plan_mode_says_that_its_list_of_a_deletion_may_lack_something() -> None:
    state = unread(shown(rule(80, tags=TAGS)), "firewall")
    asked = request(status=recorded(), metadata=DELETED, mode="Plan")
    found = plan(facts(asked, state=state, service=GONE))
    assert found.actions == ()
    assert condition(found)["reason"] == "DeletionPlanned"
    assert WORDS in condition(found)["message"]
