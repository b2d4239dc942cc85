"""What the members' network can do: whether it is served, and what enforces source ranges there."""

from dataclasses import dataclass

from hooks.cloudstack.models import Capabilities, Network
from hooks.kube.conditions import Condition
from hooks.loadbalancers.plan.facts import Spec
from hooks.loadbalancers.plan.ranges import EVERYONE, admits, listed, same

#: CloudStack versions from which a rule takes a CIDR list, and changes it in place.
LISTS_SINCE = (4, 18)
LISTS_CHANGE_SINCE = (4, 22)


@dataclass(frozen=True, slots=True)
class Enforcement:
    """What lets in the source ranges, and nobody else.

    Attributes:
        wanted: the ranges.
        firewall: our firewall rules do.
        rule_lists: rules are created with a list of their own.
        lists_change: that list can be changed in place.
        impossible: why the ranges cannot be enforced; empty where they can.
    """

    wanted: tuple[str, ...]
    firewall: bool
    rule_lists: bool
    lists_change: bool
    impossible: str = ""

    def shuts_out(self, there: tuple[str, ...]) -> bool:
        """Tell whether a rule's list, which cannot be changed, is in the way.

        Where the firewall decides, a list may let in more than is wanted, never less; where the
        list alone decides, it has to admit just the same.
        """
        if self.firewall:
            return not admits(listed(there), self.wanted)
        return not same(listed(there), listed(self.wanted))


def refusal(network: Network | None, network_id: str) -> Condition | None:
    """Say why a network cannot have load balancers from us; None where it can."""
    if not network_id:
        return _not("NoNetwork", "No node with a network is known yet")
    if network is None:
        said = f"CloudStack does not show network {network_id}: is the project or account right?"
        return _not("NetworkNotVisible", said)
    if network.vpc_id:
        said = f"Network {network.name} is a VPC tier, which is not served yet"
        return _not("NetworkNotServed", said)
    if not network.has("Lb"):
        return _not("NetworkNotServed", f"Network {network.name} offers no load balancing")
    if network.has("SecurityGroup"):
        said = f"Network {network.name} has security groups, which are not served yet"
        return _not("NetworkNotServed", said)
    return None


def _not(reason: str, message: str) -> Condition:
    return Condition("AddressReady", "False", reason, message)


def enforcement(spec: Spec, network: Network, version: Capabilities) -> Enforcement:
    """Choose what enforces the source ranges.

    Below 4.22 a rule's list cannot be changed, so where a firewall can restrict the sources it
    does so alone: a list made at creation could only ever be narrowed.
    """
    firewall = network.has("Firewall") and spec.open_firewall
    lists = version.at_least(*LISTS_SINCE)
    change = version.at_least(*LISTS_CHANGE_SINCE)
    impossible = ""
    if not firewall and not spec.source_ranges:
        impossible = "nobody may connect, and no firewall of ours could see to that"
    elif not firewall and not lists and spec.source_ranges != (EVERYONE,):
        impossible = "this CloudStack cannot restrict the sources of a rule (4.18 can)"
    return Enforcement(
        wanted=spec.source_ranges,
        firewall=firewall,
        rule_lists=change or (lists and not firewall),
        lists_change=change,
        impossible=impossible,
    )
