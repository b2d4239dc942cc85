"""Guest networks and their services, public addresses."""

from dataclasses import dataclass

from hooks.cloudstack.models.fields import Answer, flag, moment, objects, optional, required
from hooks.cloudstack.models.tags import Tag


@dataclass(frozen=True, slots=True)
class Capability:
    """A property of a network service, its value as CloudStack words it."""

    name: str
    value: str

    @classmethod
    def from_json(cls, answer: Answer) -> "Capability":
        """Read one entry of a service's `capability` list."""
        return cls(required(answer, "capability", "name"), optional(answer, "value"))


@dataclass(frozen=True, slots=True)
class NetworkService:
    """A service of a network: Lb, Firewall, NetworkACL, SecurityGroup, StaticNat, …."""

    name: str
    providers: tuple[str, ...] = ()
    capabilities: tuple[Capability, ...] = ()

    @classmethod
    def from_json(cls, answer: Answer) -> "NetworkService":
        """Read one entry of a network's `service` list."""
        return cls(
            name=required(answer, "network service", "name"),
            providers=objects(
                answer, "provider", lambda provider: required(provider, "provider", "name")
            ),
            capabilities=objects(answer, "capability", Capability.from_json),
        )


@dataclass(frozen=True, slots=True)
class Network:
    """A guest network.

    Attributes:
        type: Isolated, Shared or L2.
        vpc_id: of the VPC whose tier it is, else empty.
        acl_id: of the tier's network ACL list, else empty.
    """

    id: str
    name: str
    type: str = ""
    state: str = ""
    zone_id: str = ""
    vpc_id: str = ""
    acl_id: str = ""
    acl_name: str = ""
    project_id: str = ""
    services: tuple[NetworkService, ...] = ()

    @classmethod
    def from_json(cls, answer: Answer) -> "Network":
        """Read one entry of `network`."""
        return cls(
            id=required(answer, "network", "id"),
            name=required(answer, "network", "name"),
            type=optional(answer, "type"),
            state=optional(answer, "state"),
            zone_id=optional(answer, "zoneid"),
            vpc_id=optional(answer, "vpcid"),
            acl_id=optional(answer, "aclid"),
            acl_name=optional(answer, "aclname"),
            project_id=optional(answer, "projectid"),
            services=objects(answer, "service", NetworkService.from_json),
        )

    def has(self, service: str) -> bool:
        """Tell whether the network offers a service, by CloudStack's name such as `Lb`."""
        return any(each.name == service for each in self.services)

    def capability(self, service: str, name: str) -> str:
        """Return a capability's value, empty where the network does not say."""
        for each in self.services:
            for capability in each.capabilities:
                if (each.name, capability.name) == (service, name):
                    return capability.value
        return ""


@dataclass(frozen=True, slots=True)
class PublicIpAddress:
    """A public address, acquired or free.

    Attributes:
        state: Allocated, Allocating, Releasing, Free, Reserved.
        network_id: of the guest network it is associated with (`associatednetworkid`; the
            answer's own `networkid` is the public network), empty for a VPC's.
        allocated_at: epoch seconds since when somebody has it; None for a free one.
        virtual_machine_id: of the machine whose static NAT it is, else empty.
    """

    id: str
    ip_address: str
    state: str
    zone_id: str = ""
    network_id: str = ""
    vpc_id: str = ""
    project_id: str = ""
    is_source_nat: bool = False
    is_static_nat: bool = False
    is_system: bool = False
    for_virtual_network: bool = False
    virtual_machine_id: str = ""
    allocated_at: float | None = None
    tags: tuple[Tag, ...] = ()

    @classmethod
    def from_json(cls, answer: Answer) -> "PublicIpAddress":
        """Read one entry of `publicipaddress`."""
        return cls(
            id=required(answer, "public address", "id"),
            ip_address=required(answer, "public address", "ipaddress"),
            state=required(answer, "public address", "state"),
            zone_id=optional(answer, "zoneid"),
            network_id=optional(answer, "associatednetworkid"),
            vpc_id=optional(answer, "vpcid"),
            project_id=optional(answer, "projectid"),
            is_source_nat=flag(answer, "issourcenat"),
            is_static_nat=flag(answer, "isstaticnat"),
            is_system=flag(answer, "issystem"),
            for_virtual_network=flag(answer, "forvirtualnetwork"),
            virtual_machine_id=optional(answer, "virtualmachineid"),
            allocated_at=moment(answer, "allocated"),
            tags=objects(answer, "tags", Tag.from_json),
        )
