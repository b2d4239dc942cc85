"""Applies what the sources want to a target, and deletes there what they no longer want.

What the sources want is a DesiredSet (plan.model), from `targetclusters.sources`. The modules, in
the order in which a round uses them; `plan` holds those that decide:

    target        asks which kinds are served; plan.resolve orders what is desired -> ResolvedSet
    live          lists what is on the target when it is needed -> LiveState
    apply         applies or deletes an object: plan.decide, fields, notation -> ObjectResult
                  plan.inventory holds what is recorded before the next round
    former_sets   deletes the parents by which an older version knew its objects

All calls go through `target`; `memory` is kept between rounds.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from msgspec import structs

from hooks.http.deadline import Deadline, Monotonic
from hooks.http.texts import one_line
from hooks.kube.client import Kube, KubeError
from hooks.kube.kinds import CRD_GROUP, CRD_KIND, NAMESPACE, GroupKind, Gvk, Kind
from hooks.targetclusters.identities import leads_elsewhere
from hooks.targetclusters.sync import former_sets
from hooks.targetclusters.sync.apply import Applier, delete_object
from hooks.targetclusters.sync.live import LiveState
from hooks.targetclusters.sync.memory import DELETIONS, SyncMemory, pause_after
from hooks.targetclusters.sync.plan.decide import Whose
from hooks.targetclusters.sync.plan.former_sets import is_former_set
from hooks.targetclusters.sync.plan.inventory import (
    MAX_PARTS,
    Inventory,
    InventoryEntry,
    ObjectKey,
)
from hooks.targetclusters.sync.plan.model import (
    OURS,
    DesiredSet,
    ObjectResult,
    SourceProblem,
    SyncReport,
    SyncTask,
)
from hooks.targetclusters.sync.plan.resolve import (
    ResolvedObject,
    ResolvedSet,
    defined_kinds,
    find_order,
    is_custom,
    prune_order,
    prune_rank,
    resolve,
    why_kept,
)
from hooks.targetclusters.sync.target import MAX_MESSAGE, RoundEnded, Target, describe_error

#: Seconds that a round waits for the target to serve the kinds of CRDs that it applied, together.
SERVE_SECONDS = 10.0
#: Seconds of a round after which no more apiVersions are asked that may not say what they serve.
FIND_SECONDS = 15.0
_SERVE_POLL = 0.1
#: Seconds until the next round if an object is changing.
RECHECK_SECONDS = 5.0
#: Seconds that what is deleted waits for what goes before it: half of the default finalizeTimeout.
HOLD_SECONDS = 300.0
_HOLDS = "what is deleted after it waits"
_MOVED = "the name leads to another cluster since the round began, so nothing counts as gone"
_OTHER_CLUSTER = "the kubeconfig leads to another cluster than the one with the objects"
_FULL = f"is not applied: the inventory is full. Its {MAX_PARTS} ConfigMaps have no room for it"
_EMPTIED = (
    "stay. To have them deleted, take it out of the sources, or set resourceSyncPolicy.allowEmpty"
)
_NOT_ASKED = "the target was not asked whether it serves its kind: others took the time for that"
_NOT_SERVED_YET = "the target does not serve its CustomResourceDefinition yet"


def sync_round(
    target: Kube,
    task: SyncTask,
    *,
    memory: SyncMemory,
    deadline: Deadline,
    clock: Monotonic,
) -> SyncReport:
    """Apply and prune what the recorded inventory covers, and return the next inventory.

    The first round with a new object only adds it to the inventory. The round that is given that
    inventory as `recorded` applies it, and a later one does what it has no time for. Never raises
    for anything that the target does. The clock gives monotonic seconds.
    """
    if claim := task.recorded.false_claim(task.cluster, task.owner.name):
        return SyncReport((), task.recorded, complete=False, error=claim)
    recorded = task.recorded.on(task.cluster)
    made = _Round(Target(target, memory.kinds, deadline), task, recorded, memory, clock).run()
    is_whole = recorded.by_key.keys() <= made.inventory.by_key.keys()
    is_known = is_whole or not leads_elsewhere(target, task.cluster)
    return made if is_known else made.without_loss(recorded, _MOVED)


def delete_all(
    target: Kube,
    task: SyncTask,
    *,
    memory: SyncMemory,
    deadline: Deadline,
    clock: Monotonic = time.monotonic,
) -> SyncReport:
    """Delete what the inventory lists and is ours, last applied first: a round that wants nothing.

    Call it again with the report's inventory until the report is `complete`: then nothing of ours
    is left, and the round could see that. On another cluster than the inventory's it deletes
    nothing. Never raises for anything that the target does.
    """
    nothing = replace(task, desired=DesiredSet(), deletes=True)
    report = sync_round(target, nothing, memory=memory, deadline=deadline, clock=clock)
    left, error = report.inventory, report.error
    if left.cluster.same_as(task.cluster) is False:
        error = error or _OTHER_CLUSTER
    elif not (error or report.complete):
        error = "the round's time was over"
    if not error and all(map(is_former_set, left.by_key.values())):
        left = left.with_entries(())
    memory.left |= dict.fromkeys(report.unlisted)
    complete = not (error or left.by_key)
    unlisted = tuple(memory.left)
    return replace(report, inventory=left, error=error, complete=complete, unlisted=unlisted)


@dataclass
class _Round:
    """A round, and its results so far; `recorded` is what the inventory says of this cluster."""

    target: Target
    task: SyncTask
    recorded: Inventory
    memory: SyncMemory
    clock: Monotonic
    resolved: ResolvedSet = field(default_factory=ResolvedSet)
    results: dict[ObjectKey, ObjectResult] = field(default_factory=dict)
    gone_sets: frozenset[ObjectKey] = frozenset()
    unlisted: tuple[ObjectKey, ...] = ()
    new_kinds: set[GroupKind] = field(default_factory=set)
    serve_until: Deadline | None = None
    asked_pause: float = 0.0

    def run(self) -> SyncReport:
        """Take all steps as far as the target allows, and report the results."""
        if self.recorded.cluster.same_as(self.task.cluster) is False:
            return SyncReport((), self.recorded, complete=False)
        try:
            self._take_steps()
        except (RoundEnded, KubeError) as error:
            return self._report(one_line(error, MAX_MESSAGE), complete=False)
        return self._report("", complete=True)

    def _take_steps(self) -> None:
        desired, recorded = self.task.desired, self.recorded.by_key
        kinds, in_time = self._find_kinds(), self.target.check_time
        self.resolved = resolve(self.task, kinds, recorded, in_time=in_time)
        wanted = {one.key: one for one in self.resolved.objects}
        self.target.managed_namespaces = frozenset(
            key.name for key in wanted if key.kind == NAMESPACE.kind
        )
        self.memory.keep_only(wanted.keys(), recorded.keys())
        tools = former_sets.read(self.target, self.recorded)
        uids = frozenset(entry.uid for entry in recorded.values() if entry.uid)
        whose = Whose(self.task.owner, desired.source_uids, tools, uids)
        state = LiveState(
            self.target, self.memory, whose, wanted, recorded, new_kinds=self.new_kinds
        )
        self._apply(state)
        self.unlisted, self.asked_pause = state.unlisted(), state.asked_pause
        left = [entry for key, entry in recorded.items() if not (entry.uid or self._is_known(key))]
        if all(map(is_former_set, left)):
            self.gone_sets = former_sets.delete(self.target, self.recorded)

    def _find_kinds(self) -> dict[Gvk, Kind | str]:
        """Return the kinds that the target serves or a desired CRD defines; else what is wrong."""
        found: dict[Gvk, Kind | str] = {}
        desired = self.task.desired
        defined = defined_kinds(desired)
        confidential = {one.gvk for one in desired.objects if one.is_confidential}
        unasked, until = self.memory.unasked, self.target.deadline.at_most(FIND_SECONDS)
        for gvk in find_order((one.gvk for one in desired.objects), unasked):
            if until.passed() and gvk[0] not in self.target.served:
                found[gvk] = _NOT_ASKED
                continue
            try:
                kind = self.target.find_kind(*gvk)
                unasked.pop(gvk[0], None)
                if kind is None and (kind := defined.get(gvk)):
                    self.new_kinds.add(kind.group_kind)
                found[gvk] = kind or f"the target serves no {gvk[1]} of {gvk[0]}"
            except KubeError as error:
                unasked[gvk[0]] += 1
                why = describe_error(error, confidential=gvk in confidential)
                found[gvk] = f"the target does not say whether it serves its kind: {why}"
        return found

    def _apply(self, state: LiveState) -> None:
        """Apply what is recorded, in order, and prune; kinds that are slow come last."""
        applier = Applier(state, self.task.policy, self.clock)
        await_kind = cache(self._await_kind)
        slow = self.memory.slow
        known = [one for one in self.resolved.objects if one.key in self.recorded.by_key]
        for one in known:
            if one.kind.group_kind not in slow:
                self._apply_object(one, applier, await_kind(one.kind))
        self._prune(state, without=slow)
        for one in sorted(known, key=self.memory.last_due):
            if one.key not in self.results:
                self._apply_object(one, applier, await_kind(one.kind))
        self._prune(state, without=frozenset())

    def _apply_object(self, one: ResolvedObject, applier: Applier, problem: str) -> None:
        if problem := problem or applier.state.problem(one.entry):
            self._note(one.result("failed", problem, needs_recheck=problem == _NOT_SERVED_YET))
        else:
            self._note(applier.apply_object(one))

    def _await_kind(self, kind: Kind) -> str:
        """Wait until the target serves a kind of a CRD of this round; return what is wrong."""
        crd = self.results.get(ObjectKey(CRD_GROUP, CRD_KIND, "", f"{kind.plural}.{kind.group}"))
        deadline = self.serve_until or self.target.deadline.at_most(SERVE_SECONDS)
        while self.target.find_kind(kind.api_version, kind.kind) is None:
            if crd is None or crd.outcome not in OURS:
                return "its CustomResourceDefinition is not on the target"
            self.serve_until = deadline
            if deadline.passed(margin=_SERVE_POLL):
                return _NOT_SERVED_YET
            time.sleep(_SERVE_POLL)
            self.target.forget_kinds(kind.api_version)
        return ""

    def _prune(self, state: LiveState, *, without: Collection[GroupKind]) -> None:
        """Delete what is recorded and no longer wanted, without objects of some kinds."""
        applied = {one.entry.uid for one in self.results.values() if one.outcome in OURS}
        why = self._why_kept()
        first: InventoryEntry | None = None  # of what holds back all that is deleted after it
        for entry in prune_order(self.recorded.by_key.values()):
            if entry.key in state.wanted or is_former_set(entry):
                continue
            if reason := why(entry):
                if not self._is_done(entry):
                    self._note(ObjectResult(entry, "skipped", reason))
                continue
            held_by = first if first and prune_rank(first.key) < prune_rank(entry.key) else None
            if not self._is_done(entry) and entry.key.group_kind not in without:
                if held_by:
                    self._hold(entry, held_by)
                else:
                    self._note(self._delete(state, entry, applied))
            if not held_by and self._holds(entry):  # the time of each begins with its own deletion
                first = first or entry

    def _delete(
        self, state: LiveState, entry: InventoryEntry, applied: Collection[str]
    ) -> ObjectResult:
        """Delete an object; one that failed after a long time waits, as one that is applied."""
        memory, before = self.memory, self.target.spent
        tried = DELETIONS[self.task.deletes]
        if retry := memory.pending_retry(entry.key, tried, now=self.clock()):
            return ObjectResult(entry, "failed", retry.describe(self.clock()))
        try:
            result = delete_object(state, entry, applied=applied)
        finally:
            took = self.target.spent - before
            memory.note_pace(entry.key.group_kind, took)
        if result.outcome == "failed" and (wait := pause_after(took)):
            memory.note_failure(entry.key, tried, result.message, now=self.clock(), wait=wait)
        else:
            memory.retries.pop(entry.key, None)
        return result

    def _why_kept(self) -> Callable[[InventoryEntry], str]:
        """Return what says why an object is not pruned; empty if it is."""
        unserved = {(one.entry.key.group_kind, one.entry.name) for one in self.resolved.unresolved}
        incomplete = self._incomplete_sources()

        def why(entry: InventoryEntry) -> str:
            if self.task.deletes:
                return ""
            reason = why_kept(entry, self.task.desired, incomplete, self.task.policy)
            if not reason and (entry.key.group_kind, entry.name) in unserved:
                return "is kept: it is wanted, but its kind is not served"
            return reason

        return why

    def _is_done(self, entry: InventoryEntry) -> bool:
        """Tell whether this round has decided about an object; what waits is decided again."""
        found = self.results.get(entry.key)
        is_overtaken = entry.key in self.memory.overtaken
        return found is not None and (found.is_gone or found.outcome != "skipped" or is_overtaken)

    def _holds(self, entry: InventoryEntry) -> bool:
        """Tell whether an object that is to be deleted is still there, for some minutes only.

        A refused deletion holds only if it is of an object that may need its controller.
        """
        found = self.results.get(entry.key)
        is_refused = found is not None and found.outcome == "failed" and not is_custom(entry.key)
        if is_refused or (found is not None and found.is_gone):
            self.memory.deleting.pop(entry.key, None)
            return False
        now = self.clock()
        return now - self.memory.deleting.setdefault(entry.key, now) < HOLD_SECONDS

    def _hold(self, entry: InventoryEntry, first: InventoryEntry) -> None:
        """Let an object wait for one that is deleted before it, and whose controller it may be."""
        until = f"waits until {first.key} is gone, for up to {HOLD_SECONDS / 60:g} minutes"
        self._note(ObjectResult(entry, "skipped", until, needs_recheck=True))
        if (found := self.results.get(first.key)) and _HOLDS not in found.message:
            message = f"{found.message}; {_HOLDS}, for up to {HOLD_SECONDS / 60:g} minutes"
            self._note(replace(found, message=message))

    def _incomplete_sources(self) -> Collection[str]:
        """Return the sources with something that is wanted and not on the target."""
        there = {key for key, one in self.results.items() if one.outcome in OURS}
        missing = [one.entry for one in self.resolved.objects if one.key not in there]
        unresolved = (one.entry for one in self.resolved.unresolved)
        return dict.fromkeys(one.source for one in (*missing, *unresolved))

    def _note(self, result: ObjectResult) -> None:
        self.results[result.entry.key] = result

    def _is_known(self, key: ObjectKey) -> bool:
        """Tell whether it is known whose an object is, without a former set."""
        found = self.results.get(key)
        return found is not None and (found.outcome in (*OURS, "conflict") or found.is_gone)

    def _next_inventory(self) -> Inventory:
        """Return what is recorded, wanted or changed, without what is gone."""
        entries = dict(self.recorded.by_key)
        entries |= {one.key: one.entry for one in self.resolved.objects}
        entries |= {key: result.entry for key, result in self.results.items()}
        entries |= self._kept_as_recorded(entries)
        gone = {key for key, result in self.results.items() if result.is_gone} | self.gone_sets
        return self.recorded.with_entries(one for key, one in entries.items() if key not in gone)

    def _emptied(self) -> Iterator[SourceProblem]:
        """Name the sources that hold no object any more, and whose objects are kept for that."""
        wanted = {one.key for one in self.resolved.objects}
        recorded = self.recorded.by_key.values()
        left = Counter(one.source for one in recorded if one.key not in wanted and not one.kept)
        policy, empty = self.task.policy, self.task.desired.empty_sources
        for source in () if policy.allow_empty or not policy.prune else empty:
            if count := left[source]:
                message = f"holds no object any more; the {count} that came from it {_EMPTIED}"
                yield SourceProblem(source, message)

    def _kept_as_recorded(
        self, entries: Mapping[ObjectKey, InventoryEntry]
    ) -> dict[ObjectKey, InventoryEntry]:
        """Return the entries that keep what a target says otherwise at each look."""
        known = {key: one for key, one in self.recorded.by_key.items() if one.uid}
        kept = {
            key: structs.replace(entries[key], uid=one.uid, applied=one.applied)
            for key, one in known.items()
            if (entries[key].uid, entries[key].applied) != (one.uid, one.applied)
        }
        may_rename = self.memory.may_rename(changed=bool(kept), now=self.clock())
        return {} if may_rename else kept

    def _report(self, error: str, *, complete: bool) -> SyncReport:
        now, recorded = self.clock(), self.recorded.by_key.keys()
        inventory = self._next_inventory()
        moves = self.task.recorded.cluster.same_as(self.task.cluster) is False
        for one in self.resolved.objects:
            if one.key not in self.results and one.key not in inventory.by_key:
                self._note(one.result("failed", _FULL))
            elif one.key not in self.results:
                reason = "was not reached in" if one.key in recorded else "is only recorded in"
                self._note(one.result("skipped", f"{reason} this round"))
        results = (*self.results.values(), *self.resolved.unresolved)
        unanswered = self.memory.count_unanswered(results, at_least=self.asked_pause)
        waits = [self.memory.next_retry(now=now), unanswered]
        if any(result.needs_recheck for result in self.results.values()):
            waits.append(RECHECK_SECONDS)
        unreadable = (
            SourceProblem("inventory", f"{where}: is no entry; what it stood for is not pruned")
            for where in self.task.recorded.unreadable
        )
        emptied = () if self.task.deletes else self._emptied()
        return SyncReport(
            results=results,
            inventory=inventory,
            complete=complete and not moves and inventory.by_key.keys() <= recorded,
            problems=(*self.task.desired.problems, *self.resolved.problems, *unreadable, *emptied),
            error=error,
            resume_after=min((wait for wait in waits if wait is not None), default=None),
            pause=self.target.pause,
            unlisted=self.unlisted,
            label=self.task.owner.selector,
            warnings=self.memory.note_warnings(self.target.warnings),
        )
