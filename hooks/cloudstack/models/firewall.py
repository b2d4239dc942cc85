"""What lets connections through: firewall rules, network ACL items, security groups."""

from dataclasses import dataclass

from hooks.cloudstack.models.fields import (
    Answer,
    objects,
    optional,
    optional_number,
    required,
    words,
)
from hooks.cloudstack.models.tags import Tag


@dataclass(frozen=True, slots=True)
class FirewallRule:
    """A firewall rule of a public address; a rule for all ports has none."""

    id: str
    protocol: str
    public_ip_id: str
    start_port: int | None = None
    end_port: int | None = None
    cidrs: tuple[str, ...] = ()
    state: str = ""
    network_id: str = ""
    tags: tuple[Tag, ...] = ()

    @classmethod
    def from_json(cls, answer: Answer) -> "FirewallRule":
        """Read one entry of `firewallrule`."""
        return cls(
            id=required(answer, "firewall rule", "id"),
            protocol=required(answer, "firewall rule", "protocol").lower(),
            public_ip_id=required(answer, "firewall rule", "ipaddressid"),
            start_port=optional_number(answer, "firewall rule", "startport"),
            end_port=optional_number(answer, "firewall rule", "endport"),
            cidrs=words(answer, "cidrlist"),
            state=optional(answer, "state"),
            network_id=optional(answer, "networkid"),
            tags=objects(answer, "tags", Tag.from_json),
        )


@dataclass(frozen=True, slots=True)
class PortRange:
    """Ports `start` to `end`, both included, of a protocol, for some sources."""

    protocol: str
    start_port: int
    end_port: int
    cidrs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NetworkAclList:
    """A list of network ACL items; the two that every zone has are of no VPC."""

    id: str
    name: str
    vpc_id: str = ""

    @classmethod
    def from_json(cls, answer: Answer) -> "NetworkAclList":
        """Read one entry of `networkacllist`."""
        return cls(
            id=required(answer, "network ACL list", "id"),
            name=required(answer, "network ACL list", "name"),
            vpc_id=optional(answer, "vpcid"),
        )


@dataclass(frozen=True, slots=True)
class NetworkAcl:
    """An item of a network ACL list.

    Attributes:
        number: its place: lower ones are looked at first; unique in its list.
        action: Allow or Deny.
        traffic_type: Ingress or Egress.
        protocol: tcp, udp, icmp, all or a protocol number.
    """

    id: str
    protocol: str
    acl_id: str = ""
    number: int | None = None
    action: str = ""
    traffic_type: str = ""
    start_port: int | None = None
    end_port: int | None = None
    cidrs: tuple[str, ...] = ()
    state: str = ""
    reason: str = ""
    tags: tuple[Tag, ...] = ()

    @classmethod
    def from_json(cls, answer: Answer) -> "NetworkAcl":
        """Read one entry of `networkacl`; its ports are strings there."""
        return cls(
            id=required(answer, "network ACL item", "id"),
            protocol=required(answer, "network ACL item", "protocol").lower(),
            acl_id=optional(answer, "aclid"),
            number=optional_number(answer, "network ACL item", "number"),
            action=optional(answer, "action"),
            traffic_type=optional(answer, "traffictype"),
            start_port=optional_number(answer, "network ACL item", "startport"),
            end_port=optional_number(answer, "network ACL item", "endport"),
            cidrs=words(answer, "cidrlist"),
            state=optional(answer, "state"),
            reason=optional(answer, "reason"),
            tags=objects(answer, "tags", Tag.from_json),
        )


@dataclass(frozen=True, slots=True)
class NewNetworkAcl:
    """What createNetworkACL is told: an item that allows ingress."""

    acl_id: str
    number: int
    ports: PortRange
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NetworkAclChange:
    """What updateNetworkACLItem may change of an item; None leaves a field as it is."""

    ports: PortRange | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class IngressRule:
    """What a security group lets in, from one CIDR; `cidr` is empty where it names a group."""

    id: str
    protocol: str
    start_port: int | None = None
    end_port: int | None = None
    cidr: str = ""
    tags: tuple[Tag, ...] = ()

    @classmethod
    def from_json(cls, answer: Answer) -> "IngressRule":
        """Read one entry of a security group's `ingressrule` list."""
        return cls(
            id=required(answer, "ingress rule", "ruleid"),
            protocol=required(answer, "ingress rule", "protocol").lower(),
            start_port=optional_number(answer, "ingress rule", "startport"),
            end_port=optional_number(answer, "ingress rule", "endport"),
            cidr=optional(answer, "cidr"),
            tags=objects(answer, "tags", Tag.from_json),
        )


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """A security group and what it lets in."""

    id: str
    name: str
    ingress_rules: tuple[IngressRule, ...] = ()
    tags: tuple[Tag, ...] = ()

    @classmethod
    def from_json(cls, answer: Answer) -> "SecurityGroup":
        """Read one entry of `securitygroup`."""
        return cls(
            id=required(answer, "security group", "id"),
            name=required(answer, "security group", "name"),
            ingress_rules=objects(answer, "ingressrule", IngressRule.from_json),
            tags=objects(answer, "tags", Tag.from_json),
        )
