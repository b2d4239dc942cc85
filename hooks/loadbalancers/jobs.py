"""Remembers jobs that outlive their calls, so that the next call waits for them first.

If this is lost, CloudStack refuses at most one write; reading shows what the job did.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress

from hooks.cloudstack.errors import Refused
from hooks.cloudstack.models.jobs import Job

#: Seconds after which a job is not waited for any more: it hangs.
MAX_JOB_AGE = 30.0
#: Load balancers that are remembered.
REMEMBERED = 10_000


class RunningJobs:
    """The running jobs of each load balancer, by its UID."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, tuple[tuple[Job, float], ...]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, uid: str, *jobs: tuple[Job, float]) -> None:
        """Remember running jobs, each with the epoch seconds at which it outlived its call."""
        with self._lock:
            self._jobs[uid] = (*self._jobs.get(uid, ()), *jobs)
            self._jobs.move_to_end(uid)
            while len(self._jobs) > REMEMBERED:
                self._jobs.popitem(last=False)

    def wait(self, uid: str, wait_for: Callable[[Job], None], *, now: float) -> None:
        """Wait for a load balancer's jobs. Until they finish, reads show partial results.

        A job that fails is over as well. After any other error, the remaining jobs are kept.

        Args:
            uid: of the load balancer.
            wait_for: waits for a job. Raises CloudStackError.
            now: epoch seconds.
        """
        with self._lock:
            remembered = self._jobs.pop(uid, ())
        jobs = deque((job, since) for job, since in remembered if now - since < MAX_JOB_AGE)
        try:
            while jobs:
                with suppress(Refused):
                    wait_for(jobs[0][0])
                jobs.popleft()
        finally:
            if jobs:
                self.add(uid, *jobs)
