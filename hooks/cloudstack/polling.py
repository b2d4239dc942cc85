"""Decides when a job is asked about: about when the last jobs of its command were done."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

#: Seconds after which a job of an unknown duration is asked about first.
FIRST_POLL = 0.05
#: Seconds that jobs of a command take, measured on a quiet CloudStack 4.22.
USUAL = {
    "associateIpAddress": 0.13,
    "createTags": 0.03,
    "deleteTags": 0.03,
    "createLoadBalancerRule": 0.12,
    "assignToLoadBalancerRule": 0.12,
    "removeFromLoadBalancerRule": 0.13,
    "deleteLoadBalancerRule": 0.18,
    "createFirewallRule": 0.11,
    "createNetworkACL": 0.09,
    "updateNetworkACLItem": 0.09,
    "deleteNetworkACL": 0.09,
    "disassociateIpAddress": 0.08,
}
#: Seconds more for each member that is assigned, and for each rule on an address that is released.
EACH_MORE = {"assignToLoadBalancerRule": 0.0055, "disassociateIpAddress": 0.23}
#: Seconds after which a job is asked about first, at most: the next one may be a short one.
LONGEST_FIRST_POLL = 0.5
#: Seconds between two polls of a job, at least and at most.
LEAST_PAUSE = 0.02
LONGEST_PAUSE = 1.0
#: What a pause grows to, as a part of the seconds that the job has run.
GROWTH = 0.2
#: The same while a job takes little longer than the last ones: it ends soon.
GROWTH_WHEN_DUE = 0.05
#: A job has taken much longer than the last ones after so many times their seconds.
OVERDUE = 1.5
#: A job that had ended at one of its first two polls took less than it seemed to: so much of it,
#: and so much where it ended long before it was expected to.
SHRINK = 0.98
SHRINK_WHEN_EARLY = 0.6
#: So many times as long as jobs usually take, a read waits that is to show what they do.
READ_LATER = 1.1
#: Jobs of a command that run at once, from which on more of them make no difference.
MANY = 4
#: How much longer a job takes for each that ran when it began, as a part, until one was seen.
LONGER_BESIDE = 0.5


class JobKind(NamedTuple):
    """What the seconds of a job depend on.

    Attributes:
        command: that starts it.
        size: how many members it assigns, or how many rules it deletes.
    """

    command: str
    size: int = 0

    @property
    def usual(self) -> float:
        """Return the seconds that it takes on a quiet server."""
        return USUAL.get(self.command, FIRST_POLL) + EACH_MORE.get(self.command, 0.0) * self.size


class JobTimes:
    """How long the last jobs of each command took, by how many ran; losing it costs a few polls.

    It is remembered as how many times as long as usual they took: the next one may be of another
    size.
    """

    def __init__(self) -> None:
        self._longer: dict[tuple[str, int], float] = {}
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def waiting(self, job: JobKind) -> Iterator[int]:
        """Count a job as running for a block; return how many of its command ran before."""
        with self._lock:
            beside = self._running[job.command]
            self._running[job.command] += 1
        try:
            yield beside
        finally:
            with self._lock:
                self._running[job.command] -= 1

    def pause(self, job: JobKind, elapsed: float, polls: int, beside: int = 0) -> float:
        """Return the seconds until a job is asked about.

        Args:
            job: what it is.
            elapsed: seconds since it was started.
            polls: how often it was asked about.
            beside: how many jobs of the command ran when it began.
        """
        with self._lock:
            expected = self._expected(job, beside)
        if not polls:
            return max(0.0, min(expected, LONGEST_FIRST_POLL) - elapsed)
        is_due = expected <= elapsed < OVERDUE * expected
        pause = (GROWTH_WHEN_DUE if is_due else GROWTH) * elapsed
        if elapsed < expected <= 4 * elapsed:
            pause = expected - elapsed
        return min(max(pause, LEAST_PAUSE), LONGEST_PAUSE)

    def until_read(self, job: JobKind, elapsed: float) -> float:
        """Return the seconds until a read shows what a job does: a little later than a poll.

        A read that comes too early has to be made again.
        """
        with self._lock:
            expected = READ_LATER * min(self._expected(job), LONGEST_FIRST_POLL)
        return max(0.0, expected - elapsed)

    def note_shown(self, job: JobKind) -> None:
        """Remember that a read came in time. It tells no more than that, so little changes."""
        with self._lock:
            longer = self._longer.get((job.command, 0), 1.0)
            self._longer[(job.command, 0)] = max(min(longer, 1.0), longer * SHRINK)

    def note(self, job: JobKind, elapsed: float, polls: int, beside: int = 0) -> None:
        """Remember that a job had ended after so many seconds, when so many polls were sent.

        A first poll that comes late, as on a busy machine, tells no more than one in time: if it
        did, jobs would be asked about later and later.
        """
        with self._lock:
            expected = self._expected(job, beside)
            is_early = polls == 1 and OVERDUE * elapsed < expected
            if polls == 1:
                elapsed = min(elapsed, expected)
            shrink = SHRINK_WHEN_EARLY if is_early else SHRINK
            seconds = elapsed * shrink if polls <= 2 else elapsed
            self._longer[(job.command, min(beside, MANY - 1))] = seconds / job.usual

    def _expected(self, job: JobKind, beside: int = 0) -> float:
        """Return the seconds of the last job beside as many others, else a guess."""
        beside = min(beside, MANY - 1)
        alone = self._longer.get((job.command, 0), 1.0)
        longer = self._longer.get((job.command, beside), alone * (1 + LONGER_BESIDE * beside))
        return longer * job.usual
