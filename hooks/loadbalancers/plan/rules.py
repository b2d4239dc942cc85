"""Which rules an address is to have, and what brings those that stand there to it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from hooks.cloudstack.models import LoadBalancerRule, LoadBalancerRuleChange, NewLoadBalancerRule
from hooks.kube.conditions import Condition
from hooks.loadbalancers.plan import tags
from hooks.loadbalancers.plan.actions import (
    Action,
    CreateRule,
    DeleteRule,
    TagRules,
    Tags,
    UpdateRule,
)
from hooks.loadbalancers.plan.facts import Facts, LoadBalancerRequest, Port, Spec
from hooks.loadbalancers.plan.network import Enforcement
from hooks.loadbalancers.plan.ranges import listed, same

#: State of a rule whose deletion has begun.
REVOKED = "Revoke"


@dataclass(frozen=True, slots=True)
class PortRule:
    """What becomes of one port.

    Attributes:
        rule: what serves it, as it stands; None where nothing does.
        create: `wanted` is to be created, in the place of `rule` where there is one.
        problem: why it is not as wanted, and will not be for now.
    """

    port: Port
    wanted: NewLoadBalancerRule
    rule: LoadBalancerRule | None = None
    create: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class RulesPlan:
    """What to do for the rules, and what is so now."""

    actions: tuple[Action, ...]
    ports: tuple[PortRule, ...]
    condition: Condition

    @property
    def standing(self) -> tuple[LoadBalancerRule, ...]:
        """Return the rules that serve and will stay."""
        return tuple(each.rule for each in self.ports if each.rule and not each.create)

    @property
    def complete(self) -> bool:
        """Tell whether no rule is still to be created."""
        return not any(each.create for each in self.ports)


def ours(
    request: LoadBalancerRequest, rules: Iterable[LoadBalancerRule]
) -> tuple[LoadBalancerRule, ...]:
    """Pick the rules of this Service: by tag, or untagged by the names that we or others give.

    CloudStack's names are not unique and its keyword search finds parts of names, so names count
    only whole, and only on the Service's own address.
    """
    own_name = re.compile(rf"{re.escape(request.spec.load_balancer_name)}-(tcp|udp|tcp-proxy)-\d+")
    return tuple(
        rule
        for rule in rules
        if tags.is_ours(request, rule.tags)
        or (
            not tags.is_others(request, rule.tags)
            and (own_name.fullmatch(rule.name) or rule.name in request.spec.adopt.names)
        )
    )


def plan_rules(facts: Facts, address_id: str, network_id: str, by: Enforcement) -> RulesPlan:
    """Bring the rules of an address to the Service's ports.

    In place where CloudStack can: name, protocol, algorithm and, from 4.22 on, the CIDR list.
    A rule is deleted and created again where it sends to another node port. New rules come
    before old ones go, so that a renumbered port is never without a rule longer than it takes;
    but for one on the same port, TCP for UDP, which not every server lets stand beside it.

    Args:
        facts: with the rules of the address.
        address_id: of the Service's address.
        network_id: the members' network.
        by: what enforces the source ranges.
    """
    spec = facts.request.spec
    own = ours(facts.request, facts.state.rules)
    own_spots = {_port_key(rule): rule for rule in own}
    taken = {_port_key(rule): rule.name for rule in facts.state.rules if rule not in own}
    ports = []
    for port in spec.ports:
        port_key = (port.transport, port.public_port)
        wanted = _wanted(spec, port, address_id, network_id, by)
        if port_key in taken and port_key not in own_spots:
            problem = f"port {port.public_port} is taken by rule {taken[port_key]}"
            ports.append(PortRule(port, wanted, problem=problem))
        else:
            ports.append(_judge(facts, PortRule(port, wanted, own_spots.get(port_key)), by))
    obsolete = _obsolete(own, ports)
    new_ports = {each.wanted.public_port for each in ports if each.create}
    in_the_way = [rule for rule in obsolete if rule.public_port in new_ports]
    actions = [
        *_updates(ports, by),
        *_deletions(in_the_way),
        *_creations(ports),
        *_deletions(rule for rule in obsolete if rule not in in_the_way),
        *tagging(facts, [each.rule for each in ports if each.rule and not each.create]),
    ]
    return RulesPlan(facts.untried(actions), tuple(ports), _condition(facts, ports, actions))


def tagging(facts: Facts, rules: Iterable[LoadBalancerRule]) -> tuple[Action, ...]:
    """Tag all rules that lack the same tags in one call."""
    wanted = tags.resource_tags(facts.request, facts.settings)
    groups: dict[Tags, list[LoadBalancerRule]] = {}
    for rule in rules:
        if lacking := tags.missing(wanted, rule.tags):
            groups.setdefault(lacking, []).append(rule)
    return tuple(
        TagRules(tuple(rule.id for rule in group), tuple(rule.name for rule in group), lacking)
        for lacking, group in groups.items()
    )


def _port_key(rule: LoadBalancerRule) -> tuple[str, int]:
    """Return what two rules of one address cannot both have."""
    return ("udp" if rule.protocol == "udp" else "tcp", rule.public_port)


def _wanted(
    spec: Spec, port: Port, address_id: str, network_id: str, by: Enforcement
) -> NewLoadBalancerRule:
    return NewLoadBalancerRule(
        name=spec.rule_name(port),
        public_ip_id=address_id,
        network_id=network_id,
        public_port=port.public_port,
        private_port=port.node_port,
        protocol=port.rule_protocol,
        algorithm=spec.algorithm,
        cidrs=spec.source_ranges if by.rule_lists else (),
        open_firewall=False,
    )


def _judge(facts: Facts, each: PortRule, by: Enforcement) -> PortRule:
    """Tell whether a port's rule stays, or is to be made, or cannot be had."""
    if by.impossible:
        return replace(each, problem=by.impossible)
    rule, actions = each.rule, list[Action]([CreateRule(each.wanted)])
    if rule and not _to_be_replaced(rule, each.wanted, by):
        actions = [_update(rule, each.wanted, by)]
    elif rule:
        actions.append(DeleteRule(rule.id, rule.name))
    refusal = next(filter(None, (facts.refused(action) for action in actions)), None)
    if refusal:
        return replace(each, problem=refusal.text)
    return replace(each, create=isinstance(actions[0], CreateRule))


def _to_be_replaced(rule: LoadBalancerRule, wanted: NewLoadBalancerRule, by: Enforcement) -> bool:
    """Tell whether a rule cannot be brought to what is wanted in place."""
    if rule.state == REVOKED or rule.private_port != wanted.private_port:
        return True
    return not by.lists_change and by.shuts_out(rule.cidrs)


def _update(rule: LoadBalancerRule, wanted: NewLoadBalancerRule, by: Enforcement) -> UpdateRule:
    wrong = by.lists_change and not same(listed(rule.cidrs), listed(wanted.cidrs))
    change = LoadBalancerRuleChange(
        name=wanted.name if rule.name != wanted.name else None,
        protocol=wanted.protocol if rule.protocol != wanted.protocol else None,
        algorithm=wanted.algorithm if rule.algorithm != wanted.algorithm else None,
        cidrs=wanted.cidrs if wrong and wanted.cidrs else None,
    )
    return UpdateRule(rule.id, rule.name, change)


def _updates(ports: Iterable[PortRule], by: Enforcement) -> Iterable[Action]:
    for each in ports:
        if each.rule and not each.create and not by.impossible:
            action = _update(each.rule, each.wanted, by)
            if action.change != LoadBalancerRuleChange() and not _to_be_replaced(
                each.rule, each.wanted, by
            ):
                yield action


def _creations(ports: Iterable[PortRule]) -> Iterable[Action]:
    """Create rules; one that takes another's place right after the other went."""
    for each in ports:
        if each.create and each.rule:
            yield DeleteRule(each.rule.id, each.rule.name)
        if each.create:
            yield CreateRule(each.wanted)


def _obsolete(own: Iterable[LoadBalancerRule], ports: Iterable[PortRule]) -> list[LoadBalancerRule]:
    """Find our rules that no port asks for any more."""
    kept = {each.rule.id for each in ports if each.rule}
    return [rule for rule in own if rule.id not in kept]


def _deletions(rules: Iterable[LoadBalancerRule]) -> Iterable[Action]:
    return (DeleteRule(rule.id, rule.name) for rule in rules)


def _condition(facts: Facts, ports: Sequence[PortRule], actions: Sequence[Action]) -> Condition:
    kind = "RulesReady"
    standing = sum(1 for each in ports if each.rule and not each.create and not each.problem)
    said = f"{standing} of {len(ports)} rules stand"
    problems = [f"{each.wanted.name}: {each.problem}" for each in ports if each.problem]
    others = [each for each in actions if isinstance(each, DeleteRule | TagRules)]
    problems += facts.complaints(others)
    if problems:
        return Condition(kind, "False", "RulesRefused", f"{said}; {'; '.join(problems)}")
    if actions:
        return Condition(kind, "False", "ChangingRules", said)
    return Condition(kind, "True", "RulesStand", said)
