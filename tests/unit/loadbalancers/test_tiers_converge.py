"""On a VPC tier, any state converges, crashes change nothing, and what others have is left alone.

The tier is in a default list, so that no network ACL items are planned; those have tests of their
own.
"""

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hooks.cloudstack.models.network import Network, NetworkService, PublicIpAddress
from hooks.loadbalancers.plan import actions as plan
from hooks.loadbalancers.plan.actions import Action
from hooks.loadbalancers.request import EVERYONE, Spec, read
from tests.unit.loadbalancers.builders import IP, NET, address_tags, request
from tests.unit.loadbalancers.generated import (
    HUMAN,
    Play,
    humans,
    our_addresses,
    own_rules,
    refused,
    rules,
    slowly,
    spec_of,
    specs,
)
from tests.unit.loadbalancers.model import Model, RefusedError

VPC, OTHER = "vpc-1", "tier-2"
TIER = Network(
    id=NET,
    name="tier",
    zone_id="zone-1",
    vpc_id=VPC,
    acl_id="default",
    acl_name="default_deny",
    services=(NetworkService("Lb"), NetworkService("NetworkACL")),
)


@dataclass
class TierModel(Model):
    """A CloudStack whose addresses are a VPC's.

    Attributes:
        bound: the address has something else that ties it to another tier.
    """

    network: Network = TIER
    bound: bool = False

    def _do(self, action: Action) -> None:
        if isinstance(action, plan.Associate):
            assert action.vpc_id == VPC
        assert not isinstance(action, plan.OpenFirewall | plan.CloseFirewall)
        super()._do(action)
        self.retier()

    def acquire(self, ip: str, network_id: str = NET) -> PublicIpAddress:
        """Acquire a free address; it has no tier before its first rule."""
        made = super().acquire(ip, network_id)
        self.addresses[made.id] = replace(made, vpc_id=VPC, network_id="")
        return self.addresses[made.id]

    def retier(self) -> None:
        """Tie each address to the tier of its rules, as CloudStack does."""
        for each in list(self.addresses.values()):
            tiers = {r.network_id for r in self.rules.values() if r.public_ip_id == each.id}
            assert len(tiers) < 2, "an address serves two tiers"
            bound = {OTHER} if self.bound and each.ip_address == IP else set()
            self.addresses[each.id] = replace(each, network_id=next(iter(tiers | bound), ""))

    def _create_rule(self, action: plan.CreateRule) -> None:
        """Create a rule; where it comes to be on another tier, a call deletes it again."""
        tied = self._address(action.rule.public_ip_id).network_id
        if tied not in ("", action.rule.network_id):
            raise RefusedError(537, f"created on tier {tied}, and deleted again")
        super()._create_rule(action)

    def _assign(self, rule_id: str, vm_ids: tuple[str, ...]) -> None:
        if self._rule(rule_id).network_id != NET:
            raise RefusedError(530, "a VM outside of the tier")
        super()._assign(rule_id, vm_ids)


@st.composite
def tiers(draw: st.DrawFn) -> TierModel:
    """Make a CloudStack in which an address of the VPC may have rules of either tier."""
    if draw(st.booleans()):
        return TierModel(free={*Model().free, IP})
    model = TierModel()
    model.free.add(IP)
    address = model.acquire(IP)
    ours = address_tags(request(), by_controller=draw(st.booleans()))
    tags = draw(st.sampled_from(((), ours)))
    model.addresses[address.id] = replace(address, tags=tags)
    tier = draw(st.sampled_from((NET, NET, OTHER)))
    model.bound = tier == OTHER and draw(st.booleans())
    for rule in draw(st.lists(rules, max_size=5, unique_by=lambda each: each.public_port)):
        model.rules[rule.id] = replace(rule, network_id=tier)
        members = st.sets(st.sampled_from(("vm-n1", "vm-n2", "vm-gone")))
        model.members[rule.id] = draw(members) if tier == NET else set()
    model.retier()
    return model


def check(model: TierModel, spec: Spec, nodes: set[str]) -> None:
    """Check our rules: on the tier of the members, or nowhere."""
    [address] = our_addresses(model)
    here = [each for each in model.rules.values() if each.public_ip_id == address]
    theirs = [each for each in here if each.name == HUMAN]
    own = {each.name: each for each in own_rules(model, {address})}
    is_tied = any(each.network_id == OTHER for each in theirs)
    is_tied |= model.bound and model.addresses[address].ip_address == IP
    if is_tied or not spec.source_ranges:
        assert own == {}
        return
    taken = {each.public_port for each in theirs}
    for port in spec.ports:
        if port.public_port in taken or port.transport == "udp":
            continue
        rule = own.pop(spec.rule_name(port))
        assert rule.network_id == NET
        assert (rule.private_port, rule.algorithm) == (port.node_port, spec.algorithm)
        assert (set(rule.cidrs) or {EVERYONE}) == set(spec.source_ranges)
        assert model.members[rule.id] == nodes
    assert own == {}


def nodes_of(drawn: dict[str, Any]) -> set[str]:
    return {f"vm-{node}" for node in drawn["endpoints"] or ("n1", "n2", "n3")}


def with_status(play: Play, *, knows: bool) -> Play:
    """Let the status know the tier, as it does after any finished call; or let it be lost."""
    if knows and our_addresses(play.model):
        [address_id] = our_addresses(play.model)
        play.body["parent"]["status"] = {
            "address": {
                "ip": IP,
                "id": address_id,
                "networkID": NET,
                "allocatedAt": "2027-01-15T08:00:00Z",
                "named": True,
            },
            "networkID": NET,
        }
    return play


@slowly
@given(tiers(), specs)
def test_rules_end_on_the_tier_of_the_members_and_the_plan_is_empty(
    model: TierModel, drawn: dict[str, Any]
) -> None:
    play = with_status(Play(model, spec_of(drawn)), knows=True)
    before = humans(model)
    play.settle()
    assert [str(each) for each in play.plan().actions if each not in refused(play)] == []
    assert humans(model) == before
    if our_addresses(model):
        check(model, read(play.body).spec, nodes_of(drawn))


@slowly
@given(tiers(), specs, st.lists(st.integers(0, 8), max_size=4))
def test_crashes_at_any_point_do_not_change_that(
    model: TierModel, drawn: dict[str, Any], deaths: list[int]
) -> None:
    play = with_status(Play(deepcopy(model), spec_of(drawn)), knows=True)
    for after in deaths:
        play.call(die_after=after)
    play.settle()
    assert humans(play.model) == humans(model)
    if our_addresses(play.model):
        assert isinstance(play.model, TierModel)
        check(play.model, read(play.body).spec, nodes_of(drawn))


@slowly
@given(tiers(), specs)
def test_where_the_status_was_lost_the_tier_of_the_rules_is_kept(
    model: TierModel, drawn: dict[str, Any]
) -> None:
    play = Play(model, spec_of(drawn))
    before, owned = humans(model), our_addresses(model)
    tiers_before = {each.network_id for each in own_rules(model, owned)}
    play.settle()
    assert humans(model) == before
    if owned and tiers_before:
        assert {play.body["parent"]["status"]["address"]["networkID"]} == tiers_before
        assert {each.network_id for each in own_rules(model, owned)} <= tiers_before


@slowly
@given(tiers(), specs, st.lists(st.integers(0, 3), max_size=3))
def test_a_deletion_leaves_nothing_of_ours_and_everything_of_others(
    model: TierModel, drawn: dict[str, Any], deaths: list[int]
) -> None:
    play = with_status(Play(model, spec_of(drawn)), knows=True)
    play.settle()
    before = humans(model)
    play.delete()
    for after in deaths:
        play.call(die_after=after)
    play.settle()
    assert our_addresses(model) == set()
    assert humans(model) == before
