"""Decides which rules an address needs, what admits their sources, and how they are changed."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from hooks.cloudstack.models.loadbalancing import (
    InternalLoadBalancer,
    LoadBalancerRule,
    LoadBalancerRuleChange,
    NewInternalLoadBalancer,
    NewLoadBalancerRule,
)
from hooks.kube.conditions import Condition
from hooks.loadbalancers.plan import certificates, stickiness, tags
from hooks.loadbalancers.plan.actions import Action, CreateRule, DeleteRule, UpdateRule
from hooks.loadbalancers.plan.certificates import CertificatesPlan
from hooks.loadbalancers.plan.enforcement import Enforcement, enforcement
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.former_names import is_former_name
from hooks.loadbalancers.plan.ownership import Owner, port_key
from hooks.loadbalancers.plan.port_rules import PortRule, RulesPlan, created
from hooks.loadbalancers.plan.ranges import effective, is_equivalent
from hooks.loadbalancers.plan.seals import balancer_name
from hooks.loadbalancers.plan.share_tags import describe
from hooks.loadbalancers.plan.whose import Whose
from hooks.loadbalancers.request import Port
from hooks.names import REASON_WITHOUT_STICKINESS

#: State of a rule that is being deleted.
REVOKED = "Revoke"

#: Reason: rules are being created, changed or deleted.
CHANGING_RULES = "ChangingRules"


def own_rules(owner: Owner, rules: Iterable[LoadBalancerRule]) -> tuple[LoadBalancerRule, ...]:
    """Return the rules of this Service, on an address that is its own or about to be."""
    return tuple(rule for rule in rules if owner.has_rule(rule))


def rules_with_members(
    owner: Owner, rules: Iterable[LoadBalancerRule]
) -> tuple[LoadBalancerRule, ...]:
    """Return the rules whose members matter: this Service's, and unmarked ones of a provider's."""
    return tuple(
        rule
        for rule in rules
        if owner.has_rule(rule)
        or (is_former_name(rule.name) and owner.whose(rule) is Whose.UNMARKED)
    )


def plan_rules(facts: Facts, address_id: str) -> RulesPlan:
    """Plan the rules of the Service's address.

    Rules change in place if CloudStack can: name, protocol, algorithm and, from 4.22 on, the CIDR
    list. A rule with another node port is deleted and created again, and an internal load balancer
    with another algorithm as well: CloudStack refuses to change it, and then has, in its database
    at least. Create before delete, except on the same public port, where CloudStack may refuse the
    second rule (TCP beside UDP), and where an earlier call came to no end: what is obsolete does
    not wait for a creation that fails. Nor does a rule whose list admits too many, if the list
    cannot be changed. A rule of ours on another tier goes first, or others would come there too.
    """
    own = own_rules(facts.owner, facts.state.rules)
    ports = _plan_ports(facts, own, address_id)
    current = {each.rule.id for each in ports if each.rule}
    obsolete = [rule for rule in own if rule.id not in current]
    goes_on = facts.request.recorded.condition("RulesReady").reason == CHANGING_RULES
    first = obsolete if goes_on else _in_the_way(facts, obsolete, ports)
    early = [delete_rule(facts, each) for each in first]
    late = [delete_rule(facts, each) for each in obsolete if each not in first]
    new = tuple(action for each in ports if each.is_new for action in each.actions)
    if goes_on or _closes_some(facts, ports):
        new = _creations_last(new)
    attached = _plan_attachments(facts, ports)
    actions = (
        *attached.first,
        *(action for each in ports if not each.is_new for action in each.actions),
        *early,
        *new,
        *late,
        *attached.then,
    )
    complaints = (*facts.complaints((*early, *late)), *attached.complaints)
    return RulesPlan(
        condition=_condition(ports, has_work=_has_work(facts, actions), complaints=complaints),
        actions=facts.not_refused(actions),
        ports=tuple(ports),
        serving=_serving(facts, ports),
        future=_future(facts, ports),
        narrowing=_narrowing(facts, ports, obsolete),
    )


def _has_work(facts: Facts, actions: Iterable[Action]) -> bool:
    """Tell whether something is done, or waits for the status only."""
    return any(actions) or certificates.awaits_record(facts)


def _plan_attachments(facts: Facts, ports: Sequence[PortRule]) -> CertificatesPlan:
    """Plan what the rules that serve have beside their members."""
    served = _served(facts, ports)
    sticky = stickiness.plan_stickiness(facts, served)
    certified = certificates.plan_certificates(facts, served)
    return CertificatesPlan(
        certified.first,
        (*sticky.actions, *certified.then),
        (*sticky.complaints, *certified.complaints),
    )


def _in_the_way(
    facts: Facts, obsolete: Iterable[LoadBalancerRule], ports: Iterable[PortRule]
) -> list[LoadBalancerRule]:
    """Return the obsolete rules that may make CloudStack refuse, or misplace, a new one."""
    new_ports = {each.wanted.public_port for each in ports if each.is_new}
    return [
        each for each in obsolete if each.public_port in new_ports or _is_misplaced(facts, each)
    ]


def _closes_some(facts: Facts, ports: Iterable[PortRule]) -> bool:
    """Tell whether a rule that is made again admits clients who are not wanted."""
    by = enforcement(facts)
    return any(each.is_new and each.rule and by.is_too_wide(each.rule) for each in ports)


def _served(facts: Facts, ports: Sequence[PortRule]) -> tuple[stickiness.Served, ...]:
    """Return the ports with the rules that serve them and stay, in plan mode also new ones."""
    served = []
    for port, each in zip(facts.request.spec.ports, ports, strict=True):
        if each.is_new and facts.request.spec.plan_only:
            served.append((port, created(each.wanted)))
        elif each.rule and not each.is_new:
            served.append((port, each.rule))
    return tuple(served)


def _serving(facts: Facts, ports: Sequence[PortRule]) -> tuple[LoadBalancerRule, ...]:
    """Return the rules that serve and stay: one for TLS gets members after its certificate."""
    return tuple(
        each.rule
        for port, each in zip(facts.request.spec.ports, ports, strict=True)
        if each.rule and not (each.is_new or certificates.lacks_first(facts, port, each.rule))
    )


def _future(facts: Facts, ports: Iterable[PortRule]) -> tuple[LoadBalancerRule, ...]:
    """Return the rules that plan mode has, as if they had been created."""
    if not facts.request.spec.plan_only:
        return ()
    return tuple(created(each.wanted) for each in ports if each.is_new)


def tag_rules(facts: Facts, rules: Iterable[LoadBalancerRule]) -> tuple[Action, ...]:
    """Give the rules our mark."""
    return tags.complete(facts, "rule", rules, lambda rule: rule.name)


def delete_rule(facts: Facts, rule: LoadBalancerRule) -> DeleteRule:
    """Delete a rule of ours."""
    return DeleteRule(facts.owner.own_rule(rule))


def _is_misplaced(facts: Facts, rule: LoadBalancerRule) -> bool:
    """Tell whether a rule is on another tier than the members: CloudStack chose that."""
    return facts.tier is not None and rule.network_id not in ("", facts.request.network_id)


def why_without_nodes(facts: Facts) -> str:
    """Say that no node of this cluster is on the tier; empty if one is, or it is no tier."""
    tier = facts.tier
    if tier is None or facts.request.has_node_on(tier.id):
        return ""
    return f"no node of this cluster is known to be on tier {tier.name}"


def _other_tier(facts: Facts, others: Iterable[LoadBalancerRule]) -> str:
    """Say why no rule can be created on an address of a VPC; empty if one can.

    CloudStack creates each where the address has rules, whatever tier is asked for. On a tier
    without a node of ours, ours would be among somebody else's VMs.
    """
    if lacking := why_without_nodes(facts):
        return lacking
    for rule in others:
        if _is_misplaced(facts, rule):
            return (
                f"the address has rule {rule.name} of tier {rule.network_id}, and an address of a "
                "VPC serves one tier"
            )
    return ""


def _plan_ports(
    facts: Facts, own: Sequence[LoadBalancerRule], address_id: str
) -> Sequence[PortRule]:
    by = enforcement(facts)
    own_by_key = {port_key(rule): rule for rule in own if not _is_misplaced(facts, rule)}
    own_ids = {rule.id for rule in own}
    others = [rule for rule in facts.state.rules if rule.id not in own_ids]
    other_tier, taken = _other_tier(facts, others), {port_key(rule): rule for rule in others}
    ports = []
    for port in facts.request.spec.ports:
        key = (port.transport, port.public_port)
        rule = own_by_key.get(key)
        waits = certificates.why_waits(facts, port, rule)
        wanted = _as_it_is(_wanted(facts, port, address_id, by), rule, waits)
        actions, problem = _changes(facts, rule, wanted, by), ""
        # A refused creation says more than the refused deletion before it.
        refusal = next(filter(None, map(facts.refusal, reversed(actions))), None)
        if key in taken and rule is None:
            actions, problem = (), _taken_by(facts, port, taken[key])
        elif other_tier and rule is None:
            actions, problem = (), other_tier
        elif facts.request.spec.internal and port.rule_protocol != "tcp":
            actions, problem = (), f"an internal load balancer has no protocol {port.rule_protocol}"
        elif by.impossible:
            # Without a rule nobody connects. Any other rule keeps serving, and becomes narrower.
            is_wide = by.rule_lists and rule is not None and by.is_too_wide(rule)
            rule, problem = rule if by.wanted else None, by.impossible
            actions = facts.not_refused(actions) if rule and is_wide else ()
        elif waits is not None and rule is None:
            actions = ()
        elif by.unread and any(map(_opens, actions)):
            actions, problem = (), by.unread
        elif refusal:
            actions, problem = (), _refused(facts, port, refusal.text, () if rule else others)
        problem = problem or waits or ""
        remark = stickiness.why_without(facts, port, rule) if rule else ""
        if remark and not stickiness.is_bound_otherwise(port, wanted.algorithm):
            problem, remark = problem or remark, ""
        ports.append(PortRule(wanted, rule, actions, problem, remark))
    return ports


def _refused(facts: Facts, port: Port, text: str, others: Iterable[LoadBalancerRule]) -> str:
    """Add to CloudStack's words which rule has the port for another transport, if one has.

    A server that takes no two rules of one port names neither rule nor Service.
    """
    found = next((each for each in others if each.public_port == port.public_port), None)
    return f"{text}; {_taken_by(facts, port, found)}" if found else text


def _taken_by(facts: Facts, port: Port, rule: LoadBalancerRule) -> str:
    """Say which rule has a port of the address, and of which Service it is, if its mark says so."""
    text = f"port {port.public_port} is taken by rule {rule.name}"
    named = [each for each in rule.tags if (each.key, each.value) != facts.owner.mark[0]]
    return f"{text} of {describe(named)}" if facts.owner.has_another_mark(rule) else text


def _narrowing(
    facts: Facts, ports: Sequence[PortRule], obsolete: Iterable[LoadBalancerRule]
) -> tuple[Action, ...]:
    """Return what shuts out clients by the rules themselves, and ends rules that lead elsewhere."""
    by = enforcement(facts)

    def is_wrong(rule: LoadBalancerRule, wanted: NewLoadBalancerRule) -> bool:
        return by.is_too_wide(rule) or rule.private_port != wanted.private_port

    changes = [
        action
        for each in ports
        if each.rule and is_wrong(each.rule, each.wanted)
        for action in each.actions
    ]
    closed = (delete_rule(facts, rule) for rule in obsolete)
    return facts.not_refused(_creations_last((*changes, *closed)))


def _creations_last(actions: Iterable[Action]) -> tuple[Action, ...]:
    """Sort actions so that no creation comes before what closes something: it may never end."""
    return tuple(sorted(actions, key=lambda each: isinstance(each, CreateRule)))


def new_balancer(facts: Facts, port: Port, ip: str) -> NewInternalLoadBalancer:
    """Return the internal load balancer of a port, whose name proves that it is ours.

    `ip` is its address; empty for any.
    """
    place = facts.request.network_id, port.public_port, port.node_port
    return NewInternalLoadBalancer(
        balancer_name(facts.owner.mark, facts.seal_key, *place),
        ip,
        *place,
        algorithm=facts.request.spec.algorithm,
    )


def _wanted(facts: Facts, port: Port, address_id: str, by: Enforcement) -> NewLoadBalancerRule:
    spec = facts.request.spec
    if spec.internal:
        return new_balancer(facts, port, address_id)
    return NewLoadBalancerRule(
        name=spec.rule_name(port),
        public_ip_id=address_id,
        network_id=facts.request.network_id,
        public_port=port.public_port,
        private_port=port.node_port,
        protocol=port.rule_protocol,
        algorithm=spec.algorithm,
        cidrs=by.listed if by.rule_lists else (),
    )


def _as_it_is(
    wanted: NewLoadBalancerRule, rule: LoadBalancerRule | None, waits: str | None
) -> NewLoadBalancerRule:
    """Return what is wanted, with the protocol of a rule that waits for its certificate."""
    if rule is None or waits is None:
        return wanted
    return replace(wanted, name=rule.name, protocol=rule.protocol)


def _changes(
    facts: Facts, rule: LoadBalancerRule | None, wanted: NewLoadBalancerRule, by: Enforcement
) -> tuple[Action, ...]:
    """Return the actions that make a rule the wanted one; empty if it is that already."""
    if rule is None:
        return (CreateRule(wanted),)
    if (
        rule.state == REVOKED
        or rule.private_port != wanted.private_port
        or (not by.lists_change and by.has_wrong_list(rule))
        or (isinstance(rule, InternalLoadBalancer) and rule.algorithm != wanted.algorithm)
    ):
        return (delete_rule(facts, rule), CreateRule(wanted))
    if isinstance(rule, InternalLoadBalancer):
        return ()
    other_list = by.lists_change and not is_equivalent(
        effective(rule.cidrs), effective(wanted.cidrs)
    )
    change = LoadBalancerRuleChange(
        name=wanted.name if rule.name != wanted.name else None,
        protocol=wanted.protocol if rule.protocol != wanted.protocol else None,
        algorithm=wanted.algorithm if rule.algorithm != wanted.algorithm else None,
        cidrs=wanted.cidrs if other_list and wanted.cidrs else None,
    )
    return (UpdateRule(rule.id, rule.name, change),) if change != LoadBalancerRuleChange() else ()


def _opens(action: Action) -> bool:
    """Tell whether an action may let clients in."""
    is_wider = isinstance(action, UpdateRule) and action.change.cidrs is not None
    return is_wider or isinstance(action, CreateRule)


def _condition(
    ports: Sequence[PortRule], *, has_work: bool, complaints: Iterable[str]
) -> Condition:
    ready = sum(bool(each.rule) and not each.is_new and not each.problem for each in ports)
    message = f"{ready} of {len(ports)} rules are ready"
    problems = [f"{each.wanted.name}: {each.problem}" for each in ports if each.problem]
    problems += complaints
    if problems:
        return Condition("RulesReady", "False", "RulesRefused", f"{message}; {'; '.join(problems)}")
    if has_work:
        return Condition("RulesReady", "False", CHANGING_RULES, message)
    if remarks := [f"{each.wanted.name}: {each.remark}" for each in ports if each.remark]:
        message = "; ".join((message, *remarks))
        return Condition("RulesReady", "True", REASON_WITHOUT_STICKINESS, message)
    return Condition("RulesReady", "True", "RulesStand", message)
