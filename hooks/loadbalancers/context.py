"""What one call works with, and the jobs that outlive a call."""

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Literal

from hooks.cloudstack import Cloud
from hooks.cloudstack.commands.parameters import Command
from hooks.cloudstack.errors import CloudStackError, JobRunning, Refused
from hooks.cloudstack.models.jobs import Job, JobStatus
from hooks.http.deadline import Deadline, Monotonic
from hooks.kube.client import Kube
from hooks.loadbalancers.lanes import LANE_TIMEOUT, LaneKey, Lanes
from hooks.loadbalancers.memory import Choices, Leases, LeastRecent, MemberLists
from hooks.loadbalancers.seen_nodes import SeenNodes
from hooks.webhook.reconcile import ANSWER_MARGIN

#: Seconds after which a job is not waited for any more: it hangs.
MAX_JOB_AGE = 30.0
#: Seconds after which a job that outlived its call is asked about once a call, for so many seconds.
#: Until the next call, so much of its age passes: each call that waits keeps others waiting.
LONG_JOB, ASK_SECONDS, SHARE_OF_AGE = 1.0, 0.5, 0.25


class RunningJobs:
    """The running jobs of each load balancer, by its UID. The next call waits for them first.

    If this is lost, CloudStack refuses at most one write; reading shows what the job did.
    """

    def __init__(self) -> None:
        self._jobs: LeastRecent[tuple[tuple[Job, float], ...]] = LeastRecent()
        self._lock = threading.Lock()

    def add(self, uid: str, *jobs: tuple[Job, float]) -> None:
        """Remember running jobs, each with the monotonic seconds at which it outlived its call."""
        with self._lock:
            self._jobs.put(uid, (*(self._jobs.get(uid) or ()), *jobs))

    def wait(
        self,
        uid: str,
        wait_for: Callable[[Job, Deadline], object],
        deadline: Deadline,
        *,
        now: float,
    ) -> None:
        """Wait for a load balancer's jobs. Until they finish, reads show partial results.

        A job that fails is over as well. After any other error, the remaining jobs are kept.

        Args:
            uid: of the load balancer.
            wait_for: waits for a job. Raises CloudStackError.
            deadline: of the call.
            now: monotonic seconds.
        """
        with self._lock:
            remembered = self._jobs.pop(uid) or ()
        jobs = [(job, since) for job, since in remembered if now - since < MAX_JOB_AGE]
        try:
            while jobs:
                job, since = jobs[0]
                is_long = now - since > LONG_JOB
                with suppress(Refused):
                    wait_for(job, deadline.at_most(ASK_SECONDS) if is_long else deadline)
                del jobs[0]
        finally:
            if jobs:
                self.add(uid, *jobs)

    def pause(self, uid: str, *, now: float) -> float:
        """Return the seconds until it is worth a call to ask about a load balancer's jobs."""
        ages = [now - since for _, since in self._jobs.get(uid) or ()]
        return max(ages, default=0.0) * SHARE_OF_AGE


class LastChecks:
    """When this process last checked each load balancer, by its UID; losing it costs a check."""

    def __init__(self, monotonic: Monotonic) -> None:
        self._monotonic = monotonic
        self._checks: LeastRecent[float] = LeastRecent()

    def note(self, uid: str) -> None:
        """Remember that a load balancer is checked now."""
        self._checks.put(uid, self._monotonic())

    def elapsed(self, uid: str) -> float | None:
        """Return the seconds since the last check; None if none is remembered."""
        checked = self._checks.get(uid)
        return None if checked is None else self._monotonic() - checked


@dataclass(frozen=True)
class CallContext:
    """What one call reads from and writes to, and until when.

    Attributes:
        uid: of the load balancer.
        network_id: of the members' network.
        lanes: what its writes wait for.
        members: what is known of the members of its rules.
        note_lists: is told how many seconds lists of members took.
        choices: which addresses were chosen lately.
        leases: which leases were seen on addresses.
        returning: seconds for which nodes wait that left and came back, by VM id.
        seen_nodes: what this process has seen of the Nodes of VMs.
        held_lanes: kinds of lanes that the call holds for longer than one write.
        cluster_id: returns the id that marks this cluster's resources. Raises KubeError.
        drift_resync: seconds between two drift checks.
        reads_secrets: whether this may read the Secrets that Services name.
        default_class: whether Services without a class get a load balancer from us.
        clock, monotonic, pause: as Dependencies has them.
    """

    uid: str
    network_id: str
    lanes: Lanes
    members: MemberLists
    note_lists: Callable[[MemberLists, float], None]
    choices: Choices
    leases: Leases
    cloud: Cloud
    kube: Kube
    deadline: Deadline
    cluster_id: Callable[[Deadline], str]
    jobs: RunningJobs
    drift_resync: float
    default_class: bool
    clock: Callable[[], float]
    monotonic: Monotonic
    pause: Callable[[float], None]
    reads_secrets: bool = False
    returning: Mapping[str, float] = field(default_factory=dict)
    seen_nodes: SeenNodes = field(default_factory=SeenNodes)
    held_lanes: set[str] = field(default_factory=set)

    def lane(self, *kinds: Literal["owner", "network", "members"]) -> AbstractContextManager[None]:
        """Hold these lanes of the network, if it is known, for a block. Raises NetworkBusy."""
        if not self.network_id:
            return nullcontext()
        ids = {"owner": self.cloud.client.project_id}
        keys = tuple(
            LaneKey(kind, ids.get(kind, self.network_id))
            for kind in kinds
            if kind not in self.held_lanes
        )
        remaining = self.deadline.remaining() - ANSWER_MARGIN
        return self.lanes.held(keys, Deadline(min(LANE_TIMEOUT, remaining)))

    def lease_lane(self, address_id: str) -> AbstractContextManager[None]:
        """Hold the lane of those that leave a shared address. Raises NetworkBusy."""
        remaining = self.deadline.remaining() - ANSWER_MARGIN
        key = LaneKey("lease", address_id)
        return self.lanes.held((key,), Deadline(min(LANE_TIMEOUT, remaining)))

    def start(self, command: Command) -> Job:
        """Start a command. Raises CloudStackError."""
        return self.cloud.client.start(command, self.deadline)

    def run(self, command: Command) -> None:
        """Carry out a command to its end. Raises CloudStackError."""
        self.wait_for(self.start(command))

    def tag_made(
        self,
        job: Job,
        tags: Command,
        undo: Callable[[], None],
        is_shown: Callable[[], bool] = lambda: False,
    ) -> None:
        """Tag what a running job makes, and wait for both; undo that if the tags are refused.

        `is_shown` tells whether a read shows what both jobs do, so that neither is asked about.
        Raises CloudStackError.
        """
        try:
            tagging = self.start(tags)
            if not self._is_shown(is_shown, tagging, job):
                self.wait_for(tagging, job)
        except Refused as error:
            if error.command == tags.name:
                undo()
            raise

    def _is_shown(self, is_shown: Callable[[], bool], *jobs: Job) -> bool:
        self.cloud.client.await_usual(*jobs, deadline=self.deadline)
        with suppress(CloudStackError):
            if is_shown():
                self.cloud.client.note_shown(*jobs)
                return True
        return False

    def wait_for(self, *jobs: Job) -> None:
        """Wait for jobs of this call; remember those that outlive it. Raises CloudStackError."""
        for index, job in enumerate(jobs):
            try:
                self.end_of(job)
            except JobRunning:
                self.jobs.add(self.uid, *((each, self.monotonic()) for each in jobs[index + 1 :]))
                raise

    def end_of(self, job: Job) -> JobStatus:
        """Wait for a job of this call, and return its status; remember it if it outlives that.

        Raises CloudStackError.
        """
        try:
            return self.cloud.client.wait_for(job, self.deadline)
        except JobRunning:
            self.jobs.add(self.uid, (job, self.monotonic()))
            raise
