"""A round of healing: looks, remembers, and makes the repairs that are due.

    read the journal, the nodes, the Kubernetes Service cluster     -> Evidence   observing.py
    plan.decide: what is remembered, and what is due                -> Journal, Due
    look again: VM, node, TargetCluster                                           attempts.py
    write the attempt into the journal, begin it, and see what is due beside it
    as each ends, write what became of it

The round ends when all its attempts have ended. The next one sees what they have changed.
"""

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from concurrent.futures import Future, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from hooks.cloudstack.errors import CloudStackError
from hooks.cloudstack.operations import Outcome
from hooks.http.deadline import Deadline
from hooks.http.texts import one_line
from hooks.kube.client import Conflict, KubeError
from hooks.targetclusters.healing.attempts import Attempting, Doubt, Looked, Outrun
from hooks.targetclusters.healing.journal_lease import KeptJournal
from hooks.targetclusters.healing.observing import Observation, observe, open_account, unread
from hooks.targetclusters.healing.owed_starts import OwedStarts
from hooks.targetclusters.healing.plan import bounds, decide
from hooks.targetclusters.healing.plan.journal import Unreadable
from hooks.targetclusters.healing.plan.known_nodes import find_known
from hooks.targetclusters.healing.plan.model import (
    Attempt,
    Evidence,
    Fault,
    HealingResult,
    Journal,
    Record,
)
from hooks.targetclusters.healing.plan.windows import (
    ALWAYS_OPEN,
    BadWindow,
    Opening,
    find_opening,
)
from hooks.targetclusters.healing.task import CALL_SECONDS, MAX_MESSAGE, READ_SECONDS, HealingTask
from hooks.targetclusters.health.model import Failure
from hooks.targetclusters.round_lease import is_over

#: Seconds for which an attempt of another process is seen before it counts as lost: longer than any
#: round runs.
LOST_AFTER = 600.0
#: Seconds for which a fault that cannot be repaired is not looked at again, so that others are.
DOUBTED_FOR = 300.0
#: Faults of a kind that one round looks at closely.
MAX_LOOKS = 20


def heal(task: HealingTask, result: HealingResult, deadline: Deadline) -> HealingResult:
    """Run a round; return `result` with what was found and done. Never raises.

    Args:
        task: what it is about.
        result: of a round that has done nothing yet.
        deadline: of the round.
    """
    reads = deadline.at_most(READ_SECONDS)
    task.memory.clock_steps.note(task.clock(), task.monotonic())
    if impossible := _why_impossible(task):
        return replace(result, failure=impossible)
    kept = _read_journal(task, reads)
    if isinstance(kept, Failure):
        return replace(result, failure=kept)
    seen = observe(task, kept.journal, reads)
    breaker = bounds.breaker(seen.evidence, task.policy)
    no_pods = bounds.pod_breaker(seen.evidence, task.policy)
    found = decide.find_faults(seen.evidence)
    before, policy, now = kept.journal, task.policy, task.clock()
    faults = bounds.hold_back(found, seen.evidence, policy, before, now=now)
    journal = _remember(task, kept, seen, faults)
    if seen.machines is not None:
        known = find_known(journal, seen.evidence)
        machines = tuple(each for each in seen.machines if each.node in known)
        journal = replace(journal, machines=machines)
    due = decide.due_repairs(journal, faults, task.policy, now=task.clock())
    state = _RoundState(task, Attempting(task, seen, deadline), kept, due, seen.failure)
    with state.noted():
        if journal != kept.journal:
            seconds = deadline.at_most(CALL_SECONDS)
            state.kept = task.memory.journal.write(kept, journal, seconds)
        state.start_owed(found)
        if not (breaker or state.attempts or result.only_owed):
            state.begin(faults)
    state.await_all()
    left_out = sorted({fault.key for fault in faults} - journal.records.keys())
    present = (*_present(state.kept.journal, faults, seen.evidence), *left_out)
    return state.told(replace(result, faults=present, breaker=breaker, pod_breaker=no_pods))


@dataclass
class _RoundState:
    """How far a round has come.

    Attributes:
        kept: the journal as it was last read or written.
        due: what is due besides.
        failure: why nothing, or not everything, can be repaired.
        waits: why a repair that is due is not made, by the fault's key.
        planned: in mode Plan, what would be done, by the fault's key.
        looks: how many faults were looked at closely, by kind: those of one hide no other's.
        cannot: the faults that no repair is there for, as long as nobody changes something.
        running: the attempts that were begun, by their ends.
        attempts: what was tried.
        opening: whether a maintenance window was open when a repair was last to begin.
    """

    task: HealingTask
    attempting: Attempting
    kept: KeptJournal
    due: decide.Due
    failure: Failure | None = None
    waits: dict[str, str] = field(default_factory=dict)
    planned: dict[str, str] = field(default_factory=dict)
    looks: Counter[str] = field(default_factory=Counter[str])
    cannot: list[str] = field(default_factory=list)
    running: dict[Future[Outcome], Record] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    opening: Opening = ALWAYS_OPEN

    def told(self, result: HealingResult) -> HealingResult:
        """Return a result with what was done, and why the rest was not."""
        ended = {begun.key for begun in self.running.values()}
        waits = {**self.due.waits, **self.waits}
        return replace(
            result,
            failure=self.failure,
            journal=self.kept.journal,
            waits={key: why for key, why in waits.items() if key not in ended},
            planned=self.planned,
            given_up=self.due.given_up,
            cannot=tuple(self.cannot),
            opening=self.opening,
            tried=tuple(self.attempts),
        )

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note what keeps the block from its end; the next round goes on from what is."""
        try:
            yield
        except (Outrun, Conflict):
            pass
        except BadWindow as error:
            self.failure = Failure("own", "WindowInvalid", str(error))
        except KubeError as error:
            message = one_line(f"the journal of repairs cannot be written: {error}", MAX_MESSAGE)
            self.failure = Failure("own", "NoJournal", message)

    def start_owed(self, faults: tuple[Fault, ...]) -> None:
        """Start a VM that an earlier repair has stopped. Raises Outrun, KubeError."""
        attempting = self.attempting
        starts = OwedStarts(self.task, attempting.seen, self.kept, attempting.deadline)
        try:
            starts.run(faults)
        finally:
            self.kept = starts.kept
            self.waits |= starts.waits
            self.planned |= starts.planned
            self.attempts += [starts.attempt] if starts.attempt else []

    def begin(self, faults: tuple[Fault, ...]) -> None:
        """Begin the repairs that are due, as many as may run at once.

        Raises:
            Outrun: something has changed meanwhile.
            BadWindow: it is not known when repairs are allowed.
            KubeError: the journal cannot be written.
        """
        healing, considered = self.task.spec.healing, set[str]()
        while True:
            now = self.task.clock()
            self.due = decide.due_repairs(self.kept.journal, faults, self.task.policy, now=now)
            left = [each for each in self.due.records if self._is_worth_a_look(each, considered)]
            self.opening = find_opening(healing.maintenance_windows, now)
            if not self.opening.is_open and healing.mode == "Repair":
                self.waits |= {each.key: self.opening.closed for each in left}
                return
            if not left:
                return
            record = left[0]
            considered.add(record.key)
            self.looks[record.kind] += 1
            if looked := self._look(record):
                self.kept, begun, end = self.attempting.begin(self.kept, record, looked)
                self.running[end] = begun

    def await_all(self) -> None:
        """Wait for the repairs that were begun, and write down what became of them."""
        for end in as_completed(self.running):
            begun = self.running[end]
            self.kept, attempt = self.attempting.record_outcome(self.kept, begun, end.result())
            self.attempts.append(attempt)

    def _is_worth_a_look(self, record: Record, considered: Container[str]) -> bool:
        """Tell whether to look at a fault: not at one that could not be repaired just now."""
        if record.key in considered or self.looks[record.kind] >= MAX_LOOKS:
            return False
        until, why = self.task.memory.doubts.get(record.key, (0.0, ""))
        if self.task.monotonic() >= until:
            return True
        self.waits[record.key] = why
        if record.key not in self.cannot:
            self.cannot.append(record.key)
        return False

    def _look(self, record: Record) -> Looked | None:
        """Look closely; return what is to be done now, None for nothing. Raises Outrun."""
        healing, journal = self.task.spec.healing, self.kept.journal
        try:
            looked = self.attempting.look_closely(record)
            if healing.mode == "Plan":
                self.planned[record.key] = f"{looked.repair} {looked.name}"
                return None
            self.attempting.check_vm(looked, journal.again)
            if clash := decide.find_clash(journal, looked.repair, looked.object_id):
                raise Doubt(clash)
            self.attempting.check_current(record, looked.object_id)
        except Doubt as doubt:
            self.waits[record.key] = one_line(doubt, MAX_MESSAGE)
            self.looks[record.kind] -= doubt.is_cheap
            if doubt.lasts:
                until = self.task.monotonic() + DOUBTED_FOR
                self.task.memory.doubts[record.key] = until, self.waits[record.key]
                self.cannot.append(record.key)
            return None
        except CloudStackError as error:
            self.failure = self.failure or unread(error)
            self.waits[record.key] = one_line(error, MAX_MESSAGE)
            return None
        return looked


def _why_impossible(task: HealingTask) -> Failure | None:
    """Say why nothing can be repaired at all; None if it can."""
    if not task.memory.journal.is_possible:
        account = open_account(task, Deadline(CALL_SECONDS)).failure
        if account is not None and account.reason == "NoAccount":
            return account  # what its author can mend comes first
        message = "the operator has no namespace (POD_NAMESPACE) to keep count of repairs in"
        return Failure("own", "NoJournal", message)
    return None


def _read_journal(task: HealingTask, deadline: Deadline) -> KeptJournal | Failure:
    """Read what was tried before; without it, nothing is."""
    try:
        return task.memory.journal.read(deadline)
    except (KubeError, Unreadable) as error:
        message = one_line(f"the journal of repairs cannot be read: {error}", MAX_MESSAGE)
        return Failure("own", "NoJournal", message)


def _remember(
    task: HealingTask, kept: KeptJournal, seen: Observation, faults: tuple[Fault, ...]
) -> Journal:
    """Return the journal with what is seen, and forget doubts about faults that are gone."""
    memory, there = task.memory, {fault.key for fault in faults}
    memory.doubts = {key: doubt for key, doubt in memory.doubts.items() if key in there}
    look = decide.Look(task.clock(), task.policy.longest_gap, task.again)
    journal = _without_lost(task, kept)
    if seen.evidence.nodes is not None:
        journal = decide.begin_elsewhere(journal, task.place, seen.cluster_uid)
    return decide.remember(journal, seen.evidence, faults, look)


def _without_lost(task: HealingTask, kept: KeptJournal) -> Journal:
    """Return the journal without the attempts of processes that have ended.

    Those of our own are over: a round ends with its attempts, and this is the next one. So are
    those of a former process of this pod.
    """
    memory, journal, now = task.memory, kept.journal, task.monotonic()
    before, memory.seen = memory.seen, {}
    for record in kept.journal.open:
        attempt = record.key, record.by, record.tried_at, record.owed_at
        since = before.get(attempt, now)
        if is_over(record.by, memory.holder) or now - since > LOST_AFTER:
            journal = journal.with_record(decide.with_lost_outcome(record))
        else:
            memory.seen[attempt] = since
    return journal


def _present(journal: Journal, faults: Iterable[Fault], evidence: Evidence) -> tuple[str, ...]:
    """Return the faults that are there; of a kind that was not read, those that were last known."""
    there = {fault.key for fault in faults}
    unread = (
        each.key
        for each in journal.records.values()
        if each.is_known and each.kind not in evidence.known and each.since
    )
    return (*(key for key in journal.records if key in there), *unread)
