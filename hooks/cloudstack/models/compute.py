"""Virtual machines and what they are made from: zones, offerings, clusters of them."""

from dataclasses import dataclass

from hooks.cloudstack.models.fields import (
    Answer,
    flag,
    objects,
    optional,
    optional_number,
    required,
)

_GONE_STATES = frozenset({"Destroyed", "Expunging", "Expunged", "Error"})


@dataclass(frozen=True, slots=True)
class Nic:
    """A network card of a virtual machine; addresses are empty where it has none."""

    id: str
    network_id: str
    network_name: str = ""
    ip_address: str = ""
    ip6_address: str = ""
    is_default: bool = False
    secondary_ips: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, answer: Answer) -> "Nic":
        """Read one entry of a virtual machine's `nic` list."""
        return cls(
            id=required(answer, "nic", "id"),
            network_id=required(answer, "nic", "networkid"),
            network_name=optional(answer, "networkname"),
            ip_address=optional(answer, "ipaddress"),
            ip6_address=optional(answer, "ip6address"),
            is_default=flag(answer, "isdefault"),
            secondary_ips=objects(
                answer, "secondaryip", lambda ip: required(ip, "secondary ip", "ipaddress")
            ),
        )


@dataclass(frozen=True, slots=True)
class VirtualMachine:
    """A virtual machine.

    Attributes:
        state: Running, Stopped, Starting, Stopping, Migrating, Destroyed, Expunging, Error, ….
        offering_name: of the service offering; empty when listed with `details=min`.
        nics: in CloudStack's order; empty when listed with `details=min`.
        public_ip: the address of a static NAT, else empty.
    """

    id: str
    name: str
    state: str
    display_name: str = ""
    zone_id: str = ""
    zone_name: str = ""
    offering_id: str = ""
    offering_name: str = ""
    nics: tuple[Nic, ...] = ()
    public_ip: str = ""
    security_group_ids: tuple[str, ...] = ()
    project_id: str = ""

    @property
    def exists(self) -> bool:
        """Tell whether the machine is neither destroyed nor failed to deploy."""
        return self.state not in _GONE_STATES

    @classmethod
    def from_json(cls, answer: Answer) -> "VirtualMachine":
        """Read one entry of `virtualmachine` or `loadbalancerruleinstance`."""
        return cls(
            id=required(answer, "virtual machine", "id"),
            name=required(answer, "virtual machine", "name"),
            state=required(answer, "virtual machine", "state"),
            display_name=optional(answer, "displayname"),
            zone_id=optional(answer, "zoneid"),
            zone_name=optional(answer, "zonename"),
            offering_id=optional(answer, "serviceofferingid"),
            offering_name=optional(answer, "serviceofferingname"),
            nics=objects(answer, "nic", Nic.from_json),
            public_ip=optional(answer, "publicip"),
            security_group_ids=objects(
                answer, "securitygroup", lambda group: required(group, "security group", "id")
            ),
            project_id=optional(answer, "projectid"),
        )


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone."""

    id: str
    name: str
    security_groups_enabled: bool = False

    @classmethod
    def from_json(cls, answer: Answer) -> "Zone":
        """Read one entry of `zone`."""
        return cls(
            id=required(answer, "zone", "id"),
            name=required(answer, "zone", "name"),
            security_groups_enabled=flag(answer, "securitygroupsenabled"),
        )


@dataclass(frozen=True, slots=True)
class ServiceOffering:
    """A service offering; a customized one has neither CPUs nor memory of its own (MiB)."""

    id: str
    name: str
    cpu_number: int | None = None
    memory: int | None = None

    @classmethod
    def from_json(cls, answer: Answer) -> "ServiceOffering":
        """Read one entry of `serviceoffering`."""
        return cls(
            id=required(answer, "service offering", "id"),
            name=required(answer, "service offering", "name"),
            cpu_number=optional_number(answer, "service offering", "cpunumber"),
            memory=optional_number(answer, "service offering", "memory"),
        )


@dataclass(frozen=True, slots=True)
class KubernetesCluster:
    """A cluster of the CloudStack Kubernetes Service; its state is Running, Stopped, …."""

    id: str
    name: str
    state: str

    @classmethod
    def from_json(cls, answer: Answer) -> "KubernetesCluster":
        """Read one entry of `kubernetescluster`."""
        return cls(
            id=required(answer, "Kubernetes cluster", "id"),
            name=required(answer, "Kubernetes cluster", "name"),
            state=required(answer, "Kubernetes cluster", "state"),
        )
