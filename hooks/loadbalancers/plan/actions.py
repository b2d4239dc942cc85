"""What the load balancer's plan may order; `str()` says it to people, in `status.plan` and Events.

An id that is not known yet is empty: such an action is only ever shown, never done.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from hooks.cloudstack.models import LoadBalancerRuleChange, NewLoadBalancerRule, PortRange
from hooks.kube.finalizers import ServiceFinalizers

#: Tags as sorted (key, value) pairs.
Tags = tuple[tuple[str, str], ...]


def tags(values: Mapping[str, str]) -> Tags:
    """Freeze tags."""
    return tuple(sorted(values.items()))


@dataclass(frozen=True, slots=True)
class Associate:
    """Acquire an address that was chosen, and written down, before."""

    ip: str
    network_id: str

    def __str__(self) -> str:
        return f"associate address {self.ip} with network {self.network_id}"


@dataclass(frozen=True, slots=True)
class AssociateAny:
    """Acquire whichever address CloudStack gives, and tag it in the same breath."""

    network_id: str
    tags: Tags

    def __str__(self) -> str:
        return f"associate a free address with network {self.network_id}"


@dataclass(frozen=True, slots=True)
class TagAddress:
    """Put our tags on an address; that they land makes it ours."""

    address_id: str
    ip: str
    tags: Tags

    def __str__(self) -> str:
        return f"tag address {self.ip}"


@dataclass(frozen=True, slots=True)
class UntagAddress:
    """Take our tags off an address that stays."""

    address_id: str
    ip: str
    keys: tuple[str, ...]

    def __str__(self) -> str:
        return f"untag address {self.ip}"


@dataclass(frozen=True, slots=True)
class Release:
    """Give an address back, and with it every rule on it."""

    address_id: str
    ip: str

    def __str__(self) -> str:
        return f"release address {self.ip} with all its rules"


@dataclass(frozen=True, slots=True)
class CreateRule:
    """Create a load balancer rule."""

    rule: NewLoadBalancerRule

    def __str__(self) -> str:
        rule = self.rule
        return (
            f"create rule {rule.name}: port {rule.public_port} to {rule.private_port}, "
            f"{rule.protocol}, {rule.algorithm}"
        )


@dataclass(frozen=True, slots=True)
class UpdateRule:
    """Change a rule in place; `name` is what it is called now."""

    rule_id: str
    name: str
    change: LoadBalancerRuleChange

    def __str__(self) -> str:
        values = {each.name: getattr(self.change, each.name) for each in fields(self.change)}
        said = ", ".join(f"{name} {_shown(value)}" for name, value in values.items() if value)
        return f"change rule {self.name}: {said}"


@dataclass(frozen=True, slots=True)
class DeleteRule:
    """Delete a rule."""

    rule_id: str
    name: str

    def __str__(self) -> str:
        return f"delete rule {self.name}"


@dataclass(frozen=True, slots=True)
class TagRules:
    """Put the same tags on several rules, in one call."""

    rule_ids: tuple[str, ...]
    names: tuple[str, ...]
    tags: Tags

    def __str__(self) -> str:
        return f"tag rules {', '.join(self.names)}"


@dataclass(frozen=True, slots=True)
class Assign:
    """Add members to a rule; none of them may be one already."""

    rule_id: str
    name: str
    machine_ids: tuple[str, ...]
    nodes: tuple[str, ...]

    def __str__(self) -> str:
        return f"assign {_some(self.nodes)} to rule {self.name}"


@dataclass(frozen=True, slots=True)
class AssignTogether:
    """Several assignments, which a network takes side by side."""

    assignments: tuple[Assign, ...]

    def __str__(self) -> str:
        return "; ".join(str(each) for each in self.assignments)


@dataclass(frozen=True, slots=True)
class Remove:
    """Take members off a rule."""

    rule_id: str
    name: str
    machine_ids: tuple[str, ...]
    nodes: tuple[str, ...]

    def __str__(self) -> str:
        return f"remove {_some(self.nodes)} from rule {self.name}"


@dataclass(frozen=True, slots=True)
class OpenFirewall:
    """Open ports of an address."""

    address_id: str
    ports: PortRange

    def __str__(self) -> str:
        return f"open {_ports(self.ports)} for {_shown(self.ports.cidrs)}"


@dataclass(frozen=True, slots=True)
class CloseFirewall:
    """Delete a firewall rule of ours; `ports` is what it opens."""

    rule_id: str
    ports: PortRange

    def __str__(self) -> str:
        return f"close {_ports(self.ports)} for {_shown(self.ports.cidrs)}"


@dataclass(frozen=True, slots=True)
class TagFirewall:
    """Put the same tags on several firewall rules, in one call."""

    rule_ids: tuple[str, ...]
    tags: Tags

    def __str__(self) -> str:
        return f"tag {len(self.rule_ids)} firewall rule(s)"


@dataclass(frozen=True, slots=True)
class HoldService(ServiceFinalizers):
    """Put our finalizer on the Service, so that it cannot go while it has no load balancer."""

    def __str__(self) -> str:
        return f"hold Service {self.namespace}/{self.name} until its load balancer is made again"


@dataclass(frozen=True, slots=True)
class DeleteSelf:
    """Delete the LoadBalancer object: its Service is gone and nobody else would."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"delete CloudStackLoadBalancer {self.namespace}/{self.name}"


#: What is one command of CloudStack's.
Command = (
    Associate
    | TagAddress
    | UntagAddress
    | Release
    | CreateRule
    | UpdateRule
    | DeleteRule
    | TagRules
    | Assign
    | Remove
    | OpenFirewall
    | CloseFirewall
    | TagFirewall
)
#: What is written to the Kubernetes API.
KubernetesAction = DeleteSelf | HoldService
Action = Command | AssociateAny | AssignTogether | KubernetesAction


def _ports(ports: PortRange) -> str:
    """Write a range as `firewall port 80/tcp` or `firewall ports 80-89/tcp`."""
    if ports.start_port == ports.end_port:
        return f"firewall port {ports.start_port}/{ports.protocol}"
    return f"firewall ports {ports.start_port}-{ports.end_port}/{ports.protocol}"


def _shown(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _some(nodes: tuple[str, ...]) -> str:
    """Name a few nodes and count the others."""
    if len(nodes) <= 3:
        return ", ".join(nodes)
    return f"{', '.join(nodes[:3])} and {len(nodes) - 3} more"
