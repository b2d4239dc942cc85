"""Decides where each wanted object goes, in which order they are applied, and what is left over."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hooks.targetclusters.sync.plan.applyset import Sets
from hooks.targetclusters.sync.plan.inventory import Inventory, InventoryEntry, ObjectKey
from hooks.targetclusters.sync.plan.kinds import CRD_GROUP, CRD_KIND, Gvk, Kind, kinds_defined
from hooks.targetclusters.sync.plan.model import (
    DesiredObject,
    DesiredSet,
    ObjectResult,
    SourceProblem,
    SyncPolicy,
)
from hooks.targetclusters.sync.plan.object import Wanted, prepare

#: What others of one set need to be there first, in order.
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
#: What may refuse others of one set before it works itself.
_LAST = ("APIService", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


@dataclass(frozen=True)
class ResolvedSet:
    """The desired set as it is to be on the target.

    Attributes:
        wanted: in the order in which they are applied.
        unplaced: objects whose kind the target does not serve, with the reason; they are neither
            applied nor pruned.
        problems: objects that two sources want, but for the first.
    """

    wanted: tuple[Wanted, ...]
    unplaced: tuple[ObjectResult, ...] = ()
    problems: tuple[SourceProblem, ...] = ()


def resolve(
    desired: DesiredSet,
    kinds: Mapping[Gvk, Kind | str],
    *,
    sets: Sets,
) -> ResolvedSet:
    """Place each desired object on the target.

    Args:
        desired: what the sources want.
        kinds: how the target serves each kind, or why that is not known.
        sets: the current of which all become part of; its members have their UIDs.
    """
    wanted: dict[ObjectKey, Wanted] = {}
    unplaced: list[ObjectResult] = []
    problems: list[SourceProblem] = []
    for one in desired.objects:
        gvk = (one.body["apiVersion"], one.body["kind"])
        kind = kinds[gvk]
        if isinstance(kind, str):
            unplaced.append(ObjectResult(_unplaced_entry(one), "failed", kind))
            continue
        key = _key(one, kind, desired)
        if key in wanted or key == sets.current.entry.key:
            owner = wanted[key].entry.source if key in wanted else "the operator itself"
            problems.append(
                SourceProblem(one.source, f"{key} is wanted by {owner} too, which wins")
            )
            continue
        old = sets.members.get(key)
        wanted[key] = prepare(
            one,
            kind,
            namespace=key.namespace,
            uid=old.uid if old else "",
            applyset_id=sets.current.id,
        )
    ordered = sorted(wanted.values(), key=lambda one: rank(one.key))
    return ResolvedSet(tuple(ordered), tuple(unplaced), tuple(problems))


def gvks(desired: DesiredSet) -> tuple[Gvk, ...]:
    """Answer the kinds of all desired objects, each once."""
    return tuple(dict.fromkeys((o.body["apiVersion"], o.body["kind"]) for o in desired.objects))


def kinds_brought(desired: DesiredSet) -> Mapping[Gvk, Kind]:
    """Answer the kinds that desired CRDs define, and that the target may not serve yet."""
    found: dict[Gvk, Kind] = {}
    for one in desired.objects:
        if one.body["kind"] == CRD_KIND and one.body["apiVersion"].startswith(f"{CRD_GROUP}/"):
            found.update(kinds_defined(one.body))
    return found


def rank(key: ObjectKey) -> tuple[int, ObjectKey]:
    """Answer what to sort by, so that what others need comes first."""
    if key.kind in _LAST:
        return len(_FIRST) + 1, key
    return (_FIRST.index(key.kind) if key.kind in _FIRST else len(_FIRST)), key


def to_prune(
    desired: DesiredSet, resolved: ResolvedSet, sets: Sets, policy: SyncPolicy
) -> tuple[tuple[InventoryEntry, ...], tuple[ObjectResult, ...]]:
    """Answer what is to be deleted, last applied first, and what is left although unwanted."""
    keys = {one.key for one in resolved.wanted}
    left = [entry for key, entry in sets.members.items() if key not in keys]
    left.sort(key=lambda entry: rank(entry.key), reverse=True)
    unplaced = {_loosely(result.entry) for result in resolved.unplaced}
    prunable: list[InventoryEntry] = []
    kept: list[ObjectResult] = []
    for entry in left:
        reason = ""
        if not policy.prune:
            reason = "is no longer wanted; pruning is off"
        elif not desired.whole:
            reason = "is kept: the sources could not be read as a whole"
        elif entry.source in desired.failed_sources:
            reason = f"is kept: {entry.source} has problems"
        elif not entry.source and desired.failed_sources:
            reason = "is kept: it may come from one of the sources that have problems"
        elif _loosely(entry) in unplaced:
            reason = "is kept: it is wanted, but its kind is not served"
        if reason:
            kept.append(ObjectResult(entry, "skipped", reason))
        else:
            prunable.append(entry)
    return tuple(prunable), tuple(kept)


def next_inventory(
    recorded: Inventory,
    wanted: Iterable[Wanted],
    *,
    found: Iterable[InventoryEntry],
    gone: Iterable[ObjectKey],
    uids: Mapping[ObjectKey, str],
) -> Inventory:
    """Answer what is to be recorded before the next round.

    Args:
        recorded: what is recorded now.
        wanted: what is or will be on the target, with the set that it is part of.
        found: what else was found there with our label.
        gone: what was seen to be there no more, or no longer to be ours.
        uids: of the objects that are on the target.
    """
    entries = {entry.key: entry for entry in found}
    entries.update(recorded.by_key)
    for key in gone:
        entries.pop(key, None)
    for one in wanted:
        old = entries.get(one.key)
        uid = uids.get(one.key) or (old.uid if old else "")
        entries[one.key] = InventoryEntry(
            one.entry.api_version,
            one.entry.kind,
            one.entry.namespace,
            one.entry.name,
            uid=uid,
            source=one.entry.source,
        )
    return recorded.holding(entries.values())


def _key(one: DesiredObject, kind: Kind, desired: DesiredSet) -> ObjectKey:
    metadata = one.body["metadata"]
    told = one.target_namespace or desired.target_namespace
    own = metadata.get("namespace") or desired.home
    namespace = (told or own) if kind.namespaced else ""
    return ObjectKey(kind.group, kind.kind, namespace, metadata["name"])


def _unplaced_entry(one: DesiredObject) -> InventoryEntry:
    body, metadata = one.body, one.body["metadata"]
    namespace = metadata.get("namespace", "")
    return InventoryEntry(
        body["apiVersion"], body["kind"], namespace, metadata["name"], source=one.source
    )


def _loosely(entry: InventoryEntry) -> tuple[str, str, str]:
    """Answer an object's identity but for its namespace, which an unserved kind does not tell."""
    return entry.key.group, entry.kind, entry.name
