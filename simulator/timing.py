"""How long a real server takes, and how writes on one network slow each other down.

The figures were measured on a running CloudStack 4.22 with simulated hypervisors. It locks the
rows of an address and its network, and retries slowly: concurrent writes of rules and addresses
take far longer than the same writes one after the other. Addresses lock by owner as well: an owner
who acquires two at once, for two networks or VPCs, waits for seconds. Network ACL items lock
nothing. An assignment sends the router the configuration of the whole network, and a release sends
it for each rule that it deletes.
"""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "address", "rule", "deletion", "firewall", "acl", "release", "assignment", "removal",
    "group", "stickiness", "certificate", "tags", "vm", "start", "stop", "forced stop", "reboot",
    "forced reboot",
]  # fmt: skip

# Seconds that each kind takes alone.
ALONE: dict[Kind, float] = {
    "address": 0.13,
    "rule": 0.12,
    "deletion": 0.2,
    "firewall": 0.11,
    "acl": 0.09,
    "release": 0.1,
    "assignment": 0.12,
    "removal": 0.12,
    "group": 0.09,
    "stickiness": 0.16,
    "certificate": 0.14,
    "tags": 0.027,
    "vm": 2.0,
    "start": 2.1,
    "stop": 2.0,
    "forced stop": 1.9,
    "reboot": 2.1,
    "forced reboot": 4.0,
}
OTHER_JOB = 0.05  # of any other kind
BALANCER_START = 1.5  # more for the first member at an internal address, which starts a VM
BALANCER_STOP = 1.5  # more for the last load balancer there, with which the VM goes
REPLACED_CERTIFICATE = 0.14  # more for one in the place of another: the router is told twice
RELEASED_RULE = 0.2  # more for each rule that is deleted with an address
RELEASED_MEMBER = 0.0015  # more for each member of the rules that are left, at each rule deleted
ASSIGNED_MEMBER = 0.0042  # more for each member that is added
CONFIGURED_MEMBER = 0.00123  # more for each member in the network's configuration
REMOVED_MEMBER = 0.0023  # more for each member of the rule that one is removed from
SAME_ADDRESS = 0.45  # more for each other write under way on the address
SAME_NETWORK = 0.12  # more for each other write under way on the network
SAME_GROUP = 2.5  # more for each other write under way on a security group
SAME_OWNER = 5.0  # more for an address for each one that is being acquired for another network
TOGETHER = 0.42  # more, as a share, for each other change of members under way
TOGETHER_MEMBER = 0.0003  # and more for each member in the configuration

READ = 0.006
LISTED_VM = {"all": 0.005, "some": 0.004, "min": 0.0024}
LISTED_ADDRESS = 0.0043
LISTED_MEMBERS = 0.02
LISTED_MEMBER = 0.004
READ_TOGETHER = 0.45  # more, as a share, for each other list of members under way

#: Kinds that lock nothing.
_FREE = frozenset(
    {
        "acl", "stickiness", "certificate", "tags", "vm", "start", "stop", "forced stop", "reboot",
        "forced reboot",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Load:
    """The load of a write on its network.

    Attributes:
        kind: of the write.
        network: whose rows it locks; for an address of a VPC without rules, the VPC; for a rule of
            a security group, the group.
        owner: who owns the address that is acquired.
        rules: as many are deleted with an address.
        members: of those rules, or in the network's configuration after an assignment, or of the
            rule that members are removed from, or of the rules that stay on a rule's address.
        added: members that are added.
        more: seconds that a VM takes which this starts or stops, or a certificate that goes.
    """

    kind: Kind
    network: str = ""
    address: str = ""
    owner: str = ""
    rules: int = 0
    members: int = 0
    added: int = 0
    more: float = 0.0


@dataclass
class _Busy:
    end: float
    address: str
    owner: str = ""


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
    """The writes under way, by network, and the reads that slow each other down."""

    def __init__(self) -> None:
        self._networks: dict[str, NetworkWrites] = {}
        self._reads: list[float] = []

    def plan(self, load: Load | None, now: float) -> Plan:
        """Add a write: locking writes run one after the other, and their callers wait."""
        if load is None:
            return Plan(0.0, now + OTHER_JOB)
        if load.kind in _FREE:
            return Plan(0.0, now + alone(load))
        writes = self._networks.setdefault(load.network, NetworkWrites())
        writes.forget(now)
        if load.kind in ("assignment", "removal"):
            return self._change_members(writes, load, now)
        others = len(writes.locked)
        here = sum(busy.address == load.address for busy in writes.locked)
        cost = alone(load) + SAME_ADDRESS * here + SAME_NETWORK * (others - here)
        start = max([now, *(busy.end for busy in writes.locked)])
        cost += SAME_GROUP * others if load.kind == "group" else 0
        cost += SAME_OWNER * self._acquired_elsewhere(load, now)
        owner = load.owner if load.kind == "address" else ""
        writes.locked.append(_Busy(start + cost, load.address, owner))
        return Plan(start - now, start + cost)

    def read(self, command: str, details: str, shown: int, now: float) -> float:
        """Add a read, and return its seconds: lists of members slow each other down."""
        seconds = read_seconds(command, details, shown)
        if command != "listLoadBalancerRuleInstances":
            return seconds
        self._reads = [end for end in self._reads if end > now]
        seconds *= 1 + READ_TOGETHER * len(self._reads)
        self._reads.append(now + seconds)
        return seconds

    def _acquired_elsewhere(self, load: Load, now: float) -> int:
        """Return how many addresses the owner is acquiring for other networks."""
        if load.kind != "address" or not load.owner:
            return 0
        return sum(
            busy.end > now and busy.owner == load.owner
            for network, writes in self._networks.items()
            if network != load.network
            for busy in writes.locked
        )

    def _change_members(self, writes: NetworkWrites, load: Load, now: float) -> Plan:
        """Run concurrently with the other changes of members, which slow each other down."""
        slower = (TOGETHER + TOGETHER_MEMBER * load.members) * len(writes.members)
        end = now + alone(load) * (1 + slower)
        writes.members.append(_Busy(end, load.address))
        return Plan(0.0, end)


def alone(load: Load) -> float:
    """Return the seconds that a write takes when nothing else is under way."""
    cost = ALONE[load.kind] + load.more
    if load.kind == "release":
        # The rules go one after the other: on average, half of the members are left.
        sent = load.members * (load.rules + 1) / 2
        return cost + RELEASED_RULE * load.rules + RELEASED_MEMBER * sent
    if load.kind == "deletion":
        return cost + RELEASED_MEMBER * load.members
    if load.kind == "assignment":
        return cost + ASSIGNED_MEMBER * load.added + CONFIGURED_MEMBER * load.members
    if load.kind == "removal":
        return cost + REMOVED_MEMBER * load.members
    return cost


def read_seconds(command: str, details: str, shown: int) -> float:
    """Return the seconds that a read takes alone.

    VMs cost by how many details are requested; members come whole, whatever is requested.
    """
    if command == "listLoadBalancerRuleInstances":
        return LISTED_MEMBERS + LISTED_MEMBER * shown
    if command == "listPublicIpAddresses":
        return READ + LISTED_ADDRESS * shown
    if command != "listVirtualMachines":
        return READ
    level = details if details == "min" else ("some" if details and "all" not in details else "all")
    return READ + LISTED_VM[level] * shown
