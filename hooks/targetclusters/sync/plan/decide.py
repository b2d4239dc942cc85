"""Decides whose an object is, and what to do about it: compares what is wanted with what is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from hooks.http.bounded_json import Json
from hooks.http.texts import join_names, one_line
from hooks.kube.kinds import NAMESPACE
from hooks.kube.objects import annotations, finalizers, labels, part
from hooks.kube.times import read_time, timestamp
from hooks.names import ANNOTATION_APPLIED_HASH, ANNOTATION_CREATED_FOR, ANNOTATION_OWNER
from hooks.targetclusters.sync.plan.fields import has_applied, is_applied, may_differ
from hooks.targetclusters.sync.plan.former_sets import LABEL_PART_OF
from hooks.targetclusters.sync.plan.inventory import InventoryEntry, ObjectKey
from hooks.targetclusters.sync.plan.model import LiveObject, ObjectResult, Owner, SyncPolicy
from hooks.targetclusters.sync.plan.notation import set_otherwise
from hooks.targetclusters.sync.plan.resolve import ResolvedObject

#: How many finalizers of an object, and how many characters of an owner, are kept.
_NAMED = 5
_MAX_OWNER = 600
#: Characters of a label or a hash; an honest target has no more.
_MAX_ID = 128
#: What a UID and a resourceVersion may be, before one of them reaches an inventory.
_ID = re.compile(rf"[!-~]{{1,{_MAX_ID}}}")
#: Characters of a mark of ours: three names of 63, 63 and 253 characters, and the object's place.
_MAX_MARK = 1100
#: In the place of what a target wrote into an object with secrets, which may repeat one.
_NOT_SHOWN = "(not shown: it may quote a secret)"


@dataclass(frozen=True)
class Apply:
    """Apply what is new: the object itself, what its source changed, or one that is taken over.

    Attributes:
        live: what is there; None if nothing may be there.
        force: change also what another manager owns.
    """

    live: LiveObject | None = None
    force: bool = True
    takes_over: bool = False


@dataclass(frozen=True)
class Compare:
    """Ask the target what an apply would change, and apply it if that is to be corrected."""

    live: LiveObject
    corrects: bool


#: What to do about an object; a result if there is nothing to do.
Step = ObjectResult | Apply | Compare


def unusable_field(obj: Json) -> str:
    """Return the field for which the target's answer is no object; empty for an object."""
    metadata = part(obj, "metadata")
    for name in ("uid", "resourceVersion"):
        value = metadata.get(name)
        if not isinstance(value, str) or not _ID.fullmatch(value):
            return f"metadata.{name}"
    return ""


def read_live(obj: Json, wanted: ResolvedObject | None = None) -> LiveObject | None:
    """Read what matters of an object; None if the target's answer is not an object."""
    if unusable_field(obj):
        return None
    metadata = part(obj, "metadata")
    body = wanted.beside(obj) if wanted else {}
    # The items of a list have no apiVersion and kind.
    content = {k: v for k, v in body.items() if k not in {"apiVersion", "kind"}}
    differs = may_differ(content, obj)
    shows_values = not (wanted and wanted.entry.is_confidential)
    return LiveObject(
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        mark=_read_mark(annotations(obj).get(ANNOTATION_OWNER)),
        mark_is_applied=is_applied(obj, "f:metadata", "f:annotations", f"f:{ANNOTATION_OWNER}"),
        has_applied=has_applied(obj),
        created_for=str(annotations(obj).get(ANNOTATION_CREATED_FOR) or "")[:_MAX_MARK],
        part_of=str(labels(obj).get(LABEL_PART_OF) or "")[:_MAX_ID],
        applied_hash=str(annotations(obj).get(ANNOTATION_APPLIED_HASH) or "")[:_MAX_ID],
        deleting_since=_read_since(metadata.get("deletionTimestamp")),
        finalizers=tuple(one_line(each, 100) for each in finalizers(obj)[:_NAMED]),
        goes_by_itself=part(obj, "spec").get("ttlSecondsAfterFinished") is not None,
        may_differ=differs,
        set_otherwise=set_otherwise(content, obj, shows_values=shows_values) if differs else (),
    )


def _read_since(value: object) -> str:
    """Read since when an object is being deleted; a target's word that is no time is left out."""
    if not value:
        return ""
    since = read_time(value) if isinstance(value, str) else None
    return "an unknown time" if since is None else timestamp(since)


def describe_deletion(entry: InventoryEntry, live: LiveObject) -> str:
    """Say since when an object is being deleted and by what it is held."""
    names = _NOT_SHOWN if entry.is_confidential else join_names(live.finalizers, limit=3)
    held = f", held by finalizer {names}" if live.finalizers else ""
    return f"is being deleted since {live.deleting_since}{held}"


def _read_mark(value: object) -> str:
    """Read a mark; one that is longer than any of ours is somebody else's, whatever it says."""
    mark = str(value or "")
    return mark if len(mark) <= _MAX_MARK else f"{mark[:_MAX_OWNER].replace(':', ' ')}…"


@dataclass(frozen=True)
class Whose:
    """Tells whose an object of the inventory is.

    Attributes:
        owner: the TargetCluster.
        source_uids: the UIDs of its sources.
        former_sets: the ids of ApplySets that earlier versions made, each with the tool that
            manages it; empty for us.
        recorded_uids: of all objects in the inventory: an Event has two groups and one UID.
    """

    owner: Owner
    source_uids: frozenset[str] = frozenset()
    former_sets: Mapping[str, str] = field(default_factory=dict)
    recorded_uids: frozenset[str] = frozenset()

    def stranger(self, entry: InventoryEntry, live: LiveObject) -> str:
        """Say whose an object is that is not ours, `live` in the place of `entry`; else empty.

        Ours is what carries our mark for its own place. So is an object without any mark that has
        the label of one of our former sets, or the recorded UID if we applied fields of it: an edit
        may remove a mark. The inventory alone proves nothing, since others may write it.
        """
        if live.uid in self.source_uids:
            return "is itself a source"
        if claimed := self.claimed_by(entry, live):
            shown = _NOT_SHOWN if entry.is_confidential else claimed
            return "" if claimed == str(self.owner) else f"belongs to {shown}"
        is_listed = live.uid == entry.uid != "" or live.uid in self.recorded_uids
        is_recorded = is_listed and live.has_applied
        is_created = live.created_for == str(self.owner) and entry.kind == NAMESPACE.kind
        is_ours = live.part_of in self.former_sets or is_recorded or is_created
        return "" if is_ours else "existed before us"

    def claimed_by(self, entry: InventoryEntry, live: LiveObject) -> str:
        """Return the owner that an object names; empty for none."""
        marked = self._marked_owner(entry.key, live) or self.former_sets.get(live.part_of)
        return one_line(marked, _MAX_OWNER)

    def is_marked(self, key: ObjectKey, live: LiveObject) -> bool:
        """Tell whether an object carries our mark for its own place."""
        return ":" in live.mark and self._marked_owner(key, live) == str(self.owner)

    def _marked_owner(self, key: ObjectKey, live: LiveObject) -> str:
        """Return whose mark an object carries; empty for none and for a copied one.

        A copy of an object carries the mark of the original, which names another place. A mark of
        an earlier build names no kind: ours counts only if we wrote it.
        """
        owner, colon, text = live.mark.partition(":")
        if not colon or text == key.mark_text:
            return owner
        counts = live.mark_is_applied or owner != str(self.owner)
        return owner if counts and text == key.former_mark_text else ""


def decide(
    wanted: ResolvedObject, live: LiveObject | None, *, policy: SyncPolicy, whose: Whose
) -> Step:
    """Decide what to do about one object; `live` is None if the target does not have it."""
    drift = wanted.switches.drift or policy.drift
    if live is None:
        if wanted.entry.applied == wanted.digest:
            return wanted.result("unchanged", "has finished or was deleted; it is not made again")
        if wanted.entry.uid and drift == "Report" and wanted.switches.replace == "false":
            return wanted.result("drifted", "was deleted on the target; it is not created again")
        return Apply()
    if live.deleting_since:
        message = f"{describe_deletion(wanted.entry, live)}; it is created again after that"
        return wanted.result("deleting", message, needs_recheck=True)
    if stranger := whose.stranger(wanted.entry, live):
        claimed = whose.claimed_by(wanted.entry, live)
        may_take = policy.conflict == "Overwrite" and live.uid not in whose.source_uids
        if may_take and claimed in ("", wanted.switches.takeover_from):
            return Apply(live, takes_over=True)
        return wanted.result("conflict", f"{stranger}; it is left alone")
    if not live.may_differ:
        return wanted.result("unchanged", live=live)
    if live.applied_hash not in {"", wanted.digest}:
        return Apply(live, force=drift == "Correct")
    return Compare(live, corrects=drift == "Correct")
