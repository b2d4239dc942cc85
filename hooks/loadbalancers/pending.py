"""Remembers jobs that outlived their calls, so that the next call waits instead of asking twice.

What is lost costs nothing but a call that CloudStack refuses: the outcome is seen by looking.
"""

import threading
from collections import OrderedDict

from hooks.cloudstack.models import Job

#: How many load balancers are remembered.
REMEMBERED = 10_000


class PendingJobs:
    """The running jobs of each load balancer, by its UID."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, tuple[Job, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, uid: str, job: Job) -> None:
        """Remember a job that still runs."""
        with self._lock:
            self._jobs[uid] = (*self._jobs.get(uid, ()), job)
            self._jobs.move_to_end(uid)
            while len(self._jobs) > REMEMBERED:
                self._jobs.popitem(last=False)

    def take(self, uid: str) -> tuple[Job, ...]:
        """Return a load balancer's jobs, and forget them."""
        with self._lock:
            return self._jobs.pop(uid, ())
