from dataclasses import replace

import pytest

from hooks.cloudstack.models.account import Capabilities
from hooks.cloudstack.models.firewall import FirewallRule
from hooks.cloudstack.models.tags import Tag
from hooks.loadbalancers.plan.actions import OpenFirewall, opening_text
from hooks.loadbalancers.plan.facts import CloudState
from hooks.loadbalancers.plan.firewall import (
    close_ports,
    former_firewall,
    open_ports,
    ports_of,
    tag_firewall,
)
from hooks.names import TAG_CLUSTER, TAG_OPENING
from tests.unit.loadbalancers.builders import (
    IP,
    facts,
    firewall_rule,
    our_address,
    portless,
    recorded,
    request,
    rule,
    texts,
)
from tests.unit.loadbalancers.plan.planning import condition, planned, state, status
from tests.unit.loadbalancers.plan.test_firewall import (
    ALL,
    FOREIGN,
    HUMANS,
    REQUEST,
    TAGS,
    TEN,
    plan,
)


def test_beside_a_humans_rule_only_the_missing_ranges_are_admitted() -> None:
    asked = request(sourceRanges=["10.0.0.0/8", "192.0.2.0/24"])
    theirs = firewall_rule(80, tags=HUMANS, cidrs=TEN)
    assert texts(plan([rule(80)], theirs, asked=asked).actions) == [
        "open firewall port 80/tcp for 192.0.2.0/24"
    ]


def test_an_untagged_rule_that_opens_just_what_is_wanted_is_ours_and_gets_its_tag() -> None:
    assert texts(plan([rule(80)], firewall_rule(80)).actions) == ["tag firewall rule 80/tcp"]
    partly = tuple(tag for tag in TAGS if tag.key != TAG_CLUSTER)
    assert (
        len(plan([rule(80), rule(81)], firewall_rule(80), firewall_rule(81, tags=partly)).actions)
        == 2
    )


@pytest.mark.parametrize(
    ("theirs", "actions"),
    [
        pytest.param(
            firewall_rule(9999), [f"open firewall port 80/tcp for {ALL}"], id="another port"
        ),
        pytest.param(
            firewall_rule(80, cidrs=TEN),
            [f"open firewall port 80/tcp for {ALL}"],
            id="other ranges",
        ),
        pytest.param(firewall_rule(1, 65535), [], id="a range that covers it"),
        pytest.param(firewall_rule(80, tags=FOREIGN), [], id="another Service's, covering it"),
        pytest.param(
            firewall_rule(80, tags=HUMANS), [], id="just what is wanted, with tags of theirs"
        ),
        pytest.param(
            FirewallRule("icmp", "icmp", f"id-{IP}", cidrs=(ALL,)),
            [f"open firewall port 80/tcp for {ALL}"],
            id="a protocol that has no ports",
        ),
        pytest.param(portless("tcp"), [], id="without ports, so that all are open"),
        pytest.param(portless("all"), [], id="for all protocols"),
        pytest.param(
            portless("udp"),
            [f"open firewall port 80/tcp for {ALL}"],
            id="without ports, of another protocol",
        ),
    ],
)
def test_a_humans_rule_is_never_touched(theirs: FirewallRule, actions: list[str]) -> None:
    assert texts(plan([rule(80)], theirs).actions) == actions
    assert texts(plan([], theirs).actions) == []


@pytest.mark.parametrize("protocol", ["tcp", "all"])
def test_beside_a_humans_rule_without_ports_only_the_missing_ranges_are_admitted(
    protocol: str,
) -> None:
    asked = request(sourceRanges=["10.0.0.0/8", "192.0.2.0/24"])
    theirs = portless(protocol, cidrs=TEN)
    assert texts(plan([rule(80)], theirs, asked=asked).actions) == [
        "open firewall port 80/tcp for 192.0.2.0/24"
    ]


@pytest.mark.parametrize(
    ("theirs", "named"),
    [
        pytest.param(portless("all"), f"0-65535/all for {ALL}", id="all protocols"),
        pytest.param(portless("tcp"), f"0-65535/tcp for {ALL}", id="all ports"),
        pytest.param(firewall_rule(1, 1024, tags=HUMANS), f"1-1024/tcp for {ALL}", id="a range"),
        pytest.param(firewall_rule(81, tags=HUMANS), "", id="another port"),
        pytest.param(portless("tcp", cidrs=("10.1.0.0/16",)), "", id="fewer clients"),
    ],
)
def test_what_a_human_admits_beyond_the_source_ranges_is_said(
    theirs: FirewallRule, named: str
) -> None:
    asked, ours = request(sourceRanges=list(TEN)), firewall_rule(80, tags=TAGS, cidrs=TEN)
    shown = plan([rule(80)], ours, theirs, asked=asked, version=OLD).condition
    assert shown.status == "True"
    assert shown.reason == ("OpenedByOthers" if named else "FirewallOpen")
    assert shown.message.endswith(f"admit more: {named}" if named else "for 10.0.0.0/8")
    shut_out = plan([rule(80)], ours, theirs, asked=asked).condition
    assert (shut_out.status, shut_out.reason) == ("True", "FirewallOpen")
    assert shut_out.message.endswith("lists of the rules do not" if named else "for 10.0.0.0/8")


def test_a_service_that_others_open_wider_is_ready_and_says_so_once() -> None:
    asked = request(status=recorded(), sourceRanges=list(TEN))
    ours = firewall_rule(80, tags=TAGS, cidrs=TEN)
    opened = state(rule(80, tags=TAGS), firewall_rules=(ours, portless("tcp")))
    made = planned(asked, opened, version=OLD)
    ready = condition(made)
    assert (ready["status"], ready["reason"]) == ("True", "OpenedByOthers")
    assert f"0-65535/tcp for {ALL}" in ready["message"]
    [event] = made.events
    assert (event.type, event.reason) == ("Warning", "OpenedByOthers")
    assert f"0-65535/tcp for {ALL}" in event.message
    again = request(status=status(made), sourceRanges=list(TEN))
    assert planned(again, opened, version=OLD).events == ()


#: A CloudStack whose rules have no lists that change.
OLD = Capabilities((4, 20))
BROUGHT = our_address(REQUEST, by_controller=False)


def test_on_an_address_of_a_person_an_untagged_rule_serves_and_stays_the_persons() -> None:
    existing = CloudState((BROUGHT,), firewall=(firewall_rule(80),))
    known = facts(REQUEST, state=existing)
    result = open_ports(known, BROUGHT.id, [rule(80)])
    assert (result.actions, result.condition.reason) == ((), "FirewallOpen")
    assert close_ports(known, [rule(80)]) == ()
    asked = request(sourceRanges=list(TEN))
    narrow = open_ports(facts(asked, state=existing, version=OLD), BROUGHT.id, [rule(80)])
    assert (narrow.actions, narrow.condition.reason) == ((), "OpenedByOthers")


@pytest.mark.parametrize(
    ("existing", "ours"),
    [
        pytest.param(firewall_rule(80, tags=TAGS), True, id="our whole mark"),
        pytest.param(firewall_rule(80, tags=TAGS[1:]), True, id="a part of it"),
        pytest.param(firewall_rule(80, tags=HUMANS), False, id="a person's tags"),
    ],
)
def test_on_an_address_of_a_person_a_rule_is_ours_by_its_tags(
    existing: FirewallRule, ours: bool
) -> None:
    known = facts(REQUEST, state=CloudState((BROUGHT,), firewall=(existing,)))
    assert bool(close_ports(known, [rule(80)])) is ours


def test_on_an_address_of_a_person_a_rule_is_tagged_as_it_is_created() -> None:
    for address, tags in ((BROUGHT, facts(REQUEST).owner.mark), (our_address(REQUEST), ())):
        known = facts(REQUEST, state=CloudState((address,)))
        [opening] = open_ports(known, address.id, [rule(80)]).actions
        assert isinstance(opening, OpenFirewall)
        assert opening.tags == tags


@pytest.mark.parametrize(
    ("existing", "action"),
    [
        pytest.param((firewall_rule(80),), "tag firewall rule 80/tcp", id="it was created"),
        pytest.param((), f"untag address {IP}", id="it was not"),
        pytest.param((firewall_rule(80, tags=TAGS),), f"untag address {IP}", id="and tagged"),
        pytest.param((firewall_rule(80, cidrs=TEN),), f"untag address {IP}", id="a person's"),
    ],
)
def test_what_a_call_that_died_began_is_finished_first(
    existing: tuple[FirewallRule, ...], action: str
) -> None:
    opening = Tag(TAG_OPENING, opening_text(ports_of(firewall_rule(80))))
    address = replace(BROUGHT, tags=(*BROUGHT.tags, opening))
    known = facts(REQUEST, state=CloudState((address,), firewall=existing))
    assert texts(open_ports(known, address.id, [rule(80), rule(443)]).actions) == [action]


def test_without_a_name_of_a_former_provider_nothing_is_left_by_one() -> None:
    known = facts(REQUEST, state=CloudState(firewall=(firewall_rule(80),)))
    assert former_firewall(known, [rule(80)]) == ()


@pytest.mark.parametrize(
    ("existing", "left"),
    [
        pytest.param(firewall_rule(80), True, id="one port of a rule"),
        pytest.param(firewall_rule(80, cidrs=TEN), True, id="with other ranges"),
        pytest.param(firewall_rule(80, 81), False, id="a range of ports"),
        pytest.param(firewall_rule(81), False, id="another port"),
        pytest.param(firewall_rule(80, tags=TAGS), False, id="ours already"),
        pytest.param(firewall_rule(80, tags=FOREIGN), False, id="another Service's"),
        pytest.param(firewall_rule(80, tags=HUMANS), False, id="with a human's tags"),
    ],
)
def test_what_another_provider_opened_is_one_port_of_its_rules(
    existing: FirewallRule, left: bool
) -> None:
    asked = request(adopt={"names": [rule(80).name]})
    known = facts(asked, state=CloudState(firewall=(existing,)))
    found = tag_firewall(known, former_firewall(known, [rule(80)]))
    assert bool(found) is left
