"""Makes one attempt: looks once more, writes it down, repairs, writes down what became of it.

The attempt is written before it is made, and only over the journal that was read: a process that
ends in between has spent an attempt, and no other process makes the same one.
"""

from dataclasses import dataclass, replace

from hooks.cloudstack import Cloud
from hooks.cloudstack.operations import find_vm
from hooks.http.deadline import Deadline
from hooks.kube.client import Conflict, KubeError
from hooks.targetclusters.healing.journal_lease import KeptJournal
from hooks.targetclusters.healing.nodes import get_node
from hooks.targetclusters.healing.observing import Observation, read_cluster_state
from hooks.targetclusters.healing.plan import decide
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

    def look_closely(self, record: Record) -> tuple[Repair, str]:
        """Return the repair and the id of what is repaired. Raises Doubt, CloudStackError."""
        if self.seen.cloud is None:
            raise Doubt("there is no CloudStack account to repair it with")
        reads = self.deadline.at_most(READ_SECONDS)
        if record.kind == "ClusterNotRunning":
            found = read_cluster_state(self.seen.cloud, record.object, reads)
            state, object_id = "gone" if isinstance(found, Failure) else found, record.object
        else:
            state, object_id = self._find_vm(self.seen.cloud, record, reads)
        repair = decide.choose_repair(record, state)
        if repair is None:
            raise Doubt(f"in the state {state} nothing is done")
        if missing := [each for each in COMMANDS[repair] if each in self.seen.missing]:
            raise Doubt(f"the CloudStack account may not call {missing[0]}")
        return repair, object_id

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

    def make(
        self, kept: KeptJournal, record: Record, repair: Repair, object_id: str
    ) -> tuple[KeptJournal, Attempt]:
        """Write an attempt down, make it, and write down what became of it. Raises KubeError."""
        task, cloud = self.task, self.seen.cloud
        if cloud is None:
            raise Doubt("there is no CloudStack account to repair it with")
        begun = decide.begin(record, repair, task.policy, now=task.clock())
        begun = replace(begun, vm=object_id, by=task.memory.holder)
        kept = task.memory.lease.write(
            kept, kept.journal.with_record(begun), self.deadline.at_most(CALL_SECONDS)
        )
        seconds = self.deadline.at_most(REPAIR_SECONDS)
        outcome = carry_out(cloud.client, repair, object_id, seconds)
        text = outcome.text or f"{repair} of {object_id} is done"
        ended = decide.end(begun, text, task.policy, sent=outcome.was_sent, now=task.clock())
        attempt = Attempt(record.kind, record.object, repair, str(outcome.verdict), ended.outcome)
        # A round that is stopped still writes down what it did.
        return self._close(kept, ended, Deadline(CALL_SECONDS)), attempt

    def _close(self, kept: KeptJournal, ended: Record, seconds: Deadline) -> KeptJournal:
        """Write down what became of an attempt; if that fails, the next round counts it as lost."""
        memory = self.task.memory
        for _ in range(CLOSE_TRIES):
            try:
                return memory.lease.write(kept, kept.journal.with_record(ended), seconds)
            except Conflict:  # another replica has seen other faults meanwhile
                try:
                    kept = memory.lease.read(seconds)
                except (KubeError, Unreadable):
                    return kept
                open_record = kept.journal.records.get(ended.key)
                if open_record is None or open_record.by != memory.holder:
                    return kept
            except KubeError:
                return kept
        return kept
