"""What a process keeps of one TargetCluster's healing, besides the journal."""

from dataclasses import dataclass, field

from hooks.targetclusters.healing.accounts import Accounts
from hooks.targetclusters.healing.journal_lease import JournalLease

#: What tells one attempt from all others: the fault, the process, and when it was begun.
OpenAttempt = tuple[str, str, float | None]


@dataclass
class HealingMemory:
    """What the process keeps of one TargetCluster's healing, besides the journal.

    Attributes:
        accounts: its CloudStack account.
        lease: its journal.
        holder: this process.
        seen: since when the open attempts of other processes are seen, in monotonic seconds.
    """

    accounts: Accounts
    lease: JournalLease
    holder: str
    seen: dict[OpenAttempt, float] = field(default_factory=dict)
