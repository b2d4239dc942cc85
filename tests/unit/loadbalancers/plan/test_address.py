from typing import Any

import pytest

from hooks.cloudstack.models.network import PublicIpAddress
from hooks.cloudstack.models.tags import Tag
from hooks.loadbalancers.plan.actions import (
    AddTags,
    Associate,
    AssociateAny,
)
from hooks.loadbalancers.plan.ownership import ADDRESS_KEYS
from hooks.loadbalancers.request import LoadBalancerRequest, RecordedAddress
from hooks.names import (
    TAG_ORIGIN,
    TAG_ORIGIN_CONTROLLER,
    TAG_ORIGIN_USER,
    TAG_SERVICE,
)
from hooks.webhook.requests import Time
from tests.unit.loadbalancers.builders import (
    IP,
    NET,
    NOW,
    address,
    address_tags,
    chosen,
    our_address,
    our_tags,
    recorded,
    request,
    rule,
    seal,
    texts,
)
from tests.unit.loadbalancers.plan.addresses import FOREIGN, OTHER, choice, plan, refused

# Which address counts.


@pytest.mark.parametrize(
    ("asked", "addresses", "ip"),
    [
        pytest.param(request(), [], None, id="nothing known"),
        pytest.param(
            request(status=recorded()), [our_address(request())], IP, id="the one we have"
        ),
        pytest.param(
            request(status=recorded(), address=OTHER),
            [our_address(request()), address(OTHER)],
            IP,
            id="the one we have, whatever is asked for",
        ),
        pytest.param(
            request(address=OTHER),
            [our_address(request()), address(OTHER)],
            IP,
            id="one with our tag",
        ),
        pytest.param(request(address=OTHER), [address(OTHER)], OTHER, id="the one asked for"),
        pytest.param(request(status=chosen()), [address(IP)], IP, id="the one chosen"),
        pytest.param(
            request(status=chosen(), address=OTHER),
            [address(IP), address(OTHER)],
            IP,
            id="the one chosen, if it came of that, before the one asked for",
        ),
        pytest.param(
            request(status=chosen(), address=OTHER),
            [address(IP, is_static_nat=True), address(OTHER)],
            OTHER,
            id="the one asked for, if the one chosen is somebody's",
        ),
        pytest.param(
            request(status=recorded()),
            [our_address(request(), ip=OTHER)],
            OTHER,
            id="ours is another now",
        ),
    ],
)
def test_one_address_is_selected(
    asked: LoadBalancerRequest, addresses: list[PublicIpAddress], ip: str | None
) -> None:
    assert plan(asked, *addresses).address_id == (f"id-{ip}" if ip else "")


# An address that is ours.


def test_an_address_with_all_our_tags_is_kept() -> None:
    asked = request(status=recorded(published=True))
    result = plan(asked, our_address(asked))
    assert result.is_ours
    assert result.actions == ()
    assert result.condition.status == "True"
    assert result.recorded == RecordedAddress(
        IP, f"id-{IP}", NET, True, allocated_at=Time(NOW), published=True
    )


def test_a_status_that_was_lost_is_made_again_from_the_tags() -> None:
    for by_controller in (True, False):
        result = plan(request(), our_address(request(), by_controller=by_controller))
        assert result.is_ours
        assert result.recorded is not None
        assert result.recorded.associated_by_controller is by_controller


def test_lost_tags_are_restored_on_the_recorded_allocation() -> None:
    asked = request(status=recorded())
    some = tuple(tag for tag in address_tags(asked) if tag.key != TAG_SERVICE)
    [action] = plan(asked, address(IP, tags=some)).actions
    assert isinstance(action, AddTags)
    assert [key for key, _ in action.tags] == [TAG_SERVICE]


def test_all_tags_are_restored_where_a_rule_has_our_mark_and_the_origin_is_the_users() -> None:
    """The status says that we allocated it, and proves nothing: it is never released then."""
    asked = request(status=recorded())
    [action, *_] = plan(asked, address(IP), rules=(rule(80, tags=our_tags(asked)),)).actions
    assert isinstance(action, AddTags)
    assert dict(action.tags)[TAG_ORIGIN] == TAG_ORIGIN_USER
    assert [key for key, _ in action.tags] == list(ADDRESS_KEYS)


@pytest.mark.parametrize("tags", [(), our_tags(request())[:1], our_tags(request())[:2]])
def test_without_a_trace_that_only_we_leave_the_status_proves_nothing(
    tags: tuple[Tag, ...],
) -> None:
    result = plan(request(status=recorded()), address(IP, tags=tags), free=(OTHER,))
    assert result.recorded is not None
    assert result.recorded.ip == OTHER
    assert result.actions == ()


def test_a_tag_that_cannot_be_restored_is_reported() -> None:
    asked = request(status=recorded())
    some = tuple(tag for tag in address_tags(asked) if tag.key != TAG_SERVICE)
    [action] = plan(asked, address(IP, tags=some)).actions
    result = plan(asked, address(IP, tags=some), refusals=refused(action, 530, "no tags today"))
    assert result.actions == ()
    assert result.condition.reason == "TagRefused"
    assert "no tags today" in result.condition.message


def test_asking_a_live_service_for_another_address_is_refused_and_it_serves_on() -> None:
    asked = request(status=recorded(), address=OTHER)
    result = plan(asked, our_address(asked), address(OTHER))
    assert result.is_ours
    assert result.condition.reason == "AddressChangeNotServed"
    assert OTHER in result.condition.message


@pytest.mark.parametrize("state", ["Allocating", "Releasing"])
def test_an_address_that_cloudstack_is_busy_with_takes_no_rules_yet(state: str) -> None:
    asked = request(status=recorded())
    result = plan(asked, our_address(asked, state=state))
    assert not result.is_ours
    assert result.condition.reason == f"Address{state}"


# An address that is no longer ours.


@pytest.mark.parametrize(
    "existing",
    [
        pytest.param([], id="released"),
        pytest.param([address(IP, allocated_at=NOW + 60)], id="allocated again by somebody"),
        pytest.param([address(IP, tags=FOREIGN)], id="another Service's now"),
    ],
)
def test_a_lost_address_is_not_taken_for_ours(existing: list[PublicIpAddress]) -> None:
    result = plan(request(status=recorded(published=True)), *existing, free=(OTHER,))
    assert result.awaits_status
    assert result.recorded is not None
    assert result.recorded.is_unclaimed
    wanted = OTHER if existing else IP
    assert result.recorded.ip == wanted
    assert result.recorded.published is (wanted == IP)


# An address to get.


def test_a_free_address_is_chosen_and_recorded_first() -> None:
    result = plan(request(), free=(OTHER,))
    assert result.recorded == choice(OTHER)
    assert (result.actions, result.awaits_status) == ((), True)


def test_a_service_that_chooses_again_chooses_the_same_and_another_service_another() -> None:
    free = tuple(f"198.51.100.{number}" for number in range(1, 251))
    assert plan(request(), free=free) == plan(request(), free=free[::-1])
    uids = [f"uid-{number}" for number in range(20)]
    plans = [plan(request(service={"name": "web", "uid": uid}), free=free) for uid in uids]
    assert len({made.recorded.ip for made in plans if made.recorded}) > len(uids) - 4


def test_a_recorded_choice_is_associated() -> None:
    assert plan(request(status=chosen())).actions == (Associate(IP, NET),)


def test_the_address_asked_for_is_recorded_and_associated_like_a_choice() -> None:
    first = plan(request(address=OTHER))
    assert first.recorded == choice(OTHER)
    assert first.awaits_status
    assert plan(request(address=OTHER, status=chosen(OTHER))).actions == (Associate(OTHER, NET),)
    changed = plan(request(address=OTHER, status=chosen(IP)))
    assert changed.recorded == choice(OTHER)


def test_a_chosen_address_is_claimed_by_the_tag() -> None:
    [action] = plan(request(status=chosen()), address(IP)).actions
    assert isinstance(action, AddTags)
    assert dict(action.tags)[TAG_ORIGIN] == TAG_ORIGIN_CONTROLLER


@pytest.mark.parametrize(
    "existing",
    [
        pytest.param({"tags": FOREIGN}, id="another was faster to tag it"),
        pytest.param({"tags": (Tag("team", "web"),)}, id="somebody else tagged it"),
        pytest.param({"network_id": "other"}, id="on another network"),
        pytest.param({"is_static_nat": True}, id="static NAT"),
        pytest.param({"vpc_id": "vpc"}, id="a VPC's"),
    ],
)
def test_a_choice_that_somebody_else_has_is_made_again(existing: dict[str, Any]) -> None:
    result = plan(request(status=chosen()), address(IP, **existing), free=(IP, OTHER))
    assert result.awaits_status
    assert result.recorded is not None
    assert (result.recorded.ip, result.recorded.tries) == (OTHER, 1)


def test_a_choice_that_has_rules_is_somebody_elses() -> None:
    asked = request(status=chosen())
    result = plan(asked, address(IP), rules=(rule(80, "human"),), free=(OTHER,))
    assert result.recorded is not None
    assert result.recorded.ip == OTHER


@pytest.mark.parametrize("allocated_at", [NOW - 4000, NOW + 4000, None])
def test_a_chosen_address_is_recognised_whatever_cloudstacks_clock_says(
    allocated_at: float | None,
) -> None:
    assert plan(request(status=chosen()), address(IP, allocated_at=allocated_at)).actions


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({"seal": ""}, id="no seal"),
        pytest.param({"seal": seal(IP, NOW - 11)}, id="of another moment"),
        pytest.param({"seal": seal(OTHER, NOW - 10)}, id="of another address"),
        pytest.param({"seal": seal(IP, NOW - 10, uid="another")}, id="of another Service"),
        pytest.param({"seal": "\u00e9"}, id="not even text of a seal"),
        pytest.param(
            {"chosenAt": "2027-01-14T07:59:00Z", "seal": seal(IP, NOW - 86460)}, id="a day old"
        ),
    ],
)
def test_a_choice_that_we_did_not_seal_within_a_day_is_neither_claimed_nor_associated(
    status: dict[str, str],
) -> None:
    asked = request(status={"address": {**chosen()["address"], **status}})
    claimed = plan(asked, address(IP), free=(OTHER,))
    assert claimed.recorded == choice(OTHER, tries=1)
    again = plan(asked)
    assert (again.recorded, again.actions) == (choice(IP), ())


def test_what_turns_up_after_cloudstack_refused_it_to_us_is_somebody_elses() -> None:
    asked = request(status=chosen())
    found = plan(asked, address(IP), refusals=refused(Associate(IP, NET)), free=(OTHER,))
    assert found.recorded == choice(OTHER, tries=1)


def test_after_our_own_association_no_other_is_chosen() -> None:
    asked = request(status=chosen())
    [tag] = plan(asked, address(IP), done=(Associate(IP, NET),)).actions
    assert isinstance(tag, AddTags)
    unseen = plan(asked, done=(Associate(IP, NET),), free=(OTHER,))
    assert (unseen.actions, unseen.recorded) == ((), asked.recorded.address)
    [any_address] = plan(request()).actions
    unseen = plan(request(), done=(any_address,), free=(OTHER,))
    assert (unseen.actions, unseen.recorded) == ((), None)


def test_a_choice_that_is_taken_is_made_again_without_end() -> None:
    action = Associate(IP, NET)
    for tries in (0, 1, 17):
        status = chosen(tries=tries)
        result = plan(request(status=status), refusals=refused(action), free=(IP, OTHER))
        assert result.recorded is not None
        assert (result.recorded.ip, result.recorded.tries) == (OTHER, tries + 1)


def test_without_a_free_address_the_choice_is_left_to_cloudstack() -> None:
    result = plan(request())
    assert (result.recorded, result.chooses) == (None, True)
    [action] = result.actions
    assert isinstance(action, AssociateAny)
    assert dict(action.tags)[TAG_ORIGIN] == TAG_ORIGIN_CONTROLLER


def test_no_address_at_all_is_reported() -> None:
    asked = request()
    [action] = plan(asked).actions
    result = plan(asked, refusals=refused(action, 533, "Insufficient address capacity"))
    assert result.condition.reason == "AddressNotFree"


def test_a_refused_claim_is_reported() -> None:
    asked = request(status=chosen())
    [action] = plan(asked, address(IP)).actions
    result = plan(asked, address(IP), refusals=refused(action, 530, "tag is there"))
    assert result.actions == ()
    assert result.condition.reason == "TagRefused"
    assert result.recorded is not None


def test_plan_mode_says_what_would_be_done_without_a_choice() -> None:
    assert texts(plan(request(mode="Plan"), free=(OTHER,)).actions) == [
        f"associate a free address with network {NET}"
    ]
    assert texts(plan(request(mode="Plan", address=OTHER)).actions) == [
        f"associate address {OTHER} with network {NET}"
    ]
