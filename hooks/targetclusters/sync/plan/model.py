"""The data of a sync round: what the sources want, the work to do, and what the round reports."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

import msgspec

from hooks import names
from hooks.http.bounded_json import Json
from hooks.kube.identity import ClusterIdentity
from hooks.kube.kinds import Gvk
from hooks.lazy import lazy
from hooks.targetclusters.sync.plan.inventory import Inventory, InventoryEntry, ObjectKey
from hooks.webhook.requests import NonEmpty, View

DriftPolicy = Literal["Correct", "Report"]
ConflictPolicy = Literal["Keep", "Overwrite"]
JsonPointer = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(/([^/~]|~[01])+)+\Z", description="a JSON pointer such as /spec/replicas"
    ),
]
Outcome = Literal[
    "applied",
    "unchanged",
    "pruned",
    "drifted",
    "contested",
    "deleting",
    "conflict",
    "failed",
    "skipped",
]

#: Outcomes of an object that is on the target and ours.
OURS: tuple[Outcome, ...] = ("applied", "unchanged", "drifted", "contested")
#: Outcomes that need a person's attention, the most urgent first.
TROUBLED: tuple[Outcome, ...] = ("failed", "conflict", "drifted", "contested", "deleting")


class IgnoredFields(View, frozen=True, kw_only=True):
    """Fields of a kind that are left as the target has them."""

    group: str = ""
    kind: NonEmpty
    json_pointers: tuple[JsonPointer, ...]


class SyncPolicy(View, frozen=True):
    """What `spec.resourceSyncPolicy` says about objects that differ from what is wanted.

    Attributes:
        prune: delete what is no longer wanted.
        allow_empty: delete also what came from a source that holds nothing any more.
        drift: apply again what somebody edited on the target, or only report it.
        conflict: leave alone what existed before us, or take it over.
        ignored: fields that are neither changed nor reported.
    """

    prune: bool = True
    allow_empty: bool = False
    drift: DriftPolicy = msgspec.field(name="driftPolicy", default="Correct")
    conflict: ConflictPolicy = msgspec.field(name="conflictPolicy", default="Keep")
    ignored: tuple[IgnoredFields, ...] = msgspec.field(name="ignoreDifferences", default=())


class Switches(View, frozen=True):
    """What annotations of an object in a source say about it alone.

    Attributes:
        prune: false: it stays on the target when it leaves the source.
        replace: true: it may be deleted and made again where the target refuses a change.
        drift: its own drift policy; None for that of all.
        takeover_from: the owner that it may be taken over from; empty for none.
    """

    prune: Literal["true", "false"] = msgspec.field(name=names.ANNOTATION_PRUNE, default="true")
    replace: Literal["true", "false"] = msgspec.field(
        name=names.ANNOTATION_REPLACE, default="false"
    )
    drift: DriftPolicy | None = msgspec.field(name=names.ANNOTATION_DRIFT, default=None)
    takeover_from: str = msgspec.field(name=names.ANNOTATION_TAKEOVER, default="")


#: The switches of an object without such annotations.
DEFAULT = Switches()


@dataclass(frozen=True)
class Owner:
    """A TargetCluster as a target knows it.

    Attributes:
        hub: the id of the cluster with the TargetCluster.
        cluster: the TargetCluster's `namespace/name`.
    """

    hub: str
    cluster: str

    def __str__(self) -> str:
        return f"{self.hub}/{self.cluster}"

    @property
    def name(self) -> str:
        """Return the TargetCluster's name."""
        return self.cluster.partition("/")[2]

    @property
    def selector(self) -> str:
        """Return the label selector by which the objects of this owner are listed."""
        return f"{names.LABEL_MEMBER_OF}={self.member}"

    @property
    def others_selector(self) -> str:
        """Return the label selector by which the objects of anybody else are listed."""
        return f"{names.LABEL_MEMBER_OF}!={self.member}"

    @property
    def member(self) -> str:
        """Return the value of the label that the objects of this owner carry."""
        return hashlib.sha256(str(self).encode()).hexdigest()[:32]

    def mark(self, text: str) -> str:
        """Return the mark of an object with the mark text, such as `Deployment.apps/shop/web`."""
        return f"{self}:{text}"


@dataclass(frozen=True)
class SourceProblem:
    """Something in a source that cannot be synced; str() never quotes a Secret.

    Attributes:
        source: such as `ConfigMap/web`, or `resourceSyncPolicy.sources[2]`.
        message: what is wrong, and what would be right.
        where: in the source, such as `key web.yaml, document 2`.
    """

    source: str
    message: str
    where: str = ""

    def __str__(self) -> str:
        return f"{', '.join(filter(None, (self.source, self.where)))}: {self.message}"


@dataclass(frozen=True)
class DesiredObject:
    """One object as its source wants it.

    Attributes:
        source: such as `ConfigMap/web`.
        body: apiVersion, kind, metadata and the rest, without labels and annotations of ours.
        namespace: where it goes if its kind is namespaced; only the target knows which kinds are.
    """

    source: str
    body: Json = field(repr=False)
    namespace: str = "default"
    switches: Switches = DEFAULT

    @property
    def gvk(self) -> Gvk:
        """Return apiVersion and kind."""
        return self.body["apiVersion"], self.body["kind"]

    @property
    def is_confidential(self) -> bool:
        """Tell whether it is a Secret or comes from one, so no answer about it may be quoted."""
        return InventoryEntry(*self.gvk, source=self.source).is_confidential


@dataclass(frozen=True)
class DesiredSet:
    """Everything that the sources want on the target.

    Attributes:
        objects: in the order of the sources.
        problems: what could not be read or understood.
        failed_sources: sources with problems; what came from them is not pruned.
        has_all_sources: every source was listed; if not, nothing at all is pruned.
        empty_sources: sources that hold no object, or are named and do not exist; what came from
            them is pruned only if the policy allows that.
        source_uids: the UIDs of the sources, which are never written to as objects of a target.
        contents: the digest of what the sources hold and where it goes.
        leases: hold the memory of the objects.
    """

    objects: tuple[DesiredObject, ...] = ()
    problems: tuple[SourceProblem, ...] = ()
    failed_sources: frozenset[str] = frozenset()
    has_all_sources: bool = True
    empty_sources: tuple[str, ...] = ()
    source_uids: frozenset[str] = frozenset()
    contents: str = ""
    leases: tuple[object, ...] = field(default=(), repr=False, compare=False)

    @lazy
    def empty(self) -> frozenset[str]:
        """Return the empty sources, to look one up for each of many objects."""
        return frozenset(self.empty_sources)

    @property
    def digest(self) -> "WantedDigest":
        """Return what is kept of it: by this, two sets are compared."""
        problems = frozenset(map(str, self.problems))
        known = (problems, self.failed_sources, self.has_all_sources, self.source_uids)
        return WantedDigest((self.contents, *known), self.empty_sources)


@dataclass(frozen=True)
class WantedDigest:
    """What is kept of a DesiredSet once a job has ended: what it held may be large.

    Attributes:
        state: equal for sets that are equal.
        empty_sources: as the set has them.
    """

    state: tuple[object, ...] = ()
    empty_sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class LiveObject:
    """What matters of an object on the target; the object itself may be large and is not kept.

    Attributes:
        mark: the owner mark that it carries.
        mark_is_applied: a TargetCluster's operator wrote the mark, by the field's manager.
        has_applied: a TargetCluster's operator applied fields of it that still stand.
        created_for: the owner that the operator created it for, as a namespace that was missing.
        part_of: the id of the ApplySet whose label it carries.
        applied_hash: the hash that it carries.
        deleting_since: when its deletion was requested; empty if it was not.
        finalizers: what its deletion waits for.
        goes_by_itself: a Job that is so is deleted when it has finished, whoever asked for that.
        may_differ: it may lack something that is wanted.
        set_otherwise: wanted fields that it has with another value, such as `spec.replicas to 1`.
    """

    uid: str
    resource_version: str
    mark: str = ""
    mark_is_applied: bool = False
    has_applied: bool = False
    created_for: str = ""
    part_of: str = ""
    applied_hash: str = ""
    deleting_since: str = ""
    finalizers: tuple[str, ...] = ()
    goes_by_itself: bool = False
    may_differ: bool = False
    set_otherwise: tuple[str, ...] = ()


@dataclass(frozen=True)
class ObjectResult:
    """What happened to one object.

    Attributes:
        entry: the object, with its UID on the target as far as that is known.
        message: one sentence, empty if there is nothing to say.
        fields: the fields that differed, for `drifted` and for drift that was corrected.
        is_gone: it is deleted or no longer ours, so the inventory need not hold it.
        needs_recheck: it is changing, so another round within seconds is worth it.
    """

    entry: InventoryEntry
    outcome: Outcome
    message: str = ""
    fields: tuple[str, ...] = ()
    is_gone: bool = False
    needs_recheck: bool = False

    @property
    def corrects_drift(self) -> bool:
        """Tell whether fields that somebody changed on the target were applied again."""
        return self.outcome in ("applied", "contested") and bool(self.fields)


@dataclass(frozen=True)
class SyncReport:
    """What a round did.

    Attributes:
        results: one for each object that the round considered.
        inventory: to be recorded before the next round; equal to the recorded one if nothing
            about it changed.
        complete: another round at once would have nothing more to do.
        problems: those of the sources and of resolving them.
        error: what ended the round early, empty if nothing did.
        resume_after: seconds until another round has something to do; None if it has not.
        pause: seconds for which the target asks to be left alone; 0 if it does not.
        unlisted: objects on the target with our mark that no inventory lists.
        label: what selects all objects of ours on the target.
        warnings: what the target said of objects that it took, each text with these.
    """

    results: tuple[ObjectResult, ...]
    inventory: Inventory
    complete: bool
    problems: tuple[SourceProblem, ...] = ()
    error: str = ""
    resume_after: float | None = None
    pause: float = 0.0
    unlisted: tuple[ObjectKey, ...] = ()
    label: str = ""
    warnings: Mapping[str, tuple[ObjectKey, ...]] = field(default_factory=dict)

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """Count the objects by outcome."""
        return Counter(result.outcome for result in self.results)

    @property
    def troubled(self) -> list[ObjectResult]:
        """Return the results that need a person's attention, the most urgent first."""
        found = [result for result in self.results if result.outcome in TROUBLED]
        return sorted(found, key=lambda one: (TROUBLED.index(one.outcome), one.entry.key))

    def without_loss(self, recorded: Inventory, error: str) -> "SyncReport":
        """Return the report of a round after which nothing counts as gone of what was recorded."""
        entries = {**recorded.by_key, **self.inventory.by_key}
        inventory = self.inventory.with_entries(entries.values())
        results = tuple(each for each in self.results if not each.is_gone)
        error = self.error or error
        return replace(self, results=results, inventory=inventory, complete=False, error=error)

    @property
    def synced(self) -> bool:
        """Tell whether the target is as the sources want it."""
        changes = any(result.needs_recheck for result in self.results)
        return self.complete and not (self.error or self.problems or self.troubled or changes)


@dataclass(frozen=True)
class SyncTask:
    """The work of one round.

    Attributes:
        owner: the TargetCluster.
        cluster: where the kubeconfig leads to.
        recorded: the inventory as Metacontroller shows it; nothing outside it is applied.
        desired: what the sources want; not used by a deletion.
        deletes: everything goes, whatever the sources and the policy say.
    """

    owner: Owner
    cluster: ClusterIdentity
    recorded: Inventory
    desired: DesiredSet = DesiredSet()
    policy: SyncPolicy = field(default_factory=SyncPolicy)
    deletes: bool = False
