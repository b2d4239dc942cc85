"""A round of healing: looks, remembers, and makes at most one repair.

    read the journal, the nodes, the Kubernetes Service cluster     -> Evidence
    plan.decide: what is remembered, and what is due                -> Journal, Due
    look again: VM, node, TargetCluster
    write the attempt into the journal, make it, write what became of it

The attempt is written before it is made, and only over the journal that was read: a process that
ends in between has spent an attempt, and no other process makes the same one.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from hooks.cloudstack import Cloud
from hooks.cloudstack.errors import CloudStackError
from hooks.cloudstack.operations import find_cluster, find_vm
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline, Monotonic
from hooks.http.texts import one_line
from hooks.kube.client import Conflict, Kube, KubeError
from hooks.kube.objects import annotations
from hooks.kube.times import CLOCK_SLACK, read_past
from hooks.names import ANNOTATION_HEAL_AGAIN
from hooks.targetclusters.healing.accounts import AccountError
from hooks.targetclusters.healing.journal_lease import KeptJournal
from hooks.targetclusters.healing.memory import HealingMemory
from hooks.targetclusters.healing.nodes import TooManyNodes, get_node, list_nodes
from hooks.targetclusters.healing.plan import decide
from hooks.targetclusters.healing.plan.journal import Unreadable
from hooks.targetclusters.healing.plan.model import (
    Attempt,
    Evidence,
    Fault,
    HealingResult,
    Journal,
    NodeState,
    Policy,
    Record,
    Repair,
)
from hooks.targetclusters.healing.plan.vms import find_vm_of
from hooks.targetclusters.healing.repairs import COMMANDS, carry_out
from hooks.targetclusters.health.model import Failure
from hooks.targetclusters.outdated import is_changed
from hooks.targetclusters.request import Spec
from hooks.targetclusters.round_lease import is_over

#: Seconds that a round, its reads, one call about the journal, and a repair may take.
ROUND_SECONDS = 420.0
READ_SECONDS = 60.0
CALL_SECONDS = 10.0
REPAIR_SECONDS = 330.0
#: Seconds for which a journal with another process's attempt does not change before that counts as
#: lost: longer than any round runs.
LOST_AFTER = 600.0
#: How often it is tried to write down what became of an attempt.
CLOSE_TRIES = 5
#: Faults that one round looks at closely.
MAX_LOOKS = 20
_MAX_MESSAGE = 400


class _Doubt(Exception):
    """No repair is made now; str() says why, and it counts as no attempt."""


class _Outrun(Exception):
    """Another process, or a person, has changed what the round relies on: the next one knows."""


@dataclass
class HealingRound:
    """One round.

    Attributes:
        cluster: the TargetCluster as a request showed it.
        spec: what is read of its spec.
        memory: of this TargetCluster.
        own: the API server with it.
        clock: epoch seconds.
        monotonic: monotonic seconds.
    """

    cluster: Json
    spec: Spec
    memory: HealingMemory
    own: Kube
    clock: Callable[[], float]
    monotonic: Monotonic
    failure: Failure | None = None
    cloud: Cloud | None = None
    missing: tuple[str, ...] = ()
    waits: dict[str, str] = field(default_factory=dict)
    planned: dict[str, str] = field(default_factory=dict)

    def run(
        self, result: HealingResult, target: Kube | Failure, deadline: Deadline
    ) -> HealingResult:
        """Return `result` with what was found and done. Never raises.

        Args:
            result: of a round that has done nothing yet.
            target: the cluster, or why it cannot be opened.
            deadline: of the round.
        """
        reads = deadline.at_most(READ_SECONDS)
        if impossible := self._why_impossible():
            return replace(result, failure=impossible)
        kept = self._read_journal(reads)
        if isinstance(kept, Failure):
            return replace(result, failure=kept)
        self._open_account(reads)
        evidence = self._look(target, reads)
        faults = decide.find_faults(evidence)
        known = self._without_lost(kept)
        journal = decide.remember(known, evidence, faults, again=self._again, now=self.clock())
        attempt = None
        breaker = decide.breaker(evidence, self._policy)
        due = decide.next_due(journal, faults, self._policy, now=self.clock())
        with self._noted():
            if journal != kept.journal:
                kept = self.memory.lease.write(kept, journal, deadline.at_most(CALL_SECONDS))
            if not breaker:
                kept, attempt = self._repair_first(kept, due, evidence, target, deadline)
        return replace(
            result,
            failure=self.failure,
            journal=kept.journal,
            faults=_present(kept.journal, faults, evidence),
            waits={**due.waits, **self.waits},
            planned=self.planned,
            given_up=due.given_up,
            breaker=breaker,
            attempt=attempt,
        )

    def _why_impossible(self) -> Failure | None:
        """Say why nothing can be repaired at all; None if it can."""
        if not self.spec.cloud_stack.config_secret:
            message = "spec.cloudStack.configSecret is not set; without it, nothing is repaired"
            return Failure("secret", "NoAccount", message)
        if not self.memory.lease.is_possible:
            message = "the operator has no namespace (POD_NAMESPACE) to keep count of repairs in"
            return Failure("secret", "NoJournal", message)
        return None

    def _read_journal(self, deadline: Deadline) -> KeptJournal | Failure:
        """Read what was tried before; without it, nothing is."""
        try:
            return self.memory.lease.read(deadline)
        except (KubeError, Unreadable) as error:
            message = one_line(f"the journal of repairs cannot be read: {error}", _MAX_MESSAGE)
            return Failure("secret", "NoJournal", message)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Note what keeps the block from its end; the next round goes on from what is."""
        try:
            yield
        except (_Outrun, Conflict):
            pass
        except KubeError as error:
            message = one_line(f"the journal of repairs cannot be written: {error}", _MAX_MESSAGE)
            self.failure = Failure("secret", "NoJournal", message)

    @property
    def _again(self) -> float:
        """Return when a person asked to begin again, in epoch seconds; 0 for never."""
        asked = annotations(self.cluster).get(ANNOTATION_HEAL_AGAIN)
        return read_past(asked, self.clock() + CLOCK_SLACK) or 0.0

    @property
    def _policy(self) -> Policy:
        healing = self.spec.healing
        return Policy(
            healing.max_retry if healing.mode == "Repair" else max(1, healing.max_retry),
            healing.node_timeout,
            healing.backoff.first,
            max(healing.backoff.first, healing.backoff.longest),
            healing.max_unhealthy,
        )

    def _open_account(self, deadline: Deadline) -> None:
        """Open the CloudStack account, and say what is wrong with it before it is needed."""
        account = self.spec.cloud_stack
        namespace = self.cluster["metadata"]["namespace"]
        try:
            self.cloud = self.memory.accounts.open(namespace, account.config_secret, deadline)
            with_cluster = bool(account.kubernetes_cluster_id)
            self.missing = self.memory.accounts.missing_rights(
                self.cloud, deadline, with_cluster=with_cluster
            )
        except AccountError as error:
            self.failure = error.failure
        except CloudStackError as error:
            self._note_cloudstack(error)
        if self.missing:
            message = f"the CloudStack account may not call {', '.join(self.missing)}"
            self.failure = Failure("secret", "MissingRights", message)

    def _look(self, target: Kube | Failure, deadline: Deadline) -> Evidence:
        """Read what is to be known of faults; what cannot be read stays unknown."""
        nodes: tuple[NodeState, ...] | None = None
        state: str | None = None
        cluster_id = self.spec.cloud_stack.kubernetes_cluster_id
        if isinstance(target, Failure):
            self.failure = self.failure or replace(target, reason="NotRead")
        else:
            try:
                nodes = list_nodes(target, deadline)
            except (KubeError, TooManyNodes) as error:
                message = one_line(f"the nodes cannot be read: {error}", _MAX_MESSAGE)
                self.failure = self.failure or Failure("list", "NotRead", message)
        if cluster_id and self.cloud is not None:
            try:
                state = self._cluster_state(self.cloud, cluster_id, deadline)
            except CloudStackError as error:
                self._note_cloudstack(error)
        return Evidence(nodes, state, cluster_id)

    def _cluster_state(self, cloud: Cloud, cluster_id: str, deadline: Deadline) -> str | None:
        """Return the state of the Kubernetes Service cluster; None if it is none that we start."""
        found, scope = find_cluster(cloud.client, cluster_id, deadline), cloud.scope(deadline)
        is_ours = found is not None and (
            not scope.account or found.account.lower() == scope.account.lower()
        )
        if found is None or not is_ours or not found.is_managed:
            message = (
                f"spec.cloudStack.kubernetesClusterID: the account has no cluster {cluster_id} "
                "that CloudStack manages"
            )
            self.failure = self.failure or Failure("secret", "NoCluster", message)
            return None
        return found.state

    def _note_cloudstack(self, error: CloudStackError) -> None:
        message = one_line(error, _MAX_MESSAGE)
        self.failure = self.failure or Failure("connection", "NotRead", message)

    def _without_lost(self, kept: KeptJournal) -> Journal:
        """Return the journal without the attempt of a process that has ended.

        One of our own is over: this process makes one at a time, and this is the next round. So is
        one of a former process of this pod.
        """
        record = kept.journal.open
        if record is None:
            return kept.journal
        if not is_over(record.by, self.memory.holder):
            if self.memory.seen[0] != kept.version:
                self.memory.seen = kept.version, self.monotonic()
            if self.monotonic() - self.memory.seen[1] <= LOST_AFTER:
                return kept.journal
        return kept.journal.with_record(decide.lose(record))

    def _repair_first(
        self,
        kept: KeptJournal,
        due: decide.Due,
        evidence: Evidence,
        target: Kube | Failure,
        deadline: Deadline,
    ) -> tuple[KeptJournal, Attempt | None]:
        """Make the first repair about which there is no doubt.

        Raises:
            _Outrun: something has changed meanwhile.
            KubeError: the journal cannot be written.
        """
        for record in due.records[:MAX_LOOKS]:
            try:
                if self.cloud is None:
                    raise _Doubt("there is no CloudStack account to repair it with")
                looked = self._look_closely(self.cloud, record, evidence, deadline)
                repair, object_id = looked
                if self.spec.healing.mode == "Plan":
                    self.planned[record.key] = f"{repair} {object_id}"
                    continue
                if kept.journal.attempts_on(object_id) >= self.spec.healing.max_retry:
                    raise _Doubt(f"{object_id} has had maxRetry attempts, under other names too")
                self._check_current(record, evidence, target, deadline)
            except _Doubt as doubt:
                self.waits[record.key] = one_line(doubt, _MAX_MESSAGE)
                continue
            except CloudStackError as error:
                self._note_cloudstack(error)
                self.waits[record.key] = one_line(error, _MAX_MESSAGE)
                continue
            return self._attempt(self.cloud, kept, record, looked, deadline)
        return kept, None

    def _look_closely(
        self, cloud: Cloud, record: Record, evidence: Evidence, deadline: Deadline
    ) -> tuple[Repair, str]:
        """Return the repair and the id of what is repaired. Raises _Doubt, CloudStackError."""
        reads = deadline.at_most(READ_SECONDS)
        if record.kind == "ClusterNotRunning":
            state, object_id = (
                self._cluster_state(cloud, record.object, reads) or "gone",
                record.object,
            )
        else:
            nodes = evidence.nodes or ()
            node = next(each for each in nodes if each.name == record.object)
            found = find_vm_of(node, nodes, cloud.snapshot(reads), cloud.scope(reads))
            if isinstance(found, str):
                raise _Doubt(found)
            vm = find_vm(cloud.client, found.id, reads)
            if vm is None:
                raise _Doubt("its VM is gone, or another account's")
            state, object_id = vm.state, vm.id
        repair = decide.choose_repair(record, state)
        if repair is None:
            raise _Doubt(f"in the state {state} nothing is done")
        if missing := [each for each in COMMANDS[repair] if each in self.missing]:
            raise _Doubt(f"the CloudStack account may not call {missing[0]}")
        return repair, object_id

    def _check_current(
        self, record: Record, evidence: Evidence, target: Kube | Failure, deadline: Deadline
    ) -> None:
        """Look once more at the node and the TargetCluster. Raises _Doubt, _Outrun."""
        reads = deadline.at_most(CALL_SECONDS)
        try:
            if record.kind == "NodeNotReady" and not isinstance(target, Failure):
                before = next(each for each in evidence.nodes or () if each.name == record.object)
                if get_node(target, record.object, reads) != before:
                    raise _Doubt("the node has changed meanwhile")
            if is_changed(self.own, self.cluster, reads):
                raise _Outrun
        except KubeError as error:
            raise _Doubt(f"it cannot be read once more: {error}") from None

    def _attempt(
        self,
        cloud: Cloud,
        kept: KeptJournal,
        record: Record,
        looked: tuple[Repair, str],
        deadline: Deadline,
    ) -> tuple[KeptJournal, Attempt]:
        """Write an attempt down, make it, and write down what became of it. Raises KubeError."""
        repair, object_id = looked
        begun = replace(
            decide.begin(record, repair, self._policy, now=self.clock()),
            vm=object_id,
            by=self.memory.holder,
        )
        kept = self.memory.lease.write(
            kept, kept.journal.with_record(begun), deadline.at_most(CALL_SECONDS)
        )
        outcome = carry_out(cloud.client, repair, object_id, deadline.at_most(REPAIR_SECONDS))
        text = outcome.text or f"{repair} of {object_id} is done"
        ended = decide.end(begun, text, self._policy, sent=outcome.was_sent, now=self.clock())
        attempt = Attempt(record.kind, record.object, repair, str(outcome.verdict), ended.outcome)
        # A round that is stopped still writes down what it did.
        return self._close(kept, ended, Deadline(CALL_SECONDS)), attempt

    def _close(self, kept: KeptJournal, ended: Record, seconds: Deadline) -> KeptJournal:
        """Write down what became of an attempt; if that fails, the next round counts it as lost."""
        lease = self.memory.lease
        for _ in range(CLOSE_TRIES):
            try:
                return lease.write(kept, kept.journal.with_record(ended), seconds)
            except Conflict:  # another replica has seen other faults meanwhile
                try:
                    kept = lease.read(seconds)
                except (KubeError, Unreadable):
                    return kept
                open_record = kept.journal.records.get(ended.key)
                if open_record is None or open_record.by != self.memory.holder:
                    return kept
            except KubeError:
                return kept
        return kept


def _present(journal: Journal, faults: Iterable[Fault], evidence: Evidence) -> tuple[str, ...]:
    """Return the faults that are there; of a kind that was not read, those that were last known."""
    there = {fault.key for fault in faults}
    unread = (
        each.key
        for each in journal.records.values()
        if each.kind not in evidence.known and each.since
    )
    return (*(key for key in journal.records if key in there), *unread)
