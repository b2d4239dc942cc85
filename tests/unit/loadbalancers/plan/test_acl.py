"""Items of a tier's list are made and changed by difference; a person's is never touched."""

from dataclasses import replace
from typing import Any

import pytest

from hooks.cloudstack.models.account import Capabilities
from hooks.cloudstack.models.firewall import NetworkAcl
from hooks.loadbalancers.plan.acl import remove_items
from hooks.loadbalancers.plan.actions import AddItem, ChangeItem
from hooks.loadbalancers.plan.facts import Refusal
from hooks.loadbalancers.plan.plan import plan as whole_plan
from hooks.loadbalancers.plan.tier_list import own_items
from hooks.names import TAG_CLUSTER, TAG_SERVICE_UID
from tests.unit.loadbalancers.builders import (
    EVERYONE,
    NAME,
    UID,
    port,
    recorded,
    request,
    texts,
)
from tests.unit.loadbalancers.builders import rule as make_rule
from tests.unit.loadbalancers.plan.planning import condition
from tests.unit.loadbalancers.plan.planning import status as shown
from tests.unit.loadbalancers.plan.tier_items import (
    LIST,
    OTHER_LIST,
    TAGS,
    TEN,
    TIER,
    denying,
    item,
    on_tier,
    ours,
    plan,
    reason_of,
    rules,
    sealed,
    tags,
)

NARROW = request(sourceRanges=["10.0.0.0/8", "192.0.2.0/24"])
BOTH = ("10.0.0.0/8", "192.0.2.0/24")
#: As a request is while an earlier call has not come to its end.
GOES_ON: dict[str, Any] = {
    "status": {
        **recorded(),
        "conditions": [{"type": "FirewallReady", "status": "False", "reason": "ChangingFirewall"}],
    }
}


def number_of(action: Any) -> int:
    assert isinstance(action, AddItem)
    return action.number


def without_numbers(actions: Any) -> list[str]:
    """Return the descriptions of actions, without the numbers that were chosen for new items."""
    return [
        text.replace(f"item {action.number}", "item N") if isinstance(action, AddItem) else text
        for action, text in zip(actions, texts(actions), strict=True)
    ]


def test_contiguous_ports_share_an_item_with_all_ranges() -> None:
    wanted = [
        *rules(80, 81, 443),
        make_rule(53, protocol="udp"),
        make_rule(82, protocol="tcp-proxy"),
    ]
    result = plan(wanted, asked=NARROW)
    assert without_numbers(result.actions) == [
        "add ACL item N to k8s: 80-82/tcp for 10.0.0.0/8, 192.0.2.0/24",
        "add ACL item N to k8s: 443/tcp for 10.0.0.0/8, 192.0.2.0/24",
        "add ACL item N to k8s: 53/udp for 10.0.0.0/8, 192.0.2.0/24",
    ]
    assert len({number_of(each) for each in result.actions}) == 3
    assert (result.condition.status, result.condition.reason) == ("False", "ChangingFirewall")


def test_what_is_admitted_as_wanted_needs_nothing() -> None:
    result = plan(rules(80, 81), ours(7, 80, 81))
    assert (result.actions, result.condition.status) == ((), "True")
    assert "Open: 80-81/tcp for 0.0.0.0/0" in result.condition.message


@pytest.mark.parametrize(
    ("present", "steps"),
    [
        pytest.param(ours(7, cidrs=EVERYONE), "7 of k8s: 80/tcp", id="too wide"),
        pytest.param(ours(7, cidrs=TEN), "7 of k8s: 80/tcp", id="too narrow"),
        pytest.param(ours(7, cidrs=("192.0.2.1/32",)), "7 of k8s: 80/tcp", id="others"),
        pytest.param(ours(7, cidrs=(*BOTH, "::/0")), "7 of k8s: 80/tcp", id="and IPv6"),
        pytest.param(ours(7, 79, 81, cidrs=BOTH), "7 of k8s: 80/tcp", id="more ports"),
        pytest.param(
            ours(7, cidrs=BOTH, protocol="6", end_port=None), "", id="right, with a number"
        ),
        pytest.param(ours(7, cidrs=("10.0.0.0/9", "10.128.0.0/9", BOTH[1])), "", id="the same"),
    ],
)
def test_an_item_of_ours_changes_in_place(present: NetworkAcl, steps: str) -> None:
    result = plan(rules(80), present, asked=NARROW)
    expected = [f"change ACL item {steps} for 10.0.0.0/8, 192.0.2.0/24"] if steps else []
    assert texts(result.actions) == expected


@pytest.mark.parametrize("status", [{}, GOES_ON], ids=["at first", "goes on"])
def test_a_range_of_ports_that_is_torn_is_changed_before_the_rest_is_added(
    status: dict[str, Any],
) -> None:
    result = plan(rules(80, 82), ours(7, 80, 82), asked=request(**status))
    assert without_numbers(result.actions) == [
        "change ACL item 7 of k8s: 80/tcp for 0.0.0.0/0",
        "add ACL item N to k8s: 82/tcp for 0.0.0.0/0",
    ]
    assert result.closing == result.actions[:1]


def test_what_is_admitted_too_widely_is_shut_before_anything_else_is_done() -> None:
    asked = request(status=recorded(), ports=[port(80), port(81)], sourceRanges=["10.0.0.0/8"])
    known = on_tier(
        ours(7), asked=asked, state={"rules": (make_rule(80, tags=TAGS),), "members": {}}
    )
    *rules_first, last = texts(whole_plan(known).actions)
    assert [text.split(": ")[1] for text in rules_first] == ["cidrs 10.0.0.0/8"]
    assert last == "change ACL item 7 of k8s: 80-81/tcp for 10.0.0.0/8"


def test_no_creation_comes_before_what_shuts_clients_out() -> None:
    asked = request(status=recorded(), sourceRanges=["10.0.0.0/8"])
    there = {"rules": (make_rule(80, tags=TAGS),), "members": {}}
    made = whole_plan(on_tier(ours(7), asked=asked, state=there, version=Capabilities((4, 20))))
    assert texts(made.actions) == [
        f"delete rule {NAME}-tcp-80",
        "change ACL item 7 of k8s: 80/tcp for 10.0.0.0/8",
    ]


def test_items_follow_the_rules() -> None:
    known = on_tier(asked=request(status=recorded()))
    made = whole_plan(known)
    assert not any("ACL item" in text for text in texts(made.actions))
    assert condition(made, "FirewallReady")["reason"] == "WaitingForRules"


def test_an_item_for_a_port_that_is_gone_is_removed() -> None:
    assert texts(plan(rules(80), ours(7), ours(8, 443)).actions) == [
        "remove ACL item 8 of k8s: 443/tcp for 0.0.0.0/0"
    ]


@pytest.mark.parametrize(
    "changed",
    [{"action": "Deny"}, {"traffic_type": "Egress"}, {"protocol": "icmp", "start_port": None}],
    ids=["denies", "is about what goes out", "is about pings"],
)
def test_an_item_of_ours_that_somebody_made_something_else_of_is_replaced(
    changed: dict[str, Any],
) -> None:
    result = plan(rules(80), ours(7, **changed))
    assert sorted(text.split(" ")[0] for text in texts(result.actions)) == ["add", "remove"]


def test_two_of_ours_that_say_the_same_become_one() -> None:
    assert texts(plan(rules(80), ours(7), ours(8)).actions) == [
        "remove ACL item 8 of k8s: 80/tcp for 0.0.0.0/0"
    ]


def test_nobody_may_connect_and_nothing_is_admitted() -> None:
    asked = request(sourceRanges=[])
    result = plan(rules(80), ours(7), asked=asked)
    assert texts(result.actions) == ["remove ACL item 7 of k8s: 80/tcp for 0.0.0.0/0"]
    assert plan(rules(80), asked=asked).condition.reason == "NothingToOpen"


def test_what_a_person_admits_needs_no_item_and_stays() -> None:
    theirs = item(7, 80, 90)
    result = plan(rules(80, 81), theirs, ours(8, 80, 81))
    assert texts(result.actions) == ["remove ACL item 8 of k8s: 80-81/tcp for 0.0.0.0/0"]
    assert plan(rules(80), theirs).actions == ()


def test_an_item_that_a_call_is_making_for_another_service_admits_nobody_for_this_one() -> None:
    """It has no tags yet, and goes with that Service."""
    theirs = item(7, reason="Service shop/till, seal lyG7YurnKzOdsK_14F2O6g")
    assert [type(each) for each in plan(rules(80), theirs).actions] == [AddItem]
    assert plan(rules(80), item(7, reason="Service desk, see ticket 12")).actions == ()


def test_a_person_who_admits_more_is_named_and_the_lists_of_the_rules_restrict() -> None:
    result = plan(rules(80), item(7, 80, 90), asked=NARROW)
    assert (result.actions, result.condition.reason) == ((), "FirewallOpen")
    assert (
        "Network ACL items of others admit more: 80-90/tcp for 0.0.0.0/0; the lists of the rules "
        "do not" in result.condition.message
    )


def test_ours_in_a_list_that_the_tier_has_no_more_go_after_those_in_the_new_one() -> None:
    result = plan(rules(80), ours(7, acl_id=OTHER_LIST, acl_name="before"))
    assert without_numbers(result.actions) == [
        "add ACL item N to k8s: 80/tcp for 0.0.0.0/0",
        "remove ACL item 7 of before: 80/tcp for 0.0.0.0/0",
    ]


DEFAULT_ALLOW = replace(TIER, acl_name="default_allow")
DEFAULT_DENY = replace(TIER, acl_name="default_deny")
ALLOWING = (
    item(1, None, protocol="all"),
    item(2, None, protocol="all", traffic_type="Egress"),
)
DENYING = tuple(replace(each, action="Deny") for each in ALLOWING)


def test_the_list_that_allows_everything_needs_no_items() -> None:
    result = plan(rules(80), *ALLOWING, tier=DEFAULT_ALLOW)
    assert (result.actions, result.condition.reason) == ((), "FirewallOpen")
    narrow = plan(rules(80), *ALLOWING, tier=DEFAULT_ALLOW, asked=NARROW)
    assert narrow.actions == ()
    assert "0-65535/all for 0.0.0.0/0; the lists of the rules do not" in narrow.condition.message


@pytest.mark.parametrize(
    ("tier", "items", "what"),
    [
        pytest.param(DEFAULT_DENY, DENYING, "list default_deny", id="default_deny"),
        pytest.param(
            replace(TIER, acl_id="", acl_name=""), (), "lack of a network ACL list", id="no list"
        ),
    ],
)
def test_a_list_that_takes_no_items_is_told_with_what_to_do(
    tier: Any, items: tuple[NetworkAcl, ...], what: str
) -> None:
    result = plan(rules(80), *items, tier=tier)
    assert (result.actions, result.condition.status) == ((), "True")
    assert result.condition.reason == "DeniedByList"
    assert f"The {what} of tier tier lets nobody in" in result.condition.message
    assert "createNetworkACLList name=… vpcid=vpc-1" in result.condition.message
    assert f"replaceNetworkACLList aclid=… networkid={TIER.id}" in result.condition.message
    without = plan([], *items, tier=tier)
    assert without.condition.reason == "NothingToOpen"


def test_ours_in_the_list_before_go_though_the_new_one_takes_none() -> None:
    result = plan(rules(80), *DENYING, ours(7, acl_id=OTHER_LIST), tier=DEFAULT_DENY)
    assert texts(result.actions) == ["remove ACL item 7 of k8s: 80/tcp for 0.0.0.0/0"]


def test_a_persons_list_that_has_the_name_of_a_default_one_takes_items() -> None:
    result = plan(rules(80), item(10, 22), denying(20), tier=DEFAULT_DENY)
    assert number_of(result.actions[0]) in {*range(1, 20)} - {10}


@pytest.mark.parametrize(
    ("present", "is_ours"),
    [
        pytest.param(ours(7), True, id="our mark"),
        pytest.param(sealed(7), True, id="sealed and untagged"),
        pytest.param(sealed(7, tags=TAGS[:2]), True, id="sealed with a part of the mark"),
        pytest.param(item(7, tags=TAGS[:2]), False, id="a part of the mark alone"),
        pytest.param(item(7), False, id="nobody's"),
        pytest.param(item(7, reason="Service default/web"), False, id="a reason by hand"),
        pytest.param(item(7, reason=reason_of(item(7), b"other")), False, id="another key's seal"),
        pytest.param(item(8, reason=reason_of(item(7))), False, id="a seal of another number"),
        pytest.param(item(7, 81, reason=reason_of(item(7))), False, id="a seal of another port"),
        pytest.param(item(7, reason=reason_of(item(7)), cidrs=TEN), False, id="of other ranges"),
        pytest.param(
            item(7, acl_id=OTHER_LIST, reason=reason_of(item(7))), False, id="of another list"
        ),
        pytest.param(item(7, reason=reason_of(item(7)), action="Deny"), False, id="of an Allow"),
        pytest.param(sealed(7, tags=tags(**{TAG_CLUSTER: "c-2"})), False, id="another cluster's"),
        pytest.param(sealed(7, tags=tags(**{TAG_SERVICE_UID: "u"})), False, id="another UID's"),
    ],
)
def test_whose_an_item_is(present: NetworkAcl, *, is_ours: bool) -> None:
    known = on_tier(present)
    assert bool(own_items(known)) is is_ours
    assert bool(remove_items(known)) is is_ours


def test_an_item_without_its_tags_gets_them() -> None:
    assert texts(plan(rules(80), sealed(7)).actions) == ["tag ACL item 7 of k8s"]


def test_an_item_that_is_changed_is_sealed_as_it_becomes() -> None:
    [change] = plan(rules(80), ours(7), asked=NARROW).actions
    assert isinstance(change, ChangeItem)
    assert change.reason == reason_of(item(7, cidrs=BOTH))


def test_an_item_of_a_service_of_our_name_is_not_taken_from_under_it() -> None:
    other = ours(7, tags=tags(**{TAG_SERVICE_UID: "before"}))
    assert own_items(on_tier(other)) == ()
    taking = request(takeoverFrom="c-0")
    theirs = ours(7, tags=tags(**{TAG_CLUSTER: "c-0"}))
    assert own_items(on_tier(theirs, asked=taking)) == ()


def test_a_refusal_is_told_and_not_repeated() -> None:
    [action] = plan(rules(80)).actions
    result = plan(rules(80), refusals=(Refusal(action, 431, "no more items"),))
    assert (result.actions, result.condition.reason) == ((), "FirewallRefused")
    assert "no more items" in result.condition.message


def test_a_number_that_turned_out_to_be_taken_is_not_tried_again() -> None:
    [first] = plan(rules(80)).actions
    taken = Refusal(first, 431, f"ACL item with number 1 already exists in ACL: {LIST}")
    [second] = plan(rules(80), refusals=(taken,)).actions
    assert number_of(second) == number_of(first) + 1


def test_a_number_depends_on_the_service_and_the_port_alone() -> None:
    numbers = {number_of(plan(rules(80)).actions[0]) for _ in range(3)}
    assert len(numbers) == 1
    other = request(service={"name": "other", "uid": UID.replace("0c7a", "0c7b")})
    assert number_of(plan(rules(80), asked=other).actions[0]) not in numbers
    assert number_of(plan(rules(443)).actions[0]) not in numbers


@pytest.mark.parametrize(
    ("items", "first", "last"),
    [
        pytest.param((), 1, 1000, id="an empty list"),
        pytest.param((denying(5),), 1, 4, id="before everything is denied"),
        pytest.param((denying(50, None, protocol="tcp"),), 1, 49, id="all ports of a transport"),
        pytest.param((denying(50, 1, 65535, protocol="tcp"),), 1, 49, id="ports 1 to 65535"),
        pytest.param((denying(50, traffic_type="Egress"),), 1, 1000, id="what goes out"),
        pytest.param((denying(50, cidrs=TEN),), 51, 1050, id="behind what denies some clients"),
        pytest.param(
            (denying(50, 80, protocol="tcp"),), 51, 1050, id="behind what denies the port"
        ),
        pytest.param((denying(50, 22, protocol="tcp"),), 1, 1000, id="what denies another port"),
        pytest.param((denying(5, None, protocol="udp"),), 1, 1000, id="all of another transport"),
        pytest.param((denying(5, 22), denying(6)), 1, 4, id="before the end, whatever is there"),
        pytest.param((denying(2, cidrs=TEN), denying(5)), 3, 4, id="between the two"),
        pytest.param((denying(5), denying(9, cidrs=TEN)), 1, 4, id="what denies nothing any more"),
        pytest.param(
            (*(item(number, 22) for number in range(1, 90)), denying(100)),
            90,
            99,
            id="that is free",
        ),
    ],
)
def test_which_number_an_item_gets(items: tuple[NetworkAcl, ...], first: int, last: int) -> None:
    [action] = plan(rules(80), *items).actions
    assert first <= number_of(action) <= last


def test_an_item_behind_which_everything_is_denied_is_moved_before_that() -> None:
    [action] = plan(rules(80), ours(7), denying(5)).actions
    assert isinstance(action, ChangeItem)
    assert (action.number or 0) in range(1, 5)
    assert str(action).startswith("change ACL item 7 of k8s: number ")


def test_where_no_number_is_left_the_item_that_denies_everything_is_named() -> None:
    result = plan(rules(80), denying(1))
    assert (result.actions, result.condition.status) == ((), "True")
    assert result.condition.reason == "DeniedByList"
    assert "1: 0-65535/all for 0.0.0.0/0" in result.condition.message
    behind = plan(rules(80), ours(7), denying(1))
    assert (behind.actions, behind.condition.reason) == ((), "DeniedByList")


@pytest.mark.parametrize(
    ("deny", "is_named"),
    [
        pytest.param(denying(5, cidrs=("10.1.0.0/16",)), True, id="some of the clients"),
        pytest.param(denying(5, 80, protocol="tcp"), True, id="the port"),
        pytest.param(denying(5, 81, protocol="tcp"), False, id="another port"),
        pytest.param(denying(5, 80, protocol="udp"), False, id="another transport"),
        pytest.param(denying(5, cidrs=("172.16.0.0/12",)), False, id="other clients"),
        pytest.param(denying(9, cidrs=("10.1.0.0/16",)), False, id="after ours"),
    ],
)
def test_an_item_of_a_person_that_denies_wanted_clients_is_named(
    deny: NetworkAcl, *, is_named: bool
) -> None:
    result = plan(rules(80), deny, ours(7, cidrs=BOTH), asked=NARROW)
    assert (result.actions, result.condition.status) == ((), "True")
    assert result.condition.reason == ("DeniedByList" if is_named else "FirewallOpen")


def test_the_load_balancer_serves_and_says_that_the_list_denies_clients_once() -> None:
    asked = request(status=recorded())
    tagged = make_rule(80, tags=TAGS)
    state = {"rules": (tagged,), "members": {tagged.id: {f"vm-n{n}": "" for n in (1, 2, 3)}}}
    known = on_tier(*DENYING, asked=asked, tier=DEFAULT_DENY, state=state)
    made = whole_plan(known)
    ready = condition(made)
    assert (ready["status"], ready["reason"]) == ("True", "DeniedByList")
    assert [each.reason for each in made.events] == ["DeniedByList"]
    again = on_tier(*DENYING, asked=request(status=shown(made)), tier=DEFAULT_DENY, state=state)
    assert whole_plan(again).events == ()


def test_plan_mode_lists_the_items() -> None:
    asked = request(mode="Plan", status=recorded())
    known = on_tier(
        ours(7, acl_id=OTHER_LIST, acl_name="before"),
        asked=asked,
        state={"rules": (make_rule(80, tags=TAGS),), "members": {}},
    )
    listed = shown(whole_plan(known))["plan"]
    assert [text.split(" ")[0] for text in listed if "ACL item" in text] == ["add", "remove"]


@pytest.mark.parametrize("tags", [TAGS, ()], ids=["ours", "a person's"])
def test_an_item_that_is_being_deleted_admits_nobody_and_keeps_its_number(tags: Any) -> None:
    [first] = plan(rules(80)).actions
    going = item(number_of(first), state="Revoke", tags=tags)
    [action] = plan(rules(80), going).actions
    assert number_of(action) == number_of(first) + 1
    assert remove_items(on_tier(going)) == ()
