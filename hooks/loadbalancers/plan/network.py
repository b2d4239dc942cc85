"""Decides whether the members' network is served, and what enforces source ranges there."""

from dataclasses import dataclass

from hooks.cloudstack.models.loadbalancing import LoadBalancerRule
from hooks.kube.conditions import Condition
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.ranges import covers, effective, is_equivalent
from hooks.loadbalancers.request import EVERYONE

#: CloudStack versions from which a rule has a CIDR list, and from which the list can be changed.
LISTS_SINCE = (4, 18)
LISTS_CHANGE_SINCE = (4, 22)


@dataclass(frozen=True, slots=True)
class Enforcement:
    """What admits the source ranges, and nobody else.

    Attributes:
        wanted: the ranges.
        firewall: firewall rules do.
        rule_lists: rules are created with a list of their own.
        lists_change: that list can be changed in place.
        impossible: why the ranges cannot be enforced; empty if they can.
    """

    wanted: tuple[str, ...]
    firewall: bool
    rule_lists: bool
    lists_change: bool
    impossible: str = ""

    def has_wrong_list(self, rule: LoadBalancerRule) -> bool:
        """Tell whether a rule's list, which cannot be changed in place, must be replaced.

        If the firewall restricts the sources, the list may admit more than is wanted, never less.
        If only the list does, it must admit exactly what is wanted.
        """
        if self.firewall:
            return not covers(effective(rule.cidrs), self.wanted)
        return not is_equivalent(effective(rule.cidrs), effective(self.wanted))


def refusal(facts: Facts) -> Condition | None:
    """Return the condition that says why the network is not served; None if it is."""
    network, reason = facts.network, "NetworkNotServed"
    if not facts.request.network_id:
        reason, message = "NoNetwork", "No node with a network is known yet"
    elif network is None:
        reason, hint = "NetworkNotVisible", "is the project or account right?"
        message = f"CloudStack does not show network {facts.request.network_id}: {hint}"
    elif network.vpc_id:
        message = f"Network {network.name} is a VPC tier, which is not served yet"
    elif not network.has("Lb"):
        message = f"Network {network.name} offers no load balancing"
    elif network.has("SecurityGroup"):
        message = f"Network {network.name} has security groups, which are not served yet"
    else:
        return None
    return Condition("AddressReady", "False", reason, message)


def enforcement(facts: Facts) -> Enforcement:
    """Choose what enforces the source ranges.

    Before 4.22 a rule's list cannot be changed, so a firewall restricts the sources alone: a list
    made with the rule could not be widened later.
    """
    firewall, ranges = facts.has_firewall, facts.request.spec.source_ranges
    lists = facts.version.at_least(*LISTS_SINCE)
    change = facts.version.at_least(*LISTS_CHANGE_SINCE)
    impossible = ""
    if not firewall and not ranges:
        impossible = "nobody may connect, and the network has no firewall to enforce that"
    elif not firewall and not lists and ranges != (EVERYONE,):
        impossible = "this CloudStack cannot restrict the sources of a rule (4.18 can)"
    return Enforcement(ranges, firewall, change or (lists and not firewall), change, impossible)
