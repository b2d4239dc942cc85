"""What the sync engine is told and tells, and each decision about one object of a target."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from hooks.http.bounded_json import Json
from hooks.targetclusters.sync.plan.inventory import Inventory, InventoryEntry

DriftPolicy = Literal["Correct", "Report"]
ConflictPolicy = Literal["Keep", "Overwrite"]
Outcome = Literal["applied", "unchanged", "pruned", "drifted", "conflict", "failed", "skipped"]

#: Outcomes that people must look at.
TROUBLE: tuple[Outcome, ...] = ("failed", "conflict", "drifted")
#: How many objects in trouble a status names; the others are counted.
NAMED = 10


@dataclass(frozen=True)
class SyncPolicy:
    """What `spec.resourceSyncPolicy` says about objects that are not as they should be.

    Attributes:
        prune: delete what is no longer wanted.
        drift: apply again what was edited on the target, or only report it.
        conflict: leave alone what was there before us, or take it over.
    """

    prune: bool = True
    drift: DriftPolicy = "Correct"
    conflict: ConflictPolicy = "Keep"


@dataclass(frozen=True)
class SourceProblem:
    """Something in a source that cannot be synced; str() never quotes a Secret.

    Attributes:
        source: such as `ConfigMap/web`, or `resourceSyncPolicy.sources[2]`.
        message: what is wrong, and what would be right.
        key: of the source's data; empty where the problem is no single key's.
        document: which YAML document under the key, from 1; 0 where it is no single one's.
        field: within the document, such as `metadata.name`.
    """

    source: str
    message: str
    key: str = ""
    document: int = 0
    field: str = ""

    def __str__(self) -> str:
        where = [self.source]
        where += [f"key {self.key}"] if self.key else []
        where += [f"document {self.document}"] if self.document else []
        return ", ".join(where) + (f": {self.field}" if self.field else "") + f": {self.message}"


@dataclass(frozen=True)
class DesiredObject:
    """One object as its source wants it.

    Attributes:
        source: such as `ConfigMap/web`.
        body: apiVersion, kind, metadata and the rest, without labels of ours. A namespaced
            object may still lack its namespace: the target knows which kinds have one.
        confidential: it came from or is a Secret, so that no answer about it may be quoted.
        target_namespace: where its source has it go, if namespaced; empty for no word on that.
    """

    source: str
    body: Json = field(repr=False)
    confidential: bool = False
    target_namespace: str = ""


@dataclass(frozen=True)
class DesiredSet:
    """Everything that the sources want on the target.

    Attributes:
        objects: in the order of the sources.
        problems: what could not be read or understood.
        failed_sources: sources with problems; what came from them is not pruned.
        whole: every source was listed; where it was not, nothing at all is pruned.
        home: namespace of objects that name none.
        target_namespace: namespace of all namespaced objects; empty for their own.
    """

    objects: tuple[DesiredObject, ...] = ()
    problems: tuple[SourceProblem, ...] = ()
    failed_sources: frozenset[str] = frozenset()
    whole: bool = True
    home: str = "default"
    target_namespace: str = ""


@dataclass(frozen=True)
class ObjectResult:
    """What became of one object.

    Attributes:
        message: one sentence where there is something to say.
        fields: which fields differed, for `drifted` and for drift that was corrected.
    """

    entry: InventoryEntry
    outcome: Outcome
    message: str = ""
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class SyncReport:
    """What a round came to.

    Attributes:
        results: one for each object that was looked at.
        inventory: to be recorded before the next round; equal to what was recorded when
            nothing about it changed.
        finished_at: epoch seconds.
        complete: nothing is left that another round could do at once.
        problems: those of the sources, carried along.
        error: what ended the round early, empty where nothing did.
        resume_after: seconds until the next retry is due; None where none is.
    """

    results: tuple[ObjectResult, ...]
    inventory: Inventory
    finished_at: float
    complete: bool
    problems: tuple[SourceProblem, ...] = ()
    error: str = ""
    resume_after: float | None = None

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """Count the objects by outcome."""
        return Counter(result.outcome for result in self.results)

    @property
    def synced(self) -> bool:
        """Tell whether the target is as the sources want it."""
        return (
            self.complete
            and not self.error
            and not self.problems
            and not any(result.outcome in TROUBLE for result in self.results)
        )

    def trouble(self, limit: int = NAMED) -> tuple[tuple[ObjectResult, ...], int]:
        """Answer the first objects that people must look at, and how many more there are."""
        found = [result for result in self.results if result.outcome in TROUBLE]
        found.sort(key=lambda result: (TROUBLE.index(result.outcome), result.entry.key))
        return tuple(found[:limit]), max(0, len(found) - limit)


@dataclass(frozen=True)
class DeleteReport:
    """What a round of deleting came to.

    Attributes:
        results: one for each object that was looked at.
        remaining: what may still be on the target; empty when all is gone.
        complete: nothing of ours is left there.
        error: what ended the round early, empty where nothing did.
    """

    results: tuple[ObjectResult, ...]
    remaining: Inventory
    complete: bool
    error: str = ""


@dataclass(frozen=True)
class SyncTask:
    """One round's work.

    Attributes:
        cluster: `namespace/name` of the TargetCluster; names its ApplySet on the target.
        desired: what the sources want, as `gather` read it.
        recorded: the inventory as Metacontroller shows it; nothing outside it is applied.
        policy: what to do about objects that are not as they should be.
    """

    cluster: str
    desired: DesiredSet
    recorded: Inventory
    policy: SyncPolicy = field(default_factory=SyncPolicy)


@dataclass(frozen=True)
class DeleteTask:
    """What is to be taken from a target.

    Attributes:
        cluster: `namespace/name` of the TargetCluster.
        target_namespace: where its ApplySet stands.
        inventory: what may be on the target.
    """

    cluster: str
    target_namespace: str
    inventory: Inventory
