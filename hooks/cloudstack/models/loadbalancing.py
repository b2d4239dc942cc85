"""Load balancer rules, their members and stickiness policies."""

from dataclasses import dataclass
from typing import Annotated, Self

from hooks.cloudstack.models.fields import (
    Answer,
    Cidrs,
    Listing,
    Malformed,
    Model,
    ip,
    number,
    objects,
    optional,
    required,
    words,
)
from hooks.cloudstack.models.tags import Tag

#: The protocol of rules that speak TLS with clients, and TCP with members.
TLS = "ssl"


def _protocol(answer: Answer, name: str) -> str:
    return optional(answer, name).lower() or "tcp"


@dataclass(frozen=True, slots=True)
class LoadBalancerRule(Model):
    """A load balancer rule: one public port of an address.

    Listed by the id of a deleted one: InvalidParameter. The filter `name` compares whole names,
    `keyword` any part of them.

    Attributes:
        state: Add until the first member is assigned, then Active; Revoke while it goes.
        protocol: tcp, udp, tcp-proxy or ssl.
        algorithm: roundrobin, leastconn or source; an update accepts any other text.
        cidrs: the sources that may connect; empty for everyone, and where the server is older
            than 4.18.
        public_ip: the address itself; empty where it is not known.
    """

    LISTING = Listing(
        "listLoadBalancerRules",
        "loadbalancerrule",
        "id name keyword public_ip_id network_id tags",
    )
    id: str
    name: str
    public_ip_id: str
    public_port: int
    private_port: int
    protocol: Annotated[str, _protocol]
    algorithm: str = ""
    state: str = ""
    network_id: str = ""
    cidrs: Annotated[Cidrs, "cidrlist"] = ()
    tags: tuple[Tag, ...] = ()
    public_ip: Annotated[str, "publicip"] = ""


@dataclass(frozen=True, slots=True)
class InternalLoadBalancer(LoadBalancerRule):
    """A load balancer of the scheme Internal, as the rule that it is: one port of an address.

    The address is one of the network's range and has no id, so `public_ip_id` is the IP. It is
    there as long as a load balancer is on it. There is no protocol but TCP, and no list of sources.
    No list of rules shows it. An update fails, and has changed the algorithm all the same.
    """

    LISTING = Listing("listLoadBalancers", "loadbalancer", "id name network_id tags")

    @classmethod
    def from_json(cls, answer: Answer) -> Self:
        """Read a load balancer, whose one port is in a list. Raises Malformed."""
        kind, ports = "load balancer", objects(answer, "loadbalancerrule", lambda each: each)
        if len(ports) != 1:
            raise Malformed(f"a {kind} with {len(ports)} ports, one was expected")
        source = ip(answer, "sourceipaddress")
        return cls(
            id=required(answer, kind, "id"),
            name=required(answer, kind, "name"),
            public_ip_id=source,
            public_port=number(ports[0], kind, "sourceport"),
            private_port=number(ports[0], kind, "instanceport"),
            protocol="tcp",
            algorithm=optional(answer, "algorithm"),
            state=optional(ports[0], "state"),
            network_id=optional(answer, "networkid"),
            tags=objects(answer, "tags", Tag.from_json),
            public_ip=source,
        )


@dataclass(frozen=True, slots=True)
class NewLoadBalancerRule:
    """The parameters of createLoadBalancerRule.

    Attributes:
        cidrs: sources that may connect (needs 4.18); empty leaves it out, which means everyone.
        open_firewall: whether CloudStack opens the firewall too; its own default is that it
            does, and on the address of a VPC that is refused.
    """

    name: str
    public_ip_id: str
    network_id: str
    public_port: int
    private_port: int
    protocol: str = "tcp"
    algorithm: str = "roundrobin"
    cidrs: tuple[str, ...] = ()
    open_firewall: bool = False

    @property
    def label(self) -> str:
        """Name what is created, for people."""
        return f"rule {self.name}"


@dataclass(frozen=True, slots=True)
class NewInternalLoadBalancer(NewLoadBalancerRule):
    """The parameters of createLoadBalancer, which has neither a protocol nor a list of sources.

    `public_ip_id` is the IP that it gets, of its network's range; empty for any.
    """

    @property
    def label(self) -> str:
        """Name what is created, and on which address, for people."""
        place = f" on {self.public_ip_id}" if self.public_ip_id else ""
        return f"internal load balancer {self.name}{place}"


@dataclass(frozen=True, slots=True)
class LoadBalancerRuleChange:
    """What updateLoadBalancerRule may change in place; None leaves a field as it is.

    `cidrs` needs 4.22, takes IPv4 only, and may not be empty: `0.0.0.0/0` means everyone.
    """

    name: str | None = None
    algorithm: str | None = None
    protocol: str | None = None
    cidrs: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Member(Model):
    """A virtual machine behind a rule, and the addresses that serve; a stopped one is a member."""

    LISTING = Listing("listLoadBalancerRuleInstances", "lbrulevmidip", "id", {"lb_vm_ips": True})
    virtual_machine_id: str
    name: str = ""
    addresses: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, answer: Answer) -> Self:
        """Read an entry, which holds the VM and its addresses. Raises Malformed."""
        vm = answer.get("loadbalancerruleinstance")
        if not isinstance(vm, dict):
            raise Malformed("a member without 'loadbalancerruleinstance'")
        addresses = words(answer, "lbvmipaddresses")
        return cls(required(vm, "member", "id"), optional(vm, "name"), addresses)


def _params(answer: Answer, name: str) -> tuple[tuple[str, str], ...]:
    values = answer.get(name)
    pairs = values.items() if isinstance(values, dict) else ()
    return tuple(sorted((str(key), str(value)) for key, value in pairs))


@dataclass(frozen=True, slots=True)
class StickinessPolicy(Model):
    """How a rule keeps a client on one member; `params` are sorted (name, value) pairs."""

    id: str
    name: Annotated[str, optional]
    method: Annotated[str, "methodname"]
    params: Annotated[tuple[tuple[str, str], ...], _params] = ()


@dataclass(frozen=True, slots=True)
class RulePolicies(Model):
    """The stickiness policies of one rule."""

    LISTING = Listing("listLBStickinessPolicies", "stickinesspolicies", "lb_rule_id")
    policies: Annotated[tuple[StickinessPolicy, ...], "stickinesspolicy"] = ()
