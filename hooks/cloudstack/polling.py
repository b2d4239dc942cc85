"""Decides when a job is asked about: about when the last jobs of its command were done."""

import threading

#: Seconds after which a job of an unknown duration is asked about first.
FIRST_POLL = 0.05
#: Seconds that jobs of a command take until this process has seen one: measured on a quiet
#: CloudStack 4.22, with five members and with one rule on an address.
USUAL = {
    "associateIpAddress": 0.13,
    "createTags": 0.03,
    "createLoadBalancerRule": 0.12,
    "assignToLoadBalancerRule": 0.15,
    "removeFromLoadBalancerRule": 0.13,
    "createFirewallRule": 0.11,
    "disassociateIpAddress": 0.3,
}
#: Seconds after which a job is asked about first, at most: the next one may be a short one.
LONGEST_FIRST_POLL = 0.2
#: Seconds between two polls of a job, at least and at most.
LEAST_PAUSE = 0.02
LONGEST_PAUSE = 1.0
#: What a pause grows to, as a part of the seconds that the job has run.
GROWTH = 0.3
#: The same while a long job takes little longer than the last ones: it ends soon.
GROWTH_WHEN_DUE = 0.15
#: A job has taken much longer than the last ones after so many times their seconds.
OVERDUE = 1.5
#: A job that had ended at one of its first two polls took less than it seemed to: so much of it.
SHRINK = 0.93


class JobTimes:
    """How long the last jobs of each command took; losing it costs a few polls."""

    def __init__(self) -> None:
        self._seconds = dict(USUAL)
        self._lock = threading.Lock()

    def pause(self, command: str, elapsed: float, polls: int) -> float:
        """Return the seconds until a job is asked about.

        Args:
            command: that started it.
            elapsed: seconds since then.
            polls: how often it was asked about.
        """
        with self._lock:
            expected = self._seconds.get(command, FIRST_POLL)
        if not polls:
            return max(0.0, min(expected, LONGEST_FIRST_POLL) - elapsed)
        is_due = LONGEST_FIRST_POLL < expected <= elapsed < OVERDUE * expected
        pause = (GROWTH_WHEN_DUE if is_due else GROWTH) * elapsed
        if elapsed < expected <= 4 * elapsed:
            pause = expected - elapsed
        return min(max(pause, LEAST_PAUSE), LONGEST_PAUSE)

    def note(self, command: str, elapsed: float, polls: int) -> None:
        """Remember that a job had ended after so many seconds and polls."""
        with self._lock:
            self._seconds[command] = elapsed * SHRINK if polls <= 2 else elapsed
