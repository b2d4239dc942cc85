"""Decides which clients from elsewhere a VPC tier's list lets in to internal load balancers.

Clients on the tier reach them without its router, so nothing restricts those. For clients elsewhere
the router asks the tier's list: what a Service with source ranges needs is admitted there. One that
restricts nobody asks for no item: the same ports of all VMs on the tier would be open to everybody,
also by static NAT.
"""

from dataclasses import replace

from hooks.cloudstack.models.network import Network
from hooks.loadbalancers.plan.acl import plan_acl
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.firewall import FirewallPlan
from hooks.loadbalancers.plan.port_rules import RulesPlan
from hooks.loadbalancers.plan.ranges import covers
from hooks.loadbalancers.request import EVERYONE

#: Reason: who connects from elsewhere is not the Service's to say.
OPEN_ON_TIER = "OpenOnTier"


def plan_internal_acl(facts: Facts, tier: Network, rules: RulesPlan) -> FirewallPlan:
    """Plan the items of a tier's list for clients elsewhere, and say who connects in any case."""
    is_limited = not covers(facts.request.spec.source_ranges, (EVERYONE,))
    planned = plan_acl(facts, tier, rules if is_limited else replace(rules, ports=()))
    found = planned.condition
    if found.status != "True":
        return planned
    if is_limited:
        message = f"{found.message}. Clients on tier {tier.name} always connect"
        return replace(planned, condition=replace(found, message=message))
    elsewhere = f"network ACL list {tier.acl_name} admits" if tier.acl_id else "no list admits"
    message = f"Clients on tier {tier.name} connect, and from elsewhere those whom {elsewhere}"
    return replace(planned, condition=replace(found, reason=OPEN_ON_TIER, message=message))
