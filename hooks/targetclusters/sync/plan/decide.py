"""Decides what to do about one object: compares what is wanted of it with what the target has."""

from dataclasses import dataclass

from hooks.http.bounded_json import Json
from hooks.kube.objects import annotations, is_deleting, labels, part
from hooks.names import ANNOTATION_APPLIED_HASH, LABEL_APPLYSET_PART_OF
from hooks.targetclusters.sync.plan.drift import may_differ
from hooks.targetclusters.sync.plan.model import LiveObject, ObjectResult, SyncPolicy
from hooks.targetclusters.sync.plan.resolve import ResolvedObject


@dataclass(frozen=True)
class Create:
    """Create an object that must not exist yet."""


@dataclass(frozen=True)
class Apply:
    """Apply what is new: the source has changed, or the object is taken over."""

    live: LiveObject
    force: bool
    message: str = ""


@dataclass(frozen=True)
class Correct:
    """Apply again what somebody seems to have changed on the target."""

    live: LiveObject


@dataclass(frozen=True)
class Compare:
    """Ask the target what an apply would change, and apply nothing."""

    live: LiveObject


#: What to do about an object; a result if there is nothing to do.
Step = ObjectResult | Create | Apply | Correct | Compare


def read_live(obj: Json, wanted: ResolvedObject | None = None) -> LiveObject | None:
    """Read what matters of an object; None if the target's answer is not an object."""
    metadata = part(obj, "metadata")
    uid, version = metadata.get("uid"), metadata.get("resourceVersion")
    if not isinstance(uid, str) or not isinstance(version, str):
        return None
    body = wanted.body if wanted else {}
    # The items of a list have no apiVersion and kind.
    content = {k: v for k, v in body.items() if k not in {"apiVersion", "kind"}}
    return LiveObject(
        uid=uid,
        resource_version=version,
        part_of=str(labels(obj).get(LABEL_APPLYSET_PART_OF) or ""),
        applied_hash=str(annotations(obj).get(ANNOTATION_APPLIED_HASH) or ""),
        is_deleting=is_deleting(obj),
        has_owner=bool(metadata.get("ownerReferences")),
        may_differ=may_differ(content, obj),
    )


def decide(
    wanted: ResolvedObject, live: LiveObject | None, *, policy: SyncPolicy, set_ids: frozenset[str]
) -> Step:
    """Decide what to do about one object; `live` is None if the target does not have it.

    An object is ours if it is part of one of the TargetCluster's ApplySets, `set_ids`.
    """
    if live is None:
        if wanted.entry.uid and policy.drift == "Report":
            return wanted.result("drifted", "was deleted on the target; it is not created again")
        return Create()
    if live.is_deleting:
        message = "is being deleted on the target; it is created again after that"
        return wanted.result("skipped", message, needs_recheck=True)
    # A label that an edit has removed does not make the object that we created a stranger.
    unlabelled = not live.part_of and live.uid == wanted.entry.uid != ""
    if live.part_of not in set_ids and not unlabelled:
        if policy.conflict == "Overwrite":
            return Apply(live, force=True, message="existed before us and is taken over")
        owner = f"is part of {live.part_of}" if live.part_of else "existed before us"
        return wanted.result("conflict", f"{owner}; it is left alone")
    if not live.may_differ:
        return wanted.result("unchanged", live=live)
    if live.applied_hash not in {"", wanted.digest}:
        return Apply(live, force=policy.drift == "Correct")
    return Correct(live) if policy.drift == "Correct" else Compare(live)
