"""Security groups and their rules."""

from dataclasses import dataclass, field

from simulator.model import Account, Entity, Owned, VirtualMachine


@dataclass(eq=False, slots=True)
class SecurityGroup(Owned):
    """A security group: its rules admit clients to the VMs that have it."""

    description: str | None = None
    vms: list[VirtualMachine] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class SecurityGroupRule(Entity):
    """A rule of a security group: one range of clients, or the VMs of another group (`source`)."""

    group: SecurityGroup
    protocol: str
    ports: tuple[int, int]
    cidr: str | None = None
    source: SecurityGroup | None = None
    traffic: str = "Ingress"
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def account(self) -> Account:
        """Return the owner of its group."""
        return self.group.account

    @property
    def what(self) -> tuple[object, ...]:
        """Return what no two rules of a group have in common."""
        return self.traffic, self.protocol, self.ports, self.cidr, self.source
