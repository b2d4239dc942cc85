"""Starts the VMs that a repair has stopped and not started; it goes before all other repairs.

A process may have ended in between, or the start was refused. The start belongs to the attempt that
stopped the VM: it counts as none, needs no answer of the target, and waits for no window.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial

from hooks.cloudstack import Cloud
from hooks.cloudstack.errors import CloudStackError
from hooks.cloudstack.operations import Outcome, Verdict, find_vm, pending_jobs
from hooks.http.deadline import Deadline
from hooks.http.texts import one_line
from hooks.kube.client import KubeError
from hooks.targetclusters.healing.attempts import Doubt, Outrun, write_outcome
from hooks.targetclusters.healing.commands import COMMANDS, carry_out
from hooks.targetclusters.healing.journal_lease import KeptJournal
from hooks.targetclusters.healing.machines import account_of
from hooks.targetclusters.healing.observing import Observation
from hooks.targetclusters.healing.plan import decide, owed
from hooks.targetclusters.healing.plan.model import Attempt, Fault, Record
from hooks.targetclusters.healing.plan.vms import why_not_touched
from hooks.targetclusters.healing.task import (
    CALL_SECONDS,
    MAX_MESSAGE,
    READ_SECONDS,
    REPAIR_SECONDS,
    HealingTask,
)
from hooks.targetclusters.healing.vm_lock import VmLock
from hooks.targetclusters.outdated import is_changed

#: VMs that one round looks at.
MAX_LOOKS = 20


@dataclass
class OwedStarts:
    """The starts of a round that are owed.

    Attributes:
        task: what the round is about.
        seen: what it has seen.
        kept: the journal as it was last read or written.
        deadline: of the round.
        waits: why a start is not made, by the fault's key.
        planned: in mode Plan, what would be done, by the fault's key.
        attempt: the start that was made; at most one.
    """

    task: HealingTask
    seen: Observation
    kept: KeptJournal
    deadline: Deadline
    waits: dict[str, str] = field(default_factory=dict)
    planned: dict[str, str] = field(default_factory=dict)
    attempt: Attempt | None = None

    def run(self, faults: Iterable[Fault]) -> None:
        """Make the first start that is due, and cross out those that are owed no more.

        Raises:
            Outrun: something has changed meanwhile.
            KubeError: the journal cannot be written.
        """
        cloud, settled = self.seen.cloud, list[Record]()
        why_not = {fault.key: fault.why_not for fault in faults}
        due = owed.due_starts(self.kept.journal, self.task.policy, now=self.task.clock())
        if cloud is None:
            return
        for record in due[:MAX_LOOKS]:
            try:
                is_over = self._is_over(record)
                if is_over or self._look(cloud, record, why_not.get(record.key, "")) == "settled":
                    settled.append(record)
                    continue
                self._start(cloud, record)
            except (Doubt, CloudStackError) as error:
                self.waits[record.key] = one_line(error, MAX_MESSAGE)
                continue
            break
        if settled:
            journal = owed.without_owed(settled, self.kept.journal)
            seconds = self.deadline.at_most(CALL_SECONDS)
            self.kept = self.task.memory.journal.write(self.kept, journal, seconds)

    def _is_over(self, record: Record) -> bool:
        """Tell whether a node is none any more: its VM is its owner's affair.

        That it is Ready says nothing: it stays so for a while after its VM was stopped. Nor do the
        nodes of another cluster, to which the kubeconfig has come to lead, or of one that hides
        which it is.
        """
        nodes, uid = self.seen.evidence.nodes, self.seen.cluster_uid
        if record.kind != "NodeNotReady" or nodes is None or not uid:
            return False
        if record.owed_in != self.kept.journal.home:
            return False
        return all(node.name != record.object for node in nodes)

    def _look(self, cloud: Cloud, record: Record, why_not: str) -> str:
        """Return what is to be done. Raises Doubt, Outrun, CloudStackError."""
        reads = self.deadline.at_most(READ_SECONDS)
        vm = find_vm(cloud.client, record.owed_vm, reads)
        is_ours = vm is not None and vm.id == record.owed_vm and cloud.scope(reads).covers(vm)
        state = vm.state if vm is not None and is_ours else None
        busy = bool(pending_jobs(cloud.client, record.owed_vm, reads))
        judged = owed.judge_start(
            record, state, busy=busy, account=account_of(cloud, reads), now=self.task.clock()
        )
        if judged == "wait":
            raise Doubt(
                f"its VM is {state or 'not to be seen with these keys'}, and its start waits"
            )
        if judged == "start" and vm is not None:
            untouched = why_not_touched(vm, cloud.scope(reads), self.seen.members)
            self._check(record, why_not or untouched)
        return judged

    def _check(self, record: Record, why_not: str) -> None:
        """Check that nothing speaks against a start. Raises Doubt, Outrun."""
        if why_not := why_not or decide.held_by_service(self.seen.evidence):
            raise Doubt(f"{why_not}, and its VM is not started")
        if missing := [each for each in COMMANDS["StartVM"] if each in self.seen.missing]:
            raise Doubt(f"the CloudStack account may not call {missing[0]}")
        if self.task.spec.healing.mode == "Plan":
            self.planned[record.key] = f"StartVM {record.owed_vm}"
            raise Doubt("mode Plan: its VM is not started")
        if self.task.spec.suspend or not self.task.spec.healing.enabled:
            raise Doubt("spec.suspend or autoHealing.enabled forbids it: its VM is not started")
        journal, allowed = self.kept.journal, self.task.policy.max_concurrent
        if clash := decide.find_clash(journal, "StartVM", record.owed_vm):
            raise Doubt(clash)
        if len(journal.open) >= allowed:
            raise Doubt(f"a repair of {journal.open[0].object} is being made")
        try:
            if is_changed(self.task.own, self.task.cluster, self.deadline.at_most(CALL_SECONDS)):
                raise Outrun
        except KubeError as error:
            raise Doubt(f"the TargetCluster cannot be read once more: {error}") from None

    def _start(self, cloud: Cloud, record: Record) -> None:
        """Make a start while the VM is nobody else's. Raises Doubt, Outrun, KubeError."""
        lock = VmLock(self.task, cloud.config.api_url, record.owed_vm, self.deadline)
        taken = lock.hold()
        if isinstance(taken, Outcome):
            raise Doubt(f"{taken.text}, and its VM is not started")
        try:
            self._make(cloud, record)
        finally:
            lock.free(taken, sent=True)

    def _make(self, cloud: Cloud, record: Record) -> None:
        """Write down that the start is being made, make it, and write down what became of it."""
        task = self.task
        begun = owed.begin_start(record, task.policy, now=task.clock())
        begun = replace(begun, by=task.memory.holder)
        self.kept = task.memory.journal.write(
            self.kept, self.kept.journal.with_record(begun), self.deadline.at_most(CALL_SECONDS)
        )
        seconds = self.deadline.at_most(REPAIR_SECONDS)
        outcome = carry_out(cloud.client, "StartVM", record.owed_vm, seconds)
        ending = partial(
            owed.after_start,
            outcome=_told(outcome),
            done=outcome.verdict is Verdict.DONE,
            now=task.clock(),
        )
        verdict, text = str(outcome.verdict), ending(begun).outcome
        self.attempt = Attempt(record.kind, record.object, "StartVM", verdict, text)
        self.kept = write_outcome(task.memory, self.kept, begun, ending, Deadline(CALL_SECONDS))


def _told(outcome: Outcome) -> str:
    if outcome.verdict is Verdict.DONE:
        return "it was stopped, and is started now"
    return f"it was stopped, and not started: {outcome.text}"
