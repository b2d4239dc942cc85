from typing import Any

import pytest

from hooks.cloudstack.models import FirewallRule, LoadBalancerRule, Tag
from hooks.loadbalancers.plan.facts import CloudState, Refusal
from hooks.loadbalancers.plan.firewall import (
    FirewallPlan,
    close_ports,
    join_ports,
    open_ports,
    tag_others_firewall,
)
from hooks.loadbalancers.request import LoadBalancerRequest
from hooks.names import TAG_CLUSTER, TAG_SERVICE_UID
from tests.unit.loadbalancers.builders import IP, facts, hole, our_tags, request, rule, said

ORDER = request()
TAGS = our_tags(ORDER)
FOREIGN = (Tag(TAG_SERVICE_UID, "another"),)
HUMANS = (Tag("team", "network"),)
TEN = ("10.0.0.0/8",)
ALL = "0.0.0.0/0"
#: The same clients.
HALVES = ("0.0.0.0/1", "128.0.0.0/1")


def plan(
    rules: list[LoadBalancerRule],
    *holes: FirewallRule,
    asked: LoadBalancerRequest = ORDER,
    **fields: Any,
) -> FirewallPlan:
    return open_ports(facts(asked, state=CloudState(firewall=holes), **fields), f"id-{IP}", rules)


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


def test_ports_are_opened_by_the_run_for_all_ranges_at_once() -> None:
    asked = request(sourceRanges=["10.0.0.0/8", "192.0.2.0/24"])
    rules = [rule(80), rule(81), rule(443), rule(53, protocol="udp")]
    assert said(plan(rules, asked=asked).actions) == [
        "open firewall ports 80-81/tcp for 10.0.0.0/8, 192.0.2.0/24",
        "open firewall port 443/tcp for 10.0.0.0/8, 192.0.2.0/24",
        "open firewall port 53/udp for 10.0.0.0/8, 192.0.2.0/24",
    ]


def test_proxy_rules_are_opened_as_tcp() -> None:
    assert said(plan([rule(80, protocol="tcp-proxy")]).actions) == [
        f"open firewall port 80/tcp for {ALL}"
    ]


def test_what_is_open_as_wanted_needs_nothing() -> None:
    result = plan([rule(80), rule(81)], hole(80, 81, tags=TAGS))
    assert result.actions == ()
    assert result.condition.status == "True"
    assert "80-81/tcp" in result.condition.message


def test_a_run_that_grows_keeps_what_is_open() -> None:
    result = plan([rule(80), rule(81), rule(82)], hole(81, tags=TAGS))
    assert said(result.actions) == [
        f"open firewall port 80/tcp for {ALL}",
        f"open firewall port 82/tcp for {ALL}",
    ]


def test_a_run_that_shrinks_is_opened_in_other_words_before_it_is_closed() -> None:
    old = hole(80, 82, tags=TAGS)
    new = [hole(port, tags=TAGS, cidrs=HALVES) for port in (80, 82)]
    assert said(plan([rule(80), rule(82)], old).actions) == [
        "open firewall port 80/tcp for 0.0.0.0/1, 128.0.0.0/1",
        "open firewall port 82/tcp for 0.0.0.0/1, 128.0.0.0/1",
    ]
    assert said(plan([rule(80), rule(82)], old, new[0]).actions) == [
        "open firewall port 82/tcp for 0.0.0.0/1, 128.0.0.0/1",
    ]
    assert said(plan([rule(80), rule(82)], old, *new).actions) == [
        f"close firewall ports 80-82/tcp for {ALL}"
    ]
    result = plan([rule(80), rule(82)], *new)
    assert (result.actions, result.condition.status) == ((), "True")


def test_a_run_in_other_words_shrinks_to_the_first_words() -> None:
    old = hole(80, 82, tags=TAGS, cidrs=HALVES)
    assert said(plan([rule(80)], old).actions) == [f"open firewall port 80/tcp for {ALL}"]


def test_a_run_that_ends_where_nothing_is_wanted_is_closed_at_once() -> None:
    assert said(plan([rule(80)], hole(80, tags=TAGS), hole(81, tags=TAGS)).actions) == [
        f"close firewall port 81/tcp for {ALL}"
    ]


@pytest.mark.parametrize(
    ("there", "wanted", "steps"),
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
def test_other_ranges_come_before_the_old_ones_go_as_far_as_cloudstack_lets_them(
    there: list[str], wanted: list[str], steps: list[str]
) -> None:
    asked = request(sourceRanges=wanted)
    old = hole(80, tags=TAGS, cidrs=tuple(there))
    assert said(plan([rule(80)], old, asked=asked).actions) == steps


def test_plan_mode_shows_what_goes_at_the_end_as_well() -> None:
    asked = request(mode="Plan", sourceRanges=["203.0.113.7/32"])
    old = hole(80, 82, tags=TAGS, cidrs=("203.0.113.7/32",))
    wide = hole(80, tags=TAGS)
    assert said(plan([rule(80)], old, wide, asked=asked).actions) == [
        "close firewall ports 80-82/tcp for 203.0.113.7/32",
        "open firewall port 80/tcp for 203.0.113.7/32",
        f"close firewall port 80/tcp for {ALL}",
    ]


def test_what_serves_goes_only_when_what_replaces_it_is_not_refused() -> None:
    asked = request(sourceRanges=["10.0.0.0/8"])
    [action] = plan([rule(80)], hole(80, tags=TAGS), asked=asked).actions
    refused = (Refusal(action, 530, "the router is busy"),)
    result = plan([rule(80)], hole(80, tags=TAGS), asked=asked, refusals=refused)
    assert result.actions == ()
    assert result.condition.reason == "FirewallRefused"


def test_beside_a_humans_rule_only_the_others_are_let_in() -> None:
    asked = request(sourceRanges=["10.0.0.0/8", "192.0.2.0/24"])
    theirs = hole(80, tags=HUMANS, cidrs=TEN)
    assert said(plan([rule(80)], theirs, asked=asked).actions) == [
        "open firewall port 80/tcp for 192.0.2.0/24"
    ]


def test_an_untagged_rule_that_opens_just_what_is_wanted_is_ours_and_gets_its_tag() -> None:
    assert said(plan([rule(80)], hole(80)).actions) == ["tag firewall rule 80/tcp"]
    partly = tuple(tag for tag in TAGS if tag.key != TAG_CLUSTER)
    assert len(plan([rule(80), rule(81)], hole(80), hole(81, tags=partly)).actions) == 2


@pytest.mark.parametrize(
    ("theirs", "actions"),
    [
        pytest.param(hole(9999), [f"open firewall port 80/tcp for {ALL}"], id="another port"),
        pytest.param(
            hole(80, cidrs=TEN), [f"open firewall port 80/tcp for {ALL}"], id="other ranges"
        ),
        pytest.param(hole(1, 65535), [], id="a range that covers it"),
        pytest.param(hole(80, tags=FOREIGN), [], id="another Service's, covering it"),
        pytest.param(hole(80, tags=HUMANS), [], id="just what is wanted, with tags of theirs"),
        pytest.param(
            FirewallRule("icmp", "icmp", f"id-{IP}", cidrs=(ALL,)),
            [f"open firewall port 80/tcp for {ALL}"],
            id="without ports",
        ),
    ],
)
def test_a_humans_rule_is_never_touched(theirs: FirewallRule, actions: list[str]) -> None:
    assert said(plan([rule(80)], theirs).actions) == actions
    assert said(plan([], theirs).actions) == []


def test_a_rule_that_is_being_deleted_covers_nothing() -> None:
    going = FirewallRule("g", "tcp", f"id-{IP}", 80, 80, (ALL,), state="Revoke")
    assert said(plan([rule(80)], going).actions) == [f"open firewall port 80/tcp for {ALL}"]


def test_nobody_admitted_closes_what_is_ours() -> None:
    asked = request(sourceRanges=[])
    result = plan([rule(80)], hole(80, tags=TAGS), hole(81), asked=asked)
    assert said(result.actions) == [f"close firewall port 80/tcp for {ALL}"]
    assert plan([rule(80)], asked=asked).condition.reason == "NothingToOpen"


def test_a_refusal_is_said_and_not_repeated() -> None:
    [action] = plan([rule(80)]).actions
    result = plan([rule(80)], refusals=(Refusal(action, 530, "the router is busy"),))
    assert result.actions == ()
    assert result.condition.reason == "FirewallRefused"
    assert "the router is busy" in result.condition.message


def test_the_end_closes_what_is_ours_and_what_lost_its_tag() -> None:
    state = CloudState(
        firewall=(
            hole(80),
            hole(9000, tags=TAGS),
            hole(81),
            hole(80, cidrs=TEN),
            hole(443, tags=FOREIGN),
        )
    )
    assert said(close_ports(facts(ORDER, state=state), [rule(80)])) == [
        f"close firewall port 80/tcp for {ALL}",
        f"close firewall port 9000/tcp for {ALL}",
    ]


@pytest.mark.parametrize(
    ("there", "left"),
    [
        pytest.param(hole(80), True, id="one port of a rule"),
        pytest.param(hole(80, cidrs=TEN), True, id="with other ranges"),
        pytest.param(hole(80, 81), False, id="a range of ports"),
        pytest.param(hole(81), False, id="another port"),
        pytest.param(hole(80, tags=TAGS), False, id="ours already"),
        pytest.param(hole(80, tags=FOREIGN), False, id="another Service's"),
        pytest.param(hole(80, tags=HUMANS), False, id="with a human's tags"),
    ],
)
def test_what_another_provider_opened_is_one_port_of_its_rules(
    there: FirewallRule, left: bool
) -> None:
    found = tag_others_firewall(facts(ORDER, state=CloudState(firewall=(there,))), [rule(80)])
    assert bool(found) is left
