"""A round of healing: looks, remembers, and makes at most one repair.

read the journal, the nodes, the Kubernetes Service cluster     -> Evidence   observing.py
plan.decide: what is remembered, and what is due                -> Journal, Due
look again: VM, node, TargetCluster                                           attempts.py
write the attempt into the journal, make it, write what became of it
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from hooks.cloudstack.errors import CloudStackError
from hooks.http.deadline import Deadline
from hooks.http.texts import one_line
from hooks.kube.client import Conflict, KubeError
from hooks.targetclusters.healing.attempts import Attempting, Doubt, Outrun
from hooks.targetclusters.healing.journal_lease import KeptJournal
from hooks.targetclusters.healing.observing import observe, unread
from hooks.targetclusters.healing.plan import decide
from hooks.targetclusters.healing.plan.journal import Unreadable
from hooks.targetclusters.healing.plan.model import (
    Attempt,
    Evidence,
    Fault,
    HealingResult,
    Journal,
)
from hooks.targetclusters.healing.task import CALL_SECONDS, MAX_MESSAGE, READ_SECONDS, HealingTask
from hooks.targetclusters.health.model import Failure
from hooks.targetclusters.round_lease import is_over

#: Seconds for which a journal with another process's attempt does not change before that counts as
#: lost: longer than any round runs.
LOST_AFTER = 600.0
#: Faults that one round looks at closely.
MAX_LOOKS = 20


def heal(task: HealingTask, result: HealingResult, deadline: Deadline) -> HealingResult:
    """Run a round; return `result` with what was found and done. Never raises.

    Args:
        task: what it is about.
        result: of a round that has done nothing yet.
        deadline: of the round.
    """
    reads = deadline.at_most(READ_SECONDS)
    if impossible := _why_impossible(task):
        return replace(result, failure=impossible)
    kept = _read_journal(task, reads)
    if isinstance(kept, Failure):
        return replace(result, failure=kept)
    seen = observe(task, reads)
    faults = decide.find_faults(seen.evidence)
    known, now = _without_lost(task, kept), task.clock()
    journal = decide.remember(known, seen.evidence, faults, again=task.again, now=now)
    breaker = decide.breaker(seen.evidence, task.policy)
    due = decide.next_due(journal, faults, task.policy, now=now)
    repairs = _Repairs(task, Attempting(task, seen, deadline), kept, seen.failure)
    with repairs.noted():
        if journal != kept.journal:
            lease, seconds = task.memory.lease, deadline.at_most(CALL_SECONDS)
            repairs.kept = lease.write(kept, journal, seconds)
        if not breaker:
            repairs.make_first(due)
    return replace(
        result,
        failure=repairs.failure,
        journal=repairs.kept.journal,
        faults=_present(repairs.kept.journal, faults, seen.evidence),
        waits={**due.waits, **repairs.waits},
        planned=repairs.planned,
        given_up=due.given_up,
        breaker=breaker,
        attempt=repairs.attempt,
    )


@dataclass
class _Repairs:
    """The repairs of a round.

    Attributes:
        kept: the journal as it was last read or written.
        failure: why nothing, or not everything, can be repaired.
        waits: why a repair that is due is not made, by the fault's key.
        planned: in mode Plan, what would be done, by the fault's key.
        attempt: what was tried.
    """

    task: HealingTask
    attempting: Attempting
    kept: KeptJournal
    failure: Failure | None = None
    waits: dict[str, str] = field(default_factory=dict)
    planned: dict[str, str] = field(default_factory=dict)
    attempt: Attempt | None = None

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note what keeps the block from its end; the next round goes on from what is."""
        try:
            yield
        except (Outrun, Conflict):
            pass
        except KubeError as error:
            message = one_line(f"the journal of repairs cannot be written: {error}", MAX_MESSAGE)
            self.failure = Failure("secret", "NoJournal", message)

    def make_first(self, due: decide.Due) -> None:
        """Make the first repair about which there is no doubt.

        Raises:
            Outrun: something has changed meanwhile.
            KubeError: the journal cannot be written.
        """
        healing = self.task.spec.healing
        for record in due.records[:MAX_LOOKS]:
            try:
                repair, object_id = self.attempting.look_closely(record)
                if healing.mode == "Plan":
                    self.planned[record.key] = f"{repair} {object_id}"
                    continue
                if self.kept.journal.attempts_on(object_id) >= healing.max_retry:
                    raise Doubt(f"{object_id} has had maxRetry attempts, under other names too")
                self.attempting.check_current(record)
            except Doubt as doubt:
                self.waits[record.key] = one_line(doubt, MAX_MESSAGE)
                continue
            except CloudStackError as error:
                self.failure = self.failure or unread(error)
                self.waits[record.key] = one_line(error, MAX_MESSAGE)
                continue
            self.kept, self.attempt = self.attempting.make(self.kept, record, repair, object_id)
            return


def _why_impossible(task: HealingTask) -> Failure | None:
    """Say why nothing can be repaired at all; None if it can."""
    if not task.memory.lease.is_possible:
        message = "the operator has no namespace (POD_NAMESPACE) to keep count of repairs in"
        return Failure("secret", "NoJournal", message)
    return None


def _read_journal(task: HealingTask, deadline: Deadline) -> KeptJournal | Failure:
    """Read what was tried before; without it, nothing is."""
    try:
        return task.memory.lease.read(deadline)
    except (KubeError, Unreadable) as error:
        message = one_line(f"the journal of repairs cannot be read: {error}", MAX_MESSAGE)
        return Failure("secret", "NoJournal", message)


def _without_lost(task: HealingTask, kept: KeptJournal) -> Journal:
    """Return the journal without the attempt of a process that has ended.

    One of our own is over: this process makes one at a time, and this is the next round. So is
    one of a former process of this pod.
    """
    record, memory = kept.journal.open, task.memory
    if record is None:
        return kept.journal
    if not is_over(record.by, memory.holder):
        if memory.seen[0] != kept.version:
            memory.seen = kept.version, task.monotonic()
        if task.monotonic() - memory.seen[1] <= LOST_AFTER:
            return kept.journal
    return kept.journal.with_record(decide.lose(record))


def _present(journal: Journal, faults: Iterable[Fault], evidence: Evidence) -> tuple[str, ...]:
    """Return the faults that are there; of a kind that was not read, those that were last known."""
    there = {fault.key for fault in faults}
    unread = (
        each.key
        for each in journal.records.values()
        if each.kind not in evidence.known and each.since
    )
    return (*(key for key in journal.records if key in there), *unread)
