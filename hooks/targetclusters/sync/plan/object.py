"""Decides what is to be done about one object: what is wanted of it against what the target has."""

import hashlib
import json
from dataclasses import dataclass, field

from hooks.http.bounded_json import Json
from hooks.names import ANNOTATION_APPLIED_HASH, LABEL_APPLYSET_PART_OF
from hooks.targetclusters.sync.plan.applyset import pairs
from hooks.targetclusters.sync.plan.drift import differs
from hooks.targetclusters.sync.plan.inventory import InventoryEntry, ObjectKey
from hooks.targetclusters.sync.plan.kinds import Kind
from hooks.targetclusters.sync.plan.model import DesiredObject, ObjectResult, Outcome, SyncPolicy

#: An apply with this resourceVersion makes an object and never changes one (checked on 1.36).
CREATE_ONLY = "1"


@dataclass(frozen=True)
class Wanted:
    """An object as it is to be applied.

    Attributes:
        body: with its namespace, the ApplySet's label and the hash.
        digest: the hash that the body carries.
        confidential: no answer about it may be quoted.
    """

    entry: InventoryEntry
    kind: Kind
    body: Json = field(repr=False)
    digest: str
    confidential: bool = False

    @property
    def key(self) -> ObjectKey:
        """Answer the object's identity."""
        return self.entry.key

    @property
    def content(self) -> Json:
        """Answer the body but for apiVersion and kind, which the items of a list do not have."""
        return {k: v for k, v in self.body.items() if k not in {"apiVersion", "kind"}}

    @property
    def path(self) -> str:
        """Answer the object's path on the target."""
        return self.kind.path(self.entry.namespace, self.entry.name)

    def result(
        self, outcome: Outcome, message: str = "", fields: tuple[str, ...] = ()
    ) -> ObjectResult:
        """Say what became of it."""
        return ObjectResult(self.entry, outcome, message, fields)


@dataclass(frozen=True)
class LiveObject:
    """What counts of an object on the target; the object itself may be large and is not kept.

    Attributes:
        part_of: the id of the ApplySet whose label it carries.
        applied_hash: the hash that it carries.
        deleting: it is being deleted.
        owned: something on the target made it and looks after it.
        suspect: it may lack something that is wanted.
    """

    uid: str
    resource_version: str
    part_of: str = ""
    applied_hash: str = ""
    deleting: bool = False
    owned: bool = False
    suspect: bool = False


@dataclass(frozen=True)
class Settled:
    """Nothing to be called: this is the result.

    Attributes:
        again: whether it is worth looking again soon.
    """

    outcome: Outcome
    message: str = ""
    again: bool = False


@dataclass(frozen=True)
class Create:
    """Make an object that must not be there."""


@dataclass(frozen=True)
class Apply:
    """Apply what is new: the source has changed, or the object is taken over."""

    uid: str
    force: bool
    message: str = ""


@dataclass(frozen=True)
class Correct:
    """Apply again what somebody seems to have changed on the target."""

    seen: LiveObject


@dataclass(frozen=True)
class Compare:
    """Ask the target what applying would change, and leave it at that."""

    seen: LiveObject


Step = Settled | Create | Apply | Correct | Compare


def prepare(
    desired: DesiredObject, kind: Kind, *, namespace: str, uid: str, applyset_id: str
) -> Wanted:
    """Complete an object for the target.

    Args:
        desired: as its source wants it.
        kind: as the target serves it.
        namespace: empty for cluster-scoped objects.
        uid: which the inventory holds for it; empty where it holds none.
        applyset_id: of the set that it becomes part of.
    """
    metadata = {k: v for k, v in desired.body["metadata"].items() if k != "namespace"}
    if namespace:
        metadata["namespace"] = namespace
    metadata["labels"] = {**metadata.get("labels", {}), LABEL_APPLYSET_PART_OF: applyset_id}
    body = {**desired.body, "metadata": metadata}
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:32]
    annotations = {**metadata.get("annotations", {}), ANNOTATION_APPLIED_HASH: digest}
    entry = InventoryEntry(
        api_version=kind.api_version,
        kind=kind.kind,
        namespace=namespace,
        name=metadata["name"],
        uid=uid,
        source=desired.source,
    )
    whole = {**body, "metadata": {**metadata, "annotations": annotations}}
    return Wanted(entry, kind, whole, digest, desired.confidential)


def see(obj: Json, wanted: Wanted | None = None) -> LiveObject | None:
    """Read what counts of an object; None where the target's answer is no object."""
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict):
        return None
    uid, version = metadata.get("uid"), metadata.get("resourceVersion")
    if not isinstance(uid, str) or not isinstance(version, str):
        return None
    return LiveObject(
        uid=uid,
        resource_version=version,
        part_of=pairs(obj, "labels").get(LABEL_APPLYSET_PART_OF, ""),
        applied_hash=pairs(obj, "annotations").get(ANNOTATION_APPLIED_HASH, ""),
        deleting=bool(metadata.get("deletionTimestamp")),
        owned=bool(metadata.get("ownerReferences")),
        suspect=wanted is not None and differs(wanted.content, obj),
    )


def is_ours(seen: LiveObject, *, uid: str, ours: frozenset[str]) -> bool:
    """Tell whether an object is ours: by its label, or, where it carries none, by its UID.

    A label that somebody took off together with the rest of an edit does not make the object
    that we made a stranger.
    """
    return seen.part_of in ours or (not seen.part_of and bool(uid) and seen.uid == uid)


def decide(
    wanted: Wanted, seen: LiveObject | None, *, policy: SyncPolicy, ours: frozenset[str]
) -> Step:
    """Decide what to do about one object.

    Args:
        wanted: as it should be.
        seen: as it is; None where it is not there.
        policy: about drift and conflicts.
        ours: the ids of the TargetCluster's ApplySets.
    """
    if seen is None:
        if wanted.entry.uid and policy.drift == "Report":
            return Settled("drifted", "was deleted on the target; it is not made again")
        return Create()
    if seen.deleting:
        return Settled("skipped", "is being deleted on the target; it is made again then", True)
    if not is_ours(seen, uid=wanted.entry.uid, ours=ours):
        if policy.conflict == "Overwrite":
            return Apply(seen.uid, force=True, message="was there before and is taken over")
        owner = f"is part of {seen.part_of}" if seen.part_of else "was there before"
        return Settled("conflict", f"{owner}; it is left as it is")
    if not seen.suspect:
        return Settled("unchanged")
    if seen.applied_hash != wanted.digest and seen.applied_hash:
        return Apply(seen.uid, force=policy.drift == "Correct")
    return Correct(seen) if policy.drift == "Correct" else Compare(seen)
