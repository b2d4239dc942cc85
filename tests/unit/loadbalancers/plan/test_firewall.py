from typing import Any

import pytest

from hooks.cloudstack.models.firewall import FirewallRule
from hooks.cloudstack.models.loadbalancing import LoadBalancerRule
from hooks.cloudstack.models.tags import Tag
from hooks.loadbalancers.plan.actions import StagePlan
from hooks.loadbalancers.plan.facts import CloudState, Refusal
from hooks.loadbalancers.plan.firewall import (
    close_ports,
    join_ports,
    open_ports,
)
from hooks.loadbalancers.request import LoadBalancerRequest
from hooks.names import TAG_SERVICE_UID
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
