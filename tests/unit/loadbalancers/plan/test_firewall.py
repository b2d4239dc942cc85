from dataclasses import replace
from typing import Any

import pytest

from hooks.cloudstack.models.firewall import FirewallRule
from hooks.cloudstack.models.loadbalancing import LoadBalancerRule
from hooks.cloudstack.models.tags import Tag
from hooks.loadbalancers.plan.actions import OpenFirewall, StagePlan, opening_text
from hooks.loadbalancers.plan.facts import CloudState, Refusal
from hooks.loadbalancers.plan.firewall import (
    close_ports,
    former_firewall,
    join_ports,
    open_ports,
    ports_of,
    tag_firewall,
)
from hooks.loadbalancers.request import LoadBalancerRequest
from hooks.names import TAG_CLUSTER, TAG_OPENING, TAG_SERVICE_UID
from tests.unit.loadbalancers.builders import (
    IP,
    facts,
    firewall_rule,
    our_address,
    our_tags,
    portless,
    request,
    rule,
    texts,
)

REQUEST = request()
TAGS = our_tags(REQUEST)
FOREIGN = (Tag(TAG_SERVICE_UID, "another"),)
HUMANS = (Tag("team", "network"),)
TEN = ("10.0.0.0/8",)
ALL = "0.0.0.0/0"
#: The same clients.
HALVES = ("0.0.0.0/1", "128.0.0.0/1")


def plan(
    rules: list[LoadBalancerRule],
    *firewall_rules: FirewallRule,
    asked: LoadBalancerRequest = REQUEST,
    **fields: Any,
) -> StagePlan:
    state = CloudState((our_address(asked),), firewall=firewall_rules)
    return open_ports(facts(asked, state=state, **fields), f"id-{IP}", rules)


@pytest.mark.parametrize(
    ("port_keys", "joined"),
    [
        pytest.param([], [], id="none"),
        pytest.param([("tcp", 80)], [("tcp", 80, 80)], id="one"),
        pytest.param([("tcp", 82), ("tcp", 80), ("tcp", 81)], [("tcp", 80, 82)], id="in any order"),
        pytest.param(
            [("tcp", 80), ("tcp", 82)], [("tcp", 80, 80), ("tcp", 82, 82)], id="with a gap"
        ),
        pytest.param(
            [("tcp", 53), ("udp", 53), ("udp", 54)],
            [("tcp", 53, 53), ("udp", 53, 54)],
            id="two transports",
        ),
        pytest.param(
            [("tcp", 65535), ("tcp", 1)], [("tcp", 1, 1), ("tcp", 65535, 65535)], id="ends"
        ),
    ],
)
def test_contiguous_ports_are_joined(
    port_keys: list[tuple[str, int]], joined: list[tuple[str, int, int]]
) -> None:
    assert [(r.protocol, r.start_port, r.end_port) for r in join_ports(port_keys)] == joined


def test_contiguous_ports_are_opened_together_for_all_ranges() -> None:
    asked = request(sourceRanges=["10.0.0.0/8", "192.0.2.0/24"])
    rules = [rule(80), rule(81), rule(443), rule(53, protocol="udp")]
    assert texts(plan(rules, asked=asked).actions) == [
        "open firewall ports 80-81/tcp for 10.0.0.0/8, 192.0.2.0/24",
        "open firewall port 443/tcp for 10.0.0.0/8, 192.0.2.0/24",
        "open firewall port 53/udp for 10.0.0.0/8, 192.0.2.0/24",
    ]


def test_proxy_rules_are_opened_as_tcp() -> None:
    assert texts(plan([rule(80, protocol="tcp-proxy")]).actions) == [
        f"open firewall port 80/tcp for {ALL}"
    ]


def test_what_is_open_as_wanted_needs_nothing() -> None:
    result = plan([rule(80), rule(81)], firewall_rule(80, 81, tags=TAGS))
    assert result.actions == ()
    assert result.condition.status == "True"
    assert "80-81/tcp" in result.condition.message


def test_a_range_of_ports_that_grows_keeps_what_is_open() -> None:
    result = plan([rule(80), rule(81), rule(82)], firewall_rule(81, tags=TAGS))
    assert texts(result.actions) == [
        f"open firewall port 80/tcp for {ALL}",
        f"open firewall port 82/tcp for {ALL}",
    ]


def test_a_range_of_ports_that_shrinks_is_opened_with_halved_cidrs_before_it_is_closed() -> None:
    old = firewall_rule(80, 82, tags=TAGS)
    new = [firewall_rule(port, tags=TAGS, cidrs=HALVES) for port in (80, 82)]
    assert texts(plan([rule(80), rule(82)], old).actions) == [
        "open firewall port 80/tcp for 0.0.0.0/1, 128.0.0.0/1",
        "open firewall port 82/tcp for 0.0.0.0/1, 128.0.0.0/1",
    ]
    assert texts(plan([rule(80), rule(82)], old, new[0]).actions) == [
        "open firewall port 82/tcp for 0.0.0.0/1, 128.0.0.0/1",
    ]
    assert texts(plan([rule(80), rule(82)], old, *new).actions) == [
        f"close firewall ports 80-82/tcp for {ALL}"
    ]
    result = plan([rule(80), rule(82)], *new)
    assert (result.actions, result.condition.status) == ((), "True")


def test_a_range_of_ports_with_halved_cidrs_shrinks_to_the_whole_cidr() -> None:
    old = firewall_rule(80, 82, tags=TAGS, cidrs=HALVES)
    assert texts(plan([rule(80)], old).actions) == [f"open firewall port 80/tcp for {ALL}"]


def test_ports_that_are_not_wanted_are_closed_at_once() -> None:
    assert texts(
        plan([rule(80)], firewall_rule(80, tags=TAGS), firewall_rule(81, tags=TAGS)).actions
    ) == [f"close firewall port 81/tcp for {ALL}"]


@pytest.mark.parametrize(
    ("existing", "wanted", "steps"),
    [
        pytest.param(
            [ALL],
            ["10.0.0.0/8"],
            ["open firewall port 80/tcp for 10.0.0.0/8"],
            id="others",
        ),
        pytest.param(
            ["203.0.113.7/32"],
            ["203.0.113.7/32", "192.0.2.0/24"],
            ["open firewall port 80/tcp for 192.0.2.0/24"],
            id="one more: what is open stays",
        ),
        pytest.param(
            ["10.0.0.0/8", "192.0.2.0/24"],
            ["10.0.0.0/8"],
            ["open firewall port 80/tcp for 10.0.0.0/9, 10.128.0.0/9"],
            id="one fewer",
        ),
        pytest.param(
            ["203.0.113.7/32", "192.0.2.0/24"],
            ["203.0.113.7/32"],
            [
                "close firewall port 80/tcp for 203.0.113.7/32, 192.0.2.0/24",
                "open firewall port 80/tcp for 203.0.113.7/32",
            ],
            id="a single address, which cannot be said otherwise",
        ),
        pytest.param(
            ["10.1.0.0/16"],
            ["10.0.0.0/8"],
            ["open firewall port 80/tcp for 10.0.0.0/8"],
            id="wider",
        ),
    ],
)
def test_other_ranges_are_opened_before_the_old_ones_are_closed_if_cloudstack_allows_it(
    existing: list[str], wanted: list[str], steps: list[str]
) -> None:
    asked = request(sourceRanges=wanted)
    old = firewall_rule(80, tags=TAGS, cidrs=tuple(existing))
    assert texts(plan([rule(80)], old, asked=asked).actions) == steps


def test_plan_mode_also_shows_what_is_closed_later() -> None:
    asked = request(mode="Plan", sourceRanges=["203.0.113.7/32"])
    old = firewall_rule(80, 82, tags=TAGS, cidrs=("203.0.113.7/32",))
    wide = firewall_rule(80, tags=TAGS)
    assert texts(plan([rule(80)], old, wide, asked=asked).actions) == [
        "close firewall ports 80-82/tcp for 203.0.113.7/32",
        "open firewall port 80/tcp for 203.0.113.7/32",
        f"close firewall port 80/tcp for {ALL}",
    ]


def test_a_firewall_rule_is_kept_if_its_replacement_is_refused() -> None:
    asked = request(sourceRanges=["10.0.0.0/8"])
    [action] = plan([rule(80)], firewall_rule(80, tags=TAGS), asked=asked).actions
    refused = (Refusal(action, 530, "the router is busy"),)
    result = plan([rule(80)], firewall_rule(80, tags=TAGS), asked=asked, refusals=refused)
    assert result.actions == ()
    assert result.condition.reason == "FirewallRefused"


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
    asked = request(sourceRanges=list(TEN))
    shown = plan([rule(80)], firewall_rule(80, tags=TAGS, cidrs=TEN), theirs, asked=asked).condition
    assert shown.status == "True"
    assert shown.reason == ("OpenedByOthers" if named else "FirewallOpen")
    assert shown.message.endswith(f"admit more: {named}" if named else "for 10.0.0.0/8")


@pytest.mark.parametrize("protocol", ["tcp", "all"])
def test_one_of_ours_without_ports_is_closed_after_its_replacement_exists(protocol: str) -> None:
    wide, narrow = portless(protocol, tags=TAGS), firewall_rule(80, tags=TAGS)
    assert texts(plan([rule(80)], wide).actions) == [f"open firewall port 80/tcp for {ALL}"]
    assert texts(plan([rule(80)], wide, narrow).actions) == [
        f"close firewall ports 0-65535/{protocol} for {ALL}"
    ]


def test_a_single_address_stays_admitted_while_one_of_ours_without_ports_is_replaced() -> None:
    asked = request(sourceRanges=["203.0.113.7/32"])
    wide = portless("tcp", tags=TAGS, cidrs=("203.0.113.7/32",))
    assert texts(plan([rule(80)], wide, asked=asked).actions) == [
        "open firewall port 80/tcp for 203.0.113.7/32"
    ]


def test_an_untagged_rule_without_ports_is_never_ours() -> None:
    state = CloudState(firewall=(portless("tcp"), portless("all")))
    assert close_ports(facts(REQUEST, state=state), [rule(80)]) == ()


def test_a_rule_that_is_being_deleted_covers_nothing() -> None:
    going = FirewallRule("g", "tcp", f"id-{IP}", 80, 80, (ALL,), state="Revoke")
    assert texts(plan([rule(80)], going).actions) == [f"open firewall port 80/tcp for {ALL}"]


def test_ports_are_closed_if_nobody_is_admitted() -> None:
    asked = request(sourceRanges=[])
    result = plan([rule(80)], firewall_rule(80, tags=TAGS), firewall_rule(81), asked=asked)
    assert texts(result.actions) == [f"close firewall port 80/tcp for {ALL}"]
    assert plan([rule(80)], asked=asked).condition.reason == "NothingToOpen"


def test_a_refusal_is_reported_and_not_repeated() -> None:
    [action] = plan([rule(80)]).actions
    result = plan([rule(80)], refusals=(Refusal(action, 530, "the router is busy"),))
    assert result.actions == ()
    assert result.condition.reason == "FirewallRefused"
    assert "the router is busy" in result.condition.message


def test_a_deletion_closes_our_firewall_rules_and_those_that_lost_their_tag() -> None:
    state = CloudState(
        addresses=(our_address(REQUEST),),
        firewall=(
            firewall_rule(80),
            firewall_rule(9000, tags=TAGS),
            firewall_rule(81),
            firewall_rule(80, cidrs=TEN),
            firewall_rule(443, tags=FOREIGN),
        ),
    )
    assert texts(close_ports(facts(REQUEST, state=state), [rule(80)])) == [
        f"close firewall port 80/tcp for {ALL}",
        f"close firewall port 9000/tcp for {ALL}",
    ]


BROUGHT = our_address(REQUEST, by_controller=False)


def test_on_an_address_of_a_person_an_untagged_rule_serves_and_stays_the_persons() -> None:
    state = CloudState((BROUGHT,), firewall=(firewall_rule(80),))
    known = facts(REQUEST, state=state)
    result = open_ports(known, BROUGHT.id, [rule(80)])
    assert (result.actions, result.condition.reason) == ((), "FirewallOpen")
    assert close_ports(known, [rule(80)]) == ()
    narrow = open_ports(facts(request(sourceRanges=list(TEN)), state=state), BROUGHT.id, [rule(80)])
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
