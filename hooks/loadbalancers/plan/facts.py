"""Everything that a plan is made from: the request, CloudStack's state, and how the call went."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from hooks.cloudstack.models.account import Capabilities, ResourceLimit
from hooks.cloudstack.models.firewall import FirewallRule, NetworkAcl, PortForwardingRule
from hooks.cloudstack.models.loadbalancing import (
    InternalLoadBalancer,
    LoadBalancerRule,
    StickinessPolicy,
)
from hooks.cloudstack.models.network import Network, PublicIpAddress
from hooks.lazy import lazy
from hooks.loadbalancers.plan.actions import Action, Associate, Rerecord
from hooks.loadbalancers.plan.certificate_facts import AskedCertificate, KnownCertificate
from hooks.loadbalancers.plan.fingerprint import fingerprint
from hooks.loadbalancers.plan.ownership import Owner, PortKey, port_key
from hooks.loadbalancers.plan.seals import has_sealed_balancer
from hooks.loadbalancers.plan.share_tags import Share
from hooks.loadbalancers.recorded import NO_RECORD, Acquiring
from hooks.loadbalancers.request import LoadBalancerRequest

#: What only a part of the work needs: the items of a tier's list and those that are ours anywhere;
#: the firewall rules and the port forwarding rules of the addresses; the VMs of the network; the
#: certificates.
Part = Literal["items", "firewall", "forwards", "vms", "certificates", "balancers"]
#: What may be on an address of an account that may not list port forwarding rules.
HIDDEN_FORWARDS = "port forwarding rules, if any: this account may not call listPortForwardingRules"


@dataclass(frozen=True, slots=True)
class CloudState:
    """What CloudStack shows of this load balancer.

    Attributes:
        addresses: those that may be this Service's: found by IP, and by our tags.
        free: some free addresses; empty if none was needed or none is shown.
        rules: all rules, ours and others', on the addresses that the plan may use; of a Service
            with an internal load balancer, all internal ones of the tier.
        members: for each of our rules, and of those of a former provider, by id: the names of its
            members by VM id.
        unlisted: members whose Node is there and whose Instance is gone: Node names by VM id.
        policies: the stickiness policies of those of our rules that may have one of ours, by id of
            the rule; a rule that was not looked at is not among them.
        unread_members, unread_policies: CloudStack's words, by id of the rule of ours whose list
            it refuses.
        certificates: those that may be ours, and those that any rule has; empty if the Service
            never asked for one.
        firewall: all firewall rules of these addresses.
        acl: all items, ours and others', of the list that the tier has now, and in other lists
            those with our UID or name; None outside of a VPC, and where they were not read.
        forwards: all port forwarding rules of these addresses; read where they matter.
        hides_forwards: this account may not list them, so there may be some.
        vms: ids of the VMs that CloudStack has on the network; None if not asked, or unknown.
        unread: CloudStack's words, by the part whose list it refuses or does not answer.
    """

    addresses: tuple[PublicIpAddress, ...] = ()
    free: tuple[str, ...] = ()
    rules: tuple[LoadBalancerRule, ...] = ()
    members: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unlisted: Mapping[str, str] = field(default_factory=dict)
    policies: Mapping[str, tuple[StickinessPolicy, ...]] = field(default_factory=dict)
    unread_members: Mapping[str, str] = field(default_factory=dict)
    unread_policies: Mapping[str, str] = field(default_factory=dict)
    certificates: tuple[KnownCertificate, ...] = ()
    firewall: tuple[FirewallRule, ...] = ()
    acl: tuple[NetworkAcl, ...] | None = None
    forwards: tuple[PortForwardingRule, ...] = ()
    hides_forwards: bool = False
    vms: frozenset[str] | None = None
    unread: Mapping[Part, str] = field(default_factory=dict)

    def members_of(self, rule_id: str) -> frozenset[str]:
        """Return the VM ids of a rule's members."""
        return frozenset(self.members.get(rule_id, ()))

    def on(self, address_id: str) -> "CloudState":
        """Return the state without what is on other addresses."""
        return replace(
            self,
            rules=tuple(each for each in self.rules if each.public_ip_id == address_id),
            firewall=tuple(each for each in self.firewall if each.public_ip_id == address_id),
            forwards=tuple(each for each in self.forwards if each.public_ip_id == address_id),
        )

    @property
    def unread_on_addresses(self) -> tuple[str, ...]:
        """Return why it is not known all that is on the addresses; empty if it is."""
        parts: tuple[Part, ...] = ("firewall", "forwards")
        return tuple(self.unread[part] for part in parts if part in self.unread)

    @property
    def other_forwards(self) -> tuple[str, ...]:
        """Name the port forwarding rules, none of which is ours, and those that may be hidden."""
        hidden = (HIDDEN_FORWARDS,) if self.hides_forwards else ()
        ports = (f"{each.public_port}/{each.protocol}" for each in self.forwards)
        return (*(f"port forwarding rule {port}" for port in ports), *hidden)


@dataclass(frozen=True, slots=True)
class Heir:
    """The Service that was made again under another UID, and asks for a load balancer of ours.

    Attributes:
        address, network: what it asks for; empty for any.
        share: whose address it asks for; empty for one of its own.
        members_network: of its load balancer's members; empty while that is not known.
        complaint: why its load balancer is not ready; empty if it is, or does not say so.
        is_abandoned: its load balancer's end leaves everything in CloudStack.
    """

    uid: str
    address: str = ""
    network: str = ""
    share: str = ""
    members_network: str = ""
    complaint: str = ""
    is_abandoned: bool = False

    def may_have(self, address: PublicIpAddress, network_id: str) -> bool:
        """Tell whether an address is as the Service asks, and its members could be reached there.

        One that the Service names waits for it also if its members are elsewhere: a person decides.
        `network_id` is what the status records: a VPC's address without rules shows none.
        """
        share = Share.read(address.tags)
        is_of_share = (share.name if share else "") == self.share
        if address.is_static_nat or address.is_source_nat or not is_of_share:
            return False
        network = self.network or ("" if self.address else self.members_network)
        place = address.network_id or network_id
        return self.address in ("", address.ip_address) and network in ("", place)


@dataclass(frozen=True, slots=True)
class LiveService:
    """A Service as the API server has it now.

    Attributes:
        still_wants: it is confirmed, and still wants its load balancer.
        is_confirmed: it has our UID.
        plan_only, is_abandoned: what its annotations say, if it is confirmed.
        resource_version, finalizers: as they were read; empty if the Service is gone.
        heir: the Service that has the name now; None if it has our UID, or wants nothing of ours.
        address: the IP that it asks for, as it is written; empty for any.
        shown: the IPs and hostnames that its status shows.
    """

    still_wants: bool
    resource_version: str = ""
    finalizers: tuple[str, ...] = ()
    is_confirmed: bool = False
    plan_only: bool = False
    is_abandoned: bool = False
    heir: Heir | None = None
    address: str = ""
    shown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """An action that was refused during this call.

    Attributes:
        code: CloudStack's; 0 if another call's lease was in the way.
        text: CloudStack's words, or who has the lease.
    """

    action: Action
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class CallState:
    """How this call has gone so far: a call observes, plans and acts in passes.

    Attributes:
        first_actions: what the first pass planned; None in the first pass.
        done: the actions that were done or refused.
        refusals: what CloudStack refused.
        unread: as in `CloudState`: such a list is not read again in this call.
    """

    first_actions: tuple[Action, ...] | None = None
    done: tuple[Action, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    unread: Mapping[Part, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """Everything that a plan is made from.

    Attributes:
        now: epoch seconds.
        cluster_id: marks this cluster's resources in CloudStack.
        drift_resync: seconds between two drift checks.
        version: CloudStack's, and so what it can; can nothing until it is read.
        network: the members' network; None if there is none, or CloudStack does not show it. The
            list of a tier is the one that it had when `state.acl` was read.
        certificate: what the ports ask for, as its Secret has it now.
        service: the Service as the API server has it; None if nothing depended on it.
        seal_key: makes the seals of records.
        address_limit: used and allowed addresses, if CloudStack refused one more.
        sees_nodes: for a deletion whose network is not shown: VMs of nodes are, so we are in the
            account and project where anything of ours is.
        returning: seconds for which nodes do not join again that came and went, by VM id.
    """

    request: LoadBalancerRequest
    now: float
    cluster_id: str
    drift_resync: float
    version: Capabilities = field(default=Capabilities(()))
    network: Network | None = None
    state: CloudState = CloudState()
    certificate: AskedCertificate = field(default=AskedCertificate())
    service: LiveService | None = None
    call_state: CallState = CallState()
    address_limit: ResourceLimit | None = None
    seal_key: bytes = field(default=b"", repr=False)
    sees_nodes: bool = False
    returning: Mapping[str, float] = field(default_factory=dict)

    @lazy
    def owner(self) -> Owner:
        """Return the Service as its mark names it."""
        service = self.service
        is_last = self.request.is_deleting and service is not None and service.heir is None
        owner = Owner.of(
            self.request,
            self.cluster_id,
            still_wants=self.still_wants,
            is_last=is_last and not self.still_wants,
        )
        sealed = frozenset(
            each.id
            for each in self.state.rules
            if isinstance(each, InternalLoadBalancer)
            and has_sealed_balancer(owner.mark, self.seal_key, each)
        )
        return replace(owner.with_history(self.state.addresses), sealed=sealed)

    @lazy
    def own_ports(self) -> frozenset[PortKey]:
        """Return the ports at which rules of ours are."""
        return frozenset(port_key(each) for each in self.state.rules if self.owner.has_rule(each))

    def on(self, address_id: str) -> "Facts":
        """Return the facts without what is on other addresses."""
        return replace(self, state=self.state.on(address_id))

    @lazy
    def fingerprint(self) -> str:
        """Return the fingerprint of the request."""
        return fingerprint(self.request)

    @property
    def still_wants(self) -> bool:
        """Tell whether the Service was read, is confirmed, and still wants this load balancer."""
        return self.service is not None and self.service.still_wants

    @property
    def is_orphan(self) -> bool:
        """Tell whether this has no owner, and its Service no need of it."""
        return not self.request.is_owned and not self.still_wants

    @property
    def acquiring(self) -> Acquiring:
        """Return the record of a call that acquires an address, as far as this call leaves it.

        A call that went through has removed it: only one whose outcome is unknown leaves one.
        """
        for action in reversed(self.call_state.done):
            if isinstance(action, Associate) and action.record and action.record.after:
                return NO_RECORD
            if isinstance(action, Rerecord):
                return Acquiring.read(action.after)
        return self.request.acquiring

    @property
    def has_firewall(self) -> bool:
        """Tell whether the network has a firewall."""
        return self.network is not None and self.network.has("Firewall")

    @property
    def tier(self) -> Network | None:
        """Return the network if it is a tier of a VPC, else None."""
        return self.network if self.network and self.network.vpc_id else None

    def refusal(self, action: Action) -> Refusal | None:
        """Return the refusal of an action in this call, None if it was not refused.

        An action that is planned again after it was done had no effect, and counts as refused.
        """
        for refusal in self.call_state.refusals:
            if refusal.action == action:
                return refusal
        if action in self.call_state.done:
            return Refusal(action, 0, "CloudStack accepted it, and it has no effect")
        return None

    def is_refused_by_cloudstack(self, action: Action) -> bool:
        """Tell whether an action was refused, or had no effect, but for another call's lease."""
        refusal = self.refusal(action)
        return refusal is not None and (
            bool(refusal.code) or refusal not in self.call_state.refusals
        )

    def not_refused(self, actions: Iterable[Action]) -> tuple[Action, ...]:
        """Return the actions that were not refused in this call."""
        return tuple(action for action in actions if not self.refusal(action))

    def complaints(self, actions: Iterable[Action]) -> tuple[str, ...]:
        """Describe the actions that were refused in this call, in CloudStack's words."""
        refusals = (self.refusal(action) for action in actions)
        return tuple(f"{each.action}: {each.text}" for each in refusals if each)
