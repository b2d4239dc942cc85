"""A VPC's address serves one tier: that of its rules, else that of the members."""

from dataclasses import replace
from typing import Any

import pytest

from hooks.cloudstack.models.network import Network, NetworkService, PublicIpAddress
from hooks.loadbalancers.plan.actions import Associate, CreateRule, DeleteRule
from hooks.loadbalancers.plan.address import AddressPlan
from hooks.loadbalancers.plan.effects import state_after
from hooks.loadbalancers.plan.facts import CloudState, Heir
from hooks.loadbalancers.plan.kept_address import plan_address
from hooks.loadbalancers.plan.port_rules import RulesPlan
from hooks.loadbalancers.plan.rules import plan_rules
from hooks.loadbalancers.request import LoadBalancerRequest
from tests.unit.loadbalancers.builders import (
    IP,
    NET,
    address,
    chosen,
    facts,
    our_address,
    our_tags,
    port,
    recorded,
    request,
    rule,
)

VPC = "vpc-1"
OTHER = "tier-2"
TIER = Network(
    id=NET,
    name="tier",
    zone_id="zone-1",
    vpc_id=VPC,
    services=(NetworkService("Lb"), NetworkService("NetworkACL")),
)


def on_tier(asked: LoadBalancerRequest, state: CloudState) -> AddressPlan:
    return plan_address(facts(asked, state=state, network=TIER))


def ours(asked: LoadBalancerRequest, network_id: str = "") -> PublicIpAddress:
    """Make an address of the VPC that is ours, on a tier if it has rules there."""
    return our_address(asked, vpc_id=VPC, network_id=network_id)


def test_an_address_is_acquired_for_the_vpc() -> None:
    [action] = on_tier(request(status=chosen()), CloudState()).actions
    assert isinstance(action, Associate)
    assert (action.ip, action.network_id, action.vpc_id) == (IP, NET, VPC)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        pytest.param({"vpc_id": VPC, "network_id": ""}, "", id="without rules"),
        pytest.param({"vpc_id": VPC, "network_id": NET}, "", id="with rules of the tier"),
        pytest.param(
            {"vpc_id": VPC, "network_id": OTHER}, f"tier {OTHER} of the VPC", id="another tier's"
        ),
        pytest.param({"vpc_id": "vpc-2", "network_id": ""}, "VPC vpc-2", id="another VPC's"),
        pytest.param({"network_id": OTHER}, f"network {OTHER}", id="an isolated network's"),
        pytest.param({"network_id": ""}, "no VPC", id="nobody's"),
    ],
)
def test_an_address_that_the_service_names_must_be_of_the_vpc_and_no_other_tier(
    fields: dict[str, Any], place: str
) -> None:
    planned = on_tier(request(address=IP), CloudState((address(**fields),)))
    if not place:
        assert planned.condition.reason == "ClaimingAddress"
        return
    assert (planned.condition.reason, planned.actions) == ("AddressElsewhere", ())
    assert f"{IP} belongs to {place}" in planned.condition.message
    assert f"network {NET}, a tier of VPC {VPC}" in planned.condition.message


@pytest.mark.parametrize("network_id", ["", NET], ids=["without rules", "with rules"])
def test_the_tier_of_an_address_is_recorded(network_id: str) -> None:
    asked = request(status=chosen())
    planned = on_tier(asked, CloudState((ours(asked, network_id),)))
    assert planned.is_ours
    assert planned.recorded is not None
    assert planned.recorded.network_id == NET


def test_an_address_stays_on_the_recorded_tier_whatever_others_put_on_it() -> None:
    asked = request(status=recorded())
    theirs = rule(8080, "theirs", network_id=OTHER)
    planned = on_tier(asked, CloudState((ours(asked, OTHER),), rules=(theirs,)))
    assert planned.is_ours
    assert planned.recorded is not None
    assert planned.recorded.network_id == NET


def test_an_address_that_no_status_has_is_planned_for_once_its_tier_is_recorded() -> None:
    asked = request()
    own = rule(80, tags=our_tags(asked), network_id=OTHER)
    planned = on_tier(asked, CloudState((ours(asked, OTHER),), rules=(own,)))
    assert (planned.is_ours, planned.awaits_status, planned.actions) == (False, True, ())
    assert planned.recorded is not None
    assert planned.recorded.network_id == OTHER


@pytest.mark.parametrize("network_id", ["", NET, OTHER], ids=["none", "the members'", "another"])
def test_an_address_of_an_isolated_network_that_no_status_has(network_id: str) -> None:
    """Of one that CloudStack shows without a network, nothing is to be found out."""
    asked = request()
    state = CloudState((our_address(asked, network_id=network_id),))
    planned = plan_address(facts(asked, state=state))
    assert planned.is_ours is (network_id != OTHER)
    assert planned.awaits_status is (network_id == OTHER)


def rules_on_tier(asked: LoadBalancerRequest, *rules: Any) -> RulesPlan:
    state = CloudState((ours(asked, OTHER),), rules=rules)
    return plan_rules(facts(asked, state=state, network=TIER), f"id-{IP}")


def test_rules_of_ours_on_another_tier_go_before_others_are_created() -> None:
    asked = request(status=recorded(), ports=[port(80), port(81)])
    lost = (rule(90, network_id=OTHER), rule(80, network_id=OTHER))
    planned = rules_on_tier(asked, *lost)
    kinds = [type(each) for each in planned.actions]
    assert kinds == [DeleteRule, DeleteRule, CreateRule, CreateRule]
    assert planned.serving == ()


def test_no_rule_is_created_beside_somebody_elses_of_another_tier() -> None:
    asked = request(status=recorded(), ports=[port(80)])
    planned = rules_on_tier(asked, rule(8080, "theirs", network_id=OTHER))
    assert planned.actions == ()
    assert planned.condition.reason == "RulesRefused"
    assert f"rule theirs of tier {OTHER}" in planned.condition.message


def test_an_address_has_no_tier_after_its_last_rule() -> None:
    asked = request(status=recorded())
    elsewhere = our_address(asked, ip="198.51.100.8")
    own, other = rule(80), rule(81)
    known = facts(
        asked, state=CloudState((ours(asked, NET), elsewhere), rules=(own, other)), network=TIER
    )

    def without(state: CloudState, gone: Any) -> CloudState:
        after = state_after(state, DeleteRule(known.owner.own_rule(gone)))
        assert after is not None
        return after

    after = without(known.state, own)
    assert [each.network_id for each in after.addresses] == [NET, NET]
    after = without(after, other)
    assert [each.network_id for each in after.addresses] == ["", NET]


@pytest.mark.parametrize(
    ("network", "tier", "may_have"),
    [
        pytest.param(NET, NET, True, id="same tier"),
        pytest.param(NET, "", True, id="same tier, without rules"),
        pytest.param(OTHER, NET, False, id="another tier"),
        pytest.param(OTHER, "", False, id="another tier, without rules"),
    ],
)
def test_a_service_that_was_made_again_may_have_an_address_on_its_tier(
    network: str, tier: str, *, may_have: bool
) -> None:
    heir = Heir("u-2", members_network=network)
    found = replace(address(vpc_id=VPC), network_id=tier)
    assert heir.may_have(found, NET) is may_have
