"""Decides where each desired object goes, in which order they are applied, and what is pruned."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from msgspec import structs

from hooks.http.bounded_json import Json
from hooks.kube.kinds import CRD_GROUP, CRD_KIND, GroupKind, Gvk, Kind, parse_crd
from hooks.names import (
    ANNOTATION_APPLIED_HASH,
    ANNOTATION_OWNER,
    ANNOTATION_PRUNE,
    LABEL_MEMBER_OF,
)
from hooks.targetclusters.sync.plan.fields import PointerTree, ignored_paths, leave, pointer_tree
from hooks.targetclusters.sync.plan.inventory import InventoryEntry, ObjectKey
from hooks.targetclusters.sync.plan.model import (
    DEFAULT,
    OURS,
    DesiredObject,
    DesiredSet,
    IgnoredFields,
    LiveObject,
    ObjectResult,
    Outcome,
    Owner,
    SourceProblem,
    Switches,
    SyncPolicy,
    SyncTask,
)

#: Kinds that other objects of one set need, in the order in which they are applied.
_FIRST = (
    "Namespace",
    CRD_KIND,
    "PriorityClass",
    "StorageClass",
    "ResourceQuota",
    "LimitRange",
    "NetworkPolicy",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Secret",
    "ConfigMap",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Service",
)
#: Kinds that may refuse other objects of one set until their own backend works.
_LAST = ("APIService", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
#: The groups of Kubernetes itself (1.36). Objects of any other need a controller that is an object.
_BUILT_IN = frozenset(
    (
        *("", "apps", "autoscaling", "batch", "extensions", "policy", CRD_GROUP),
        *("admissionregistration.k8s.io", "apiregistration.k8s.io", "authentication.k8s.io"),
        *("authorization.k8s.io", "certificates.k8s.io", "coordination.k8s.io"),
        *("discovery.k8s.io", "events.k8s.io", "flowcontrol.apiserver.k8s.io"),
        *("networking.k8s.io", "node.k8s.io", "rbac.authorization.k8s.io", "resource.k8s.io"),
        *("scheduling.k8s.io", "storage.k8s.io", "storagemigration.k8s.io"),
    )
)


@dataclass(frozen=True)
class ResolvedObject:
    """A desired object as it is applied on the target.

    Attributes:
        entry: with the UID that the inventory holds, empty if it holds none.
        body: with its namespace, our label, our mark and the hash.
        digest: the hash that the body carries.
        ignored: the fields that are left as they are on the target.
    """

    entry: InventoryEntry
    kind: Kind
    body: Json = field(repr=False)
    digest: str
    switches: Switches = DEFAULT
    ignored: PointerTree = field(default_factory=dict)

    def beside(self, live: Json) -> Json:
        """Return the body that is applied to a live object, which keeps the ignored fields."""
        return leave(self.body, live, self.ignored) if self.ignored else self.body

    @property
    def key(self) -> ObjectKey:
        """Return the object's identity."""
        return self.entry.key

    @property
    def path(self) -> str:
        """Return the object's path on the target."""
        return self.kind.path(self.entry.namespace, self.entry.name)

    def result(
        self,
        outcome: Outcome,
        message: str = "",
        *,
        live: LiveObject | None = None,
        fields: tuple[str, ...] = (),
        needs_recheck: bool = False,
    ) -> ObjectResult:
        """Return what happened to the object, which is on the target as `live`."""
        entry = self.entry
        if live and outcome in OURS:
            is_job = self.key.group_kind == ("batch", "Job")
            applied = self.digest if is_job and live.goes_by_itself else ""
            entry = structs.replace(entry, uid=live.uid, applied=applied)
            if live.set_otherwise and outcome != "drifted":
                outcome = "contested"
                message = f"the target sets {', '.join(live.set_otherwise)}"
        return ObjectResult(entry, outcome, message, fields, needs_recheck=needs_recheck)


@dataclass(frozen=True)
class ResolvedSet:
    """The desired set as it is to be on the target.

    Attributes:
        objects: in the order in which they are applied.
        unresolved: objects whose kind the target does not serve, with the reason. They are neither
            applied nor pruned.
        problems: objects that an earlier source wants too.
    """

    objects: tuple[ResolvedObject, ...] = ()
    unresolved: tuple[ObjectResult, ...] = ()
    problems: tuple[SourceProblem, ...] = ()


def resolve(
    task: SyncTask,
    kinds: Mapping[Gvk, Kind | str],
    recorded: Mapping[ObjectKey, InventoryEntry],
    *,
    in_time: Callable[[], object],
) -> ResolvedSet:
    """Resolve each desired object to an object of the task's owner on the target.

    Args:
        task: what is wanted, whose it is, and which fields are left as they are.
        kinds: how the target serves each kind, or why that is not known.
        recorded: what the inventory says of this target.
        in_time: called for each object, whose hash takes time; raises once none is left.
    """
    resolved: dict[ObjectKey, ResolvedObject] = {}
    unresolved: list[ObjectResult] = []
    problems: list[SourceProblem] = []
    left = _ignored_trees(task.policy.ignored)
    for one in task.desired.objects:
        in_time()
        kind = kinds[one.gvk]
        namespace = one.namespace if isinstance(kind, Kind) and kind.namespaced else ""
        name = one.body["metadata"]["name"]
        kept = one.switches.prune == "false"
        entry = InventoryEntry(*one.gvk, namespace, name, source=one.source, kept=kept)
        if isinstance(kind, str):
            named = structs.replace(entry, namespace=one.body["metadata"].get("namespace", ""))
            unresolved.append(ObjectResult(named, "failed", kind))
        elif first := resolved.get(entry.key):
            message = f"{entry.key} is also wanted by {first.entry.source}, which takes precedence"
            problems.append(SourceProblem(one.source, message))
        else:
            if before := recorded.get(entry.key):
                entry = structs.replace(entry, uid=before.uid, applied=before.applied)
            complete = _complete(one, kind, entry, task.owner)
            ignored_there = left.get(entry.key.group_kind, {})
            resolved[entry.key] = replace(complete, ignored=ignored_there)
    ordered = sorted(resolved.values(), key=lambda one: (apply_rank(one.key), one.key))
    return ResolvedSet(tuple(ordered), tuple(unresolved), tuple(problems))


def _ignored_trees(ignored: Collection[IgnoredFields]) -> Mapping[GroupKind, PointerTree]:
    """Return the fields that are left, read once for all objects of a kind."""
    kinds = {(one.group, one.kind) for one in ignored}
    return {kind: pointer_tree(ignored_paths(ignored, kind)) for kind in kinds}


def defined_kinds(desired: DesiredSet) -> Mapping[Gvk, Kind]:
    """Return the kinds that desired CRDs define, and that the target may not serve yet."""
    found: dict[Gvk, Kind] = {}
    for one in desired.objects:
        api_version, kind = one.gvk
        if kind == CRD_KIND and api_version.startswith(f"{CRD_GROUP}/"):
            found.update(parse_crd(one.body))
    return found


def find_order(kinds: Iterable[Gvk], unasked: Mapping[str, int]) -> list[Gvk]:
    """Sort kinds in the order in which it is asked how they are served, each once.

    Those of Kubernetes itself come first, which the API server itself has, and last those that
    were often not answered about, by their apiVersion.
    """

    def rank(gvk: Gvk) -> tuple[int, bool]:
        group, slash, _ = gvk[0].partition("/")
        return unasked.get(gvk[0], 0), bool(slash) and group not in _BUILT_IN

    return sorted(dict.fromkeys(kinds), key=rank)


def is_custom(key: ObjectKey) -> bool:
    """Tell whether an object is of a kind that Kubernetes itself does not have."""
    return key.group not in _BUILT_IN


def apply_rank(key: ObjectKey) -> int:
    """Return a rank that is lower for what others need: a CRD's objects need its controller."""
    if is_custom(key):
        return len(_FIRST) + 1
    if key.kind in _LAST:
        return len(_FIRST) + 2
    return _FIRST.index(key.kind) if key.kind in _FIRST else len(_FIRST)


def prune_rank(key: ObjectKey) -> int:
    """Return a rank that is lower for what is deleted before others: the reverse of applying.

    Only an APIService goes after the objects that it serves.
    """
    return -len(_FIRST) if key.kind == "APIService" else -apply_rank(key)


def prune_order(entries: Iterable[InventoryEntry]) -> list[InventoryEntry]:
    """Sort objects in the order in which they are deleted."""
    return sorted(entries, key=lambda entry: (prune_rank(entry.key), entry.key))


def why_kept(
    entry: InventoryEntry, desired: DesiredSet, incomplete: Collection[str], policy: SyncPolicy
) -> str:
    """Return why an object that is recorded and no longer wanted stays; empty if it is pruned.

    Args:
        entry: the object.
        desired: what is wanted.
        incomplete: the sources with something that is wanted and not on the target.
        policy: says whether anything is pruned.
    """
    if entry.kept:
        return f'is no longer wanted; {ANNOTATION_PRUNE}: "false" keeps it'
    if not policy.prune:
        return "is no longer wanted; pruning is off"
    if not desired.has_all_sources:
        return "is kept: some sources could not be read"
    if entry.source in desired.failed_sources:
        return f"is kept: {entry.source} has problems"
    if entry.source in desired.empty and not policy.allow_empty:
        return f"is kept: {entry.source} holds no object any more"
    if not entry.source and desired.empty and not policy.allow_empty:
        return "is kept: it may come from one of the sources that hold no object"
    if not entry.source and desired.failed_sources:
        return "is kept: it may come from one of the sources that have problems"
    if entry.source in incomplete or (not entry.source and incomplete):
        source = entry.source or next(iter(incomplete))
        return f"is kept until all that {source} wants is on the target"
    return ""


def _complete(
    desired: DesiredObject, kind: Kind, entry: InventoryEntry, owner: Owner
) -> ResolvedObject:
    """Add namespace, label, mark and hash to a desired object."""
    metadata = {k: v for k, v in desired.body["metadata"].items() if k != "namespace"}
    if entry.namespace:
        metadata["namespace"] = entry.namespace
    metadata["labels"] = {**metadata.get("labels", {}), LABEL_MEMBER_OF: owner.member}
    annotations = {
        **metadata.get("annotations", {}),
        ANNOTATION_OWNER: owner.mark(entry.key.mark_text),
    }
    metadata["annotations"] = annotations
    text = json.dumps({**desired.body, "metadata": metadata}, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    annotations = {**annotations, ANNOTATION_APPLIED_HASH: digest}
    body = {**desired.body, "metadata": {**metadata, "annotations": annotations}}
    return ResolvedObject(entry, kind, body, digest, desired.switches)
