"""How long a real server takes, and how writes on one network slow each other down.

The figures were measured on a running CloudStack 4.22 with simulated hypervisors. It locks the
rows of an address and its network, and retries slowly: concurrent writes of rules and addresses
take far longer than the same writes one after the other. A change of members sends the router the
configuration of the whole network: its time grows with all members of the network.
"""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["address", "rule", "firewall", "release", "members", "vm"]

# Seconds that each kind takes alone.
ALONE: dict[Kind, float] = {
    "address": 0.13,
    "rule": 0.12,
    "firewall": 0.2,
    "release": 0.2,
    "members": 0.38,
    "vm": 2.0,
}
RELEASED_RULE = 0.2  # more for each rule that is deleted with an address
RELEASED_MEMBER = 0.0072  # more for each member of those rules
CONFIGURED_MEMBER = 0.0016  # more for each member in the network's configuration
SAME_ADDRESS = 0.45  # more for each other write under way on the address
SAME_NETWORK = 0.12  # more for each other write under way on the network
TOGETHER = 0.42  # more, as a share, for each other change of members under way
TOGETHER_MEMBER = 0.0003  # and more for each member in the configuration

LISTED_VM = {"all": 0.005, "some": 0.004, "min": 0.002}
READ = 0.01


@dataclass(frozen=True)
class Load:
    """The load of a write on its network: its kind, and the rules and members it affects."""

    kind: Kind
    network: str = ""
    address: str = ""
    rules: int = 0
    members: int = 0


@dataclass
class _Busy:
    end: float
    address: str


@dataclass
class NetworkWrites:
    """The writes under way on one network."""

    locked: list[_Busy] = field(default_factory=list)
    members: list[_Busy] = field(default_factory=list)

    def forget(self, now: float) -> None:
        """Remove the writes that have ended."""
        self.locked = [busy for busy in self.locked if busy.end > now]
        self.members = [busy for busy in self.members if busy.end > now]


@dataclass(frozen=True)
class Plan:
    """When a call is answered, in seconds from now, and when its job is done, in epoch seconds."""

    answer_after: float
    due: float


class Timing:
    """The writes under way, by network."""

    def __init__(self) -> None:
        self._networks: dict[str, NetworkWrites] = {}

    def plan(self, load: Load | None, now: float) -> Plan:
        """Add a write: locking writes run one after the other, and their callers wait."""
        if load is None:
            return Plan(0.0, now + 0.05)
        if load.kind == "vm":
            return Plan(0.0, now + ALONE["vm"])
        writes = self._networks.setdefault(load.network, NetworkWrites())
        writes.forget(now)
        if load.kind == "members":
            return self._change_members(writes, load, now)
        others = len(writes.locked)
        here = sum(busy.address == load.address for busy in writes.locked)
        cost = alone(load) + SAME_ADDRESS * here + SAME_NETWORK * (others - here)
        start = max([now, *(busy.end for busy in writes.locked)])
        writes.locked.append(_Busy(start + cost, load.address))
        return Plan(start - now, start + cost)

    def _change_members(self, writes: NetworkWrites, load: Load, now: float) -> Plan:
        """Run concurrently with the other changes of members, which slow each other down."""
        slower = (TOGETHER + TOGETHER_MEMBER * load.members) * len(writes.members)
        end = now + alone(load) * (1 + slower)
        writes.members.append(_Busy(end, load.address))
        return Plan(0.0, end)


def alone(load: Load) -> float:
    """Return the seconds that a write takes when nothing else is under way."""
    cost = ALONE[load.kind]
    if load.kind == "release":
        return cost + RELEASED_RULE * load.rules + RELEASED_MEMBER * load.members
    if load.kind == "members":
        return cost + CONFIGURED_MEMBER * load.members
    return cost


def read_seconds(command: str, details: str, shown: int) -> float:
    """Return the seconds that a list takes: VMs cost by how many details are requested."""
    if command != "listVirtualMachines":
        return READ
    level = details if details == "min" else ("some" if details and "all" not in details else "all")
    return READ + LISTED_VM[level] * shown
