"""Firewall rules, port forwarding rules, network ACL items and security groups."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated

from hooks.cloudstack.models.fields import Cidrs, Listing, Lower, Model
from hooks.cloudstack.models.tags import Tag

#: The protocols that have ports. CloudStack's word `all` means both.
TRANSPORTS = ("tcp", "udp")
#: What a rule opens that names no ports.
ALL_PORTS = (0, 65535)
#: The numbers of those protocols, which an ACL item may name instead.
_TRANSPORT_NUMBERS = {"6": "tcp", "17": "udp"}


@dataclass(frozen=True, slots=True)
class PortRange:
    """Ports `start` to `end`, both included, of a protocol, for some sources."""

    protocol: str
    start_port: int
    end_port: int
    cidrs: tuple[str, ...]


class Opening:
    """Something that is about ports, for some sources: all ports if it names none."""

    protocol: str
    start_port: int | None
    end_port: int | None
    cidrs: tuple[str, ...]

    @property
    def opened(self) -> tuple[PortRange, ...]:
        """Return the ports that it is about, a range for each transport; none for ICMP."""
        first, last = ALL_PORTS
        if self.start_port is not None:
            first, last = self.start_port, self.end_port or self.start_port
        protocol = _TRANSPORT_NUMBERS.get(self.protocol, self.protocol)
        transports = TRANSPORTS if protocol == "all" else (protocol,)
        return tuple(
            PortRange(each, first, last, self.cidrs) for each in transports if each in TRANSPORTS
        )

    def opens(self, transport: str, port: int) -> bool:
        """Tell whether it is about a port."""
        return any(
            each.protocol == transport and each.start_port <= port <= each.end_port
            for each in self.opened
        )

    def opens_only(self, ports: Collection[tuple[str, int]]) -> bool:
        """Tell whether it is about no other ports than these, by transport and number."""
        if self.start_port is None or not self.opened:
            return False
        return all(
            each.end_port - each.start_port < len(ports)
            and all((each.protocol, n) in ports for n in range(each.start_port, each.end_port + 1))
            for each in self.opened
        )


@dataclass(frozen=True, slots=True)
class FirewallRule(Opening, Model):
    """A firewall rule of a public address; a rule for all ports has none."""

    LISTING = Listing("listFirewallRules", "firewallrule", "id ip_address_id network_id tags")
    id: str
    protocol: Lower
    public_ip_id: Annotated[str, "ipaddressid"]
    start_port: int | None = None
    end_port: int | None = None
    cidrs: Annotated[Cidrs, "cidrlist"] = ()
    state: str = ""
    network_id: str = ""
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True, slots=True)
class PortForwardingRule(Model):
    """A port of a public address that goes to one VM."""

    LISTING = Listing(
        "listPortForwardingRules", "portforwardingrule", "id ip_address_id network_id tags"
    )
    id: str
    protocol: Lower
    public_ip_id: Annotated[str, "ipaddressid"]
    public_port: int
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkAclList(Model):
    """A list of network ACL items; the two default ones are of no VPC, and cannot be changed."""

    LISTING = Listing("listNetworkACLLists", "networkacllist", "id vpc_id")
    id: str
    name: str
    vpc_id: str = ""


@dataclass(frozen=True, slots=True)
class NetworkAcl(Opening, Model):
    """An item of a network ACL list; one for all ports has none.

    Listed by the id of a deleted one: InvalidParameter.

    Attributes:
        acl_name: of its list; names are not unique.
        number: its position, unique in its list: lower numbers are matched first.
        action: Allow or Deny.
        traffic_type: Ingress or Egress.
        protocol: tcp, udp, icmp, all or a protocol number.
        cidrs: IPv4 and IPv6, as they were sent: a CIDR may have the bits of a host.
        reason: free text; empty without one.
    """

    LISTING = Listing("listNetworkACLs", "networkacl", "id acl_id network_id tags")
    id: str
    protocol: Lower
    acl_id: str = ""
    acl_name: str = ""
    number: int | None = None
    action: str = ""
    traffic_type: str = ""
    start_port: int | None = None
    end_port: int | None = None
    cidrs: Annotated[Cidrs, "cidrlist"] = ()
    state: str = ""
    reason: str = ""
    tags: tuple[Tag, ...] = ()

    @property
    def is_ingress(self) -> bool:
        """Tell whether it is about what comes in."""
        return self.traffic_type.lower() == "ingress"

    @property
    def allows(self) -> bool:
        """Tell whether it lets something in."""
        return self.is_ingress and self.action.lower() == "allow"

    @property
    def denies(self) -> bool:
        """Tell whether it keeps something from coming in."""
        return self.is_ingress and self.action.lower() == "deny"
