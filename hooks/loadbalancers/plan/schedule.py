"""Decides when a load balancer is checked in CloudStack again."""

import hashlib
from dataclasses import dataclass

from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.request import RecordedStatus

#: Seconds until the first early check, after a repair or a takeover: somebody may undo it.
EARLY_CHECK = 30.0


@dataclass(frozen=True, slots=True)
class BackOff:
    """Seconds until the next check while something is wrong, doubled from `first` to `longest`."""

    first: float
    longest: float

    def wait(self, recorded: RecordedStatus, fingerprint: str) -> float:
        """Return twice the last wait if the last check failed for the same request."""
        has_failed = recorded.condition("Ready").status != "True"
        if not has_failed or recorded.fingerprint != fingerprint:
            return self.first
        return min(self.longest, max(self.first, 2 * _last_wait(recorded)))


#: After CloudStack refused something, or if a person has to act.
REFUSED = BackOff(15.0, 300.0)
#: After no usable answer, or if CloudStack is still working.
OUTAGE = BackOff(2.0, 60.0)
#: After something undid our repairs again and again.
CONTESTED = BackOff(3600.0, 3600.0)


def regular_wait(facts: Facts) -> float:
    """Return the seconds between two drift checks, spread by the object's UID."""
    spread = int(hashlib.sha256(facts.request.uid.encode()).hexdigest()[:4], 16) / 0xFFFF
    return facts.drift_resync * (0.9 + 0.2 * spread)


def early_wait(facts: Facts, *, is_first: bool) -> float:
    """Return the seconds until the next early check: twice the last wait, up to the regular one."""
    last = 0.0 if is_first else _last_wait(facts.request.recorded)
    return min(regular_wait(facts), max(EARLY_CHECK, 2 * last))


def is_early_check(facts: Facts) -> bool:
    """Tell whether this drift check comes before the regular time."""
    return _last_wait(facts.request.recorded) < 0.9 * regular_wait(facts)


def _last_wait(recorded: RecordedStatus) -> float:
    return (recorded.next_check or 0.0) - (recorded.last_check or 0.0)
