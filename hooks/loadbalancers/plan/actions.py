"""The actions that a plan may hold. `str()` describes one in `status.plan` and in Events.

An id that is not known yet is empty. Plan mode shows such actions; no call does them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

from hooks.cloudstack.models.firewall import PortRange
from hooks.cloudstack.models.loadbalancing import LoadBalancerRuleChange, NewLoadBalancerRule
from hooks.http.texts import join_names
from hooks.kube.conditions import Condition
from hooks.kube.services import ServiceFinalizers
from hooks.loadbalancers.plan.certificate_actions import AttachmentChange
from hooks.loadbalancers.plan.ownership import Own, TaggedKind, Tags
from hooks.loadbalancers.plan.sticky_actions import UntagRules
from hooks.loadbalancers.request import EVERYONE
from hooks.names import TAG_OPENING, TAG_SHARE


@dataclass(frozen=True, slots=True)
class Rerecord:
    """Write, replace or remove the record that a call acquires an address.

    Attributes:
        namespace, name, uid: the CloudStackLoadBalancer.
        before: the annotation as it must be now, else nothing is written; empty for none.
        after: what it becomes; empty for none.
    """

    namespace: str
    name: str
    uid: str
    before: str
    after: str = ""

    @property
    def undo(self) -> "Rerecord":
        """Return the removal of what this writes."""
        return replace(self, before=self.after, after="")

    def __str__(self) -> str:
        ip = (self.after or self.before).split(" ")[0].partition("/")[0]
        begin, end = ("record", "as") if self.after else ("forget that", "is")
        return f"{begin} address {ip} {end} being acquired"


@dataclass(frozen=True, slots=True)
class Associate:
    """Acquire an address, and tag it before CloudStack has finished.

    Attributes:
        ip: the address that an earlier call chose; empty for any free one.
        network_id: of the network. The address of a tier is its VPC's.
        vpc_id: of the VPC whose tier the network is, else empty.
        mark: of the Service, which seals the record of an address that CloudStack chose.
        record: what is recorded before CloudStack is called. If no address is named, it says
            nothing yet, and is written when CloudStack has named one. None to record nothing.
    """

    ip: str
    network_id: str
    tags: Tags
    mark: Tags = field(default=(), compare=False)
    record: Rerecord | None = field(default=None, compare=False)
    vpc_id: str = ""

    @property
    def is_shared(self) -> bool:
        """Tell whether others may have acquired an address for the same share meanwhile."""
        return any(key == TAG_SHARE for key, _ in self.tags)

    def __str__(self) -> str:
        what = f"address {self.ip}" if self.ip else "a free address"
        place = f"VPC {self.vpc_id}" if self.vpc_id else f"network {self.network_id}"
        return f"associate {what} with {place}"


@dataclass(frozen=True, slots=True)
class AddTags:
    """Add the same tags to resources of one kind. An address is ours once CloudStack accepts it."""

    kind: TaggedKind
    ids: tuple[str, ...]
    names: tuple[str, ...]
    tags: Tags

    def __str__(self) -> str:
        return f"tag {_many(self.kind, self.names)}"


@dataclass(frozen=True, slots=True)
class JoinShare(AddTags):
    """Become a user of a shared address. The address is read then: somebody may be releasing it."""

    share: str

    def __str__(self) -> str:
        return f"join shared address {self.share}, {self.names[0]}"


@dataclass(frozen=True, slots=True)
class Retag:
    """Take over resources of one kind: remove the tags that differ from ours, then add ours.

    Attributes:
        owns: the resources.
        keys: of the tags that differ; empty if none does.
        tags: those that are missing then.
    """

    owns: tuple[Own, ...]
    keys: tuple[str, ...]
    tags: Tags

    def __str__(self) -> str:
        return f"take over {_many(self.owns[0].kind, [own.name for own in self.owns])}"


@dataclass(frozen=True, slots=True)
class KeepAddress(Retag):
    """Make an address that we acquired the user's: the Service names it now."""

    def __str__(self) -> str:
        return f"keep address {self.owns[0].name} when the Service goes"


@dataclass(frozen=True, slots=True)
class BeginTakeover(Retag):
    """Show on an address that we take it over, and whose it was."""

    def __str__(self) -> str:
        return f"begin to take over address {self.owns[0].name}"


@dataclass(frozen=True, slots=True)
class GiveBack(Retag):
    """Give an address the mark back that it had before we began to take it over."""

    def __str__(self) -> str:
        return f"give address {self.owns[0].name} back"


@dataclass(frozen=True, slots=True)
class UntagAddress:
    """Remove our tags from an address that stays allocated, and the lease with them."""

    own: Own
    keys: tuple[str, ...]

    def __str__(self) -> str:
        return f"untag address {self.own.name}"


@dataclass(frozen=True, slots=True)
class Release:
    """Release an address, and every rule on it.

    Attributes:
        own: the address.
        rules: how many are on it, as far as is known: it takes longer with more of them.
    """

    own: Own
    rules: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"release address {self.own.name} with all its rules"


@dataclass(frozen=True, slots=True)
class CreateRule:
    """Create a load balancer rule, or an internal load balancer."""

    rule: NewLoadBalancerRule

    def __str__(self) -> str:
        rule = self.rule
        ranges = f" for {_shown(rule.cidrs)}" if rule.cidrs not in ((), (EVERYONE,)) else ""
        return (
            f"create {rule.label}: port {rule.public_port} to {rule.private_port}, "
            f"{rule.protocol}, {rule.algorithm}{ranges}"
        )


@dataclass(frozen=True, slots=True)
class UpdateRule:
    """Change a rule in place; `name` is its name before the change."""

    rule_id: str
    name: str
    change: LoadBalancerRuleChange

    def __str__(self) -> str:
        values = {each.name: getattr(self.change, each.name) for each in fields(self.change)}
        changes = ", ".join(f"{name} {_shown(value)}" for name, value in values.items() if value)
        return f"change rule {self.name}: {changes}"


@dataclass(frozen=True, slots=True)
class DeleteRule:
    """Delete a rule."""

    own: Own

    def __str__(self) -> str:
        return f"delete rule {self.own.name}"


@dataclass(frozen=True, slots=True)
class _MemberChange:
    rule_id: str
    name: str
    vm_ids: tuple[str, ...]
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assign(_MemberChange):
    """Add members to a rule. CloudStack refuses all of them if one is a member already."""

    def __str__(self) -> str:
        return f"assign {join_names(self.nodes, limit=3)} to rule {self.name}"


@dataclass(frozen=True, slots=True)
class Remove(_MemberChange):
    """Remove members from a rule."""

    def __str__(self) -> str:
        return f"remove {join_names(self.nodes, limit=3)} from rule {self.name}"


@dataclass(frozen=True, slots=True)
class MembersTogether:
    """Add or remove members of several rules at the same time."""

    changes: tuple[Assign, ...] | tuple[Remove, ...]

    def __str__(self) -> str:
        return "; ".join(str(each) for each in self.changes)


@dataclass(frozen=True, slots=True)
class OpenFirewall:
    """Open ports of an address.

    Attributes:
        tags: given before the job ends, where nothing else shows that the rule is ours.
        opening_key: of the tag of the address that shows it until then; see `opening_text`.
    """

    address_id: str
    ports: PortRange
    tags: Tags = ()
    opening_key: str = TAG_OPENING

    def __str__(self) -> str:
        return f"open {_firewall(self.ports)}"


@dataclass(frozen=True, slots=True)
class CloseFirewall:
    """Delete a firewall rule of ours; `ports` are the ports that it opens."""

    own: Own
    ports: PortRange

    def __str__(self) -> str:
        return f"close {_firewall(self.ports)}"


@dataclass(frozen=True, slots=True)
class AddItem:
    """Add an item that allows clients to the network ACL list of a VPC tier.

    Attributes:
        acl_name: of the list, for people.
        reason: proves that it is ours until it has its `tags`, given before the job ends.
    """

    acl_id: str
    acl_name: str
    number: int
    ports: PortRange
    reason: str
    tags: Tags

    def __str__(self) -> str:
        return f"add ACL item {self.number} to {self.acl_name}: {range_text(self.ports)}"


@dataclass(frozen=True, slots=True)
class ChangeItem:
    """Change an ACL item of ours in place; `reason` proves that it is ours as it becomes."""

    own: Own
    number: int | None
    ports: PortRange
    reason: str

    def __str__(self) -> str:
        number = f"number {self.number}, " if self.number is not None else ""
        return f"change ACL item {self.own.name}: {number}{range_text(self.ports)}"


@dataclass(frozen=True, slots=True)
class RemoveItem:
    """Delete an ACL item of ours; `ports` are the ports that it opens."""

    own: Own
    ports: PortRange

    def __str__(self) -> str:
        return f"remove ACL item {self.own.name}: {range_text(self.ports)}"


@dataclass(frozen=True, slots=True)
class HoldService(ServiceFinalizers):
    """Put our finalizer on the Service: it must not go while no object knows its address."""

    def __str__(self) -> str:
        return f"hold Service {self.namespace}/{self.name} until its load balancer is made again"


@dataclass(frozen=True, slots=True)
class DeleteOrphan:
    """Delete the CloudStackLoadBalancer: its Service is gone, and it has no owner."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"delete CloudStackLoadBalancer {self.namespace}/{self.name}"


#: An action that is one command of CloudStack's API.
CommandAction = (
    AddTags
    | UntagAddress
    | Release
    | CreateRule
    | UpdateRule
    | DeleteRule
    | UntagRules
    | Assign
    | Remove
    | OpenFirewall
    | CloseFirewall
    | AddItem
    | ChangeItem
    | RemoveItem
)
#: Actions that delete or take over, which nothing does that was not read in this call.
TAKEDOWNS = (Release, UntagAddress, Retag, DeleteRule, CloseFirewall, RemoveItem)
#: A write to the Kubernetes API.
KubernetesAction = DeleteOrphan | HoldService | Rerecord
Action = CommandAction | Associate | Retag | AttachmentChange | MembersTogether | KubernetesAction


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What one stage of a plan does, and the condition that it shows."""

    condition: Condition
    actions: tuple[Action, ...] = ()


def _many(kind: str, resources: Sequence[str]) -> str:
    plural = "addresses" if kind == "address" else f"{kind}s"
    return f"{kind if len(resources) == 1 else plural} {', '.join(resources)}"


def port_text(ports: PortRange) -> str:
    """Return `80/tcp`, `80-89/tcp` or `icmp`."""
    if ports.protocol == "icmp":
        return ports.protocol
    end = f"-{ports.end_port}" if ports.end_port != ports.start_port else ""
    return f"{ports.start_port}{end}/{ports.protocol}"


def range_text(ports: PortRange) -> str:
    """Return `80-89/tcp for 192.0.2.0/24`."""
    return f"{port_text(ports)} for {_shown(ports.cidrs)}"


def opening_text(ports: PortRange) -> str:
    """Return the tag that shows which firewall rule is being made. CloudStack makes none twice."""
    cidrs = hashlib.sha256(" ".join(sorted(ports.cidrs)).encode()).hexdigest()[:16]
    return f"{port_text(ports)} {cidrs}"


def _firewall(ports: PortRange) -> str:
    return f"firewall port{'s' * (ports.start_port != ports.end_port)} {range_text(ports)}"


def _shown(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)
