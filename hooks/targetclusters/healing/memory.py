"""What a process keeps of one TargetCluster's healing, besides the journal."""

from dataclasses import dataclass

from hooks.targetclusters.healing.accounts import Accounts
from hooks.targetclusters.healing.journal_lease import JournalLease


@dataclass
class HealingMemory:
    """What the process keeps of one TargetCluster's healing, besides the journal.

    Attributes:
        accounts: its CloudStack account.
        lease: its journal.
        holder: this process.
        seen: the version of the journal with another process's attempt, and since when it is seen.
    """

    accounts: Accounts
    lease: JournalLease
    holder: str
    seen: tuple[str, float] = ("", 0.0)
