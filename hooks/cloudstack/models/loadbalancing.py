"""Load balancer rules, their members and stickiness policies."""

from dataclasses import dataclass
from typing import Annotated

from hooks.cloudstack.models.fields import (
    Answer,
    Malformed,
    Model,
    Name,
    Read,
    objects,
    optional,
    required,
    words,
)
from hooks.cloudstack.models.tags import Tag


def _protocol(answer: Answer, name: str) -> str:
    return optional(answer, name).lower() or "tcp"


@dataclass(frozen=True, slots=True)
class LoadBalancerRule(Model):
    """A load balancer rule: one public port of an address.

    Attributes:
        state: Add until the first member is assigned, then Active; Revoke while it goes.
        protocol: tcp, udp, tcp-proxy or ssl.
        algorithm: roundrobin, leastconn or source; an update accepts any other text.
        cidrs: the sources that may connect; empty where the server is older than 4.18.
    """

    KIND = "load balancer rule"
    id: str
    name: str
    public_ip_id: str
    public_port: int
    private_port: int
    protocol: Annotated[str, Read(_protocol)]
    algorithm: str = ""
    state: str = ""
    public_ip: str = ""
    network_id: str = ""
    cidrs: Annotated[tuple[str, ...], Name("cidrlist")] = ()
    tags: tuple[Tag, ...] = ()


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


@dataclass(frozen=True, slots=True)
class LoadBalancerRuleChange:
    """What updateLoadBalancerRule may change in place; None leaves a field as it is.

    `cidrs` needs 4.22 and may not be empty: CloudStack cannot remove the list, so
    `0.0.0.0/0` means everyone.
    """

    name: str | None = None
    algorithm: str | None = None
    protocol: str | None = None
    cidrs: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A virtual machine behind a rule, and the addresses that serve."""

    virtual_machine_id: str
    name: str = ""
    state: str = ""
    addresses: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, answer: Answer) -> "Member":
        """Read one entry of `lbrulevmidip`, as listed with `lbvmips=true`."""
        machine = answer.get("loadbalancerruleinstance")
        if not isinstance(machine, dict):
            raise Malformed("a member without 'loadbalancerruleinstance'")
        return cls(
            virtual_machine_id=required(machine, "member", "id"),
            name=optional(machine, "name"),
            state=optional(machine, "state"),
            addresses=words(answer, "lbvmipaddresses"),
        )


def _params(answer: Answer, name: str) -> tuple[tuple[str, str], ...]:
    values = answer.get(name)
    pairs = values.items() if isinstance(values, dict) else ()
    return tuple(sorted((str(key), str(value)) for key, value in pairs))


@dataclass(frozen=True, slots=True)
class StickinessPolicy(Model):
    """How a rule keeps a client on one member; `params` are sorted (name, value) pairs."""

    KIND = "stickiness policy"
    id: str
    name: Annotated[str, Read(optional)]
    method: Annotated[str, Name("methodname")]
    params: Annotated[tuple[tuple[str, str], ...], Read(_params)] = ()


@dataclass(frozen=True, slots=True)
class NewStickinessPolicy:
    """The parameters of createLBStickinessPolicy: a method such as LbCookie, with its params."""

    rule_id: str
    name: str
    method: str
    params: tuple[tuple[str, str], ...] = ()


def rule_policies(answer: Answer) -> tuple[StickinessPolicy, ...]:
    """Read one entry of listLBStickinessPolicies: a rule's policies, wrapped once more."""
    return objects(answer, "stickinesspolicy", StickinessPolicy.from_json)
