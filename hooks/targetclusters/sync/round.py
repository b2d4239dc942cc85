"""One round of bringing a TargetCluster's objects to its target, step by step."""

import time
from collections.abc import Callable, Mapping

from hooks.kube.client import KubeError
from hooks.targetclusters.sync.apply import Applier, Rules, words
from hooks.targetclusters.sync.applyset import Parent
from hooks.targetclusters.sync.kinds import Kinds
from hooks.targetclusters.sync.live import Live
from hooks.targetclusters.sync.memory import SyncMemory
from hooks.targetclusters.sync.plan.applyset import Extent, Sets
from hooks.targetclusters.sync.plan.inventory import Inventory, InventoryEntry, ObjectKey
from hooks.targetclusters.sync.plan.kinds import CRD_GROUP, CRD_KIND, NAMESPACE, Gvk, Kind
from hooks.targetclusters.sync.plan.model import ObjectResult, SyncReport, SyncTask
from hooks.targetclusters.sync.plan.object import Wanted
from hooks.targetclusters.sync.plan.order import (
    ResolvedSet,
    gvks,
    kinds_brought,
    next_inventory,
    resolve,
    to_prune,
)
from hooks.targetclusters.sync.prune import Remover, remove_all
from hooks.targetclusters.sync.target import RoundOver, Target

#: Seconds that a round waits for the target to serve the kinds of CRDs that it applied.
SERVE_SECONDS = 10.0
_SERVE_POLL = 0.1
#: Seconds after which objects that are on their way are looked at again.
LOOK_AGAIN = 5.0
_NOT_REACHED = "was not reached in this round"
_NOT_RECORDED = "is recorded in the inventory first"
#: Outcomes after which an object on the target is known to be ours.
_OURS = ("applied", "unchanged", "drifted")


class Round:
    """A round, and what has become of it so far."""

    def __init__(
        self, target: Target, task: SyncTask, memory: SyncMemory, clock: Callable[[], float]
    ) -> None:
        self._target = target
        self._task = task
        self._memory = memory
        self._clock = clock
        namespace = task.desired.target_namespace or task.desired.home
        self._sets = Sets.of(task.cluster, namespace, task.recorded)
        self._kinds = Kinds(target, memory.kinds)
        self._resolved = ResolvedSet(())
        self._results: dict[ObjectKey, ObjectResult] = {}
        self._uids: dict[ObjectKey, str] = {}
        self._gone: set[ObjectKey] = set()
        self._found: list[InventoryEntry] = []
        self._again = False

    def run(self) -> SyncReport:
        """Go through all steps as far as the target lets us; answer what came of it."""
        try:
            self._go()
        except (RoundOver, KubeError) as error:
            return self._report(words(str(error)), complete=False)
        recorded = all(self._is_recorded(one.entry) for one in self._resolved.wanted)
        return self._report("", complete=recorded and not self._found)

    def _go(self) -> None:
        served, unserved = self._find_kinds()
        self._resolved = resolve(self._task.desired, {**unserved, **served}, sets=self._sets)
        wanted = {one.key: one for one in self._resolved.wanted}
        self._memory.keep_only(set(wanted))
        known = {**wanted, **self._sets.members}
        parent = Parent(self._target, self._sets.current)
        extent = parent.read() | Extent.of(known)
        live = self._look(extent, served)
        live.read(extent.namespaces, wanted, expected=len(known))
        self._found = live.unknown(known)
        if self._is_recorded(self._sets.current.entry):
            self._apply(live, served, parent, extent)
        self._prune(live)
        self._tidy(parent)

    def _is_recorded(self, entry: InventoryEntry) -> bool:
        return entry.key in self._task.recorded.by_key

    def _find_kinds(self) -> tuple[Mapping[Gvk, Kind], Mapping[Gvk, Kind | str]]:
        """Answer the kinds that the target serves, and those that it will or why it does not."""
        served: dict[Gvk, Kind] = {}
        unserved: dict[Gvk, Kind | str] = {}
        brought = kinds_brought(self._task.desired)
        for gvk in gvks(self._task.desired):
            try:
                kind = self._kinds.find(*gvk)
            except KubeError as error:
                unserved[gvk] = words(f"the target does not say whether it serves it: {error}")
                continue
            if kind is not None:
                served[gvk] = kind
            else:
                unserved[gvk] = brought.get(gvk, f"the target serves no {gvk[1]} of {gvk[0]}")
        return served, unserved

    def _look(self, extent: Extent, served: Mapping[Gvk, Kind]) -> Live:
        """Find out how the kinds are served of all that is wanted, recorded or told."""
        live = Live(self._target, self._kinds, self._sets.ids)
        live.kinds.update({kind.group_kind: kind for kind in served.values()})
        for entry in self._sets.members.values():
            live.find(entry.key.group_kind, entry.api_version)
        coming = {one.key.group_kind for one in self._resolved.wanted}
        for group_kind in sorted(extent.group_kinds - coming):
            live.find(group_kind)
        return live

    def _apply(
        self, live: Live, served: Mapping[Gvk, Kind], parent: Parent, extent: Extent
    ) -> None:
        """Apply what is recorded, in order; first the set's ConfigMap, in its namespace."""
        rules = Rules(self._sets.ids, self._task.policy, self._described)
        applier = Applier(self._target, rules, self._memory, self._clock)
        recorded = [one for one in self._resolved.wanted if self._is_recorded(one.entry)]
        for one in recorded:
            if one.key == ObjectKey("", "Namespace", "", self._sets.current.namespace):
                self._apply_object(applier, one, live)
        parent.write(extent, described=self._described)
        unserved: dict[Kind, str] = dict.fromkeys(served.values(), "")
        for one in recorded:
            if one.key in self._results:
                continue
            if one.kind not in unserved:
                unserved[one.kind] = self._await_kind(one.kind)
            trouble = unserved[one.kind] or live.trouble(one.key)
            if trouble:
                self._note(one.result("failed", trouble))
            else:
                self._apply_object(applier, one, live)

    @property
    def _described(self) -> frozenset[str]:
        """Answer the namespaces that are objects of the set themselves."""
        return frozenset(
            one.key.name for one in self._resolved.wanted if one.kind.kind == NAMESPACE.kind
        )

    def _apply_object(self, applier: Applier, one: Wanted, live: Live) -> None:
        brought = applier.apply_object(one, live.seen.get(one.key))
        self._again |= brought.again
        self._note(brought.result)
        if brought.seen is not None and brought.result.outcome in _OURS:
            self._uids[one.key] = brought.seen.uid

    def _await_kind(self, kind: Kind) -> str:
        """Wait until the target serves a kind of a CRD in this round; else say what is wrong."""
        crd = ObjectKey(CRD_GROUP, CRD_KIND, "", f"{kind.plural}.{kind.group}")
        result = self._results.get(crd)
        if result is None or result.outcome not in _OURS:
            return "its CustomResourceDefinition is not on the target"
        deadline = self._target.deadline.at_most(SERVE_SECONDS)
        while self._kinds.find(kind.api_version, kind.kind) is None:
            if deadline.passed(margin=_SERVE_POLL):
                self._again = True
                return "the target does not serve its CustomResourceDefinition yet"
            time.sleep(_SERVE_POLL)
            self._kinds.forget(kind.api_version)
        return ""

    def _prune(self, live: Live) -> None:
        """Delete what is recorded and wanted no more."""
        entries, kept = to_prune(self._task.desired, self._resolved, self._sets, self._task.policy)
        for result in kept:
            self._note(result)
        for removed in remove_all(Remover(self._target, self._sets.ids), live, entries):
            self._note(removed.result)
            if removed.gone:
                self._gone.add(removed.result.entry.key)
            elif removed.result.outcome != "failed":
                self._again = True

    def _tidy(self, parent: Parent) -> None:
        """Have the set's ConfigMap tell what is left; delete those of sets that nothing is in."""
        current, former = self._sets.current, self._sets.former
        left = Sets.of(self._task.cluster, current.namespace, self._next_inventory()).members
        settled = all(
            (result := self._results.get(key)) is not None
            and result.outcome in {"applied", "unchanged"}
            for key in left
        )
        empty = former if settled else ()
        if self._is_recorded(current.entry):
            if left or self._resolved.unplaced:
                parent.write(Extent.of(left), described=self._described)
            else:
                empty = (*former, current)
        for one in empty:
            Parent(self._target, one).delete()
            self._gone.add(one.entry.key)

    def _note(self, result: ObjectResult) -> None:
        self._results[result.entry.key] = result

    def _next_inventory(self) -> Inventory:
        found = list(self._found)
        if found or self._resolved.wanted:
            found.append(self._sets.current.entry)
        return next_inventory(
            self._task.recorded,
            self._resolved.wanted,
            found=found,
            gone=self._gone,
            uids=self._uids,
        )

    def _report(self, error: str, *, complete: bool) -> SyncReport:
        now = self._clock()
        for one in self._resolved.wanted:
            if one.key not in self._results:
                reached = self._is_recorded(one.entry)
                self._note(one.result("skipped", _NOT_REACHED if reached else _NOT_RECORDED))
        due = self._memory.next_retry(now=now)
        soon = LOOK_AGAIN if self._again else None
        return SyncReport(
            results=(*self._results.values(), *self._resolved.unplaced),
            inventory=self._next_inventory(),
            finished_at=now,
            complete=complete,
            problems=(*self._task.desired.problems, *self._resolved.problems),
            error=error,
            resume_after=min((s for s in (due, soon) if s is not None), default=None),
        )
