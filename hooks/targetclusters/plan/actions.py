"""The jobs that a plan starts and stops."""

from dataclasses import dataclass
from typing import Literal

from hooks.targetclusters.sync.plan.inventory import Inventory

#: Clusters that answered quickly when last asked, all others, and those that were never asked. Each
#: has threads of its own: jobs that take as long as they may do not delay the others.
JobPool = Literal["quick", "slow", "new"]


@dataclass(frozen=True)
class StartProbe:
    """Probe the cluster."""

    pool: JobPool


@dataclass(frozen=True)
class StartRound:
    """Sync the objects that this inventory records to the cluster."""

    recorded: Inventory
    pool: JobPool


@dataclass(frozen=True)
class StartDeletion:
    """Delete the objects of this inventory from the cluster."""

    recorded: Inventory
    pool: JobPool


@dataclass(frozen=True)
class StopRound:
    """Stop the running sync round: it may no longer write to the cluster."""


@dataclass(frozen=True)
class StartHealing:
    """Look for faults, and make one repair if it is due."""

    pool: JobPool


Action = StartProbe | StartRound | StartDeletion | StopRound | StartHealing
