"""Guest networks and their services, public addresses."""

from dataclasses import dataclass
from typing import Annotated

from hooks.cloudstack.models.fields import Ip, Listing, Model, Moment, each
from hooks.cloudstack.models.tags import Tag


@dataclass(frozen=True, slots=True)
class Capability(Model):
    """A property of a network service, its value as CloudStack words it."""

    name: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class NetworkService(Model):
    """A service of a network: Lb, Firewall, NetworkACL, SecurityGroup, StaticNat, …."""

    name: str
    providers: Annotated[tuple[str, ...], each("name"), "provider"] = ()
    capabilities: Annotated[tuple[Capability, ...], "capability"] = ()


@dataclass(frozen=True, slots=True)
class Network(Model):
    """A guest network.

    Attributes:
        type: Isolated, Shared or L2.
        vpc_id: of the VPC whose tier it is, else empty.
        acl_id: of the tier's network ACL list, else empty.
    """

    LISTING = Listing("listNetworks", "network", "id zone_id vpc_id")
    id: str
    name: str
    type: str = ""
    state: str = ""
    zone_id: str = ""
    vpc_id: str = ""
    acl_id: str = ""
    acl_name: str = ""
    services: Annotated[tuple[NetworkService, ...], "service"] = ()

    def has(self, service: str) -> bool:
        """Tell whether the network offers a service, by CloudStack's name such as `Lb`."""
        return any(each.name == service for each in self.services)

    def capability(self, service: str, name: str) -> str:
        """Return a capability's value, empty where the network does not say."""
        values = (
            capability.value
            for found in self.services
            for capability in found.capabilities
            if (found.name, capability.name) == (service, name)
        )
        return next(values, "")


@dataclass(frozen=True, slots=True)
class PublicIpAddress(Model):
    """A public address, acquired or free.

    Listed by the id of a released one, there is none. Free ones are listed by zone, with
    `state="Free"` and `for_virtual_network=True`; by guest network there are none.

    Attributes:
        state: Allocated, Allocating, Releasing, Free, Reserved.
        network_id: of the guest network it is associated with (`associatednetworkid`; the
            answer's own `networkid` is the public network). A VPC's address has one, a tier, only
            while it has rules; then a rule for another tier is created on this one.
        vpc_id: of the VPC that it is associated with, else empty.
        allocated_at: epoch seconds; None for a free address.
        virtual_machine_id: of the VM whose static NAT it is, else empty.
    """

    LISTING = Listing(
        "listPublicIpAddresses",
        "publicipaddress",
        "id ip_address associated_network_id vpc_id zone_id tags state for_virtual_network",
    )
    id: str
    ip_address: Ip
    state: str
    zone_id: str = ""
    network_id: Annotated[str, "associatednetworkid"] = ""
    vpc_id: str = ""
    is_source_nat: bool = False
    is_static_nat: bool = False
    is_system: bool = False
    for_virtual_network: bool = False
    virtual_machine_id: str = ""
    allocated_at: Annotated[Moment, "allocated"] = None
    tags: tuple[Tag, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Tell whether a free address can be acquired for a guest network."""
        return self.for_virtual_network and not self.is_system
