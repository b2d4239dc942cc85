"""Which ports of an address the firewall is to let through, and whose firewall rules do so."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hooks.cloudstack.models import FirewallRule, LoadBalancerRule, PortRange
from hooks.conditions import Condition
from hooks.loadbalancers import plan_tags
from hooks.loadbalancers.plan_actions import (
    Action,
    CloseFirewall,
    OpenFirewall,
    TagFirewall,
    Tags,
)
from hooks.loadbalancers.plan_facts import EVERYONE, Facts
from hooks.loadbalancers.plan_rules import same_ranges

#: States of a firewall rule whose deletion has begun.
_GOING = frozenset({"Revoke", "Deleting"})

#: A port and the transport it is of.
Spot = tuple[str, int]


@dataclass(frozen=True, slots=True)
class FirewallPlan:
    """What to do for the firewall, and what is so now."""

    actions: tuple[Action, ...]
    condition: Condition


def plan_firewall(facts: Facts, address_id: str, rules: Sequence[LoadBalancerRule]) -> FirewallPlan:
    """Let the source ranges through to the ports of the rules that stand, and nobody else by us.

    What stays right is kept; what is not covered is opened, contiguous ports as one rule. A rule
    of ours that opens too much, or for others, goes: after the new ones came, unless CloudStack
    would take the two for one. A human's rule is never touched; one that opens a port just as
    wanted saves ours.
    """
    ranges = facts.order.spec.source_ranges
    spots = {_spot(rule) for rule in rules} if ranges else set()
    there = [rule for rule in facts.seen.firewall if rule.start_port is not None]
    right = [rule for rule in there if _is_right(facts, rule, spots, ranges)]
    wrong = [
        rule for rule in there if plan_tags.is_ours(facts.order, rule.tags) and rule not in right
    ]
    covered = _covered(there, wrong, ranges)
    opened = [
        OpenFirewall(address_id, PortRange(transport, start, end, ranges))
        for transport, start, end in runs(spots - covered)
    ]
    in_the_way = [rule for rule in wrong if any(_clash(rule, each.ports) for each in opened)]
    actions = [
        *_closing(in_the_way),
        *opened,
        *_closing(rule for rule in wrong if rule not in in_the_way),
        *firewall_tagging(facts, right),
    ]
    return FirewallPlan(facts.untried(actions), _condition(facts, actions, spots))


def close_all(facts: Facts, rules: Sequence[LoadBalancerRule]) -> tuple[Action, ...]:
    """Close what is ours; also what lost its tag but opens just what these rules were opened."""
    spots = {_spot(rule) for rule in rules}
    ranges = facts.order.spec.source_ranges
    return tuple(
        _closing(
            rule
            for rule in facts.seen.firewall
            if plan_tags.is_ours(facts.order, rule.tags) or _is_right(facts, rule, spots, ranges)
        )
    )


def firewall_tagging(facts: Facts, rules: Iterable[FirewallRule]) -> tuple[Action, ...]:
    """Tag all firewall rules that lack the same tags in one call."""
    wanted = plan_tags.resource_tags(facts.order, facts.settings)
    groups: dict[Tags, list[str]] = {}
    for rule in rules:
        if lacking := plan_tags.missing(wanted, rule.tags):
            groups.setdefault(lacking, []).append(rule.id)
    return tuple(TagFirewall(tuple(ids), lacking) for lacking, ids in groups.items())


def left_by_others(facts: Facts, rules: Sequence[LoadBalancerRule]) -> list[FirewallRule]:
    """Find the firewall rules that another provider made for its rules: one a port, untagged."""
    spots = {_spot(rule) for rule in rules}
    return [
        rule
        for rule in facts.seen.firewall
        if plan_tags.is_unclaimed(rule.tags)
        and rule.start_port == rule.end_port
        and _spots(rule) <= spots
    ]


def runs(spots: Iterable[Spot]) -> list[tuple[str, int, int]]:
    """Join contiguous ports of one transport: (transport, first, last)."""
    found: list[tuple[str, int, int]] = []
    for transport, port in sorted(spots):
        if found and found[-1][0] == transport and found[-1][2] == port - 1:
            found[-1] = (transport, found[-1][1], port)
        else:
            found.append((transport, port, port))
    return found


def _spot(rule: LoadBalancerRule) -> Spot:
    return ("udp" if rule.protocol == "udp" else "tcp", rule.public_port)


def _spots(rule: FirewallRule) -> set[Spot]:
    start, end = rule.start_port, rule.end_port or rule.start_port
    return {(rule.protocol, port) for port in range(start or 0, (end or 0) + 1)}


def _is_right(facts: Facts, rule: FirewallRule, spots: set[Spot], ranges: Sequence[str]) -> bool:
    """Tell whether a rule opens nothing but what is wanted, and just so.

    An untagged one counts: it is what stands when we stop between making and tagging it.
    """
    return (
        rule.state not in _GOING
        and (plan_tags.is_ours(facts.order, rule.tags) or plan_tags.is_unclaimed(rule.tags))
        and rule.start_port is not None
        and _spots(rule) <= spots
        and same_ranges(rule.cidrs, ranges)
    )


def _covered(
    there: Iterable[FirewallRule], wrong: Sequence[FirewallRule], ranges: Sequence[str]
) -> set[Spot]:
    """Find the ports that are open as wanted, by our rules or by a human's."""
    covered: set[Spot] = set()
    for rule in there:
        admits = EVERYONE in (rule.cidrs or (EVERYONE,)) or set(ranges) <= set(rule.cidrs)
        if rule not in wrong and rule.state not in _GOING and admits:
            covered |= _spots(rule)
    return covered


def _clash(rule: FirewallRule, ports: PortRange) -> bool:
    """Tell whether CloudStack takes two rules for one: they have a port and a CIDR in common."""
    wanted = {(ports.protocol, port) for port in range(ports.start_port, ports.end_port + 1)}
    return bool(_spots(rule) & wanted and set(rule.cidrs or (EVERYONE,)) & set(ports.cidrs))


def _closing(rules: Iterable[FirewallRule]) -> Iterable[CloseFirewall]:
    for rule in rules:
        start, end = rule.start_port or 0, rule.end_port or rule.start_port or 0
        yield CloseFirewall(rule.id, PortRange(rule.protocol, start, end, rule.cidrs))


def _condition(facts: Facts, actions: Sequence[Action], spots: set[Spot]) -> Condition:
    kind = "FirewallReady"
    ports = ", ".join(
        f"{start}/{transport}" if start == end else f"{start}-{end}/{transport}"
        for transport, start, end in runs(spots)
    )
    if problems := facts.complaints(actions):
        return Condition(kind, "False", "FirewallRefused", "; ".join(problems))
    if actions:
        return Condition(kind, "False", "ChangingFirewall", f"To be open: {ports or 'nothing'}")
    if not spots:
        return Condition(kind, "True", "NothingToOpen", "No port is to be open")
    ranges = ", ".join(facts.order.spec.source_ranges)
    return Condition(kind, "True", "FirewallOpen", f"Open: {ports} for {ranges}")
