"""Virtual machines and their zones."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

from hooks.cloudstack.models.fields import Listing, Model, Moment, OptionalIp, each
from hooks.http.texts import shorten

#: Characters of an owner; CloudStack has no longer ones.
MAX_OWNER = 255
_GONE_STATES = frozenset({"Destroyed", "Expunging", "Expunged", "Error"})
#: Network cards and service offering cost the server 4 ms a VM; `details=min`, which has
#: neither, 2 ms, and everything 5 ms (measured on 4.22).
_NICS_AND_OFFERING = "nics,servoff"


@dataclass(frozen=True, slots=True)
class Nic(Model):
    """A network card of a virtual machine; addresses are empty where CloudStack gave it none.

    Attributes:
        secondary_ips: more IPv4 or IPv6 addresses of the card, which the guest need not have.
    """

    id: str
    network_id: str
    ip_address: OptionalIp = ""
    ip6_address: OptionalIp = ""
    is_default: bool = False
    secondary_ips: Annotated[tuple[str, ...], each("ipaddress"), "secondaryip"] = ()


@dataclass(frozen=True, slots=True)
class VirtualMachine(Model):
    """A virtual machine.

    Listed by the id of an expunged VM, or of another account's, there is none; an id that
    never existed is InvalidParameter. The filter `name` compares CloudStack's name, not the
    display name.

    Attributes:
        state: Running, Stopped, Starting, Stopping, Migrating, Destroyed, Expunging, Error, ….
        offering_name: of the service offering; empty when listed with `details=min`.
        nics: in CloudStack's order; empty when listed with `details=min`.
        public_ip: the address of a static NAT, else empty.
        account: the owner's name; empty for a VM of a project, as is its domain.
        domain_path: such as `ROOT/customers`.
        updated: when it was last started or stopped; an ordinary reboot does not count.
    """

    LISTING = Listing(
        "listVirtualMachines",
        "virtualmachine",
        "id ids name zone_id network_id details",
        {"details": _NICS_AND_OFFERING},
    )
    id: str
    name: str
    state: str
    zone_id: str = ""
    zone_name: str = ""
    offering_name: Annotated[str, "serviceofferingname"] = ""
    nics: Annotated[tuple[Nic, ...], "nic"] = ()
    public_ip: str = ""
    project_id: str = ""
    account: str = ""
    domain_id: str = ""
    domain_path: str = ""
    updated: Annotated[Moment, "lastupdated"] = None

    @property
    def exists(self) -> bool:
        """Tell whether the VM is neither destroyed nor failed to deploy."""
        return self.state not in _GONE_STATES

    @property
    def owner(self) -> str:
        """Name the project, or the domain and the account, that the VM belongs to."""
        if self.project_id:
            return shorten(f"project {self.project_id}", MAX_OWNER)
        named = f"account {self.domain_id}/{self.account}" if self.account else ""
        return shorten(named, MAX_OWNER)


@dataclass(frozen=True, eq=False, slots=True)
class Snapshot:
    """All virtual machines at one moment; false if there are none.

    Attributes:
        taken_at: epoch seconds before the VMs were listed.
        taken_monotonic: the same in monotonic seconds; tells snapshots and their distance.
        vms: in CloudStack's order, destroyed ones included where CloudStack shows them.
        by_id: the VM of an id, in lower case; see `find`.
        by_host: the VMs of a name without case and domain, as `host_part` returns it.
        owners: whose they are.
    """

    taken_at: float
    taken_monotonic: float
    vms: tuple[VirtualMachine, ...]
    by_id: Mapping[str, VirtualMachine]
    by_host: Mapping[str, tuple[VirtualMachine, ...]]
    owners: frozenset[str]

    def __len__(self) -> int:
        return len(self.vms)

    def find(self, vm_id: str) -> VirtualMachine | None:
        """Return the VM of an id, in whatever case that is written."""
        return self.by_id.get(vm_id.lower())

    @classmethod
    def of(
        cls, vms: Iterable[VirtualMachine], *, taken_at: float, taken_monotonic: float
    ) -> "Snapshot":
        """Index the VMs."""
        listed = tuple(vms)
        groups: dict[str, list[VirtualMachine]] = {}
        for vm in listed:
            groups.setdefault(host_part(vm.name), []).append(vm)
        return cls(
            taken_at=taken_at,
            taken_monotonic=taken_monotonic,
            vms=listed,
            by_id=MappingProxyType({vm.id.lower(): vm for vm in listed}),
            by_host=MappingProxyType({name: tuple(group) for name, group in groups.items()}),
            owners=frozenset(vm.owner for vm in listed),
        )


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose VMs may be found by a name; empty: anybody's that the key sees.

    Attributes:
        account: the name of their account.
        domain: the id or path of their domain.
        project_id: the project that the VMs were listed in.
        zone_id: the zone that is preferred.
    """

    account: str = ""
    domain: str = ""
    project_id: str = ""
    zone_id: str = ""

    def covers(self, vm: VirtualMachine) -> bool:
        """Tell whether a VM is one of them. CloudStack ignores the case of names."""
        if self.account and vm.account.lower() != self.account.lower():
            return False
        known = (vm.domain_id, vm.domain_path.lower())
        return not self.domain or self.domain.lower() in known

    def __str__(self) -> str:
        """Say where was looked, for a message that found nothing."""
        if self.project_id:
            return f"project {self.project_id}, every zone"
        owner = [f"account {self.account}"] if self.account else []
        domain = [f"domain {self.domain}"] if self.domain else []
        return ", ".join((*owner, *domain, "every zone"))


def host_part(name: str) -> str:
    """Return a name in lower case and without its domain."""
    return name.lower().partition(".")[0]


def is_same_host(one: str, other: str) -> bool:
    """Tell whether two names are one host's, whatever their case, and if one lacks the domain."""
    host, names = host_part(one), (one.lower(), other.lower())
    return names[0] == names[1] or (host == host_part(other) and host in names)


@dataclass(frozen=True, slots=True)
class Zone(Model):
    """A zone that the account may use."""

    LISTING = Listing("listZones", "zone", "name")
    id: str
    name: str
