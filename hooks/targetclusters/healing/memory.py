"""What a process keeps of one TargetCluster's healing, besides the journal."""

from dataclasses import dataclass, field

from hooks.cloudstack import Cloud
from hooks.targetclusters.healing.accounts import Accounts
from hooks.targetclusters.healing.clock_steps import ClockSteps
from hooks.targetclusters.healing.journal_lease import JournalLease
from hooks.targetclusters.healing.vm_leases import VmLeases

#: What tells one attempt from all others: the fault, the process, when it was begun, and when the
#: start that it owes is due.
OpenAttempt = tuple[str, str, float | None, float | None]


@dataclass
class HealingMemory:
    """What the process keeps of one TargetCluster's healing, besides the journal.

    Attributes:
        accounts: its CloudStack account.
        journal: where its journal is kept.
        vms: what was tried on VMs, for whatever TargetCluster.
        holder: this process.
        doubts: why a fault cannot be repaired, by its key, and until when that is not looked at
            again, in monotonic seconds.
        machines_of: the control plane of which the VMs were last found, and when, in monotonic
            seconds.
        sampled: the account whose VMs were last compared with the nodes, when, in monotonic
            seconds, and what is wrong.
        clock_steps: of the clock on the wall.
        seen: since when the open attempts of other processes are seen, in monotonic seconds.
    """

    accounts: Accounts
    journal: JournalLease
    vms: VmLeases
    holder: str
    doubts: dict[str, tuple[float, str]] = field(default_factory=dict)
    machines_of: tuple[object, float] = ((), float("-inf"))
    sampled: tuple[Cloud | None, float, str] = (None, 0.0, "")
    clock_steps: ClockSteps = field(default_factory=ClockSteps)
    seen: dict[OpenAttempt, float] = field(default_factory=dict)
