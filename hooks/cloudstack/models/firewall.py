"""Firewall rules, port forwarding rules, network ACL items and security groups."""

from dataclasses import dataclass
from typing import Annotated

from hooks.cloudstack.models.fields import Cidrs, Listing, Lower, Model
from hooks.cloudstack.models.tags import Tag

#: The protocols that have ports. CloudStack's word `all` means both.
TRANSPORTS = ("tcp", "udp")
#: What a rule opens that names no ports.
ALL_PORTS = (0, 65535)


@dataclass(frozen=True, slots=True)
class PortRange:
    """Ports `start` to `end`, both included, of a protocol, for some sources."""

    protocol: str
    start_port: int
    end_port: int
    cidrs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FirewallRule(Model):
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

    @property
    def opened(self) -> tuple[PortRange, ...]:
        """Return the ports that it opens, a range for each transport; none for ICMP."""
        start, end = self.start_port, self.end_port
        first, last = ALL_PORTS if start is None else (start, end or start)
        transports = TRANSPORTS if self.protocol == "all" else (self.protocol,)
        return tuple(
            PortRange(each, first, last, self.cidrs) for each in transports if each in TRANSPORTS
        )

    def opens(self, transport: str, port: int) -> bool:
        """Tell whether it opens a port."""
        return any(
            each.protocol == transport and each.start_port <= port <= each.end_port
            for each in self.opened
        )


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

    LISTING = Listing("listNetworkACLLists", "networkacllist", "id")
    id: str
    name: str
    vpc_id: str = ""


@dataclass(frozen=True, slots=True)
class NetworkAcl(Model):
    """An item of a network ACL list; one for all ports has none.

    Listed by the id of a deleted one: InvalidParameter.

    Attributes:
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
    number: int | None = None
    action: str = ""
    traffic_type: str = ""
    start_port: int | None = None
    end_port: int | None = None
    cidrs: Annotated[Cidrs, "cidrlist"] = ()
    state: str = ""
    reason: str = ""
    tags: tuple[Tag, ...] = ()
