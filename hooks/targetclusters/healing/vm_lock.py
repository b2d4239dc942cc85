"""Takes a VM for a repair, in its Lease, so that no other TargetCluster or replica works on it."""

from collections.abc import Callable
from dataclasses import dataclass

from hooks.cloudstack.operations import Outcome, Verdict
from hooks.http.deadline import Deadline
from hooks.kube.client import Conflict, KubeError
from hooks.targetclusters.healing.plan import vm_attempts
from hooks.targetclusters.healing.plan.journal import Unreadable
from hooks.targetclusters.healing.plan.vm_attempts import VmAttempts
from hooks.targetclusters.healing.task import CALL_SECONDS, REPAIR_SECONDS, HealingTask
from hooks.targetclusters.healing.text_lease import WRITE_RETRIES
from hooks.targetclusters.healing.vm_leases import KeptAttempts
from hooks.targetclusters.round_lease import is_over


@dataclass(frozen=True)
class VmLock:
    """A VM of a CloudStack, as far as it is free for a repair.

    Attributes:
        task: what the round is about.
        url: of the CloudStack.
        vm: the id of the VM, or of a Kubernetes Service cluster.
        deadline: of the round.
    """

    task: HealingTask
    url: str
    vm: str
    deadline: Deadline

    def why_not(self, again: float) -> str:
        """Say why an attempt may not be made now; empty if it may. Raises KubeError, Unreadable."""
        return self._why_no_attempt(self._read(), again)

    def take(self, again: float) -> KeptAttempts | Outcome:
        """Write down that an attempt begins; an outcome says why it may not."""
        return self._take(
            lambda kept: self._why_no_attempt(kept, again),
            lambda tried, now: vm_attempts.begun(
                tried, *self._by, now=now, until=now + REPAIR_SECONDS
            ),
        )

    def hold(self) -> KeptAttempts | Outcome:
        """Write down that the VM is worked on, which counts as no attempt, nor waits for any."""
        return self._take(
            lambda kept: vm_attempts.why_busy(self._own_view(kept), nows=self.task.nows),
            lambda tried, now: vm_attempts.held(tried, *self._by, until=now + REPAIR_SECONDS),
        )

    def free(self, taken: KeptAttempts, *, sent: bool) -> None:
        """Write down that the repair has ended; what was surely not sent counts as no attempt.

        What another process has written since stays: ours took so long that its time was over.
        """
        seconds, now = Deadline(CALL_SECONDS), self.task.clock()
        taken.change(
            lambda each: vm_attempts.ended_if_last(each, taken.attempts, sent=sent), now, seconds
        )

    @property
    def _by(self) -> tuple[str, str]:
        return self.task.memory.holder, str(self.task.cluster["metadata"]["namespace"])

    def _take(
        self,
        why_not: Callable[[KeptAttempts], str],
        begin: Callable[[VmAttempts, float], VmAttempts],
    ) -> KeptAttempts | Outcome:
        problem = "others write about other VMs all the time"
        for _ in range(WRITE_RETRIES):
            now = self.task.clock()
            try:
                kept = self._read()
                if why := why_not(kept):
                    return Outcome(Verdict.BUSY, why)
                return kept.write(begin(kept.attempts, now), now, Deadline(CALL_SECONDS))
            except Conflict:
                continue
            except (KubeError, Unreadable) as error:
                problem = str(error)
                break
        return Outcome(Verdict.UNSENT, f"it cannot be written down: {problem}")

    def _read(self) -> KeptAttempts:
        """Read what was tried on the VM. Raises KubeError, Unreadable."""
        seconds = self.deadline.at_most(CALL_SECONDS)
        return self.task.memory.vms.read(self.url, self.vm, seconds)

    def _why_no_attempt(self, kept: KeptAttempts, again: float) -> str:
        tried, nows = self._own_view(kept), self.task.nows
        return vm_attempts.why_not(tried, self.task.policy, again=again, nows=nows)

    def _own_view(self, kept: KeptAttempts) -> VmAttempts:
        """Return what was tried; a former process of this pod repairs nothing any more."""
        tried, holder = kept.attempts, self.task.memory.holder
        if tried.by != holder and is_over(tried.by, holder):
            return vm_attempts.ended(tried, sent=True)
        return tried
