"""What is known of a TargetCluster when an answer is decided."""

from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from hooks.http.bounded_json import Json
from hooks.targetclusters.health.model import Failure, ProbeResult
from hooks.targetclusters.plan.schedule import JobState
from hooks.targetclusters.request import TargetClusterRequest
from hooks.targetclusters.sync.plan.applyset import recorded_sets
from hooks.targetclusters.sync.plan.inventory import Inventory
from hooks.targetclusters.sync.plan.model import DeleteReport, DesiredSet, SyncReport

Report = TypeVar("Report")


@dataclass(frozen=True)
class RoundResult(Generic[Report]):
    """The result of a sync round or of a deletion round.

    Attributes:
        started_at: epoch seconds, to the millisecond.
        seconds: how long it took.
        generation: the generation of the TargetCluster that it followed.
        recorded: the inventory that it started with.
        failure: why it could not connect to the cluster.
        desired: what the sources wanted on the cluster; None with a failure, and of a deletion.
        report: what it did; None with a failure.
    """

    started_at: float
    seconds: float
    generation: int
    recorded: Inventory
    failure: Failure | None = None
    desired: DesiredSet | None = None
    report: Report | None = None


SyncResult = RoundResult[SyncReport]
DeletionResult = RoundResult[DeleteReport]


@dataclass(frozen=True)
class Facts(TargetClusterRequest):
    """A request, and what else is known of the TargetCluster at that moment.

    Attributes:
        probe, sync: the states of its probe and of its sync rounds.
        deletion: the state of its deletion rounds, which never run beside sync rounds.
        now: epoch seconds.
    """

    probe: JobState[ProbeResult]
    sync: JobState[SyncResult]
    deletion: JobState[DeletionResult]
    now: float

    @property
    def key(self) -> str:
        """Return `namespace/name`."""
        metadata = self.cluster["metadata"]
        return f"{metadata['namespace']}/{metadata['name']}"

    @property
    def generation(self) -> int:
        """Return the spec's generation; 0 if it has none."""
        return self.cluster["metadata"].get("generation") or 0

    @property
    def status(self) -> Json:
        """Return the status as Metacontroller sent it."""
        return self.cluster.get("status") or {}

    @cached_property
    def inventory(self) -> Inventory:
        """Return the inventory as Metacontroller sent it."""
        return Inventory.from_config_maps(self.config_maps)

    def children_for(self, new: Inventory | None) -> list[Json]:
        """Return the ConfigMaps of a new inventory, else the present ones."""
        if new is None:
            return self.children
        namespace, _, name = self.key.partition("/")
        return new.to_config_maps(name=name, namespace=namespace)

    def count_objects(self, inventory: Inventory) -> int:
        """Count the objects of an inventory; an ApplySet's own ConfigMap is not one of them."""
        return len(inventory.by_key) - len(recorded_sets(self.key, inventory))
