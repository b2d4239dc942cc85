"""Virtual machines and what they are made from: zones, offerings, clusters of them."""

from dataclasses import dataclass
from typing import Annotated

from hooks.cloudstack.models.fields import Model, Name, each

_GONE_STATES = frozenset({"Destroyed", "Expunging", "Expunged", "Error"})


@dataclass(frozen=True, slots=True)
class Nic(Model):
    """A network card of a virtual machine; addresses are empty where it has none."""

    KIND = "nic"
    id: str
    network_id: str
    network_name: str = ""
    ip_address: str = ""
    ip6_address: str = ""
    is_default: bool = False
    secondary_ips: Annotated[tuple[str, ...], each("ipaddress"), Name("secondaryip")] = ()


@dataclass(frozen=True, slots=True)
class VirtualMachine(Model):
    """A virtual machine.

    Attributes:
        state: Running, Stopped, Starting, Stopping, Migrating, Destroyed, Expunging, Error, ….
        offering_name: of the service offering; empty when listed with `details=min`.
        nics: in CloudStack's order; empty when listed with `details=min`.
        public_ip: the address of a static NAT, else empty.
    """

    KIND = "virtual machine"
    id: str
    name: str
    state: str
    display_name: str = ""
    zone_id: str = ""
    zone_name: str = ""
    offering_id: Annotated[str, Name("serviceofferingid")] = ""
    offering_name: Annotated[str, Name("serviceofferingname")] = ""
    nics: Annotated[tuple[Nic, ...], Name("nic")] = ()
    public_ip: str = ""
    security_group_ids: Annotated[tuple[str, ...], each("id"), Name("securitygroup")] = ()
    project_id: str = ""

    @property
    def exists(self) -> bool:
        """Tell whether the machine is neither destroyed nor failed to deploy."""
        return self.state not in _GONE_STATES


@dataclass(frozen=True, slots=True)
class Zone(Model):
    """A zone."""

    KIND = "zone"
    id: str
    name: str
    security_groups_enabled: bool = False


@dataclass(frozen=True, slots=True)
class KubernetesCluster(Model):
    """A cluster of the CloudStack Kubernetes Service; its state is Running, Stopped, …."""

    KIND = "Kubernetes cluster"
    id: str
    name: str
    state: str
