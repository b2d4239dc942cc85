"""Makes attempts: looks once more, writes one down, repairs, writes down what became of it.

Several repairs run at once, in threads; only the round's own reads and writes the journal. An
attempt is written before it is made, and only over the journal that was read: a process that
ends in between has spent an attempt, and no other process makes the same one.
"""

from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial

from hooks.cloudstack import Cloud
from hooks.cloudstack.models.compute import VirtualMachine
from hooks.cloudstack.operations import Outcome, Verdict
from hooks.http.deadline import Deadline, run_detached
from hooks.kube.client import Conflict, Kube, KubeError
from hooks.targetclusters.healing.commands import COMMANDS, carry_out
from hooks.targetclusters.healing.journal_lease import KeptJournal
from hooks.targetclusters.healing.machines import account_of, find_node_vm, read_machine
from hooks.targetclusters.healing.memory import HealingMemory
from hooks.targetclusters.healing.nodes import get_node
from hooks.targetclusters.healing.observing import Observation, is_away, read_cluster
from hooks.targetclusters.healing.plan import decide, owed
from hooks.targetclusters.healing.plan.control_plane import why_no_quorum
from hooks.targetclusters.healing.plan.journal import Unreadable
from hooks.targetclusters.healing.plan.model import Attempt, NodeState, PodsSeen, Record, Repair
from hooks.targetclusters.healing.plan.pods import choose_pod, judge_pod
from hooks.targetclusters.healing.plan.vm_attempts import count_of_day
from hooks.targetclusters.healing.plan.vms import GONE
from hooks.targetclusters.healing.pods import delete_pod, get_pod
from hooks.targetclusters.healing.rights import pod_rights
from hooks.targetclusters.healing.task import (
    CALL_SECONDS,
    READ_SECONDS,
    REPAIR_SECONDS,
    HealingTask,
)
from hooks.targetclusters.healing.text_lease import WRITE_RETRIES
from hooks.targetclusters.healing.vm_leases import KeptAttempts
from hooks.targetclusters.healing.vm_lock import VmLock
from hooks.targetclusters.health.model import Failure
from hooks.targetclusters.outdated import is_changed


class Doubt(Exception):
    """No repair is made now; str() says why, and it counts as no attempt.

    Attributes:
        lasts: no repair will be made until somebody changes something.
        is_cheap: nothing was read to find out.
    """

    def __init__(self, text: str, *, lasts: bool = False, is_cheap: bool = False) -> None:
        super().__init__(text)
        self.lasts, self.is_cheap = lasts, is_cheap


class Outrun(Exception):
    """Another process, or a person, has changed what the round relies on: the next one knows."""


@dataclass(frozen=True)
class Looked:
    """What a close look has found.

    Attributes:
        repair: what is to be done.
        object_id: of the VM, the cluster, or the pod.
        name: of that, for people.
        work: does it, and returns what became of it; never raises.
        url: of the CloudStack in which it is; empty for a pod.
        account: whose keys see it; empty for a pod.
    """

    repair: Repair
    object_id: str
    name: str
    work: Callable[[Deadline], Outcome]
    url: str = ""
    account: str = ""

    @property
    def done(self) -> str:
        """Say that it is done."""
        return f"{self.repair} of {self.name} is done"


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
        if record.kind == "PodNotReady":
            return self._look_at_pod(record)
        cloud = self.seen.cloud
        if cloud is None:
            raise Doubt("there is no CloudStack account to repair it with", is_cheap=True)
        reads = self.deadline.at_most(READ_SECONDS)
        if record.kind == "ClusterNotRunning":
            found = read_cluster(cloud, record.object, reads)
            state, object_id = "gone" if isinstance(found, Failure) else found.state, record.object
        else:
            is_node = record.kind == "NodeNotReady"
            vm = (self._find_vm if is_node else self._find_machine)(cloud, record, reads)
            state, object_id = vm.state, vm.id
            if decide.was_just_started(record, vm.updated, self.task.policy, self.task.clock()):
                raise Doubt("its VM was started or stopped just now, and not by a repair")
        if why := owed.why_not_beside(record, object_id):
            raise Doubt(why)
        repair = decide.choose_repair(record, state)
        if repair is None:
            raise Doubt(f"in the state {state} nothing is done")
        if why := why_no_quorum(record, repair, self.seen.evidence.nodes or ()):
            raise Doubt(why)
        if missing := [each for each in COMMANDS[repair] if each in self.seen.missing]:
            raise Doubt(f"the CloudStack account may not call {missing[0]}")
        work = partial(carry_out, cloud.client, repair, object_id)
        url, account = cloud.config.api_url, account_of(cloud, reads)
        return Looked(repair, object_id, object_id, work, url, account)

    def _look_at_pod(self, record: Record) -> Looked:
        """Return which pod is to be deleted, as it is now. Raises Doubt."""
        target, seen = self.task.target, self.seen.evidence
        timeout, now = self.task.policy.pod_timeout, self.task.clock()
        pod = choose_pod(seen.pods or PodsSeen(), record, timeout, now)
        if isinstance(pod, str):
            raise Doubt(pod)
        if isinstance(target, Failure):
            raise Doubt(target.message)
        lacking = [each for each in pod_rights(pod.namespace) if each in self.seen.lacking]
        if lacking:
            raise Doubt(f"the kubeconfig's account has no right to {lacking[0]}")
        return Looked(
            "DeletePod", pod.uid, f"{pod.namespace}/{pod.name}", partial(delete_pod, target, pod)
        )

    def _find_vm(self, cloud: Cloud, record: Record, reads: Deadline) -> VirtualMachine:
        """Return a node's VM, as it is now."""
        nodes = self.seen.evidence.nodes or ()
        node = next(each for each in nodes if each.name == record.object)
        found = find_node_vm(cloud, node, nodes, self.seen.members, reads)
        if isinstance(found, str):
            raise Doubt(found, lasts=True)
        return found

    def _find_machine(self, cloud: Cloud, record: Record, reads: Deadline) -> VirtualMachine:
        """Return the VM of a control plane that is out of reach, as it is now."""
        stopped = self.seen.evidence.stopped or ()
        machine = next(each for each in stopped if each.node == record.object)
        found = read_machine(cloud, machine, self.seen.members, reads)
        if found is None:
            raise Doubt(GONE)
        return found

    def check_vm(self, looked: Looked, again: float) -> None:
        """See that a VM may be repaired, whatever was tried on it before. Raises Doubt."""
        if not looked.url:
            return
        try:
            why = self._lock(looked).why_not(again)
        except (KubeError, Unreadable) as error:
            raise Doubt(f"what was tried on its VM cannot be read: {error}") from None
        if why:
            raise Doubt(why)

    def check_current(self, record: Record, object_id: str) -> None:
        """Look once more at node, pod and TargetCluster. Raises Doubt, Outrun."""
        reads, target = self.deadline.at_most(CALL_SECONDS), self.task.target
        if record.kind == "ControlPlaneStopped":
            self._check_away(record, reads)
        try:
            if not isinstance(target, Failure) and record.kind == "NodeNotReady":
                self._check_node(target, record.object, reads)
            elif not isinstance(target, Failure) and record.kind == "PodNotReady":
                self._check_pod(target, object_id, reads)
            if is_changed(self.task.own, self.task.cluster, reads):
                raise Outrun
        except KubeError as error:
            raise Doubt(f"it cannot be read once more: {error}") from None

    def _check_node(self, target: Kube, name: str, reads: Deadline) -> NodeState:
        """Return the node, if it is as it was seen. Raises Doubt, KubeError."""
        node = get_node(target, name, reads)
        if node is None or node not in (self.seen.evidence.nodes or ()):
            raise Doubt("the node has changed meanwhile")
        return node

    def _check_pod(self, target: Kube, uid: str, reads: Deadline) -> None:
        """Check that this very pod is still ill, for long enough. Raises Doubt, KubeError."""
        seen = self.seen.evidence.pods or PodsSeen()
        before = next(each for each in seen.ill if each.uid == uid)
        node = self._check_node(target, before.node, reads)
        pod = get_pod(target, before.namespace, before.name, reads)
        timeout, now = self.task.policy.pod_timeout, self.task.clock()
        ill = None if pod is None else judge_pod(pod, node, timeout, now)
        if ill is None or replace(ill, why=before.why) != before:
            raise Doubt("the pod has changed meanwhile")

    def _check_away(self, record: Record, reads: Deadline) -> None:
        """Ask the control plane once more whether it is out of reach. Raises Doubt."""
        target = self.task.target
        try:
            if not isinstance(target, Failure):
                get_node(target, record.object, reads)
                raise Doubt("the cluster answers again")
        except KubeError as error:
            if not is_away(error):
                raise Doubt(f"the cluster answers again: {error}") from None

    def begin(
        self, kept: KeptJournal, record: Record, looked: Looked
    ) -> tuple[KeptJournal, Record, Future[Outcome]]:
        """Write an attempt down, and begin it. Raises KubeError: it is not made."""
        task = self.task
        begun = decide.begin(record, looked.repair, task.policy, now=task.clock())
        begun = replace(begun, vm=looked.object_id, by=task.memory.holder)
        begun = owed.begin_stop(
            begun, looked.object_id, cluster=kept.journal.home, account=looked.account
        )
        kept = task.memory.journal.write(
            kept, kept.journal.with_record(begun), self.deadline.at_most(CALL_SECONDS)
        )
        seconds, context = self.deadline.at_most(REPAIR_SECONDS), copy_context()
        again = kept.journal.again

        def repair() -> Outcome:
            outcome = context.run(self._repair, looked, again, seconds)
            return replace(outcome, text=outcome.text or looked.done)

        return kept, begun, run_detached("repair", repair)

    def _repair(self, looked: Looked, again: float, seconds: Deadline) -> Outcome:
        """Make a repair, which counts for its VM too; not if that may not be repaired."""
        if not looked.url:
            return looked.work(seconds)
        lock = self._lock(looked)
        taken = lock.take(again)
        if isinstance(taken, Outcome):
            return taken
        outcome = self._repair_alone(looked, seconds)
        lock.free(taken, sent=outcome.was_sent)
        count = count_of_day(taken.attempts, self.task.clock())
        if count <= self.task.policy.max_retry:
            return outcome
        text = f"attempt {count} on it within a day: {outcome.text or looked.done}"
        return replace(outcome, text=text)

    def _repair_alone(self, looked: Looked, seconds: Deadline) -> Outcome:
        """Make a repair while nobody else makes one of a VM that it may reach."""
        is_of_cluster = looked.repair in decide.OF_CLUSTER
        held: list[tuple[VmLock, KeptAttempts]] = []
        try:
            for vm in sorted(self.seen.members or ()) if is_of_cluster else ():
                lock = VmLock(self.task, looked.url, vm, self.deadline)
                taken = lock.hold()
                if isinstance(taken, Outcome):
                    return taken
                held.append((lock, taken))
            return looked.work(seconds)
        finally:
            for lock, taken in held:
                lock.free(taken, sent=True)

    def _lock(self, looked: Looked) -> VmLock:
        return VmLock(self.task, looked.url, looked.object_id, self.deadline)

    def record_outcome(
        self, kept: KeptJournal, begun: Record, outcome: Outcome
    ) -> tuple[KeptJournal, Attempt]:
        """Write down what became of an attempt."""
        policy, now = self.task.policy, self.task.clock()
        sent, done = outcome.was_sent, outcome.verdict is Verdict.DONE

        def ending(record: Record) -> Record:
            ended = decide.with_outcome(record, outcome.text, policy, sent=sent, now=now)
            return owed.after_stop(ended, sent=sent, done=done)

        verdict, text = str(outcome.verdict), ending(begun).outcome
        attempt = Attempt(begun.kind, begun.object, begun.repair, verdict, text)
        # A round that is stopped still writes down what it did.
        return write_outcome(self.task.memory, kept, begun, ending, Deadline(CALL_SECONDS)), attempt


def write_outcome(
    memory: HealingMemory,
    kept: KeptJournal,
    begun: Record,
    ending: Callable[[Record], Record],
    seconds: Deadline,
) -> KeptJournal:
    """Write down what became of an attempt; if that fails, the next round counts it as lost.

    Args:
        memory: of the TargetCluster.
        kept: the journal as it was last read or written.
        begun: the record of the attempt, as it was written.
        ending: returns a record as the attempt leaves it: a person may have begun anew meanwhile.
        seconds: for all that.
    """
    for _ in range(WRITE_RETRIES):
        try:
            ended = ending(kept.journal.records[begun.key])
            return memory.journal.write(kept, kept.journal.with_record(ended), seconds)
        except Conflict:  # another replica has seen other faults meanwhile, or was asked
            try:
                kept = memory.journal.read(seconds)
            except (KubeError, Unreadable):
                return kept
            now = kept.journal.records.get(begun.key)
            if now is None or (now.by, now.tried_at) != (memory.holder, begun.tried_at):
                return kept
        except KubeError:
            return kept
    return kept
