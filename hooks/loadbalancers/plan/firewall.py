"""Which ports of an address the firewall is to let through, and whose firewall rules do so."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from hooks.cloudstack.models import FirewallRule, LoadBalancerRule, PortRange
from hooks.kube.conditions import Condition
from hooks.loadbalancers.plan import tags
from hooks.loadbalancers.plan.actions import Action, CloseFirewall, OpenFirewall, TagFirewall, Tags
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.ranges import admits, listed, same, spelled_apart

#: States of a firewall rule whose deletion has begun.
_GOING = frozenset({"Revoke", "Deleting"})

#: A port and the transport it is of.
PortKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class FirewallPlan:
    """What to do for the firewall, and what is so now."""

    actions: tuple[Action, ...]
    condition: Condition


def plan_firewall(facts: Facts, address_id: str, rules: Sequence[LoadBalancerRule]) -> FirewallPlan:
    """Let the source ranges through to the ports of the rules that stand, and nobody else by us.

    What is right is kept; what is missing is opened, contiguous ports as one rule. A rule of ours
    that opens too much, or for others, goes when what is to replace it stands. A human's rule is
    never touched; one that opens a port as wanted saves ours.
    """
    ranges = facts.request.spec.source_ranges
    port_keys = {_port_key(rule) for rule in rules} if ranges else set()
    there = [rule for rule in facts.state.firewall if rule.start_port is not None]
    right = [rule for rule in there if _is_right(facts, rule, port_keys, ranges)]
    wrong = [rule for rule in there if tags.is_ours(facts.request, rule.tags) and rule not in right]
    in_force = [rule for rule in there if rule.state not in _GOING]
    lacking = _lacking(port_keys, ranges, [rule for rule in in_force if rule not in wrong])
    opening = _opening(address_id, lacking, in_force)
    serving = [rule for rule in wrong if any(_overlap(rule, ports) for ports in lacking)]
    actions = dict.fromkeys(
        [
            *_exchange(opening, serving),
            *_closing(
                rule for rule in wrong if facts.request.spec.plan_only or rule not in serving
            ),
            *firewall_tagging(facts, right),
        ]
    )
    return FirewallPlan(facts.untried(actions), _condition(facts, actions, port_keys))


def close_all(facts: Facts, rules: Sequence[LoadBalancerRule]) -> tuple[Action, ...]:
    """Close what is ours; also what lost its tag but opens just what these rules were opened."""
    port_keys = {_port_key(rule) for rule in rules}
    ranges = facts.request.spec.source_ranges
    return tuple(
        _closing(
            rule
            for rule in facts.state.firewall
            if tags.is_ours(facts.request, rule.tags) or _is_right(facts, rule, port_keys, ranges)
        )
    )


def firewall_tagging(facts: Facts, rules: Iterable[FirewallRule]) -> tuple[Action, ...]:
    """Tag all firewall rules that lack the same tags in one call."""
    wanted = tags.resource_tags(facts.request, facts.settings)
    groups: dict[Tags, list[str]] = {}
    for rule in rules:
        if lacking := tags.missing(wanted, rule.tags):
            groups.setdefault(lacking, []).append(rule.id)
    return tuple(TagFirewall(tuple(ids), lacking) for lacking, ids in groups.items())


def left_by_others(facts: Facts, rules: Sequence[LoadBalancerRule]) -> list[FirewallRule]:
    """Find the firewall rules that another provider made for its rules: one a port, untagged."""
    port_keys = {_port_key(rule) for rule in rules}
    return [
        rule
        for rule in facts.state.firewall
        if tags.is_unclaimed(rule.tags)
        and rule.start_port == rule.end_port
        and _spots(rule) <= port_keys
    ]


def runs(port_keys: Iterable[PortKey]) -> list[tuple[str, int, int]]:
    """Join contiguous ports of one transport: (transport, first, last)."""
    found: list[tuple[str, int, int]] = []
    for transport, port in sorted(port_keys):
        if found and found[-1][0] == transport and found[-1][2] == port - 1:
            found[-1] = (transport, found[-1][1], port)
        else:
            found.append((transport, port, port))
    return found


def _port_key(rule: LoadBalancerRule) -> PortKey:
    return ("udp" if rule.protocol == "udp" else "tcp", rule.public_port)


def _spots(rule: FirewallRule) -> set[PortKey]:
    start, end = rule.start_port, rule.end_port or rule.start_port
    return {(rule.protocol, port) for port in range(start or 0, (end or 0) + 1)}


def _is_right(
    facts: Facts, rule: FirewallRule, port_keys: set[PortKey], ranges: Sequence[str]
) -> bool:
    """Tell whether a rule opens nothing but wanted ports, for whole ranges that are wanted.

    An untagged one counts: it is what stands when we stop between making and tagging it.
    """
    there = listed(rule.cidrs)
    return (
        rule.state not in _GOING
        and (tags.is_ours(facts.request, rule.tags) or tags.is_unclaimed(rule.tags))
        and rule.start_port is not None
        and _spots(rule) <= port_keys
        and same(there, [each for each in ranges if admits(there, [each])])
    )


def _lacking(
    port_keys: Iterable[PortKey], ranges: Sequence[str], standing: Sequence[FirewallRule]
) -> list[PortRange]:
    """Find who is not let in where; contiguous ports that lack the same are one range."""
    found: dict[tuple[str, ...], list[PortKey]] = {}
    for transport, port in sorted(port_keys):
        here = PortRange(transport, port, port, ())
        there = [cidr for rule in standing if _overlap(rule, here) for cidr in listed(rule.cidrs)]
        lacking = tuple(each for each in ranges if not admits(there, [each]))
        found.setdefault(lacking, []).append((transport, port))
    return [
        PortRange(transport, start, end, lacking)
        for lacking, at in found.items()
        if lacking
        for transport, start, end in runs(at)
    ]


def _opening(
    address_id: str, lacking: Iterable[PortRange], in_force: Sequence[FirewallRule]
) -> list[OpenFirewall]:
    """Let in whom is lacking, beside the rules in force as far as CloudStack lets us.

    It refuses a rule that shares a port and a range with another, and goes by the text: so a range
    that is taken is said by its halves. A single address has none.
    """
    opening = []
    for ports in lacking:
        taken = {cidr for rule in in_force if _overlap(rule, ports) for cidr in listed(rule.cidrs)}
        cidrs = spelled_apart(ports.cidrs, taken) or ports.cidrs
        opening.append(OpenFirewall(address_id, replace(ports, cidrs=cidrs)))
    return opening


def _exchange(
    opening: Iterable[OpenFirewall], serving: Iterable[FirewallRule]
) -> Iterator[CloseFirewall | OpenFirewall]:
    """Open; a rule that CloudStack does not let stand beside a new one goes right before it.

    Those that serve meanwhile go once the new ones are seen to stand.
    """
    for new in opening:
        yield from _closing(rule for rule in serving if _clash(rule, new.ports))
        yield new


def _overlap(rule: FirewallRule, ports: PortRange) -> bool:
    """Tell whether a rule and a range have a port in common."""
    first, last = rule.start_port or 0, rule.end_port or rule.start_port or 0
    return rule.protocol == ports.protocol and first <= ports.end_port and ports.start_port <= last


def _clash(rule: FirewallRule, ports: PortRange) -> bool:
    """Tell whether CloudStack takes two rules for one: they have a port and a CIDR in common."""
    return _overlap(rule, ports) and bool(set(listed(rule.cidrs)) & set(ports.cidrs))


def _closing(rules: Iterable[FirewallRule]) -> Iterator[CloseFirewall]:
    for rule in rules:
        start, end = rule.start_port or 0, rule.end_port or rule.start_port or 0
        yield CloseFirewall(rule.id, PortRange(rule.protocol, start, end, rule.cidrs))


def _condition(facts: Facts, actions: Collection[Action], port_keys: set[PortKey]) -> Condition:
    kind = "FirewallReady"
    ports = ", ".join(
        f"{start}/{transport}" if start == end else f"{start}-{end}/{transport}"
        for transport, start, end in runs(port_keys)
    )
    if problems := facts.complaints(actions):
        return Condition(kind, "False", "FirewallRefused", "; ".join(problems))
    if actions:
        return Condition(kind, "False", "ChangingFirewall", f"To be open: {ports or 'nothing'}")
    if not port_keys:
        return Condition(kind, "True", "NothingToOpen", "No port is to be open")
    ranges = ", ".join(facts.request.spec.source_ranges)
    return Condition(kind, "True", "FirewallOpen", f"Open: {ports} for {ranges}")
