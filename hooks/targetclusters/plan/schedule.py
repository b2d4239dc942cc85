"""The state of a job, and when the next one is due."""

import hashlib
from dataclasses import dataclass
from typing import Generic, TypeVar

#: When a job is due at the earliest after the last one, as a part of the interval.
EARLIEST = 0.4
#: A job that is recorded so shortly before its turn has had it, as a part of the interval: recorded
#: times are cut to milliseconds.
TAKEN = 0.01
#: Seconds until a running job is polled: at least, and at most.
MIN_POLL = 0.25
MAX_POLL = 5.0

T = TypeVar("T")


@dataclass(frozen=True)
class JobState(Generic[T]):
    """The state of a cluster's jobs of one kind.

    Attributes:
        running_since: monotonic seconds; None if no job runs or waits for a thread.
        latest: the result of the last job that finished; None before the first.
        started: when that job was started, in monotonic seconds.
    """

    running_since: float | None = None
    latest: T | None = None
    started: float = 0.0

    def poll_delay(self, monotonic: float) -> float | None:
        """Return the seconds until a running job is polled: the longer it runs, the later.

        None if no job runs.
        """
        if self.running_since is None:
            return None
        return min(MAX_POLL, max(MIN_POLL, monotonic - self.running_since))


def next_due(last: float, interval: float, *, key: str) -> float:
    """Return when the next job is due, in epoch seconds; the same in every replica.

    Each cluster has its turn somewhere in the interval, so those that were all added at once, or
    called at once after a restart, are spread evenly over it by their third job. No two
    jobs are further apart than the interval.

    Args:
        last: epoch seconds at which the last one was started.
        interval: seconds.
        key: what the job is about.
    """
    digest = hashlib.sha256(key.encode()).digest()
    turn = int.from_bytes(digest[:4]) / 2**32
    ahead = (turn - last / interval) % 1
    if ahead < TAKEN:
        wait = 1.0
    elif ahead < EARLIEST:
        wait = (1 + ahead) / 2  # half of the time until its turn after this one
    else:
        wait = ahead
    return last + interval * wait
