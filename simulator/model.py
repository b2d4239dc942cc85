"""The objects of a world, with the fields that commands read and change."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network


@dataclass(eq=False, slots=True)
class Entity:
    """Anything with a public id, an internal number and a name."""

    id: str
    number: int
    name: str
    created: float


@dataclass(eq=False, slots=True)
class Domain(Entity):
    """A domain of accounts; every world has only ROOT."""


@dataclass(eq=False, slots=True)
class Project(Entity):
    """A project: `account` owns its resources, and `members` may use them."""

    displaytext: str
    account: "Account"
    owner: "Account"
    members: "list[Account]"


@dataclass(eq=False, slots=True)
class Account(Entity):
    """An owner of resources; each project has its own, with role `Project`.

    `denied` are commands that the account's role does not allow.
    """

    role: str
    domain: Domain
    project: Project | None = None
    limits: dict[str, int] = field(default_factory=dict)
    denied: frozenset[str] = frozenset()

    @property
    def admin(self) -> bool:
        """Tell whether this is a root administrator."""
        return self.role == "Admin"


@dataclass(eq=False, slots=True)
class User(Entity):
    """A caller with its keys; each account has one user."""

    account: Account
    api_key: str
    secret_key: str

    def __repr__(self) -> str:
        """Show no keys."""
        return f"User({self.name!r})"


@dataclass(eq=False, slots=True)
class Zone(Entity):
    """A zone; `udp`: the load balancer of its networks supports UDP; `groups`: security groups."""

    public_network: str
    udp: bool = False
    groups: bool = False


@dataclass(eq=False, slots=True)
class ServiceOffering(Entity):
    """A size of VMs in CPUs, MHz, MiB; no host has room for one that is not `placeable`."""

    cpunumber: int
    cpuspeed: int
    memory: int
    placeable: bool = True


@dataclass(eq=False, slots=True)
class Template(Entity):
    """The template of a VM's disk."""

    ostype: str = "Other Linux (64-bit)"


@dataclass(eq=False, slots=True)
class NetworkOffering(Entity):
    """A kind of network: guest type and services; `internal` tells its load balancers' scheme."""

    displaytext: str
    guestiptype: str
    services: tuple[str, ...]
    forvpc: bool = False
    internal: bool = False

    @property
    def text(self) -> str:
        """Describe the offering as the server does in error texts."""
        return (
            f'NetworkOffering {{"id":{self.number},"name":"{self.name}","trafficType":"Guest",'
            f'"uuid":"{self.id}"}}'
        )


@dataclass(eq=False, slots=True)
class Owned(Entity):
    """An object with an owner, and with tags by key."""

    account: Account
    tags: dict[str, str] = field(default_factory=dict, kw_only=True)


@dataclass(eq=False, slots=True)
class Vpc(Owned):
    """A VPC: its tiers are networks that share one router."""

    displaytext: str
    zone: Zone
    cidr: IPv4Network


@dataclass(eq=False, slots=True)
class NetworkAclList(Entity):
    """A list of network ACL items; the two default lists are of no VPC, and nobody changes them."""

    description: str
    vpc: Vpc | None
    tags: dict[str, str] = field(default_factory=dict, init=False)

    @property
    def account(self) -> Account | None:
        """Return the owner; a default list has none."""
        return None if self.vpc is None else self.vpc.account


@dataclass(eq=False, slots=True)
class NetworkAclItem(Entity):
    """An item of a network ACL list; `position` is what the API calls its number."""

    acl: NetworkAclList
    position: int
    protocol: str = "all"
    ports: tuple[int, int] | None = None
    icmp: tuple[int, int] | None = None
    cidrs: list[str] = field(default_factory=lambda: ["0.0.0.0/0"])
    action: str = "Allow"
    traffic: str = "Ingress"
    reason: str | None = None
    state: str = "Add"
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def account(self) -> Account | None:
        """Return the owner; an item of a default list has none."""
        return self.acl.account


@dataclass(eq=False, slots=True)
class Network(Owned):
    """A guest network: `Allocated` until its first VM starts, then `Implemented`.

    One with a `vpc` is a tier of it; `acl` is the tier's list of network ACL items, if any.
    """

    displaytext: str
    zone: Zone
    offering: NetworkOffering
    cidr: IPv4Network
    vlan: int
    ip6cidr: IPv6Network | None = None
    vpc: Vpc | None = None
    acl: NetworkAclList | None = None
    state: str = "Allocated"
    used: set[int] = field(default_factory=set)
    lowest_free: int = 2


@dataclass(eq=False, slots=True)
class Nic(Entity):
    """A VM's network interface."""

    network: Network
    ipaddress: str
    ip6address: str | None
    macaddress: str
    default: bool
    secondary: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class VirtualMachine(Owned):
    """A VM; `state` is one of CloudStack's: Running, Stopped, Destroyed, Starting and the like.

    `shows` is the state that lists show in its place, for a server that is wrong about it; `boots`
    counts how often the VM's guest has booted.
    """

    displayname: str
    user: User
    zone: Zone
    offering: ServiceOffering
    template: Template
    host: str
    nics: list[Nic] = field(default_factory=list)
    state: str = "Stopped"
    updated: float = 0.0
    hypervisor: str = "KVM"
    static_nat: "Address | None" = None
    shows: str | None = None
    boots: int = 0

    @property
    def label(self) -> str:
        """Name the VM as error texts do."""
        return f"{self.id} ({self.name})"

    @property
    def text(self) -> str:
        """Describe the VM as the server does in error texts."""
        return (
            f'VM instance {{"id":{self.number},"instanceName":"{self.instancename}",'
            f'"state":"{self.state}","type":"User","uuid":"{self.id}"}}'
        )

    @property
    def instancename(self) -> str:
        """Return the hypervisor's name for the VM."""
        return f"i-{self.account.number}-{self.number}-VM"


@dataclass(eq=False, slots=True)
class KubernetesCluster(Owned):
    """A cluster of the CloudStack Kubernetes Service.

    One that is not `managed` is a mere record of VMs. `vms` are its VMs, also those that are gone,
    and `control` those of the control plane; `size` is how many workers it should have, and `shows`
    the state that lists show in place of `state`.
    """

    zone: Zone
    network: Network
    description: str = ""
    managed: bool = True
    size: int = 0
    control_nodes: int = 1
    state: str = "Running"
    vms: list[VirtualMachine] = field(default_factory=list)
    control: list[VirtualMachine] = field(default_factory=list)
    shows: str | None = None


@dataclass(eq=False, slots=True)
class Address(Entity):
    """A public address; a free one has no owner.

    One of a `vpc` has a network, one of its tiers, only while it has rules.
    """

    zone: Zone
    state: str = "Free"
    account: Account | None = None
    vpc: Vpc | None = None
    network: Network | None = None
    source_nat: bool = False
    allocated: float = 0.0
    vm: VirtualMachine | None = None
    guest: str = ""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Member:
    """A VM of a rule, with the address that gets its connections."""

    vm: VirtualMachine
    ipaddress: str


@dataclass(eq=False, slots=True)
class LoadBalancerRule(Owned):
    """A load balancer rule: in state `Add` until it has a member, then `Active`.

    `ranges_changed` means that `cidrs` are not those of its creation: the server writes them in
    another form.
    """

    address: Address
    network: Network
    publicport: int
    privateport: int
    protocol: str
    algorithm: str
    cidrs: list[str] = field(default_factory=list)
    ranges_changed: bool = False
    description: str = ""
    members: list[Member] = field(default_factory=list)
    policies: "list[StickinessPolicy]" = field(default_factory=list)
    certificate: "SslCertificate | None" = None

    @property
    def state(self) -> str:
        """Return the state that the server shows."""
        return "Active" if self.members else "Add"

    @property
    def text(self) -> str:
        """Describe the rule as the server does in error texts."""
        return (
            f'LoadBalancer {{"name":"{self.name}","id":{self.number},"purpose":"LoadBalancing",'
            f'"state":"{self.state}","uuid":"{self.id}"}}'
        )


@dataclass(eq=False, slots=True)
class InternalLoadBalancer(LoadBalancerRule):
    """A load balancer of the scheme Internal, at one port.

    Its address is one of its tier's range. It is in no table, and goes with the last load balancer
    that has it. The first member starts a VM that balances, one for each address.
    """

    @property
    def text(self) -> str:
        """Describe the load balancer as the server does in error texts."""
        return (
            f'ApplicationLoadBalancerRule {{"name":"{self.name}","id":{self.number},'
            f'"purpose":"LoadBalancing","state":"{self.state}","uuid":"{self.id}"}}'
        )


@dataclass(eq=False, slots=True)
class FirewallRule(Owned):
    """A firewall rule of an address; `opened_by` is the rule whose creation opened it."""

    address: Address
    network: Network
    protocol: str
    ports: tuple[int, int] | None
    cidrs: list[str]
    icmp: tuple[int, int] | None = None
    state: str = "Add"
    opened_by: "LoadBalancerRule | PortForwardingRule | None" = None


@dataclass(eq=False, slots=True)
class PortForwardingRule(Owned):
    """A rule that sends the connections to a range of ports of an address to one VM."""

    address: Address
    network: Network
    protocol: str
    ports: tuple[int, int]
    private_ports: tuple[int, int]
    vm: VirtualMachine
    guest: str
    cidrs: list[str] = field(default_factory=list)
    state: str = "Add"


@dataclass(eq=False, slots=True)
class SslCertificate(Entity):
    """A certificate that was uploaded with its key, which nobody sees again; `chain` is PEM too."""

    account: Account
    pem: str
    chain: str | None
    fingerprint: str


@dataclass(eq=False, slots=True)
class StickinessPolicy(Entity):
    """How a rule keeps a client on one member.

    It is `pending` until its job ends, and `contested` if another one of the rule was pending too.
    """

    rule: LoadBalancerRule
    method: str
    description: str
    parameters: dict[str, str]
    pending: bool = True
    contested: bool = False
