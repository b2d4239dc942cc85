"""What the load balancer's plan knows: what is asked for, what is remembered, what was seen."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hooks.cloudstack.models import (
    Capabilities,
    FirewallRule,
    LoadBalancerRule,
    Network,
    PublicIpAddress,
    ResourceLimit,
)
from hooks.http.bounded_json import Json
from hooks.kube.events import Reference
from hooks.loadbalancers.plan.ranges import EVERYONE
from hooks.loadbalancers.plan.service import LiveService

if TYPE_CHECKING:
    from hooks.loadbalancers.plan.actions import Action


@dataclass(frozen=True, slots=True)
class Port:
    """One port of the Service: where clients connect, and where every member listens."""

    name: str
    protocol: str
    public_port: int
    node_port: int
    proxy_protocol: bool = False

    @property
    def transport(self) -> str:
        """Return `tcp` or `udp`: what firewalls, and two rules of one port, go by."""
        return self.protocol.lower()

    @property
    def rule_protocol(self) -> str:
        """Return CloudStack's word: `tcp`, `udp` or `tcp-proxy`."""
        return "tcp-proxy" if self.proxy_protocol else self.transport


@dataclass(frozen=True, slots=True)
class Adopt:
    """What another provider may have left for this Service."""

    address: str = ""
    associated_by_controller: bool = False
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Invalid:
    """Something that the Service asks for and cannot have."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Spec:
    """What the Service asks for; `source_ranges` are in CIDR form without host bits."""

    service_name: str
    service_uid: str
    load_balancer_name: str
    ports: tuple[Port, ...] = ()
    algorithm: str = "roundrobin"
    source_ranges: tuple[str, ...] = (EVERYONE,)
    address: str = ""
    keep_address: bool = False
    adopt: Adopt = Adopt()
    node_selector: tuple[tuple[str, str], ...] = ()
    plan_only: bool = False
    open_firewall: bool = True
    invalid: tuple[Invalid, ...] = ()

    def rule_name(self, port: Port) -> str:
        """Name the rule of a port as the existing CloudStack provider does."""
        return f"{self.load_balancer_name}-{port.rule_protocol}-{port.public_port}"


@dataclass(frozen=True, slots=True)
class NetworkAttachment:
    """A network that a machine is on, and whether it is the machine's default one."""

    network_id: str
    default: bool = False


@dataclass(frozen=True, slots=True)
class Instance:
    """A node's machine, as its CloudStackInstance tells.

    Attributes:
        serves: belongs to the stable node set (KEP-3458), so load balancers may send to it.
        missing: CloudStack did not list the machine when it was last asked for.
    """

    name: str
    machine_id: str
    attachments: tuple[NetworkAttachment, ...] = ()
    serves: bool = True
    missing: bool = False
    labels: tuple[tuple[str, str], ...] = ()

    def on(self, network_id: str) -> bool:
        """Tell whether the machine has a card on the network."""
        return any(attachment.network_id == network_id for attachment in self.attachments)


@dataclass(frozen=True, slots=True)
class RecordedAddress:
    """The address as our own status has it.

    Attributes:
        ip: empty where the choice is left to CloudStack.
        id: empty until the address was seen to be ours.
        chosen_at: epoch seconds of the choice, until the address was seen to be ours.
        allocated_at: CloudStack's time of the allocation, which tells it from a later one.
        tries: choices that turned out to be taken.
        published: the Service may show it.
    """

    ip: str
    id: str = ""
    network_id: str = ""
    associated_by_controller: bool = False
    chosen_at: float | None = None
    allocated_at: float | None = None
    tries: int = 0
    published: bool = False

    @property
    def is_choice(self) -> bool:
        """Tell whether it is chosen and not known to be ours yet."""
        return not self.id


@dataclass(frozen=True, slots=True)
class RecordedStatus:
    """What our own status says: all that we remember.

    Attributes:
        fingerprint: of what was asked for at the last finished look; empty while work goes on.
        repeatedDrift: fingerprint of the repairs of the last drift check, and how often in a row.
        status: the whole of it, as it came.
    """

    address: RecordedAddress | None
    network_id: str
    last_check: float | None
    next_check: float | None
    fingerprint: str
    repeated_drift: tuple[str, int]
    conditions: tuple[Json, ...]
    status: Json

    def condition(self, kind: str) -> Json:
        """Return the condition of a type, empty where there is none."""
        return next((each for each in self.conditions if each.get("type") == kind), {})


@dataclass(frozen=True, slots=True)
class LoadBalancerRequest:
    """A request: the LoadBalancer object and the Instances.

    Attributes:
        owned: the Service is among its owners, so deleting the Service deletes it.
        deleted_at: epoch seconds of the deletion; None while it lives.
    """

    namespace: str
    name: str
    uid: str
    generation: int | None
    owned: bool
    deleted_at: float | None
    spec: Spec
    recorded: RecordedStatus
    instances: tuple[Instance, ...]
    reference: Reference

    @property
    def service(self) -> Reference:
        """Refer to the Service, whose Events people read."""
        spec = self.spec
        return Reference("v1", "Service", spec.service_name, spec.service_uid, self.namespace)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An action that CloudStack refused during this call, and its words."""

    action: "Action"
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class CloudState:
    """What CloudStack shows of this load balancer.

    Attributes:
        addresses: those that could be this Service's: by their IP, and by our tag.
        free: some addresses that nobody has; empty where none was looked for or none is shown.
        rules: all rules, ours and others', on the address that the plan would use.
        members: machine ids by rule id, for the rules that are ours.
        names: names of those machines by their ids.
        firewall: all firewall rules of that address.
        machines: ids of the machines that CloudStack has on the network, where that was asked.
    """

    addresses: tuple[PublicIpAddress, ...] = ()
    free: tuple[str, ...] = ()
    rules: tuple[LoadBalancerRule, ...] = ()
    members: tuple[tuple[str, frozenset[str]], ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    firewall: tuple[FirewallRule, ...] = ()
    machines: frozenset[str] | None = None

    def members_of(self, rule_id: str) -> frozenset[str]:
        """Return the machine ids that a rule sends to."""
        return dict(self.members).get(rule_id, frozenset())


@dataclass(frozen=True, slots=True)
class Settings:
    """How often a finished load balancer is looked at again, in seconds, and whose it is."""

    cluster_id: str
    drift_resync: float


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a plan is made from.

    Attributes:
        now: epoch seconds.
        network: the members' network; None where there is none, or CloudStack does not show it.
        service: the Service, read live for deletions and for objects that nobody owns; None for
            others, whose Service wants them.
        first_look: nothing was done in this call yet.
        repeated_drift: hash and count of the drift checks in a row that found the same drift.
        refusals: of this call.
        address_limit: how many addresses there are and may be, where one more was refused.
    """

    request: LoadBalancerRequest
    now: float
    settings: Settings
    version: Capabilities
    network: Network | None
    state: CloudState
    service: LiveService | None = None
    first_look: bool = True
    repeated_drift: tuple[str, int] | None = None
    refusals: tuple[Refusal, ...] = ()
    address_limit: ResourceLimit | None = None

    @property
    def wanted(self) -> bool:
        """Tell whether the Service still wants this load balancer."""
        return self.service is None or self.service.wants

    def refused(self, action: "Action") -> Refusal | None:
        """Return why an action was refused in this call, None where it was not."""
        return next((each for each in self.refusals if each.action == action), None)

    def untried(self, actions: "Iterable[Action]") -> "tuple[Action, ...]":
        """Return the actions that were not refused in this call."""
        return tuple(action for action in actions if not self.refused(action))

    def complaints(self, actions: "Iterable[Action]") -> tuple[str, ...]:
        """Say of each action that was refused in this call why, in CloudStack's words."""
        refusals = (self.refused(action) for action in actions)
        return tuple(f"{each.action}: {each.text}" for each in refusals if each)
