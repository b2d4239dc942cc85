"""A request: what the Service asks for, the nodes, and what our own status recorded."""

from dataclasses import dataclass

from hooks.http.bounded_json import Json
from hooks.kube.events import Reference
from hooks.loadbalancers.plan.ranges import EVERYONE


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
