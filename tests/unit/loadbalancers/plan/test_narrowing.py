"""Whoever is not admitted any more is shut out first, also where the Service cannot work."""

from typing import Any

import pytest

from hooks.cloudstack.models.account import Capabilities
from hooks.cloudstack.models.network import Network, NetworkService
from tests.unit.loadbalancers.builders import (
    NAME,
    NET,
    NETWORK,
    firewall_rule,
    port,
    recorded,
    request,
    rule,
    texts,
)
from tests.unit.loadbalancers.plan.planning import TAGS, condition, planned, state

INVALID = [{"field": "spec.ports[1].nodePort", "message": "there is none"}]
LB_ONLY = Network(id=NET, name="net-1", services=(NetworkService("Lb"),))
TEN = ["10.0.0.0/8"]
TO_TEN = f"change rule {NAME}-tcp-80: cidrs 10.0.0.0/8"
REMADE = [
    f"delete rule {NAME}-tcp-80",
    f"create rule {NAME}-tcp-80: port 80 to 30080, tcp, roundrobin for 10.0.0.0/8",
]


@pytest.mark.parametrize(
    ("ranges", "version", "network", "actions"),
    [
        pytest.param(["0.0.0.0/0"], (4, 22), NETWORK, [], id="as before"),
        pytest.param(
            TEN,
            (4, 22),
            NETWORK,
            [TO_TEN, "open firewall port 80/tcp for 10.0.0.0/8"],
            id="list and firewall",
        ),
        pytest.param(
            TEN,
            (4, 20),
            NETWORK,
            ["open firewall port 80/tcp for 10.0.0.0/8"],
            id="the firewall alone",
        ),
        pytest.param(TEN, (4, 22), LB_ONLY, [TO_TEN], id="the list alone"),
        pytest.param(TEN, (4, 20), LB_ONLY, REMADE, id="a list that cannot change"),
        pytest.param(
            [], (4, 22), NETWORK, ["close firewall port 80/tcp for 0.0.0.0/0"], id="nobody"
        ),
        pytest.param([], (4, 22), LB_ONLY, REMADE[:1], id="nobody, without a firewall"),
    ],
)
def test_what_a_service_does_not_admit_any_more_is_shut_out(
    ranges: list[str], version: tuple[int, ...], network: Network, actions: list[str]
) -> None:
    asked: dict[str, Any] = {"status": recorded(), "invalid": INVALID, "sourceRanges": ranges}
    firewall = (firewall_rule(80, tags=TAGS),) if network is NETWORK else ()
    made = planned(
        request(**asked),
        state(rule(80, tags=TAGS), firewall_rules=firewall),
        network=network,
        version=Capabilities(version),
    )
    assert texts(made.actions) == actions
    assert condition(made)["reason"] == "InvalidService"


def test_what_is_narrow_enough_is_not_repaired() -> None:
    narrow = rule(80, tags=TAGS, cidrs=("10.1.0.0/16",))
    firewall = firewall_rule(80, tags=TAGS, cidrs=("10.1.0.0/16",))
    made = planned(
        request(status=recorded(), invalid=INVALID, sourceRanges=TEN),
        state(narrow, firewall_rules=(firewall,)),
    )
    assert made.actions == ()


CLOSE = "close firewall port 80/tcp for 0.0.0.0/0"
OPEN = "open firewall ports 80-81/tcp for 10.0.0.0/8"


@pytest.mark.parametrize(
    ("reason", "actions"),
    [
        pytest.param("FirewallOpen", [OPEN], id="what takes its place comes first"),
        pytest.param("ChangingFirewall", [CLOSE, OPEN], id="an earlier call came to no end"),
        pytest.param("FirewallRefused", [CLOSE, OPEN], id="it was refused"),
    ],
)
def test_what_the_firewall_admits_too_many_to_waits_for_no_rule(
    reason: str, actions: list[str]
) -> None:
    conditions = [{"type": "FirewallReady", "status": "False", "reason": reason}]
    asked = request(
        status={**recorded(), "conditions": conditions},
        ports=[port(80), port(81)],
        sourceRanges=TEN,
    )
    old = Capabilities((4, 20))
    wide = state(rule(80, tags=TAGS), firewall_rules=(firewall_rule(80, tags=TAGS),))
    assert texts(planned(asked, wide, version=old).actions) == actions
    new = firewall_rule(80, 81, tags=TAGS, cidrs=("10.0.0.0/8",))
    both = state(rule(80, tags=TAGS), firewall_rules=(firewall_rule(80, tags=TAGS), new))
    assert texts(planned(asked, both, version=old).actions) == [CLOSE]
    right = planned(asked, state(rule(80, tags=TAGS), firewall_rules=(new,)), version=old)
    assert texts(right.actions)[0].startswith(f"create rule {NAME}-tcp-81")


def test_a_firewall_rule_for_a_rule_that_is_still_to_be_created_stays() -> None:
    asked = request(status=recorded(), ports=[port(80), port(81)])
    existing = state(rule(80, tags=TAGS), firewall_rules=(firewall_rule(80, 81, tags=TAGS),))
    made = planned(asked, existing)
    assert not any("firewall" in text for text in texts(made.actions))
    assert condition(made, "FirewallReady")["reason"] == "WaitingForRules"


@pytest.mark.parametrize("invalid", [[], INVALID], ids=["valid", "refused"])
def test_lists_that_cannot_change_are_closed_before_any_rule_is_created(invalid: list[Any]) -> None:
    asked = request(
        status=recorded(),
        ports=[port(79), port(80), port(81)],
        sourceRanges=TEN,
        invalid=invalid,
    )
    existing = state(rule(80, tags=TAGS), rule(81, tags=TAGS))
    made = planned(asked, existing, network=LB_ONLY, version=Capabilities((4, 20)))
    assert texts(made.actions)[:2] == [f"delete rule {NAME}-tcp-80", f"delete rule {NAME}-tcp-81"]
    assert any(text.startswith("create") for text in texts(made.actions)[2:])


@pytest.mark.parametrize(
    ("reason", "is_first"),
    [
        pytest.param("RulesStand", False, id="one port after the other"),
        pytest.param("ChangingRules", True, id="an earlier call came to no end"),
    ],
)
def test_rules_that_lead_to_former_node_ports_wait_for_no_creation_for_ever(
    reason: str, *, is_first: bool
) -> None:
    conditions = [{"type": "RulesReady", "status": "False", "reason": reason}]
    asked = request(
        status={**recorded(), "conditions": conditions}, ports=[port(80, 31000), port(81, 31001)]
    )
    made = texts(planned(asked, state(rule(80, tags=TAGS), rule(81, tags=TAGS))).actions)
    second = made.index(f"delete rule {NAME}-tcp-81")
    assert (second == 1) is is_first


def test_a_service_that_is_refused_shuts_out_before_its_members_change() -> None:
    made = planned(
        request(status=recorded(), invalid=INVALID, sourceRanges=TEN),
        state(rule(80, tags=TAGS), members=frozenset()),
        network=LB_ONLY,
    )
    first, *others = texts(made.actions)
    assert first == TO_TEN
    assert others
