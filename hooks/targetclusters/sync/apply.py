"""Writes one object of a target: creates, changes, corrects, only compares, or deletes it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import assert_never

from hooks.http.bounded_json import Json
from hooks.kube.client import Conflict, KubeError, KubeRefused, NotFound
from hooks.kube.kinds import CRD_GROUP, CRD_KIND
from hooks.kube.objects import part
from hooks.targetclusters.sync.live import LiveState
from hooks.targetclusters.sync.memory import Compared, pause_after
from hooks.targetclusters.sync.plan.decide import (
    Apply,
    Compare,
    Step,
    decide,
    describe_deletion,
)
from hooks.targetclusters.sync.plan.fields import (
    LAST_APPLIED,
    changed_fields,
    move_managers,
    without_taken,
)
from hooks.targetclusters.sync.plan.inventory import InventoryEntry
from hooks.targetclusters.sync.plan.model import LiveObject, ObjectResult, SyncPolicy
from hooks.targetclusters.sync.plan.resolve import ResolvedObject
from hooks.targetclusters.sync.target import Target, describe_error, read_answer

#: The API server creates an object with this resourceVersion and never changes one (seen on 1.36).
CREATE_ONLY = "1"
#: What an API server answers, of one kind or of all, to those who ask too much.
TOO_MANY = 429
#: How many rounds in a row may find an object changed between a look and a write, before it fails,
#: or correct what another writer changes.
REPEATED = 3


#: What is said of an object whose drift was corrected.
CORRECTED = "was changed on the target; it is corrected"


class _Overtaken(Exception):
    """An object changed on the target since it was looked at, as an error told."""

    def __init__(self, told: KubeError) -> None:
        super().__init__(str(told))
        self.told = told


@dataclass(frozen=True)
class Applier:
    """Applies the objects of one round; its clock gives monotonic seconds."""

    state: LiveState
    policy: SyncPolicy
    clock: Callable[[], float]

    def apply_object(self, wanted: ResolvedObject) -> ObjectResult:
        """Apply one object; a failure becomes a result.

        Raises:
            RoundEnded: no more calls in this round.
        """
        target, memory = self.state.target, self.state.memory
        before = target.spent
        try:
            result = self._apply_object(wanted)
        except (KubeError, _Overtaken) as error:
            result = _failure(self.state, wanted.entry, error)
            if result.outcome == "failed":
                self._note_failure(wanted, result.message, error, target.spent - before)
            return result
        finally:
            if target.spent > before:
                memory.note_pace(wanted.kind.group_kind, target.spent - before)
        if result.outcome == "conflict":
            memory.conflicts.add(wanted.key)
        else:
            memory.conflicts.discard(wanted.key)
        if result.outcome != "failed":
            memory.retries.pop(wanted.key, None)
            memory.overtaken.pop(wanted.key, None)
        return result

    def _note_failure(
        self, wanted: ResolvedObject, message: str, error: Exception, took: float
    ) -> None:
        """Remember a failure; one that asks for a pause gets it, and stops writes of its kind."""
        wait = pause_after(took)
        if isinstance(error, KubeError) and error.code == TOO_MANY:
            self.state.throttled[wanted.kind.group_kind] = error
            wait = max(wait, error.retry_after)
        memory, now = self.state.memory, self.clock()
        memory.note_failure(wanted.key, wanted.digest, message, now=now, wait=wait)

    def _apply_object(self, wanted: ResolvedObject) -> ObjectResult:
        live = self.state.objects.get(wanted.key)
        if live is None and (wanted.entry.uid or wanted.key in self.state.memory.conflicts):
            live = self.state.target.find_live(wanted.path, wanted)  # deleted, or without our label
        step = self._decide(wanted, live)
        retry = self.state.memory.pending_retry(wanted.key, wanted.digest, now=self.clock())
        if retry is not None and not isinstance(step, ObjectResult):
            return wanted.result("failed", retry.describe(self.clock()))
        throttled = self.state.throttled.get(wanted.kind.group_kind)
        if throttled is not None and not isinstance(step, ObjectResult):
            why = describe_error(throttled, confidential=wanted.entry.is_confidential)
            return wanted.result("failed", f"waits for the next round: {why}")
        return self._take(step, wanted)

    def _decide(self, wanted: ResolvedObject, live: LiveObject | None) -> Step:
        if live is not None and not live.may_differ:
            self.state.memory.corrections.pop(wanted.key, None)
        return decide(wanted, live, policy=self.policy, whose=self.state.whose)

    def _take(self, step: Step, wanted: ResolvedObject) -> ObjectResult:
        try:
            return self._take_or_replace(step, wanted)
        except (Conflict, NotFound) as error:
            was_there = not isinstance(step, ObjectResult) and step.live is not None
            if isinstance(error, Conflict) or was_there:
                raise _Overtaken(error) from None
            raise

    def _take_or_replace(self, step: Step, wanted: ResolvedObject) -> ObjectResult:
        try:
            match step:
                case ObjectResult():
                    return step
                case Apply(LiveObject() as live):
                    return self._apply(live, step, wanted)
                case Apply():
                    return self._create(wanted)
                case Compare(live, corrects):
                    return self._compare(wanted, live, corrects=corrects)
                case _:
                    assert_never(step)
        except KubeRefused as error:
            if error.code == 422 and (former := self._replaceable(step, wanted)):
                return self._replace(wanted, former)
            raise

    def _replaceable(self, step: Step, wanted: ResolvedObject) -> LiveObject | None:
        """Return what is there if it may be replaced: ours by its mark, and to be changed."""
        if wanted.switches.replace == "false" or isinstance(step, ObjectResult) or not step.live:
            return None
        changes = step.corrects if isinstance(step, Compare) else not step.takes_over
        is_ours = self.state.whose.is_marked(wanted.key, step.live)
        return step.live if changes and is_ours else None

    def _create(self, wanted: ResolvedObject) -> ObjectResult:
        body = _with_metadata(wanted.body, resourceVersion=CREATE_ONLY)
        try:
            created = self.state.target.apply_new(wanted, body)
        except Conflict:  # it was not listed: without our label, or just created
            step = self._decide(wanted, self.state.target.find_live(wanted.path, wanted))
            if isinstance(step, Apply) and step.live is None:
                raise
            return self._take(step, wanted)
        return wanted.result("applied", live=created)

    def _apply(self, live: LiveObject, step: Apply, wanted: ResolvedObject) -> ObjectResult:
        try:
            if step.takes_over:
                self._move_managers(wanted.path)
            body = self._body(wanted, live)
            applied = self.state.target.apply(wanted, body, force=step.force)
        except (Conflict, NotFound):
            if step.force:
                raise
            return self._compare(wanted, live)  # another manager now owns a field
        message = "existed before us and is taken over" if step.takes_over else ""
        return wanted.result("applied", message, live=applied)

    def _move_managers(self, path: str) -> None:
        """Make ours what the tool before us set: what leaves the source leaves the object then."""
        found = self.state.target.get(path)
        if fields := move_managers(found):
            version = part(found, "metadata").get("resourceVersion")
            removed = {LAST_APPLIED: None}
            new = {"annotations": removed, "managedFields": fields, "resourceVersion": version}
            self.state.target.patch(path, {"metadata": new})

    def _compare(
        self, wanted: ResolvedObject, live: LiveObject, *, corrects: bool = False
    ) -> ObjectResult:
        """Ask the target what an apply would change, and apply it if that is to be corrected."""
        fields: tuple[str, ...] = ()
        try:
            live, fields = self._differences(wanted, live)
            if not fields:
                self.state.memory.corrections.pop(wanted.key, None)
                return wanted.result("unchanged", live=live)
            message = "was changed on the target; it is left as it is"
            if not corrects:
                return wanted.result("drifted", message, live=live, fields=fields)
        except KubeRefused as error:
            if error.code != 400 or not corrects:  # a webhook there does not support dry runs
                raise
        applied = self.state.target.apply(wanted, self._body(wanted, live), force=True)
        if applied.resource_version == live.resource_version:
            self.state.memory.dry_runs[wanted.key] = _compared(wanted, applied), ()
            return wanted.result("unchanged", live=applied)
        result = wanted.result("applied", CORRECTED, live=applied, fields=fields)
        self.state.memory.corrections[wanted.key] += 1
        times = self.state.memory.corrections[wanted.key]
        if result.outcome != "applied" or times < REPEATED:
            return result
        message = f"is changed on the target again and again: corrected {times} times in a row"
        return replace(result, outcome="contested", message=message)

    def _differences(
        self, wanted: ResolvedObject, live: LiveObject
    ) -> tuple[LiveObject, tuple[str, ...]]:
        """Return what an apply would change of the present object, unless that is known of it."""
        compared, fields = self.state.memory.dry_runs.get(wanted.key, (None, ()))
        if compared != _compared(wanted, live):
            before = self.state.target.get(wanted.path)
            live = read_answer(f"GET {wanted.path}", before, wanted)
            body = _with_metadata(wanted.beside(before), uid=live.uid)
            after = self.state.target.dry_run(wanted.path, body)
            known = wanted.body if wanted.entry.is_confidential else None
            in_time = self.state.target.check_time
            fields = changed_fields(before, after, known=known, in_time=in_time)
            self.state.memory.dry_runs[wanted.key] = _compared(wanted, live), fields
        return live, fields

    def _body(self, wanted: ResolvedObject, live: LiveObject) -> Json:
        """Return what is applied to an object; it is read again if some fields are left as is."""
        if not wanted.ignored:
            return _with_metadata(wanted.body, uid=live.uid)
        found = self.state.target.get(wanted.path)
        version = str(part(found, "metadata").get("resourceVersion") or "")
        return _with_metadata(wanted.beside(found), uid=live.uid, resourceVersion=version)

    def _replace(self, wanted: ResolvedObject, live: LiveObject) -> ObjectResult:
        """Delete an object and make it again, if the target takes the new one.

        A dry run under another name tells: what is wrong with the new one itself deletes nothing.
        """
        target = self.state.target
        trial = f"{wanted.key.name[:54].rstrip('-.')}-{wanted.digest[:8]}"
        path = wanted.kind.path(wanted.key.namespace, trial)
        found = target.get(wanted.path)
        new = wanted.beside(found)
        try:
            target.dry_run(path, _with_metadata(without_taken(new, found), name=trial))
        except KubeRefused as error:
            text = f"is not replaced: the target refuses the new one too: {error.text}"
            refused = KubeRefused(f"PATCH {path}", error.code, text)
            refused.causes = error.causes
            raise refused from error
        _delete(target, wanted.path, live)
        if (left := target.find_live(wanted.path)) is not None:
            message = f"{describe_deletion(wanted.entry, left)}, to be replaced"
            return wanted.result("deleting", message, needs_recheck=True)
        created = target.apply_new(wanted, _with_metadata(new, resourceVersion=CREATE_ONLY))
        return wanted.result(
            "applied", "is replaced: the target refuses to change it", live=created
        )


def delete_object(
    state: LiveState, entry: InventoryEntry, *, applied: Collection[str] = ()
) -> ObjectResult:
    """Delete one object if it is ours; a failure becomes a result.

    Args:
        state: of the target.
        entry: the object.
        applied: UIDs of objects that are wanted under whatever kind; they are not deleted.

    Raises:
        RoundEnded: no more calls in this round.
    """
    if problem := state.problem(entry):
        return ObjectResult(entry, "failed", f"is not deleted: {problem}")
    try:
        result = _delete_object(state, entry, applied)
    except (KubeError, _Overtaken) as error:
        result = _failure(state, entry, error)
        is_failed = result.outcome == "failed"
        return replace(result, message=f"is not deleted: {result.message}") if is_failed else result
    state.memory.overtaken.pop(entry.key, None)
    return result


def _failure(
    state: LiveState, entry: InventoryEntry, error: "KubeError | _Overtaken"
) -> ObjectResult:
    """Return what an error about an object means; one that changes meanwhile is looked at again."""
    told = error.told if isinstance(error, _Overtaken) else error
    message = describe_error(told, confidential=entry.is_confidential)
    if isinstance(error, _Overtaken):
        state.memory.overtaken[entry.key] += 1
        times, changed = state.memory.overtaken[entry.key], "changed on the target meanwhile"
        if times < REPEATED:
            return ObjectResult(entry, "skipped", changed, needs_recheck=True)
        message = f"{changed}, {times} times in a row: {message}"
    return ObjectResult(entry, "failed", message)


def _delete_object(
    state: LiveState, entry: InventoryEntry, applied: Collection[str]
) -> ObjectResult:
    kind = state.kind(entry)
    if kind is None:
        if state.target.is_defined(*entry.key.group_kind):
            message = "is not deleted: the target does not serve its kind now; it stays recorded"
            return ObjectResult(entry, "failed", message)
        message = "is gone: the target has no such kind"
        return ObjectResult(entry, "pruned", message, is_gone=True)
    path = kind.path(entry.namespace, entry.name)
    # An object that is not listed is gone, or no longer carries our label.
    live = state.objects.get(entry.key) or state.target.find_live(path)
    if live is None:
        return ObjectResult(entry, "pruned", "was already gone", is_gone=True)
    if live.uid in applied:
        message = "is wanted under another kind or version; it stays"
        return ObjectResult(entry, "skipped", message, is_gone=True)
    if stranger := state.whose.stranger(entry, live):
        return ObjectResult(entry, "skipped", f"{stranger}; it is left alone", is_gone=True)
    if not live.deleting_since:
        if message := _why_others_need(state, entry, path):
            return ObjectResult(entry, "failed", message)
        _delete(state.target, path, live)
    left = state.target.find_live(path)
    if left is None or left.uid != live.uid:
        return ObjectResult(entry, "pruned", is_gone=True)
    return ObjectResult(entry, "deleting", describe_deletion(entry, left), needs_recheck=True)


def _why_others_need(state: LiveState, entry: InventoryEntry, path: str) -> str:
    """Return why a CRD stays because of objects of others; empty if it and they may go."""
    if entry.key.group_kind != (CRD_GROUP, CRD_KIND):
        return ""
    other = state.target.find_in_crd(path, state.whose.owner.others_selector)
    named = "" if entry.is_confidential else f", such as {other}"
    return f"is not deleted: objects that are not ours would go with it{named}" if other else ""


def _delete(target: Target, path: str, live: LiveObject) -> None:
    """Delete an object, also if only its version has changed. Raises _Overtaken."""
    try:
        target.delete(path, live)
    except Conflict as error:
        if (again := target.find_live(path)) is None:
            return
        if (again.uid, again.mark) != (live.uid, live.mark):
            raise _Overtaken(error) from None
        target.delete(path, again)


def _compared(wanted: ResolvedObject, live: LiveObject) -> Compared:
    return wanted.digest, live.uid, live.resource_version


def _with_metadata(body: Json, **metadata: str) -> Json:
    return {**body, "metadata": {**body["metadata"], **metadata}}
