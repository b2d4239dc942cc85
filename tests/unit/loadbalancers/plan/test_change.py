"""How a Service changes from one address to another: what is planned in each state of it."""

from dataclasses import replace
from typing import Any

import pytest

from hooks.cloudstack.models.network import PublicIpAddress
from hooks.cloudstack.models.tags import Tag
from hooks.http.bounded_json import Json
from hooks.kube.times import timestamp
from hooks.loadbalancers.plan.change import LOOK_AGAIN, SERVES_ON, SHOWN_TOGETHER
from hooks.loadbalancers.plan.facts import CloudState
from hooks.names import TAG_SERVICE
from tests.unit.loadbalancers.builders import (
    IP,
    LIVE,
    NAME,
    NET,
    NOW,
    acquiring,
    address,
    address_tags,
    firewall_rule,
    our_address,
    port,
    recorded,
    request,
    rule,
    texts,
)
from tests.unit.loadbalancers.plan.addresses import OTHER, refused
from tests.unit.loadbalancers.plan.planning import ALL, REQUEST, TAGS, condition, planned, status

THIRD = "198.51.100.9"
#: What a status says of an address that it does not look at as the one that serves.
FORMER: Json = {**recorded(OTHER)["address"], "published": True}


def shown(*ips: str, asked: str = "") -> Any:
    """Return the Service as it shows these addresses, and asks for one."""
    return replace(LIVE, shown=ips, address=asked)


def changing(ip: str = IP, **change: Any) -> Json:
    """Write the status of a Service that has an address and changes."""
    return {**recorded(ip, published=True, named=True), "addressChange": change}


def since(seconds: float, **former: Any) -> Json:
    """Write that the address changed so many seconds ago."""
    return {
        "to": IP,
        "former": {**FORMER, **former},
        "switchedAt": timestamp(NOW - seconds),
    }


def serving(*ips: str, members: frozenset[str] = ALL, **fields: Any) -> CloudState:
    """Show addresses of ours with all that is wanted on them."""
    rules = [rule(80, id=f"rule-{ip}", public_ip_id=f"id-{ip}", tags=TAGS, **fields) for ip in ips]
    return CloudState(
        addresses=tuple(our_address(REQUEST, ip=ip) for ip in ips),
        rules=tuple(rules),
        members={each.id: dict.fromkeys(members, "") for each in rules},
        firewall=tuple(
            replace(firewall_rule(80, tags=TAGS), id=f"open-{ip}", public_ip_id=f"id-{ip}")
            for ip in ips
        ),
    )


def beside(state: CloudState, *addresses: PublicIpAddress) -> CloudState:
    return replace(state, addresses=(*state.addresses, *addresses))


# What comes.


def test_the_next_address_is_in_the_status_before_cloudstack_is_asked_for_it() -> None:
    asked = request(status=recorded(published=True), address=OTHER)
    made = planned(asked, serving(IP))
    assert made.actions == ()
    assert status(made)["addressChange"] == {"to": OTHER}
    assert status(made)["address"]["ip"] == IP
    assert made.response.get("resyncAfterSeconds") == 1.0
    [told] = made.events
    assert told.reason == "AddressChanging"
    assert IP in told.message
    assert OTHER in told.message


@pytest.mark.parametrize(
    ("found", "actions"),
    [
        pytest.param((), [f"associate address {OTHER} with network {NET}"], id="free"),
        pytest.param((address(OTHER),), [f"tag address {OTHER}"], id="allocated by a person"),
        pytest.param(
            (our_address(REQUEST, ip=OTHER),),
            [f"create rule {NAME}-tcp-80: port 80 to 30080, tcp, roundrobin"],
            id="ours already",
        ),
    ],
)
def test_it_is_had_as_a_first_address_is(
    found: tuple[PublicIpAddress, ...], actions: list[str]
) -> None:
    asked = request(status=changing(to=OTHER), address=OTHER)
    made = planned(asked, beside(serving(IP), *found))
    assert texts(made.actions) == actions
    assert condition(made, "AddressReady")["message"].startswith(f"{IP} serves until {OTHER} does")
    assert condition(made)["status"] == "False"
    assert not condition(made, "Stalled")


def test_nothing_is_claimed_for_a_service_that_was_not_read() -> None:
    asked = request(status=changing(to=OTHER), address=OTHER)
    made = planned(asked, beside(serving(IP), address(OTHER)), service=None)
    assert made.actions == ()
    assert condition(made)["reason"] == "ServiceNotConfirmed"


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        pytest.param(
            address(OTHER, tags=(Tag(TAG_SERVICE, "till"),)), "AddressInUse", id="another's"
        ),
        pytest.param(address(OTHER, network_id="net-9"), "AddressElsewhere", id="elsewhere"),
        pytest.param(address(OTHER, is_static_nat=True), "AddressIsStaticNAT", id="static NAT"),
    ],
)
def test_one_that_is_refused_is_not_noted_and_the_old_one_serves(
    found: PublicIpAddress, reason: str
) -> None:
    asked = request(status=recorded(published=True), address=OTHER)
    made = planned(asked, beside(serving(IP), found))
    assert made.actions == ()
    assert condition(made)["reason"] == condition(made, "Stalled")["reason"] == reason
    assert "addressChange" not in status(made)
    assert status(made)["address"]["published"] is True
    assert status(made)["ruleSummary"] == "1/1"


# When it serves.


def test_the_new_one_is_shown_once_it_serves_and_the_old_one_after_it() -> None:
    asked = request(status=changing(to=OTHER), address=OTHER)
    made = planned(asked, serving(IP, OTHER))
    assert made.actions == ()
    shown = status(made)
    assert (shown["address"]["ip"], shown["address"]["published"]) == (OTHER, True)
    assert shown["address"]["named"] is True
    assert shown["addressChange"]["former"]["ip"] == IP
    assert shown["addressChange"]["former"]["published"] is True
    assert shown["addressChange"]["switchedAt"] == timestamp(NOW)
    assert condition(made)["status"] == "True"
    assert made.response.get("resyncAfterSeconds") == SHOWN_TOGETHER
    assert [each.reason for each in made.events] == ["AddressChanged"]


def without_members(ip: str) -> CloudState:
    both = serving(IP, OTHER)
    return replace(both, members={**both.members, f"rule-{ip}": {"vm-gone": ""}})


def closed(ip: str) -> CloudState:
    both = serving(IP, OTHER)
    return replace(both, firewall=tuple(f for f in both.firewall if f.public_ip_id != f"id-{ip}"))


@pytest.mark.parametrize(
    ("state", "switches"),
    [
        pytest.param(serving(IP, OTHER), True, id="all is the same"),
        pytest.param(without_members(OTHER), False, id="the new one has no member"),
        pytest.param(closed(OTHER), False, id="the new one is closed"),
        pytest.param(without_members(IP), True, id="the old one has no member"),
        pytest.param(closed(IP), True, id="the old one is closed"),
        pytest.param(beside(serving(IP), our_address(REQUEST, ip=OTHER)), False, id="no rule"),
    ],
)
def test_the_new_one_serves_each_port_that_the_old_one_serves(
    state: CloudState, *, switches: bool
) -> None:
    asked = request(status=changing(to=OTHER), address=OTHER)
    made = planned(asked, state)
    assert (status(made)["address"]["ip"] == OTHER) is switches


def test_one_that_was_never_shown_goes_at_once() -> None:
    asked = request(status={**recorded(), "addressChange": {"to": OTHER}}, address=OTHER)
    made = planned(asked, serving(IP, OTHER))
    assert status(made)["addressChange"] == {"to": OTHER}
    later = request(status=status(made), address=OTHER)
    assert texts(planned(later, serving(IP, OTHER)).actions) == [
        f"release address {IP} with all its rules"
    ]


# What goes.


@pytest.mark.parametrize(
    ("seconds", "published", "due"),
    [
        pytest.param(0.0, True, SHOWN_TOGETHER, id="at first"),
        pytest.param(SHOWN_TOGETHER - 5, True, LOOK_AGAIN, id="a moment before it is withdrawn"),
        pytest.param(SHOWN_TOGETHER + 50, False, SERVES_ON - 50, id="withdrawn"),
        pytest.param(SHOWN_TOGETHER + 200, False, SERVES_ON - 200, id="serving on"),
        pytest.param(-9_999.0, True, SHOWN_TOGETHER, id="a time in the future"),
    ],
)
def test_the_old_one_is_shown_for_a_while_and_serves_for_another(
    seconds: float, due: float, *, published: bool
) -> None:
    change = since(seconds, published=published)
    made = planned(request(status=changing(**change), address=IP), serving(IP, OTHER))
    assert made.actions == ()
    assert status(made)["addressChange"]["former"]["published"] is published
    assert made.response.get("resyncAfterSeconds") == due
    assert condition(made)["status"] == "True"


@pytest.mark.parametrize("seconds", [SHOWN_TOGETHER, SHOWN_TOGETHER + 50, 10_000.0])
def test_the_old_one_serves_on_from_when_it_is_withdrawn(seconds: float) -> None:
    made = planned(request(status=changing(**since(seconds)), address=IP), serving(IP, OTHER))
    assert made.actions == ()
    change = status(made)["addressChange"]
    assert change["former"]["published"] is False
    assert change["switchedAt"] == timestamp(NOW - SHOWN_TOGETHER)


WITHDRAWN = since(SHOWN_TOGETHER + SERVES_ON, published=False)


@pytest.mark.parametrize(
    ("service", "goes"),
    [
        pytest.param(shown(IP, asked=IP), True, id="shown no more"),
        pytest.param(shown(IP, OTHER, asked=IP), False, id="shown"),
        pytest.param(shown(IP, asked=OTHER), False, id="asked for again"),
        pytest.param(replace(shown(IP), still_wants=False), False, id="no load balancer"),
        pytest.param(None, False, id="not read"),
    ],
)
def test_it_goes_if_the_service_neither_shows_it_nor_asks_for_it(
    service: Any, *, goes: bool
) -> None:
    asked = request(status=changing(**WITHDRAWN), address=IP)
    made = planned(asked, serving(IP, OTHER), service=service)
    release = [f"release address {OTHER} with all its rules"]
    assert texts(made.actions) == (release if goes else [])


def test_it_stays_allocated_if_a_person_allocated_it_or_keeps_it() -> None:
    for kept in (True, False):
        asked = request(status=changing(**WITHDRAWN), address=IP, keepAddress=kept)
        both = serving(IP, OTHER)
        mine = our_address(REQUEST, by_controller=kept, ip=OTHER)
        made = planned(asked, replace(both, addresses=(both.addresses[0], mine)))
        assert texts(made.actions) == [
            "close firewall port 80/tcp for 0.0.0.0/0",
            f"delete rule {NAME}-tcp-80",
        ]
        bare = replace(both, addresses=(both.addresses[0], mine), rules=both.rules[:1])
        bare = replace(bare, firewall=both.firewall[:1])
        assert texts(planned(asked, bare).actions) == [f"untag address {OTHER}"]


def test_a_refused_end_is_told_and_tried_again() -> None:
    asked = request(status=changing(**WITHDRAWN), address=IP)
    [release] = planned(asked, serving(IP, OTHER)).actions
    made = planned(asked, serving(IP, OTHER), refusals=refused(release, 530, "not today"))
    assert "not today" in condition(made, "AddressReady")["message"]
    assert condition(made)["status"] == "True"
    assert [text.split(" ")[0] for text in texts(made.actions)] == ["close", "delete"]


def test_what_the_service_asks_for_holds_on_both() -> None:
    asked = request(
        status=changing(**since(5)), address=IP, ports=[port(80, 30081)], sourceRanges=[]
    )
    made = planned(asked, serving(IP, OTHER))
    assert [text.split(" ")[0] for text in texts(made.actions)] == ["close", "close"]


def test_tags_that_the_old_one_lost_are_put_back() -> None:
    tags = tuple(tag for tag in address_tags(REQUEST) if tag.key != TAG_SERVICE)
    both = serving(IP, OTHER)
    lost = replace(both, addresses=(both.addresses[0], address(OTHER, tags=tags)))
    asked = request(status=changing(**WITHDRAWN), address=IP)
    assert texts(planned(asked, lost).actions) == [f"tag address {OTHER}"]


# Changed again in the middle, and what is neither asked for nor was shown.


@pytest.mark.parametrize("asked", ["", IP])
def test_a_change_that_is_taken_back_takes_down_what_it_began(asked: str) -> None:
    back = request(status=changing(to=OTHER), address=asked)
    made = planned(back, serving(IP, OTHER))
    assert texts(made.actions) == [f"release address {OTHER} with all its rules"]
    alone = planned(back, serving(IP))
    assert alone.actions == ()
    assert "addressChange" not in status(alone)


def test_what_a_call_that_died_was_acquiring_is_made_ours_to_go() -> None:
    back = request(status=changing(to=OTHER), metadata=acquiring(OTHER))
    made = planned(back, beside(serving(IP), address(OTHER)))
    assert texts(made.actions) == [f"tag address {OTHER}"]
    assert status(made)["addressChange"] == {"to": OTHER}


def test_back_to_one_that_still_serves_changes_places_after_the_status_says_so() -> None:
    first = planned(request(status=changing(**since(5)), address=OTHER), serving(IP, OTHER))
    assert status(first)["address"]["ip"] == OTHER
    assert status(first)["addressChange"]["former"]["ip"] == IP
    assert status(first)["addressChange"]["to"] == OTHER
    assert status(first)["address"].get("named") is None, "it was not named then"


def test_a_third_one_waits_while_two_are_there() -> None:
    asked = request(status=changing(**since(5)), address=THIRD)
    made = planned(asked, serving(IP, OTHER))
    assert made.actions == ()
    ready = condition(made)
    assert (ready["reason"], ready["message"]) == (
        "ChangingAddress",
        f"{THIRD} comes once {OTHER} has gone",
    )
    assert status(made)["addressChange"]["to"] == IP


@pytest.mark.parametrize(
    ("service", "is_former"),
    [
        pytest.param(shown(IP, OTHER), True, id="shown"),
        pytest.param(shown(IP), False, id="not shown"),
    ],
)
def test_without_a_status_what_is_shown_is_a_former_one_and_else_a_second_one(
    service: Any, *, is_former: bool
) -> None:
    made = planned(request(status=recorded()), serving(IP, OTHER), service=service)
    if is_former:
        assert made.actions == ()
        assert status(made)["addressChange"]["former"]["ip"] == OTHER
    else:
        assert texts(made.actions) == [f"release address {OTHER} with all its rules"]


@pytest.mark.parametrize("first", [IP, OTHER])
def test_without_a_status_the_one_that_is_shown_first_serves(first: str) -> None:
    second = OTHER if first == IP else IP
    made = planned(request(), serving(IP, OTHER), service=shown(first, second))
    assert status(made)["address"]["ip"] == first
    assert status(made)["addressChange"]["former"]["ip"] == second


# Who may say what.


@pytest.mark.parametrize("tags", [(), (Tag(TAG_SERVICE, "till"),)], ids=["nobody's", "another's"])
def test_a_status_makes_nothing_go_that_has_not_our_mark(tags: tuple[Tag, ...]) -> None:
    asked = request(status=changing(**WITHDRAWN), address=IP)
    made = planned(asked, beside(serving(IP), address(OTHER, tags=tags)))
    assert made.actions == ()
    assert "addressChange" not in status(made)


def test_a_service_that_is_refused_changes_no_further() -> None:
    invalid = [{"field": "spec.ports", "message": "no"}]
    for change, asked in (({"to": OTHER}, OTHER), (WITHDRAWN, IP)):
        made = planned(
            request(status=changing(**change), address=asked, invalid=invalid), serving(IP, OTHER)
        )
        assert made.actions == ()
        assert status(made)["address"]["ip"] == IP
        assert status(made)["addressChange"]["to"] == change["to"]


def test_plan_mode_lists_both_and_changes_nothing() -> None:
    asked = request(status=recorded(published=True), address=OTHER, mode="Plan")
    made = planned(asked, serving(IP))
    assert made.actions == ()
    assert status(made)["plan"][0] == f"associate address {OTHER} with network {NET}"
    assert status(made)["plan"][-1] == f"release address {IP} with all its rules"
    assert "addressChange" not in status(made)
    assert status(made)["address"]["ip"] == IP


def test_a_change_is_no_drift() -> None:
    """What a check finds in the middle of a change is counted as no repair."""
    asked = request(status=changing(**since(5)), address=IP)
    settled = status(planned(asked, serving(IP, OTHER)))
    settled["addressChange"] = WITHDRAWN
    made = planned(request(status=settled, address=IP), serving(IP, OTHER), now=NOW + 400)
    assert made.actions
    assert [each.reason for each in made.events] == []
    assert "repeatedDrift" not in status(made)
