from typing import Any

import pytest

from hooks.cloudstack.models.account import Capabilities
from hooks.cloudstack.models.network import Capability, Network, NetworkService
from hooks.loadbalancers.plan.enforcement import enforcement
from hooks.loadbalancers.plan.plan import not_served
from tests.unit.loadbalancers.builders import NET, NETWORK, facts, instance, request, rule

LB_ONLY = Network(id=NET, name="net-1", services=(NetworkService("Lb"),))


def tier(schemes: str = "") -> Network:
    """Make a tier whose load balancers have these schemes; none are told if that is empty."""
    told = (Capability("LbSchemes", schemes),) if schemes else ()
    return Network(
        id=NET, name="tier", vpc_id="vpc-1", services=(NetworkService("Lb", capabilities=told),)
    )


@pytest.mark.parametrize(
    ("network", "network_id", "reason", "expected"),
    [
        pytest.param(NETWORK, NET, None, "", id="isolated"),
        pytest.param(LB_ONLY, NET, None, "", id="without a firewall"),
        pytest.param(None, "", "NoNetwork", "No node", id="no nodes yet"),
        pytest.param(None, NET, "NetworkNotVisible", "is the project", id="not shown"),
        pytest.param(tier("Public"), NET, None, "", id="VPC tier"),
        pytest.param(tier("Internal,Public"), NET, None, "", id="VPC tier with both schemes"),
        pytest.param(tier(), NET, None, "", id="VPC tier that tells no scheme"),
        pytest.param(
            tier("Internal"),
            NET,
            "NetworkNotServed",
            "tier is a VPC tier whose load balancers have the scheme Internal alone: create",
            id="VPC tier with internal load balancers alone",
        ),
        pytest.param(
            Network(id=NET, name="tier", vpc_id="vpc-1", services=(NetworkService("NetworkACL"),)),
            NET,
            "NetworkNotServed",
            "no load balancing",
            id="VPC tier without Lb",
        ),
        pytest.param(
            Network(id=NET, name="plain"), NET, "NetworkNotServed", "no load balancing", id="no Lb"
        ),
        pytest.param(
            Network(
                id=NET,
                name="shared",
                services=(NetworkService("Lb"), NetworkService("SecurityGroup")),
            ),
            NET,
            "NetworkNotServed",
            "security groups",
            id="security groups",
        ),
    ],
)
def test_what_cannot_be_served_is_refused_clearly(
    network: Network | None, network_id: str, reason: str | None, expected: str
) -> None:
    nodes = {"n1": instance("n1")} if network_id else {}
    found = not_served(facts(request(nodes=nodes), network=network))
    assert (found.reason if found else None) == reason
    assert expected in (found.message if found else "")


TEN = {"sourceRanges": ["10.0.0.0/8"]}


@pytest.mark.parametrize(
    ("version", "network", "spec", "firewall", "rule_lists", "lists_change"),
    [
        pytest.param((4, 22, 0), NETWORK, {}, True, True, True, id="4.22"),
        pytest.param((4, 20, 1), NETWORK, {}, True, False, False, id="4.20 with a firewall"),
        pytest.param((4, 20, 1), LB_ONLY, {}, False, True, False, id="4.20 without"),
        pytest.param((4, 16, 0), NETWORK, TEN, True, False, False, id="4.16"),
        pytest.param((4, 16, 0), LB_ONLY, {}, False, False, False, id="4.16, open to all"),
    ],
)
def test_source_ranges_are_enforced_by_what_the_server_and_network_can(
    *,
    version: tuple[int, ...],
    network: Network,
    spec: dict[str, Any],
    firewall: bool,
    rule_lists: bool,
    lists_change: bool,
) -> None:
    by = enforcement(facts(request(**spec), network=network, version=Capabilities(version)))
    assert (by.firewall, by.rule_lists, by.lists_change) == (firewall, rule_lists, lists_change)
    assert by.impossible == ""


@pytest.mark.parametrize(
    ("version", "spec", "why"),
    [
        pytest.param((4, 17), TEN, "4.18 can", id="too old"),
        pytest.param((4, 22), {"sourceRanges": []}, "nobody may connect", id="nobody"),
    ],
)
def test_what_nothing_can_enforce_is_not_made(
    version: tuple[int, ...], spec: dict[str, Any], why: str
) -> None:
    by = enforcement(facts(request(**spec), network=LB_ONLY, version=Capabilities(version)))
    assert why in by.impossible


@pytest.mark.parametrize(
    ("listed", "wanted", "network", "shut_out"),
    [
        pytest.param([], ["10.0.0.0/8"], NETWORK, False, id="no list, firewall"),
        pytest.param(["0.0.0.0/0"], ["10.0.0.0/8"], NETWORK, False, id="open list, firewall"),
        pytest.param(["10.0.0.0/8"], ["10.1.0.0/16"], NETWORK, False, id="wider list, firewall"),
        pytest.param(["10.1.0.0/16"], ["10.0.0.0/8"], NETWORK, True, id="narrower list"),
        pytest.param(["10.0.0.0/8"], ["0.0.0.0/0"], NETWORK, True, id="list, open to all"),
        pytest.param(["10.0.0.0/8"], ["::/0"], NETWORK, True, id="another family"),
        pytest.param(["::/0"], ["2001:db8::/32"], NETWORK, False, id="IPv6"),
        pytest.param(["10.0.0.0/8"], [], NETWORK, False, id="nobody, firewall"),
        pytest.param(["10.0.0.0/8"], ["10.0.0.0/8"], LB_ONLY, False, id="the very list"),
        pytest.param(["10.0.0.0/8"], ["10.1.0.0/16"], LB_ONLY, True, id="wider list alone"),
        pytest.param([], ["0.0.0.0/0"], LB_ONLY, False, id="no list, open to all"),
    ],
)
def test_a_list_that_cannot_be_changed_may_be_in_the_way(
    listed: list[str], wanted: list[str], network: Network, shut_out: bool
) -> None:
    asked = facts(request(sourceRanges=wanted), network=network, version=Capabilities((4, 20)))
    existing = rule(80, cidrs=tuple(listed))
    assert enforcement(asked).has_wrong_list(existing) is shut_out
