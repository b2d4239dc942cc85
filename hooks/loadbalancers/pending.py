"""Remembers jobs that outlived their calls, so that the next call waits instead of asking twice.

What is lost costs nothing but a call that CloudStack refuses: the outcome is seen by looking.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass

from hooks.cloudstack.models import Job

#: Seconds after which a job is waited for no longer: it hangs, and looking has to do.
MAX_JOB_AGE = 30.0
#: How many load balancers are remembered.
REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Pending:
    """A job, and the epoch seconds since when it was seen to outlive its call."""

    job: Job
    since: float


class PendingJobs:
    """The running jobs of each load balancer, by its UID."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, tuple[Pending, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, uid: str, *pending: Pending) -> None:
        """Remember jobs that still run."""
        with self._lock:
            self._jobs[uid] = (*self._jobs.get(uid, ()), *pending)
            self._jobs.move_to_end(uid)
            while len(self._jobs) > REMEMBERED:
                self._jobs.popitem(last=False)

    def take(self, uid: str, *, now: float) -> tuple[Pending, ...]:
        """Return a load balancer's jobs that are worth waiting for, and forget them all."""
        with self._lock:
            jobs = self._jobs.pop(uid, ())
        return tuple(each for each in jobs if now - each.since < MAX_JOB_AGE)
