"""Decides what admits a Service's source ranges, and nobody else: the firewall, or rules' lists."""

from dataclasses import dataclass

from hooks.cloudstack.models.loadbalancing import LoadBalancerRule
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.ranges import covers, effective, is_equivalent, merge
from hooks.loadbalancers.request import EVERYONE

#: CloudStack versions from which a rule has a CIDR list, and from which the list can be changed.
LISTS_SINCE = (4, 18)
LISTS_CHANGE_SINCE = (4, 22)
#: Ranges that a rule's list may have. The virtual router writes them all on one line for HAProxy,
#: which takes 64 words there, 4 of which are other ones. A longer line ends every later change of
#: all load balancers of the network.
MAX_LISTED = 60


@dataclass(frozen=True, slots=True)
class Enforcement:
    """What admits the source ranges, and nobody else.

    Attributes:
        wanted: the ranges.
        listed: the list of a rule that has one: the ranges. Where they are too many for it, it is
            everybody if the firewall admits them alone, else as many of them as it takes.
        firewall: firewall rules do, or items of a tier's list, where rules have no list.
        rule_lists: rules are created with a list of their own.
        lists_change: that list can be changed in place.
        impossible: why the ranges cannot be enforced; empty if they can. A rule stays as it is
            then, except that one with a list admits nobody else, or goes if that cannot change.
        unread: why nothing may be opened: the firewall alone restricts the sources, and CloudStack
            does not show what it admits. Empty if the lists do, or it is known.
    """

    wanted: tuple[str, ...]
    listed: tuple[str, ...]
    firewall: bool
    rule_lists: bool
    lists_change: bool
    impossible: str = ""
    unread: str = ""

    def has_wrong_list(self, rule: LoadBalancerRule) -> bool:
        """Tell whether a rule's list, which cannot be changed in place, must be replaced.

        If the firewall restricts the sources, the list may admit more than is wanted, never less.
        If only the list does, it must admit exactly what is wanted.
        """
        if self.firewall:
            return not covers(effective(rule.cidrs), self.wanted)
        return not is_equivalent(effective(rule.cidrs), effective(self.wanted))

    def is_too_wide(self, rule: LoadBalancerRule) -> bool:
        """Tell whether a rule's list admits clients who are not wanted.

        Beside a firewall, a list that cannot be changed is as wide as it was made.
        """
        counts = self.lists_change or not self.firewall
        admitted = self.wanted if self.impossible else self.listed
        return counts and not covers(admitted, effective(rule.cidrs))


def enforcement(facts: Facts) -> Enforcement:
    """Choose what enforces the source ranges.

    Before 4.22 a rule's list cannot be changed, so a firewall restricts the sources alone: a list
    made with the rule could not be widened later. Internal load balancers have none.
    """
    if facts.request.spec.internal:
        return _by_items(facts.request.spec.source_ranges)
    firewall, ranges = facts.has_firewall, facts.request.spec.source_ranges
    lists = facts.version.at_least(*LISTS_SINCE)
    change = facts.version.at_least(*LISTS_CHANGE_SINCE)
    listed, impossible = _listed(ranges), ""
    if not firewall and not ranges:
        impossible = "nobody may connect, and the network has no firewall to enforce that"
    elif not ranges and (others := _opened_by_others(facts)):
        impossible = f"nobody may connect, and firewall rules of others open {', '.join(others)}"
    elif not firewall and len(ranges) > MAX_LISTED and listed == (EVERYONE,):
        listed = ranges[:MAX_LISTED]
        impossible = (
            f"the source ranges are {len(ranges)}, and without a firewall a rule takes "
            f"{MAX_LISTED}: write at most {MAX_LISTED} ranges. A rule that is there admits some of "
            "them, and nobody else"
        )
    elif not firewall and not lists and ranges != (EVERYONE,):
        impossible = "this CloudStack cannot restrict the sources of a rule (4.18 can)"
    return Enforcement(
        wanted=ranges,
        listed=listed,
        firewall=firewall,
        rule_lists=change or (lists and not firewall),
        lists_change=change,
        impossible=impossible,
        unread="" if change and ranges and covers(ranges, listed) else _unread_firewall(facts),
    )


def _unread_firewall(facts: Facts) -> str:
    words = facts.state.unread.get("firewall", "")
    return f"what the firewall admits is unknown: {words}" if words else ""


def _by_items(ranges: tuple[str, ...]) -> Enforcement:
    """Leave it to the tier's list. That is not asked for clients on the tier itself."""
    impossible = "nobody may connect, and clients on the tier always can"
    return Enforcement(
        wanted=ranges,
        listed=ranges,
        firewall=True,
        rule_lists=False,
        lists_change=False,
        impossible="" if ranges else impossible,
    )


def _listed(ranges: tuple[str, ...]) -> tuple[str, ...]:
    """Return what a rule's list holds: the ranges, joined where they are too many as they are."""
    if len(ranges) <= MAX_LISTED:
        return ranges
    return merge(ranges, limit=MAX_LISTED) or (EVERYONE,)


def _opened_by_others(facts: Facts) -> list[str]:
    """List the Service's ports that firewall rules without our mark open."""
    others = [each for each in facts.state.firewall if not facts.owner.has_mark(each)]
    return [
        f"{port.public_port}/{port.transport}"
        for port in facts.request.spec.ports
        if any(each.opens(port.transport, port.public_port) for each in others)
    ]
