from dataclasses import replace
from typing import Any

import pytest

from hooks.cloudstack.models.account import Capabilities
from hooks.cloudstack.models.network import PublicIpAddress
from hooks.cloudstack.models.tags import Tag
from hooks.http.bounded_json import Json
from hooks.loadbalancers.plan.facts import CloudState, Facts, Heir, LiveService
from hooks.loadbalancers.plan.firewall import own_firewall
from hooks.loadbalancers.plan.kept_address import plan_address
from hooks.loadbalancers.plan.ownership import NotOurs, Owner
from hooks.loadbalancers.plan.share_tags import Share, describe, share_order, user_key
from hooks.loadbalancers.plan.sharing import find_share
from hooks.loadbalancers.plan.takedown import others_on, take_down
from hooks.loadbalancers.plan.whose import Whose
from hooks.names import (
    TAG_CLUSTER,
    TAG_LEASE,
    TAG_NAMESPACE,
    TAG_ORIGIN,
    TAG_SERVICE,
    TAG_SERVICE_UID,
    TAG_SHARE,
)
from tests.unit.loadbalancers.builders import (
    CLUSTER_ID,
    IP,
    NET,
    NOW,
    UID,
    address,
    facts,
    firewall_rule,
    our_tags,
    recorded,
    request,
    rule,
    texts,
)

OWNER = Owner(CLUSTER_ID, "default", "web", UID, share="front")
OTHER = "6c5b4a39-2817-4f01-8b6f-2d487a3c9e15"
MARK = {TAG_CLUSTER: CLUSTER_ID, TAG_NAMESPACE: "default", TAG_SHARE: "front"}
WEB, MAIL = {user_key(UID): "web"}, {user_key(OTHER): "mail"}
BY_US = {TAG_ORIGIN: "controller"}
OF_WEB = {TAG_SERVICE: "web", TAG_SERVICE_UID: UID}


def tagged(tags: dict[str, str], ip: str = IP, **fields: Any) -> PublicIpAddress:
    return address(ip, tags=tuple(Tag(key, text) for key, text in tags.items()), **fields)


def sharing(*addresses: PublicIpAddress, state: Json | None = None, **asked: Any) -> Facts:
    """Make facts of a Service that asks for the share `front`."""
    asked = {"sharedAddress": "front", **asked}
    return facts(request(**asked), state=CloudState(addresses=addresses, **(state or {})))


@pytest.mark.parametrize(
    ("tags", "whose"),
    [
        pytest.param(MARK | WEB, Whose.OURS, id="a user's"),
        pytest.param(MARK | WEB | MAIL | BY_US, Whose.OURS, id="a user's among others"),
        pytest.param(MARK | MAIL, Whose.SHARED, id="the share's"),
        pytest.param(MARK, Whose.SHARED, id="the share's without users"),
        pytest.param(MARK | {TAG_SHARE: "back"} | MAIL, Whose.OTHER, id="another share"),
        pytest.param(MARK | {TAG_SHARE: "back"} | WEB, Whose.OURS, id="a share it is on"),
        pytest.param(MARK | {TAG_NAMESPACE: "evil"} | WEB, Whose.OTHER, id="another namespace"),
        pytest.param(MARK | {TAG_CLUSTER: "c-0"} | WEB, Whose.FOREIGN_CLUSTER, id="a cluster"),
        pytest.param({TAG_SHARE: "front"} | WEB, Whose.PARTLY, id="without cluster and namespace"),
        pytest.param(
            {TAG_CLUSTER: CLUSTER_ID, TAG_NAMESPACE: "default"} | WEB,
            Whose.PARTLY,
            id="without its name",
        ),
        pytest.param(WEB, Whose.UNMARKED, id="a user's tag alone"),
        pytest.param(
            {TAG_CLUSTER: CLUSTER_ID, TAG_NAMESPACE: "default"} | OF_WEB | MAIL,
            Whose.OURS,
            id="its own address with a tag written late",
        ),
    ],
)
def test_whose_a_shared_address_is(tags: dict[str, str], whose: Whose) -> None:
    assert OWNER.whose(tagged(tags)) is whose
    is_others = whose in (Whose.OTHER, Whose.FOREIGN_CLUSTER)
    assert OWNER.has_another_mark(tagged(tags)) is is_others


@pytest.mark.parametrize("share", ["", "back"])
def test_a_share_that_a_service_does_not_ask_for_is_anothers(share: str) -> None:
    assert replace(OWNER, share=share).whose(tagged(MARK | MAIL)) is Whose.OTHER


@pytest.mark.parametrize(
    "tags",
    [MARK | MAIL, MARK | MAIL | {TAG_SHARE: "back"}, WEB, {}],
    ids=["not joined", "another share", "a user's tag alone", "nothing"],
)
def test_nothing_is_taken_from_a_share_without_a_part_in_it(tags: dict[str, str]) -> None:
    with pytest.raises(NotOurs):
        OWNER.own_address(tagged(tags))


def test_an_address_that_others_use_is_never_released() -> None:
    with pytest.raises(NotOurs):
        OWNER.own_address(tagged(MARK | WEB | MAIL), alone=True)
    assert OWNER.own_address(tagged(MARK | WEB), alone=True).id == f"id-{IP}"


@pytest.mark.parametrize(
    ("still_wants", "others"), [(True, ("mail",)), (False, ("mail", "web"))], ids=["read", "unread"]
)
def test_a_service_of_the_name_that_is_gone_uses_nothing(
    still_wants: bool, others: tuple[str, ...]
) -> None:
    found = tagged(MARK | WEB | MAIL | {user_key("u"): "web"})
    owner = replace(OWNER, still_wants=still_wants)
    assert owner.earlier_users(found) == ("u",)
    assert owner.other_users(found) == others


def test_the_mark_of_an_address_is_that_which_it_has_else_that_of_the_share() -> None:
    assert dict(OWNER.address_mark()) == MARK | WEB
    assert dict(OWNER.address_mark(tagged({}))) == MARK | WEB
    assert dict(OWNER.address_mark(tagged(MARK | {TAG_SHARE: "back"}))) == (
        MARK | {TAG_SHARE: "back"} | WEB
    )
    assert OWNER.address_mark(tagged(OF_WEB)) == OWNER.mark
    assert replace(OWNER, share="").address_mark() == OWNER.mark


def test_of_the_addresses_of_a_share_the_first_with_users_is_the_shares() -> None:
    unused = tagged(MARK, "198.51.100.1", allocated_at=NOW - 9)
    late = tagged(MARK | MAIL, "198.51.100.2", allocated_at=NOW)
    early = tagged(MARK | MAIL, "198.51.100.4", allocated_at=NOW - 5)
    same = tagged(MARK | MAIL, "198.51.100.3", allocated_at=NOW - 5)
    going = tagged(MARK | MAIL, "198.51.100.0", allocated_at=NOW - 9, state="Releasing")
    elsewhere = tagged(MARK | MAIL | {TAG_NAMESPACE: "evil"}, "198.51.100.5", allocated_at=0.0)
    found = [unused, late, early, same]
    assert sorted(found, key=share_order) == [same, early, late, unused]
    assert find_share(sharing(*found, going, elsewhere)) == same


def test_a_share_is_joined_by_a_tag_of_its_own() -> None:
    planned = plan_address(sharing(tagged(MARK | MAIL | BY_US)))
    assert texts(planned.actions) == [f"join shared address front, {IP}"]
    assert not planned.is_ours


@pytest.mark.parametrize("has_rule", [False, True], ids=["joined just now", "with a rule"])
def test_one_that_joined_waits_for_a_lease_that_may_be_of_one_that_leaves(
    *, has_rule: bool
) -> None:
    found = tagged(MARK | WEB | BY_US | {TAG_LEASE: "2027-01-15T08:00:00Z 30s call"})
    rules = (rule(80, tags=our_tags(request())),) if has_rule else ()
    planned = plan_address(sharing(found, state={"rules": rules}, status=recorded()))
    assert planned.is_ours is has_rule
    reason = "AddressAllocated" if has_rule else "AddressLeased"
    assert planned.condition.reason == reason


@pytest.mark.parametrize(
    ("asked", "found", "reason"),
    [
        pytest.param({"address": "192.0.2.9"}, MARK | MAIL, "SharedAddressDiffers", id="another"),
        pytest.param(
            {"takeoverFrom": "c-0"},
            MARK | MAIL | {TAG_CLUSTER: "c-0"},
            "SharedTakeoverNotServed",
            id="of another cluster",
        ),
    ],
)
def test_what_is_refused(asked: Json, found: dict[str, str], reason: str) -> None:
    planned = plan_address(sharing(tagged(found), **asked))
    assert planned.actions == ()
    assert planned.condition.reason == reason


def test_an_older_cloudstack_that_keeps_tags_shares_nothing() -> None:
    made = sharing(tagged(MARK | MAIL))
    planned = plan_address(replace(made, version=Capabilities((4, 17, 2, 0))))
    assert planned.actions == ()
    assert planned.condition.reason == "SharedAddressNotServed"
    assert "4.18" in planned.condition.message


@pytest.mark.parametrize(
    ("before", "after"),
    [("", "front"), ("front", ""), ("back", "front")],
    ids=["own to shared", "shared to own", "one share to another"],
)
def test_a_live_service_is_told_that_its_share_cannot_change(before: str, after: str) -> None:
    mark = MARK | {TAG_SHARE: before} | WEB
    if not before:
        mark = {TAG_CLUSTER: CLUSTER_ID, TAG_NAMESPACE: "default"} | OF_WEB
    made = sharing(tagged(mark | BY_US), sharedAddress=after, status=recorded())
    planned = plan_address(made)
    assert planned.is_ours
    assert planned.actions == ()
    assert planned.condition.reason == "SharedAddressChangeNotServed"


def test_who_leaves_removes_its_own_tag_and_the_last_one_releases() -> None:
    gone = {"metadata": {"deletionTimestamp": "2027-01-15T08:00:00Z"}}
    shared, alone = tagged(MARK | WEB | MAIL | BY_US), tagged(MARK | WEB | BY_US)
    leaving = sharing(shared, **gone)
    assert others_on(leaving, shared) == ("Service mail",)
    [untag] = take_down(leaving, shared)
    assert untag.keys == (user_key(UID),)  # type: ignore[union-attr]
    [release] = take_down(sharing(alone, **gone), alone)
    assert str(release) == f"release address {IP} with all its rules"


def test_who_keeps_its_address_says_so_before_it_leaves() -> None:
    shared = tagged(MARK | WEB | MAIL | BY_US)
    [keep] = take_down(sharing(shared, keepAddress=True), shared)
    assert str(keep) == f"keep address {IP} when the Service goes"


def test_the_mark_stays_for_one_whose_tag_is_gone_and_whose_rule_is_there() -> None:
    found = tagged(MARK | WEB | BY_US)
    theirs = rule(25, "other", tags=our_tags(request(), **{TAG_SERVICE_UID: OTHER}))
    theirs = replace(theirs, tags=(*theirs.tags[:2], Tag(TAG_SERVICE, "mail"), theirs.tags[3]))
    [untag] = take_down(sharing(found, state={"rules": (theirs,)}), found)
    assert untag.keys == (user_key(UID),)  # type: ignore[union-attr]


@pytest.mark.parametrize("has_rule", [False, True], ids=["without a rule", "with a rule"])
def test_an_untagged_firewall_rule_on_a_shared_address_is_that_of_who_has_the_port(
    *, has_rule: bool
) -> None:
    rules = (rule(80, tags=our_tags(request())),) if has_rule else ()
    opened = firewall_rule(80)
    state = {"rules": rules, "firewall": (opened,)}
    made = sharing(tagged(MARK | WEB | MAIL | BY_US), state=state)
    assert own_firewall(made, (rule(80),)) == ((opened,) if has_rule else ())


@pytest.mark.parametrize(("share", "may"), [("front", True), ("", False), ("back", False)])
def test_a_service_that_was_made_again_waits_for_the_same_share_alone(
    share: str, *, may: bool
) -> None:
    assert Heir("u", share=share).may_have(tagged(MARK | WEB), NET) is may
    own = tagged({TAG_CLUSTER: CLUSTER_ID, TAG_NAMESPACE: "default"} | OF_WEB)
    assert Heir("u", share=share).may_have(own, NET) is (share == "")


def test_a_share_is_named_with_its_users() -> None:
    assert describe(tagged(MARK | WEB | MAIL).tags) == (
        f"share default/front, used by mail, web, of cluster {CLUSTER_ID}"
    )
    share = Share.read(tagged(MARK).tags)
    assert share is not None
    assert not share.users


def test_a_service_that_is_not_confirmed_joins_nothing() -> None:
    made = sharing(tagged(MARK | MAIL))
    planned = plan_address(replace(made, service=LiveService(still_wants=False)))
    assert planned.actions == ()
    assert planned.condition.reason == "ServiceNotConfirmed"
