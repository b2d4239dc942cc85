"""Makes attempts: looks once more, writes one down, repairs, writes down what became of it.

Several repairs run at once, in threads; only the round's own reads and writes the journal. An
attempt is written before it is made, and only over the journal that was read: a process that
ends in between has spent an attempt, and no other process makes the same one.
"""

from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass, replace

from hooks.cloudstack import Cloud
from hooks.cloudstack.operations import Outcome, Verdict, find_vm
from hooks.http.deadline import Deadline, run_detached
from hooks.kube.client import Conflict, KubeError
from hooks.targetclusters.healing.journal_lease import KeptJournal
from hooks.targetclusters.healing.memory import HealingMemory
from hooks.targetclusters.healing.nodes import get_node
from hooks.targetclusters.healing.observing import Observation, read_cluster_state
from hooks.targetclusters.healing.plan import decide, owed
from hooks.targetclusters.healing.plan.journal import Unreadable
from hooks.targetclusters.healing.plan.model import Attempt, Record, Repair
from hooks.targetclusters.healing.plan.vms import find_vm_of
from hooks.targetclusters.healing.repairs import COMMANDS, carry_out
from hooks.targetclusters.healing.task import (
    CALL_SECONDS,
    READ_SECONDS,
    REPAIR_SECONDS,
    HealingTask,
)
from hooks.targetclusters.health.model import Failure
from hooks.targetclusters.outdated import is_changed

#: How often it is tried to write down what became of an attempt.
CLOSE_TRIES = 5


class Doubt(Exception):
    """No repair is made now; str() says why, and it counts as no attempt."""


class Outrun(Exception):
    """Another process, or a person, has changed what the round relies on: the next one knows."""


@dataclass(frozen=True)
class Looked:
    """What a close look has found: `repair` is to be made of the VM, or cluster, `object_id`."""

    cloud: Cloud
    repair: Repair
    object_id: str


@dataclass(frozen=True)
class Attempting:
    """Makes the attempts of a round.

    Attributes:
        task: what the round is about.
        seen: what it has seen.
        deadline: of the round.
    """

    task: HealingTask
    seen: Observation
    deadline: Deadline

    def look_closely(self, record: Record) -> Looked:
        """Return what is to be done for a fault. Raises Doubt, CloudStackError."""
        cloud = self.seen.cloud
        if cloud is None:
            raise Doubt("there is no CloudStack account to repair it with")
        reads = self.deadline.at_most(READ_SECONDS)
        if record.kind == "ClusterNotRunning":
            found = read_cluster_state(cloud, record.object, reads)
            state, object_id = "gone" if isinstance(found, Failure) else found, record.object
        else:
            state, object_id = self._find_vm(cloud, record, reads)
        repair = decide.choose_repair(record, state)
        if repair is None:
            raise Doubt(f"in the state {state} nothing is done")
        if missing := [each for each in COMMANDS[repair] if each in self.seen.missing]:
            raise Doubt(f"the CloudStack account may not call {missing[0]}")
        return Looked(cloud, repair, object_id)

    def _find_vm(self, cloud: Cloud, record: Record, reads: Deadline) -> tuple[str, str]:
        """Return the state and the id of a node's VM, as it is now."""
        nodes = self.seen.evidence.nodes or ()
        node = next(each for each in nodes if each.name == record.object)
        found = find_vm_of(node, nodes, cloud.snapshot(reads), cloud.scope(reads))
        if isinstance(found, str):
            raise Doubt(found)
        vm = find_vm(cloud.client, found.id, reads)
        if vm is None or vm.id != found.id:
            raise Doubt("its VM is gone, or another account's")
        return vm.state, vm.id

    def check_current(self, record: Record) -> None:
        """Look once more at the node and the TargetCluster. Raises Doubt, Outrun."""
        reads = self.deadline.at_most(CALL_SECONDS)
        target, nodes = self.task.target, self.seen.evidence.nodes
        try:
            if record.kind == "NodeNotReady" and not isinstance(target, Failure):
                before = next(each for each in nodes or () if each.name == record.object)
                if get_node(target, record.object, reads) != before:
                    raise Doubt("the node has changed meanwhile")
            if is_changed(self.task.own, self.task.cluster, reads):
                raise Outrun
        except KubeError as error:
            raise Doubt(f"it cannot be read once more: {error}") from None

    def begin(
        self, kept: KeptJournal, record: Record, looked: Looked
    ) -> tuple[KeptJournal, Record, Future[Outcome]]:
        """Write an attempt down, and begin it. Raises KubeError: it is not made."""
        task = self.task
        begun = decide.begin(record, looked.repair, task.policy, now=task.clock())
        begun = replace(begun, vm=looked.object_id, by=task.memory.holder)
        kept = task.memory.lease.write(
            kept, kept.journal.with_record(begun), self.deadline.at_most(CALL_SECONDS)
        )
        client, seconds = looked.cloud.client, self.deadline.at_most(REPAIR_SECONDS)
        context = copy_context()

        def repair() -> Outcome:
            return context.run(carry_out, client, looked.repair, looked.object_id, seconds)

        return kept, begun, run_detached("repair", repair)

    def end(
        self, kept: KeptJournal, begun: Record, outcome: Outcome
    ) -> tuple[KeptJournal, Attempt]:
        """Write down what became of an attempt."""
        text = outcome.text or f"{begun.repair} of {begun.vm} is done"
        policy, now = self.task.policy, self.task.clock()
        sent, done = outcome.was_sent, outcome.verdict is Verdict.DONE
        ended = decide.end(begun, text, policy, sent=sent, now=now)
        ended = owed.end_stop(ended, sent=sent, done=done)
        verdict = str(outcome.verdict)
        attempt = Attempt(begun.kind, begun.object, begun.repair, verdict, ended.outcome)
        # A round that is stopped still writes down what it did.
        return close(self.task.memory, kept, ended, Deadline(CALL_SECONDS)), attempt


def close(
    memory: HealingMemory, kept: KeptJournal, ended: Record, seconds: Deadline
) -> KeptJournal:
    """Write down what became of an attempt; if that fails, the next round counts it as lost."""
    for _ in range(CLOSE_TRIES):
        try:
            return memory.lease.write(kept, kept.journal.with_record(ended), seconds)
        except Conflict:  # another replica has seen other faults meanwhile
            try:
                kept = memory.lease.read(seconds)
            except (KubeError, Unreadable):
                return kept
            now = kept.journal.records.get(ended.key)
            if now is None or (now.by, now.tried_at) != (memory.holder, ended.tried_at):
                return kept
        except KubeError:
            return kept
    return kept
