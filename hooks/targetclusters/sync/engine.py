"""Applies what the sources want to a target, and deletes there what they no longer want.

The modules, in the order in which a round uses them; `plan` holds those that decide:

    sources    reads the sources: plan.sources, plan.manifests -> DesiredSet (plan.model)
    target     asks which kinds the target serves: plan.kinds
               plan.resolve completes and orders the desired objects -> ResolvedSet
    live       lists what is on the target, by plan.applyset -> LiveState
    apply      applies or deletes an object: plan.decide, plan.drift -> ObjectResult
               plan.inventory holds what is to be recorded before the next round

All calls go through `target`. `memory` is what is kept between rounds.
"""

import time
from collections.abc import Callable
from functools import cache

from hooks.http.deadline import Deadline
from hooks.http.texts import one_line
from hooks.kube.client import Kube, KubeError
from hooks.targetclusters.sync.apply import Applier, delete_object
from hooks.targetclusters.sync.live import LiveState
from hooks.targetclusters.sync.memory import SyncMemory
from hooks.targetclusters.sync.plan.applyset import ApplySets, Scope
from hooks.targetclusters.sync.plan.inventory import Inventory, InventoryEntry, ObjectKey
from hooks.targetclusters.sync.plan.kinds import CRD_GROUP, CRD_KIND, NAMESPACE, Gvk, Kind
from hooks.targetclusters.sync.plan.model import (
    OURS,
    DeleteReport,
    ObjectResult,
    SyncReport,
    SyncTask,
)
from hooks.targetclusters.sync.plan.resolve import (
    ResolvedSet,
    defined_kinds,
    prune_order,
    resolve,
    why_kept,
)
from hooks.targetclusters.sync.target import MAX_MESSAGE, RoundEnded, Target

#: Seconds that a round waits for the target to serve the kinds of CRDs that it applied.
SERVE_SECONDS = 10.0
_SERVE_POLL = 0.1
#: Seconds until the next round if an object is changing.
RECHECK_SECONDS = 5.0
_NOT_SERVED_YET = "the target does not serve its CustomResourceDefinition yet"


def sync_round(
    target: Kube,
    task: SyncTask,
    *,
    memory: SyncMemory,
    deadline: Deadline,
    clock: Callable[[], float],
) -> SyncReport:
    """Apply and prune what the recorded inventory covers, and return the next inventory.

    The first round with a new object only adds it to the inventory. The round that is given that
    inventory as `recorded` applies it, and a later one does what it has no time for. Never raises
    for anything that the target does. The clock gives monotonic seconds.
    """
    return _Round(Target(target, memory.kinds, deadline), task, memory, clock).run()


def delete_all(
    target: Kube, sets: ApplySets, *, memory: SyncMemory, deadline: Deadline
) -> DeleteReport:
    """Delete all that is ours, last applied first, then the ApplySets' ConfigMaps.

    Ours is what the inventory holds and what still carries our label, and also what carries it
    although a lost inventory does not hold it. Call it again with what remains until the report is
    `complete`. Never raises for anything that the target does.
    """
    remaining = dict(sets.recorded.by_key)
    results: list[ObjectResult] = []
    error = ""
    state = LiveState(Target(target, memory.kinds, deadline), sets, {})
    try:
        state.read(sets.all)
        unknown = state.unknown()
        remaining |= {entry.key: entry for entry in unknown}
        for entry in prune_order([*sets.members.values(), *unknown]):
            results.append(delete_object(state, entry))
            if results[-1].is_gone:
                remaining.pop(entry.key, None)
        if remaining.keys() <= {one.entry.key for one in sets.all}:
            for one in sets.all:
                state.delete_config_map(one)
            remaining.clear()
    except (RoundEnded, KubeError) as problem:
        error = one_line(problem, MAX_MESSAGE) or "the round's time was over"
    return DeleteReport(tuple(results), sets.recorded.with_entries(remaining.values()), error)


class _Round:
    """A round, and its results so far."""

    def __init__(
        self, target: Target, task: SyncTask, memory: SyncMemory, clock: Callable[[], float]
    ) -> None:
        self._target = target
        self._task = task
        self._memory = memory
        self._clock = clock
        self._sets = ApplySets.of(task.cluster, task.desired.set_namespace, task.recorded)
        self._resolved = ResolvedSet()
        self._unknown: list[InventoryEntry] = []
        self._results: dict[ObjectKey, ObjectResult] = {}
        self._deleted_sets: set[ObjectKey] = set()

    def run(self) -> SyncReport:
        """Take all steps as far as the target allows, and report the results."""
        try:
            self._take_steps()
        except (RoundEnded, KubeError) as error:
            return self._report(one_line(error, MAX_MESSAGE), complete=False)
        return self._report("", complete=True)

    def _take_steps(self) -> None:
        self._resolved = resolve(self._task.desired, self._find_kinds(), self._sets)
        wanted = {one.key: one for one in self._resolved.objects}
        self._target.managed_namespaces = frozenset(
            key.name for key in wanted if key.kind == NAMESPACE.kind
        )
        self._memory.keep_only(set(wanted))
        state = LiveState(self._target, self._sets, wanted)
        state.read([self._sets.current])
        self._unknown = state.unknown()
        if self._is_recorded(self._sets.current.entry):
            self._apply(state)
        self._prune(state)
        self._update_sets(state)

    def _is_recorded(self, entry: InventoryEntry) -> bool:
        return entry.key in self._task.recorded.by_key

    def _find_kinds(self) -> dict[Gvk, Kind | str]:
        """Return the kinds that the target serves or a desired CRD defines; else what is wrong."""
        found: dict[Gvk, Kind | str] = {}
        defined = defined_kinds(self._task.desired)
        for gvk in dict.fromkeys(one.gvk for one in self._task.desired.objects):
            try:
                kind = self._target.find_kind(*gvk) or defined.get(gvk)
                found[gvk] = kind or f"the target serves no {gvk[1]} of {gvk[0]}"
            except KubeError as error:
                problem = f"the target does not say whether it serves its kind: {error}"
                found[gvk] = one_line(problem, MAX_MESSAGE)
        return found

    def _apply(self, state: LiveState) -> None:
        """Apply what is recorded, in order; first the set's ConfigMap, in its namespace."""
        applier = Applier(state, self._task.policy, self._memory, self._clock)
        recorded = [one for one in self._resolved.objects if self._is_recorded(one.entry)]
        home = ObjectKey("", NAMESPACE.kind, "", self._sets.current.namespace)
        for one in recorded:
            if one.key == home:
                self._note(applier.apply_object(one))
        state.write_config_map(state.scope)
        await_kind = cache(self._await_kind)
        for one in recorded:
            if one.key in self._results:
                continue
            if problem := state.problem(one.key) or await_kind(one.kind):
                self._note(one.result("failed", problem, needs_recheck=problem == _NOT_SERVED_YET))
            else:
                self._note(applier.apply_object(one))

    def _await_kind(self, kind: Kind) -> str:
        """Wait until the target serves a kind of a CRD of this round; return what is wrong."""
        crd = self._results.get(ObjectKey(CRD_GROUP, CRD_KIND, "", f"{kind.plural}.{kind.group}"))
        deadline = self._target.deadline.at_most(SERVE_SECONDS)
        while self._target.find_kind(kind.api_version, kind.kind) is None:
            if crd is None or crd.outcome not in OURS:
                return "its CustomResourceDefinition is not on the target"
            if deadline.passed(margin=_SERVE_POLL):
                return _NOT_SERVED_YET
            time.sleep(_SERVE_POLL)
            self._target.forget_kinds(kind.api_version)
        return ""

    def _prune(self, state: LiveState) -> None:
        """Delete what is recorded and no longer wanted."""
        for entry in prune_order(self._sets.members.values()):
            if entry.key in state.wanted:
                continue
            reason = why_kept(entry, self._task.desired, self._resolved, self._task.policy)
            if reason:
                self._note(ObjectResult(entry, "skipped", reason))
            else:
                self._note(delete_object(state, entry))

    def _update_sets(self, state: LiveState) -> None:
        """Make the set's ConfigMap declare what is left; delete those of empty sets."""
        current, former = self._sets.current, self._sets.former
        inventory = self._next_inventory()
        left = ApplySets.of(self._task.cluster, current.namespace, inventory).members
        outcomes = {result.outcome for key, result in self._results.items() if key in left}
        has_moved = left.keys() <= self._results.keys() and outcomes <= {"applied", "unchanged"}
        empty = former if has_moved else ()
        if self._is_recorded(current.entry):
            if left or self._resolved.unresolved:
                state.write_config_map(Scope.of(left))
            else:
                empty = (*former, current)
        for one in empty:
            state.delete_config_map(one)
            self._deleted_sets.add(one.entry.key)

    def _note(self, result: ObjectResult) -> None:
        self._results[result.entry.key] = result

    def _next_inventory(self) -> Inventory:
        """Return what is recorded, found, wanted or changed, without what is gone."""
        entries = {entry.key: entry for entry in self._unknown}
        if self._unknown or self._resolved.objects:
            entries[self._sets.current.entry.key] = self._sets.current.entry
        entries |= self._task.recorded.by_key
        entries |= {one.key: one.entry for one in self._resolved.objects}
        entries |= {key: result.entry for key, result in self._results.items()}
        gone = {key for key, result in self._results.items() if result.is_gone} | self._deleted_sets
        return self._task.recorded.with_entries(
            entry for key, entry in entries.items() if key not in gone
        )

    def _report(self, error: str, *, complete: bool) -> SyncReport:
        now = self._clock()
        inventory = self._next_inventory()
        for one in self._resolved.objects:
            if one.key not in self._results:
                is_recorded = self._is_recorded(one.entry)
                reason = "was not reached in" if is_recorded else "is only recorded in"
                self._note(one.result("skipped", f"{reason} this round"))
        waits = [self._memory.next_retry(now=now)]
        if any(result.needs_recheck for result in self._results.values()):
            waits.append(RECHECK_SECONDS)
        return SyncReport(
            results=(*self._results.values(), *self._resolved.unresolved),
            inventory=inventory,
            complete=complete and inventory.by_key.keys() <= self._task.recorded.by_key.keys(),
            problems=(*self._task.desired.problems, *self._resolved.problems),
            error=error,
            resume_after=min((wait for wait in waits if wait is not None), default=None),
        )
