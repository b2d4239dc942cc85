"""Decides which items of a VPC tier's network ACL list admit the Service's clients.

A tier has no firewall. Its router answers balanced connections itself, and the list is about what
it forwards: so the lists of the rules restrict the sources, and the tier's list does not, as
CloudStack's source has it (`CsAddress.fw_vpcrouter`, `CsLoadBalancer`; cloudstack#9054, open, and
#6460; not measured). A router that asks the list sees the client at the public port alone, so that
is what an item opens, as the existing provider's do (recorded). An item of ours comes behind those
by which a person denies some of its clients, and before the one that denies everybody everything.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

from hooks.cloudstack.models.firewall import NetworkAcl, PortRange
from hooks.cloudstack.models.loadbalancing import LoadBalancerRule
from hooks.cloudstack.models.network import Network
from hooks.http.texts import join_names
from hooks.kube.conditions import Condition
from hooks.loadbalancers.plan import tags
from hooks.loadbalancers.plan.actions import (
    Action,
    AddItem,
    ChangeItem,
    RemoveItem,
    port_text,
    range_text,
)
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.firewall import (
    CHANGING_FIREWALL,
    FirewallPlan,
    after_rules,
    firewall_condition,
    join_ports,
    lacking_ports,
    open_condition,
    opens_too_much,
    ports_of,
)
from hooks.loadbalancers.plan.ownership import Own, PortKey, port_key
from hooks.loadbalancers.plan.port_rules import RulesPlan
from hooks.loadbalancers.plan.ranges import is_equivalent, overlap
from hooks.loadbalancers.plan.rules import why_without_nodes
from hooks.loadbalancers.plan.seals import item_reason
from hooks.loadbalancers.plan.tier_list import TierList, is_sealed, own_items
from hooks.names import REASON_DENIED_BY_LIST

#: What CloudStack says of a number that an item of the list has.
_TAKEN = "already exists"
#: Among how many numbers a new item's is chosen, so that two rarely choose the same at once.
_SPREAD = 1000
#: The last number that is chosen where no item limits it.
_LAST = 65535
#: How many items of others a condition names.
_NAMED = 5


def plan_acl(facts: Facts, tier: Network, rules: RulesPlan) -> FirewallPlan:
    """Plan the items of a tier's list: after the rules, except what admits too many."""
    if facts.state.acl is None:
        message = "The network ACL list of the tier is not read yet"
        return FirewallPlan(firewall_condition("False", CHANGING_FIREWALL, message))
    wanted = rules.existing if facts.request.spec.invalid else rules.wanted
    planned = admit(facts, TierList.of(facts, tier), wanted)
    if planned.closing:  # The rules' own lists are what restricts the sources.
        planned = replace(planned, closing=(*rules.closing, *planned.closing))
    return after_rules(facts, rules, planned)


def admit(facts: Facts, tier: TierList, rules: Iterable[LoadBalancerRule]) -> FirewallPlan:
    """Admit the source ranges to the public ports of the rules, by items of ours.

    Contiguous ports share an item, with all ranges. What others admit already needs none. Items of
    ours change in place, first those that admit too many: an addition may never end.
    """
    ranges = facts.request.spec.source_ranges
    port_keys = {port_key(rule) for rule in rules} if ranges else set()
    lacking = lacking_ports(port_keys, ranges, tier.admitting)
    closed = (tier.why_closed or why_without_nodes(facts)) if lacking else ""
    if closed:  # What is right stays, and nothing is made.
        pairs = _pairs(tier.own, lacking)
        lacking = [ports for ports, item in pairs if item and _says(item, ports)]
    found = _Difference.of(facts, tier, lacking)
    wide = {e.id for e in tier.own if e.allows and opens_too_much(facts, e, port_keys)}
    closing: tuple[ChangeItem | RemoveItem, ...] = (*found.changed, *found.removed)
    first = tuple(each for each in closing if each.own.id in wide)
    actions: tuple[Action, ...] = (
        *first,
        *found.added,
        *(each for each in closing if each not in first),
        *tags.complete(facts, "ACL item", found.kept, item_name),
        *(remove_item(facts, each) for each in tier.elsewhere),
    )
    condition = open_condition(facts, actions, port_keys, tier.allowing, "Network ACL items")
    denied = closed or _denied(tier, found)
    if denied and condition.status == "True":
        condition = _denied_condition(tier, denied, port_keys, ranges)
    return FirewallPlan(condition, facts.not_refused(actions), closing=facts.not_refused(first))


def remove_items(facts: Facts) -> tuple[RemoveItem, ...]:
    """Remove all items that are ours, from any list."""
    return tuple(remove_item(facts, each) for each in own_items(facts))


def remove_item(facts: Facts, item: NetworkAcl) -> RemoveItem:
    """Remove an item that is ours."""
    return RemoveItem(_own(facts, item), ports_of(item))


def item_name(item: NetworkAcl) -> str:
    """Name an item for people."""
    return f"{item.number} of {item.acl_name}"


@dataclass(frozen=True, slots=True)
class _Difference:
    """What makes the items of ours those that are wanted.

    Attributes:
        kept: those that stay, right or changed.
        placed: what they open then, and under which number.
        unplaced: what no number is free for before everything is denied.
    """

    added: tuple[AddItem, ...]
    changed: tuple[ChangeItem, ...]
    removed: tuple[RemoveItem, ...]
    kept: tuple[NetworkAcl, ...]
    placed: tuple[tuple[PortRange, int], ...]
    unplaced: tuple[PortRange, ...]

    @classmethod
    def of(cls, facts: Facts, tier: TierList, wanted: Sequence[PortRange]) -> "_Difference":
        """Compare the items of ours with what is wanted."""
        numbers, pairs = _Numbers(facts, tier, wanted), _pairs(tier.own, wanted)
        added, changed, placed, unplaced = [], [], [], []
        for ports, item in pairs:
            present = item.number if item else None
            is_placed = present is not None and present < tier.ends[ports.protocol]
            number = present if is_placed else numbers.choose(ports)
            if number is None:
                unplaced.append(ports)
            else:
                placed.append((ports, number))
            reason = item_reason(
                facts.owner.mark, facts.seal_key, tier.network.acl_id, number or present, ports
            )
            if item is None and number is not None:
                place = tier.network.acl_id, tier.network.acl_name
                added.append(AddItem(*place, number, ports, reason, facts.owner.mark))
            elif item and not (number in (None, present) and _says(item, ports)):
                other = number if number != present else None
                changed.append(ChangeItem(_own(facts, item), other, ports, reason))
        kept = tuple(item for _, item in pairs if item)
        ids = {each.id for each in kept}
        removed = tuple(remove_item(facts, each) for each in tier.own if each.id not in ids)
        return cls(tuple(added), tuple(changed), removed, kept, tuple(placed), tuple(unplaced))


class _Numbers:
    """Chooses numbers for items, none twice."""

    def __init__(self, facts: Facts, tier: TierList, wanted: Sequence[PortRange]) -> None:
        self._ends = tier.ends
        listed = (each.number or 0 for each in (*tier.own, *tier.others))
        self._taken = {*listed, *_refused(facts)}
        self._uid = facts.request.spec.service.uid
        self._firsts: dict[PortRange, int] = {}
        ordered = sorted(wanted, key=_ports)
        for item in tier.denying:
            number = item.number or 0
            for ports in _sharing(item, ordered):
                if number < tier.ends[ports.protocol]:
                    self._firsts[ports] = number + 1

    def choose(self, ports: PortRange) -> int | None:
        """Return a free number; None if there is none. The same Service tries the same first.

        So two that choose at the same time rarely choose alike, and two replicas do.
        """
        first = self._firsts.get(ports, 1)
        last = int(min(self._ends[ports.protocol] - 1, max(_LAST, first + _SPREAD)))
        text = f"{self._uid} {ports.protocol} {ports.start_port}"
        digest = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])
        middle = first + digest % max(1, min(_SPREAD, last - first + 1))
        for number in chain(range(middle, last + 1), range(first, middle)):
            if number not in self._taken:
                self._taken.add(number)
                return number
        return None


def _refused(facts: Facts) -> Iterator[int]:
    """Return the numbers that turned out to be taken in this call."""
    for refusal in facts.call_state.refusals:
        if isinstance(refusal.action, AddItem | ChangeItem) and _TAKEN in refusal.text:
            yield refusal.action.number or 0


def _pairs(
    own: Sequence[NetworkAcl], wanted: Sequence[PortRange]
) -> list[tuple[PortRange, NetworkAcl | None]]:
    """Give each wanted range an item of ours: one for its ports, else one that shares a port."""
    usable = [each for each in own if each.allows and len(each.opened) == 1]
    exact: dict[tuple[str, int, int], NetworkAcl] = {}
    for item in usable:
        exact.setdefault(_ports(item.opened[0]), item)
    pairs: dict[tuple[str, int, int], NetworkAcl | None] = {}
    for ports in wanted:
        pairs[_ports(ports)] = exact.get(_ports(ports))
    used = {each.id for each in pairs.values() if each}
    free = sorted((_ports(each.opened[0]), each.id) for each in usable if each.id not in used)
    items, at = {each.id: each for each in usable}, 0
    for key in sorted(key for key, item in pairs.items() if item is None):
        protocol, start, end = key
        while at < len(free) and (free[at][0][0], free[at][0][2]) < (protocol, start):
            at += 1
        if at < len(free) and free[at][0][0] == protocol and free[at][0][1] <= end:
            pairs[key], at = items[free[at][1]], at + 1
    return [(ports, pairs[_ports(ports)]) for ports in wanted]


def _denied(tier: TierList, found: _Difference) -> str:
    """Say which items of others shut out clients who are wanted; empty if none is known to."""
    numbers = dict(found.placed)
    ordered = sorted(numbers, key=_ports)
    shut = {ports.protocol for ports in found.unplaced}
    denying = [
        each
        for each in tier.denying
        if any((each.number or 0) < numbers[ports] for ports in _sharing(each, ordered))
        or any(each.number == tier.ends[transport] for transport in shut)
    ]
    if not denying:
        return ""
    names = [f"{each.number}: {range_text(ports_of(each))}" for each in denying]
    clients = "clients from elsewhere" if tier.is_asked else "clients, if the router asks it"
    return (
        f"Items of others in network ACL list {tier.network.acl_name} deny {clients}: "
        f"{join_names(names, limit=_NAMED)}"
    )


def _denied_condition(
    tier: TierList, denied: str, port_keys: Iterable[PortKey], ranges: Iterable[str]
) -> Condition:
    ports = ", ".join(map(port_text, join_ports(port_keys)))
    who = "The Service admits" if tier.is_asked else "The rules admit"
    message = f"{denied}. {who} {', '.join(ranges)} to {ports}"
    return firewall_condition("True", REASON_DENIED_BY_LIST, message)


def _sharing(item: NetworkAcl, ordered: Sequence[PortRange]) -> Iterator[PortRange]:
    """Return the ranges, in their order, for which an item is about a port and a client."""
    for each in item.opened:
        start = (each.protocol, each.start_port)
        first = bisect_left(ordered, start, key=lambda one: (one.protocol, one.end_port))
        for ports in islice(ordered, first, None):
            if (ports.protocol, ports.start_port) > (each.protocol, each.end_port):
                break
            if overlap(item.cidrs, ports.cidrs):
                yield ports


def _says(item: NetworkAcl, ports: PortRange) -> bool:
    """Tell whether an item opens just these ports for just these clients."""
    opened = item.opened
    return [replace(each, cidrs=ports.cidrs) for each in opened] == [ports] and is_equivalent(
        item.cidrs, ports.cidrs
    )


def _own(facts: Facts, item: NetworkAcl) -> Own:
    name = item_name(item)
    return facts.owner.own_acl_item(item, name, sealed=is_sealed(facts, item))


def _ports(ports: PortRange) -> tuple[str, int, int]:
    return ports.protocol, ports.start_port, ports.end_port
