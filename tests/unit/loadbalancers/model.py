"""A CloudStack in a few dicts, as strict as the server in what plans depend on.

A port belongs to one rule, a member is assigned once, a tag key is set once, two firewall rules
share no port and CIDR, an address has one owner, two items of an ACL list have no number in
common. What breaks one of these is refused.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from hooks.cloudstack.models.firewall import FirewallRule, NetworkAcl, PortRange
from hooks.cloudstack.models.loadbalancing import (
    LoadBalancerRule,
    LoadBalancerRuleChange,
    StickinessPolicy,
)
from hooks.cloudstack.models.network import Network, PublicIpAddress
from hooks.cloudstack.models.tags import Tag
from hooks.loadbalancers.plan import actions as plan
from hooks.loadbalancers.plan.actions import Action
from hooks.loadbalancers.plan.claims import find_candidates
from hooks.loadbalancers.plan.facts import CloudState, Facts, Refusal
from hooks.loadbalancers.plan.ownership import TaggedKind, Tags
from hooks.loadbalancers.plan.rules import rules_with_members
from hooks.loadbalancers.plan.stickiness import is_marked
from hooks.loadbalancers.plan.sticky_actions import (
    RemoveStickiness,
    SetStickiness,
    UntagRules,
)
from hooks.names import STICKINESS_POLICY
from tests.unit.loadbalancers.builders import IP, NET, NETWORK, NOW

FREE = ("198.51.100.20", "198.51.100.21", "198.51.100.22")


class RefusedError(Exception):
    """The model refuses, with a code like CloudStack's and a reason."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass
class Model:
    """The resources in CloudStack; `udp` says whether its provider can do UDP."""

    udp: bool = False
    network: Network = NETWORK
    free: set[str] = field(default_factory=lambda: set(FREE))
    addresses: dict[str, PublicIpAddress] = field(default_factory=dict)
    rules: dict[str, LoadBalancerRule] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)
    firewall_rules: dict[str, FirewallRule] = field(default_factory=dict)
    items: dict[str, NetworkAcl] = field(default_factory=dict)
    policies: dict[str, StickinessPolicy] = field(default_factory=dict)
    now: float = NOW
    made: int = 0

    def state(self, facts: Facts) -> CloudState:
        """Return what the hook reads."""
        request = facts.request
        recorded = request.recorded.address
        asked = {recorded.ip if recorded else request.spec.adopt.address, request.spec.address}
        addresses = tuple(
            each
            for each in self.addresses.values()
            if each.ip_address in asked
            or any(tag.value == request.spec.service.uid for tag in each.tags)
        )
        found = find_candidates(replace(facts, state=CloudState(addresses)))
        ids = {each.id for each in found}
        rules = tuple(r for r in self.rules.values() if r.public_ip_id in ids)
        return CloudState(
            addresses=addresses,
            free=tuple(sorted(self.free)),
            rules=rules,
            members={
                each.id: dict.fromkeys(self.members.get(each.id, ()), "")
                for each in rules_with_members(facts.owner, rules)
            },
            policies={
                each.id: tuple(filter(None, [self.policies.get(each.id)]))
                for each in rules_with_members(facts.owner, rules)
                if is_marked(each)
            },
            firewall=tuple(h for h in self.firewall_rules.values() if h.public_ip_id in ids),
            acl=tuple(self.items.values()) if self.network.vpc_id else None,
        )

    def apply(self, action: Action) -> tuple[Refusal, ...]:
        """Do an action as the server would."""
        if isinstance(action, plan.MembersTogether):
            return tuple(refusal for each in action.changes for refusal in self.apply(each))
        try:
            self._do(action)
        except RefusedError as error:
            return (Refusal(action, error.code, error.text),)
        return ()

    def _do(self, action: Action) -> None:  # noqa: C901, PLR0912 - one case for each command
        match action:
            case plan.Associate(ip, network_id, tags):
                address = self.acquire(ip or min(self.free, default=""), network_id)
                self._tag("address", [address.id], tags)
            case plan.AddTags(kind, ids, _, tags):
                self._tag(kind, ids, tags)
            case plan.UntagAddress(own, keys):
                self._untag_address(own.id, keys)
            case plan.Release(own):
                self._release(own.id)
            case plan.CreateRule():
                self._create_rule(action)
            case plan.UpdateRule(rule_id, _, change):
                self._update_rule(rule_id, change)
            case plan.DeleteRule(own):
                self._delete_rule(own.id)
            case SetStickiness(rule_id, _, method, params):
                self._rule(rule_id)
                policy = StickinessPolicy(self.new_id("policy"), STICKINESS_POLICY, method, params)
                self.policies[rule_id] = policy
            case RemoveStickiness(policy_id, rule_id):
                if rule_id not in self.policies or self.policies.pop(rule_id).id != policy_id:
                    raise RefusedError(431, "no such policy")
            case UntagRules(owns, keys):
                self._untag_rules([own.id for own in owns], keys)
            case plan.Assign(rule_id, _, vm_ids):
                self._assign(rule_id, vm_ids)
            case plan.Remove(rule_id, _, vm_ids):
                self._rule(rule_id)
                self.members.get(rule_id, set()).difference_update(vm_ids)
            case plan.OpenFirewall(address_id, ports, tags):
                self._open(address_id, ports, tags)
            case plan.CloseFirewall(own):
                if self.firewall_rules.pop(own.id, None) is None:
                    raise RefusedError(431, "no such firewall rule")
            case plan.AddItem():
                self._add_item(action)
            case plan.ChangeItem():
                self._change_item(action)
            case plan.RemoveItem(own):
                if self.items.pop(own.id, None) is None:
                    raise RefusedError(431, "no such item")
            case _:
                raise AssertionError(f"no plan for CloudStack: {action}")

    def acquire(self, ip: str, network_id: str = NET) -> PublicIpAddress:
        """Acquire a free address."""
        if ip not in self.free:
            raise RefusedError(533, "Insufficient address capacity")
        self.free.remove(ip)
        vpc_id = self.network.vpc_id
        address = PublicIpAddress(
            id=f"id-{ip}",
            ip_address=ip,
            state="Allocated",
            network_id="" if vpc_id else network_id,
            vpc_id=vpc_id,
            allocated_at=self.now,
        )
        self.addresses[address.id] = address
        return address

    def new_id(self, kind: str) -> str:
        self.made += 1
        return f"{kind}-{self.made}"

    def _address(self, address_id: str) -> PublicIpAddress:
        if address_id not in self.addresses:
            raise RefusedError(431, "no such address")
        return self.addresses[address_id]

    def _rule(self, rule_id: str) -> LoadBalancerRule:
        if rule_id not in self.rules:
            raise RefusedError(431, "no such rule")
        return self.rules[rule_id]

    def _release(self, address_id: str) -> None:
        self.free.add(self._address(address_id).ip_address)
        del self.addresses[address_id]
        for rule in [r for r in self.rules.values() if r.public_ip_id == address_id]:
            self._delete_rule(rule.id)
        for firewall_rule in [
            h for h in self.firewall_rules.values() if h.public_ip_id == address_id
        ]:
            del self.firewall_rules[firewall_rule.id]

    def _create_rule(self, action: plan.CreateRule) -> None:
        new = action.rule
        self._address(new.public_ip_id)
        if new.protocol == "udp" and not self.udp:
            raise RefusedError(431, "LB service provider cannot support this rule")
        for rule in self.rules.values():
            if (rule.public_ip_id, rule.public_port) == (new.public_ip_id, new.public_port):
                raise RefusedError(537, f"conflicts with rule {rule.name}")
        made = LoadBalancerRule(
            id=self.new_id("rule"),
            name=new.name,
            public_ip_id=new.public_ip_id,
            public_port=new.public_port,
            private_port=new.private_port,
            protocol=new.protocol,
            algorithm=new.algorithm,
            network_id=new.network_id,
            cidrs=new.cidrs,
        )
        self.rules[made.id] = made

    def _tag(self, kind: TaggedKind, ids: Iterable[str], tags: Tags) -> None:
        """Tag all resources or, if one has a key already, none."""
        if kind == "address":
            addresses = {i: self._address(i) for i in ids}
            self.addresses |= {i: tagged(each, tags) for i, each in addresses.items()}
        elif kind == "rule":
            rules = {i: self._rule(i) for i in ids}
            self.rules |= {i: tagged(each, tags) for i, each in rules.items()}
        elif kind == "firewall rule":
            self.firewall_rules |= {i: tagged(self.firewall_rules[i], tags) for i in ids}
        else:
            self.items |= {i: tagged(self.items[i], tags) for i in ids}

    def _untag_address(self, address_id: str, keys: tuple[str, ...]) -> None:
        address = self._address(address_id)
        if not {tag.key for tag in address.tags} >= set(keys):
            raise RefusedError(530, "Failed to delete tags")
        left = tuple(tag for tag in address.tags if tag.key not in keys)
        self.addresses[address_id] = replace(address, tags=left)

    def _untag_rules(self, ids: Iterable[str], keys: tuple[str, ...]) -> None:
        for rule in map(self._rule, ids):
            left = tuple(tag for tag in rule.tags if tag.key not in keys)
            if left == rule.tags:
                raise RefusedError(530, "Failed to delete tags")
            self.rules[rule.id] = replace(rule, tags=left)

    def _update_rule(self, rule_id: str, change: LoadBalancerRuleChange) -> None:
        rule = self._rule(rule_id)
        if (change.protocol or rule.protocol) == "udp" != rule.protocol:
            raise RefusedError(431, "Modifications in lb rule are not supported")
        self.rules[rule_id] = replace(
            rule,
            name=change.name or rule.name,
            protocol=change.protocol or rule.protocol,
            algorithm=change.algorithm or rule.algorithm,
            cidrs=change.cidrs or rule.cidrs,
        )

    def _delete_rule(self, rule_id: str) -> None:
        self._rule(rule_id)
        del self.rules[rule_id]
        self.members.pop(rule_id, None)
        self.policies.pop(rule_id, None)

    def _assign(self, rule_id: str, vm_ids: tuple[str, ...]) -> None:
        self._rule(rule_id)
        existing = self.members.setdefault(rule_id, set())
        if existing & set(vm_ids) or not vm_ids:
            raise RefusedError(530, "Failed to assign load balancer rule")
        existing.update(vm_ids)

    def _open(self, address_id: str, ports: PortRange, tags: Tags) -> None:
        self._address(address_id)
        for firewall_rule in self.firewall_rules.values():
            if firewall_rule.public_ip_id == address_id and clash(firewall_rule, ports):
                raise RefusedError(537, "conflicts with a firewall rule")
        made = FirewallRule(
            id=self.new_id("firewall_rule"),
            protocol=ports.protocol,
            public_ip_id=address_id,
            start_port=ports.start_port,
            end_port=ports.end_port,
            cidrs=ports.cidrs,
        )
        self.firewall_rules[made.id] = tagged(made, tags)

    def _add_item(self, action: plan.AddItem) -> None:
        self._check_number(action.acl_id, action.number)
        ports = action.ports
        made = NetworkAcl(
            id=self.new_id("item"),
            protocol=ports.protocol,
            acl_id=action.acl_id,
            acl_name=action.acl_name,
            number=action.number,
            action="Allow",
            traffic_type="Ingress",
            start_port=ports.start_port,
            end_port=ports.end_port,
            cidrs=ports.cidrs,
            state="Active",
            reason=action.reason,
        )
        self.items[made.id] = tagged(made, action.tags)

    def _change_item(self, action: plan.ChangeItem) -> None:
        item, ports = self.items[action.own.id], action.ports
        if action.number is not None:
            self._check_number(item.acl_id, action.number)
        self.items[item.id] = replace(
            item,
            number=item.number if action.number is None else action.number,
            protocol=ports.protocol,
            start_port=ports.start_port,
            end_port=ports.end_port,
            cidrs=ports.cidrs,
            reason=action.reason,
        )

    def _check_number(self, acl_id: str, number: int) -> None:
        if number < 1 or (acl_id, number) in {(i.acl_id, i.number) for i in self.items.values()}:
            raise RefusedError(
                431, f"ACL item with number {number} already exists in ACL: {acl_id}"
            )


def clash(firewall_rule: FirewallRule, ports: PortRange) -> bool:
    start, end = firewall_rule.start_port, firewall_rule.end_port or 0
    overlap = start is not None and start <= ports.end_port and ports.start_port <= end
    return (
        firewall_rule.protocol == ports.protocol
        and overlap
        and bool(set(firewall_rule.cidrs) & set(ports.cidrs))
    )


Tagged = TypeVar("Tagged", PublicIpAddress, LoadBalancerRule, FirewallRule, NetworkAcl)


def tagged(resource: Tagged, tags: Tags) -> Tagged:
    """Add tags; a key that is there fails all."""
    if {tag.key for tag in resource.tags} & dict(tags).keys():
        raise RefusedError(530, "tag already on resource")
    return replace(resource, tags=(*resource.tags, *(Tag(key, value) for key, value in tags)))


def with_address(ip: str = IP, **fields: object) -> Model:
    """Make a model in which somebody has acquired an address."""
    model = Model()
    model.free.add(ip)
    address = model.acquire(ip)
    model.addresses[address.id] = replace(address, **fields)  # type: ignore[arg-type]
    return model
