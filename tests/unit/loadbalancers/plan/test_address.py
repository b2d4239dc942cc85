from dataclasses import replace
from typing import Any

import pytest

from hooks.cloudstack.models.network import PublicIpAddress
from hooks.cloudstack.models.tags import Tag
from hooks.loadbalancers.plan.actions import (
    AddTags,
    Associate,
    Rerecord,
)
from hooks.loadbalancers.plan.ownership import ADDRESS_KEYS
from hooks.loadbalancers.recorded import RecordedAddress
from hooks.loadbalancers.request import LoadBalancerRequest
from hooks.names import (
    TAG_ORIGIN,
    TAG_ORIGIN_CONTROLLER,
    TAG_ORIGIN_USER,
    TAG_SERVICE,
)
from hooks.webhook.requests import Time
from tests.unit.loadbalancers.builders import (
    IP,
    NAME,
    NET,
    NOW,
    acquiring,
    address,
    address_tags,
    associate,
    chosen,
    our_address,
    our_tags,
    record,
    recorded,
    request,
    rule,
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
        pytest.param(request(metadata=acquiring()), [address(IP)], IP, id="one being acquired"),
        pytest.param(
            request(metadata=acquiring(), address=OTHER),
            [address(IP), address(OTHER)],
            IP,
            id="one being acquired, before the one asked for",
        ),
        pytest.param(
            request(metadata=acquiring()),
            [address(IP), our_address(request(), ip=OTHER)],
            OTHER,
            id="one with our whole mark, before one being acquired",
        ),
        pytest.param(
            request(metadata=acquiring(), address=OTHER),
            [address(IP, is_static_nat=True), address(OTHER)],
            OTHER,
            id="the one asked for, if the one being acquired is somebody's",
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
    assert not result.recorded.id
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
    asked = request(status=chosen())
    [action] = plan(asked).actions
    assert action == associate(asked)
    assert isinstance(action, Associate)
    assert action.record == Rerecord("default", NAME, "lb-1", "", record(IP, NOW).text)
    again = request(status=chosen(), metadata=acquiring())
    [action] = plan(again).actions
    assert isinstance(action, Associate)
    assert action.record is not None
    assert action.record.before == record().text
    assert action.record.undo == replace(action.record, before=record(IP, NOW).text, after="")


def test_the_address_asked_for_is_recorded_and_associated_like_a_choice() -> None:
    first = plan(request(address=OTHER))
    assert first.recorded == choice(OTHER)
    assert first.awaits_status
    asked = request(address=OTHER, status=chosen(OTHER))
    assert plan(asked).actions == (associate(asked, OTHER),)
    changed = plan(request(address=OTHER, status=chosen(IP)))
    assert changed.recorded == choice(OTHER)


def test_what_a_call_that_did_not_end_may_have_acquired_is_claimed_by_the_tag() -> None:
    [action] = plan(request(metadata=acquiring()), address(IP)).actions
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
    asked = request(status=chosen(), metadata=acquiring())
    result = plan(asked, address(IP, **existing), free=(IP, OTHER))
    assert result.awaits_status
    assert result.recorded is not None
    assert (result.recorded.ip, result.recorded.tries) == (OTHER, 1)


def test_a_mere_choice_that_somebody_allocates_is_his() -> None:
    result = plan(request(status=chosen()), address(IP), free=(OTHER,))
    assert (result.actions, result.recorded) == ((), choice(OTHER, tries=1))


def test_a_choice_that_has_rules_is_somebody_elses() -> None:
    asked = request(status=chosen(), metadata=acquiring())
    result = plan(asked, address(IP), rules=(rule(80, "human"),), free=(OTHER,))
    assert result.recorded is not None
    assert result.recorded.ip == OTHER


@pytest.mark.parametrize("allocated_at", [NOW - 4000, NOW + 4000, None])
def test_an_acquired_address_is_recognised_whatever_cloudstacks_clock_says(
    allocated_at: float | None,
) -> None:
    assert plan(request(metadata=acquiring()), address(IP, allocated_at=allocated_at)).actions


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="none"),
        pytest.param(f"{IP} 2027-01-15T07:59:50.000Z", id="no seal"),
        pytest.param(f"{IP} yesterday {record().seal}", id="no time"),
        pytest.param(record().text.replace("59:50", "59:51"), id="of another moment"),
        pytest.param(record(OTHER).text.replace(OTHER, IP), id="of another address"),
        pytest.param(record(uid="another").text, id="of another Service"),
        pytest.param(f"{IP} 2027-01-15T07:59:50.000Z \u00e9", id="not even text of a seal"),
        pytest.param(record(since=NOW - 86460).text, id="a day old"),
        pytest.param(record(since=NOW + 86460).text, id="of a clock that is a day ahead"),
    ],
)
def test_without_a_record_of_ours_within_a_day_nothing_is_claimed(text: str) -> None:
    asked = request(status=chosen(), metadata=acquiring(text=text))
    claimed = plan(asked, address(IP), free=(OTHER,))
    assert (claimed.actions, claimed.recorded) == ((), choice(OTHER, tries=1))


def test_what_turns_up_after_cloudstack_refused_it_to_us_is_somebody_elses() -> None:
    asked = request(status=chosen(), metadata=acquiring())
    [action] = plan(asked).actions
    found = plan(asked, address(IP), done=(action,), refusals=refused(action, 535), free=(OTHER,))
    assert found.recorded == choice(OTHER, tries=1)


def test_after_our_own_association_no_other_is_chosen() -> None:
    asked = request(status=chosen())
    unseen = plan(asked, done=(associate(asked),), free=(OTHER,))
    assert (unseen.actions, unseen.recorded) == ((), asked.recorded.address)
    [any_address] = plan(request()).actions
    unseen = plan(request(), done=(any_address,), free=(OTHER,))
    assert (unseen.actions, unseen.recorded) == ((), None)


def test_the_record_of_what_cannot_be_tagged_is_renewed_before_it_is_too_old() -> None:
    old = record(since=NOW - 7 * 3600)
    asked = request(metadata=acquiring(text=old.text))
    renewal, tag = plan(asked, address(IP)).actions
    assert renewal == Rerecord("default", NAME, "lb-1", old.text, record(IP, NOW).text)
    assert isinstance(tag, AddTags)
    again = plan(asked, address(IP), done=(renewal, tag), refusals=refused(tag, 530))
    assert (again.actions, again.condition.reason) == ((), "TagRefused")


@pytest.mark.parametrize(
    ("others", "since", "is_forgotten"),
    [
        pytest.param((), NOW - 10, False, id="the call may still run"),
        pytest.param((), NOW - 600, True, id="the call has ended and left nothing"),
        pytest.param((address(OTHER),), NOW - 600, False, id="it may have left this"),
        pytest.param((address(OTHER, tags=FOREIGN),), NOW, True, id="somebody else has it"),
    ],
)
def test_a_record_is_forgotten_once_nothing_can_come_of_it(
    others: tuple[PublicIpAddress, ...], since: float, is_forgotten: bool
) -> None:
    text = record(OTHER, since).text
    asked = request(status=recorded(), metadata=acquiring(text=text))
    actions = plan(asked, our_address(asked), *others).actions
    assert actions == ((Rerecord("default", NAME, "lb-1", text),) if is_forgotten else ())


def test_the_record_of_an_address_with_our_tags_is_forgotten() -> None:
    asked = request(metadata=acquiring())
    assert plan(asked, our_address(asked)).actions == (
        Rerecord("default", NAME, "lb-1", record().text),
    )


def test_a_choice_that_is_taken_is_made_again_without_end() -> None:
    for tries in (0, 1, 17):
        asked = request(status=chosen(tries=tries))
        result = plan(asked, refusals=refused(associate(asked)), free=(IP, OTHER))
        assert result.recorded is not None
        assert (result.recorded.ip, result.recorded.tries) == (OTHER, tries + 1)


def test_without_a_free_address_the_choice_is_left_to_cloudstack() -> None:
    result = plan(request())
    assert (result.recorded, result.chooses) == (None, True)
    [action] = result.actions
    assert isinstance(action, Associate)
    assert action.ip == ""
    assert action.record
    assert action.record.after == ""
    assert dict(action.tags)[TAG_ORIGIN] == TAG_ORIGIN_CONTROLLER


def test_no_address_at_all_is_reported() -> None:
    asked = request()
    [action] = plan(asked).actions
    result = plan(asked, refusals=refused(action, 533, "Insufficient address capacity"))
    assert result.condition.reason == "AddressNotFree"


def test_a_refused_claim_is_reported() -> None:
    asked = request(status=chosen(), metadata=acquiring())
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
