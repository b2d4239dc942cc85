"""Decides which ports of the address the firewall opens, and by which firewall rules."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from hooks.cloudstack.models.firewall import ALL_PORTS, FirewallRule, Opening, PortRange
from hooks.cloudstack.models.loadbalancing import LoadBalancerRule
from hooks.cloudstack.models.network import PublicIpAddress
from hooks.http.texts import join_names
from hooks.kube.conditions import Condition, Status
from hooks.loadbalancers.plan import tags
from hooks.loadbalancers.plan.actions import (
    Action,
    CloseFirewall,
    OpenFirewall,
    StagePlan,
    UntagAddress,
    opening_text,
    port_text,
    range_text,
)
from hooks.loadbalancers.plan.enforcement import enforcement
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.ownership import (
    PortKey,
    is_by_controller,
    port_key,
    value,
)
from hooks.loadbalancers.plan.port_rules import RulesPlan
from hooks.loadbalancers.plan.ranges import (
    covers,
    effective,
    is_equivalent,
    rewrite_avoiding,
    uncovered,
)
from hooks.loadbalancers.plan.share_tags import Share, opening_key
from hooks.loadbalancers.plan.whose import Whose
from hooks.names import REASON_OPENED_BY_OTHERS, TAG_OPENING

#: States of a firewall rule or an ACL item that is being deleted.
GOING = frozenset({"Revoke", "Deleting"})
#: Reasons: what admits the sources is being changed; CloudStack refused to.
CHANGING_FIREWALL, _REFUSED = "ChangingFirewall", "FirewallRefused"
#: Reason: the firewall admits the clients that the Service admits.
_OPEN = "FirewallOpen"
#: Reasons of an earlier call that did not open what was to take the place of something.
_UNFINISHED = (CHANGING_FIREWALL, _REFUSED)
#: How many firewall rules of others a condition names.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class FirewallPlan(StagePlan):
    """The firewall stage: what to do.

    Attributes:
        closing: those of the actions that come before all others, as what is ours admits clients
            who are not wanted, or opens a port without a rule.
    """

    closing: tuple[Action, ...] = ()


def plan_firewall(facts: Facts, address_id: str, rules: RulesPlan) -> FirewallPlan:
    """Plan the firewall of the Service's address.

    Ports are opened once all rules exist, so that contiguous ports share a firewall rule. While a
    Service asks for what it cannot have, no rule is created, and none is waited for. Nor does what
    admits too many wait: a creation may never end.
    """
    if not facts.has_firewall:
        message = "The network has no firewall; the rules restrict the sources"
        return FirewallPlan(firewall_condition("True", "NoFirewall", message))
    wanted = rules.existing if facts.request.spec.invalid else rules.wanted
    return after_rules(facts, rules, open_ports(facts, address_id, wanted))


def after_rules(facts: Facts, rules: RulesPlan, planned: FirewallPlan) -> FirewallPlan:
    """Return the plan, or what waits for rules to be created."""
    spec = facts.request.spec
    if rules.is_complete or spec.plan_only or spec.invalid or planned.closing:
        return planned
    message = "The firewall is opened after the rules are created"
    return FirewallPlan(firewall_condition("False", "WaitingForRules", message))


def open_ports(facts: Facts, address_id: str, rules: Iterable[LoadBalancerRule]) -> FirewallPlan:
    """Admit the source ranges to the ports of the rules, and nobody else by a rule of ours.

    Right firewall rules stay; missing ones are opened, contiguous ports as one. A rule of ours that
    opens too much is closed after its replacement exists, or before that where an earlier call came
    to no end. If a user's rule already opens a port, none is created; a user's rule is never
    changed. A rule without ports opens all of them.
    """
    ranges, existing = facts.request.spec.source_ranges, facts.state.firewall
    port_keys = {port_key(rule) for rule in rules} if ranges else set()
    if begun := _settle_opening(facts, address_id):
        return FirewallPlan(open_condition(facts, begun, port_keys, ()), facts.not_refused(begun))
    right = {rule.id: rule for rule in existing if _is_right(facts, rule, port_keys)}
    wrong = {
        rule.id: rule for rule in existing if facts.owner.has_mark(rule) and rule.id not in right
    }
    active = [rule for rule in existing if rule.state not in GOING]
    staying = [rule for rule in active if rule.id not in wrong]
    lacking = lacking_ports(port_keys, ranges, staying)
    opening = _opening(facts, address_id, lacking, active)
    too_wide = [rule for rule in wrong.values() if opens_too_much(facts, rule, port_keys)]
    first = too_wide if _is_unfinished(facts) else []
    late = [rule for rule in wrong.values() if rule not in first]
    needed = [rule for rule in late if any(_overlap(rule, ports) for ports in lacking)]
    kept = () if facts.request.spec.plan_only else needed
    in_order = (
        *(close(facts, rule) for rule in first),
        *_replace(facts, opening, needed),
        *(close(facts, rule) for rule in wrong.values() if rule not in kept),
        *tag_firewall(facts, right.values()),
    )
    actions = tuple(dict.fromkeys(in_order))  # plan mode closes a rule that is replaced twice
    others = [rule for rule in staying if rule.id not in right]
    condition = open_condition(facts, actions, port_keys, others)
    actions = facts.not_refused(actions)
    return FirewallPlan(condition, actions, closing=actions if too_wide else ())


def _is_unfinished(facts: Facts) -> bool:
    """Tell whether an earlier call did not come to its end, so that what is open closes first."""
    return facts.request.recorded.condition("FirewallReady").reason in _UNFINISHED


def opens_too_much(facts: Facts, rule: Opening, port_keys: set[PortKey]) -> bool:
    """Tell whether something opens other ports than these, or for clients not asked for."""
    ranges = facts.request.spec.source_ranges
    return not (covers(ranges, effective(rule.cidrs)) and rule.opens_only(port_keys))


def is_open(facts: Facts, rules: Iterable[LoadBalancerRule]) -> bool:
    """Tell whether the firewall admits somebody to the port of each rule, or nobody may connect."""
    if not facts.has_firewall or not facts.request.spec.source_ranges:
        return True
    active = [each for each in facts.state.firewall if each.state not in GOING]
    return all(any(each.opens(*key) for each in active) for key in map(port_key, rules))


def own_firewall(facts: Facts, rules: Iterable[LoadBalancerRule]) -> tuple[FirewallRule, ...]:
    """Return our firewall rules, and untagged ones that open exactly what these rules need.

    On an address that a person allocated, untagged ones are the person's.
    """
    port_keys = {port_key(rule) for rule in rules}
    return tuple(
        rule
        for rule in facts.state.firewall
        if facts.owner.has_mark(rule) or _is_right(facts, rule, port_keys)
    )


def close_ports(facts: Facts, rules: Iterable[LoadBalancerRule]) -> tuple[Action, ...]:
    """Close the firewall rules that are ours; see `own_firewall`."""
    keys = {port_key(rule) for rule in rules}
    return tuple(close(facts, rule, keys) for rule in own_firewall(facts, rules))


def former_firewall(facts: Facts, rules: Iterable[LoadBalancerRule]) -> tuple[FirewallRule, ...]:
    """Return the firewall rules that another provider made for its rules: one a port, untagged.

    A rule is such a provider's by its name. Those with a mark that we may take are among them.
    """
    port_keys = {port_key(rule) for rule in rules if facts.owner.is_former(rule)}
    return tuple(
        rule
        for rule in facts.state.firewall
        if facts.owner.has_mark(rule)
        or (rule.start_port == rule.end_port and facts.owner.has_firewall_rule(rule, port_keys))
    )


def begun_firewall(facts: Facts, address: PublicIpAddress) -> tuple[FirewallRule, ...]:
    """Return the firewall rule that a call of ours made before it died, without tags."""
    text = value(address, _opening_key(facts, address))
    return tuple(
        rule
        for rule in facts.state.firewall
        if rule.public_ip_id == address.id
        and not rule.tags
        and rule.state not in GOING
        and opening_text(ports_of(rule)) == text
    )


def tag_firewall(facts: Facts, rules: Iterable[FirewallRule]) -> tuple[Action, ...]:
    """Give the firewall rules our mark."""
    return tags.complete(facts, "firewall rule", rules, lambda rule: port_text(ports_of(rule)))


def join_ports(port_keys: Iterable[PortKey]) -> list[PortRange]:
    """Join contiguous ports of one transport; the ranges have no sources."""
    joined: list[PortRange] = []
    for transport, port in sorted(port_keys):
        last = joined[-1] if joined else None
        if last and (last.protocol, last.end_port) == (transport, port - 1):
            joined[-1] = replace(last, end_port=port)
        else:
            joined.append(PortRange(transport, port, port, ()))
    return joined


def ports_of(rule: Opening) -> PortRange:
    """Return what something opens, as it is named for people: all ports if it has none."""
    first, last = ALL_PORTS if rule.start_port is None else (rule.start_port, rule.end_port)
    return PortRange(rule.protocol, first, last or first, rule.cidrs)


def _is_right(facts: Facts, rule: FirewallRule, port_keys: set[PortKey]) -> bool:
    """Tell whether one of ours opens only wanted ports, and exactly some of the wanted ranges."""
    admitted, ranges = effective(rule.cidrs), facts.request.spec.source_ranges
    missing = frozenset(uncovered(ranges, admitted))
    wanted = tuple(each for each in ranges if each not in missing) if missing else ranges
    return (
        rule.state not in GOING
        and facts.owner.has_firewall_rule(rule, _ours_untagged(facts, rule, port_keys))
        and rule.opens_only(port_keys)
        and is_equivalent(admitted, wanted)
    )


def _ours_untagged(
    facts: Facts, rule: FirewallRule, port_keys: Collection[PortKey]
) -> Collection[PortKey]:
    """Return at which of these ports a rule without our whole mark is ours.

    At all of them if it has a part of the mark, or on an address that we acquired: a call that ends
    between creating and tagging a rule leaves one. On another address it is a person's. On a shared
    address it may be another Service's, unless we have the port: nobody else has a rule there.
    """
    address = _address(facts, rule.public_ip_id)
    if not (rule.tags or (address and is_by_controller(address))):
        return ()
    if address is None or Share.read(address.tags) is None or facts.owner.has_mark(rule):
        return port_keys
    may_count = not rule.tags or facts.owner.whose(rule) is Whose.PARTLY
    return facts.own_ports.intersection(port_keys) if may_count else ()


def _address(facts: Facts, address_id: str) -> PublicIpAddress | None:
    return next((each for each in facts.state.addresses if each.id == address_id), None)


def _opening_key(facts: Facts, address: PublicIpAddress) -> str:
    """Return the key of the tag that shows which firewall rule is being made, a user's own."""
    return opening_key(facts.owner.uid) if Share.read(address.tags) else TAG_OPENING


def _settle_opening(facts: Facts, address_id: str) -> tuple[Action, ...]:
    """Finish what a call that died began: its rule is tagged, then the address is untagged."""
    for address in facts.state.addresses:
        is_ours = address.id == address_id and facts.owner.whose(address) is Whose.OURS
        key = _opening_key(facts, address)
        if is_ours and value(address, key):
            untag = UntagAddress(facts.owner.own_address(address), (key,))
            return tag_firewall(facts, begun_firewall(facts, address)) or (untag,)
    return ()


def lacking_ports(
    port_keys: Iterable[PortKey], ranges: Sequence[str], rules: Iterable[Opening]
) -> list[PortRange]:
    """Return the ports and ranges that no rule admits. Contiguous ports that lack the same join."""
    ordered = sorted(port_keys)
    lists: dict[tuple[str, ...], int] = {}
    admitting: dict[PortKey, set[int]] = {key: set() for key in ordered}
    for rule in rules:
        number = lists.setdefault(effective(rule.cidrs), len(lists))
        for ports in rule.opened:
            first = bisect_left(ordered, (ports.protocol, ports.start_port))
            for key in ordered[first : bisect_right(ordered, (ports.protocol, ports.end_port))]:
                admitting[key].add(number)
    alike: dict[frozenset[int], list[PortKey]] = {}
    for key, numbers in admitting.items():
        alike.setdefault(frozenset(numbers), []).append(key)
    texts = tuple(lists)
    lacking: dict[tuple[str, ...], list[PortKey]] = {}
    for same, keys in alike.items():
        admitted = tuple(chain.from_iterable(texts[number] for number in same))
        lacking.setdefault(uncovered(tuple(ranges), admitted), []).extend(keys)
    return [
        replace(ports, cidrs=missing)
        for missing, keys in lacking.items()
        if missing
        for ports in join_ports(keys)
    ]


def _opening(
    facts: Facts, address_id: str, lacking: Iterable[PortRange], active: Sequence[FirewallRule]
) -> Iterator[OpenFirewall]:
    """Open what is lacking, with ranges that CloudStack accepts beside the active rules.

    CloudStack refuses a rule that shares a port and the text of a range with another. So a taken
    range is written by its halves. A single address has none.
    """
    address = _address(facts, address_id)
    mark = () if address and is_by_controller(address) else facts.owner.mark
    key = _opening_key(facts, address) if address else TAG_OPENING
    for ports in lacking:
        taken = {c for rule in active if _may_clash(rule, ports) for c in effective(rule.cidrs)}
        cidrs = rewrite_avoiding(ports.cidrs, taken) or ports.cidrs
        yield OpenFirewall(address_id, replace(ports, cidrs=cidrs), mark, key)


def _replace(
    facts: Facts, opening: Iterable[OpenFirewall], needed: Sequence[FirewallRule]
) -> Iterator[CloseFirewall | OpenFirewall]:
    """Open ports; a needed rule that CloudStack refuses to have beside a new one is closed first.

    Other needed rules are closed in a later pass, once the new rules exist.
    """
    for new in opening:
        for rule in needed:
            if _may_clash(rule, new.ports) and set(effective(rule.cidrs)) & set(new.ports.cidrs):
                yield close(facts, rule)
        yield new


def _overlap(rule: FirewallRule, ports: PortRange) -> bool:
    """Tell whether a rule and a range have a port in common."""
    return any(
        own.protocol == ports.protocol
        and own.start_port <= ports.end_port
        and ports.start_port <= own.end_port
        for own in rule.opened
    )


def _may_clash(rule: FirewallRule, ports: PortRange) -> bool:
    """Tell whether CloudStack compares the ranges of a rule with those of new ports.

    It accepts any beside a rule without ports, or of another protocol, `all` among them.
    """
    has_ports = rule.start_port is not None
    return has_ports and rule.protocol == ports.protocol and _overlap(rule, ports)


def close(facts: Facts, rule: FirewallRule, port_keys: Collection[PortKey] = ()) -> CloseFirewall:
    """Close a firewall rule that is ours, by its mark or as it opens only these ports."""
    ports, keys = ports_of(rule), _ours_untagged(facts, rule, port_keys)
    return CloseFirewall(facts.owner.own_firewall_rule(rule, port_text(ports), keys), ports)


def open_condition(
    facts: Facts,
    actions: Sequence[Action],
    port_keys: set[PortKey],
    others: Iterable[Opening],
    kind: str = "Firewall rules",
) -> Condition:
    """Say what is open, and which things of others, of this kind, admit more."""
    ports = ", ".join(map(port_text, join_ports(port_keys)))
    if complaints := facts.complaints(actions):
        return firewall_condition("False", _REFUSED, "; ".join(complaints))
    if actions:
        message = f"Ports that should be open: {ports or 'none'}"
        return firewall_condition("False", CHANGING_FIREWALL, message)
    if not port_keys:
        return firewall_condition("True", "NothingToOpen", "No port is to be open")
    ranges = facts.request.spec.source_ranges
    message = f"Open: {ports} for {', '.join(ranges)}"
    ordered = sorted(port_keys)
    wider = [
        range_text(replace(ports_of(rule), cidrs=effective(rule.cidrs)))
        for rule in others
        if _opens_any(rule, ordered) and not covers(ranges, effective(rule.cidrs))
    ]
    if not wider:
        return firewall_condition("True", _OPEN, message)
    message += f". {kind} of others admit more: {join_names(wider, limit=_NAMED)}"
    by = enforcement(facts)
    if by.rule_lists and covers(ranges, by.listed):
        return firewall_condition("True", _OPEN, f"{message}; the lists of the rules do not")
    return firewall_condition("True", REASON_OPENED_BY_OTHERS, message)


def _opens_any(rule: Opening, ordered: Sequence[PortKey]) -> bool:
    """Tell whether something opens one of these ports, which are in order."""
    return any(
        bisect_left(ordered, (each.protocol, each.start_port))
        < bisect_right(ordered, (each.protocol, each.end_port))
        for each in rule.opened
    )


def firewall_condition(status: Status, reason: str, message: str) -> Condition:
    """Return the condition of what admits the sources."""
    return Condition("FirewallReady", status, reason, message)
