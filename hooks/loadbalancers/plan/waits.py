"""When a load balancer is looked at again."""

import hashlib
from dataclasses import dataclass

from hooks.loadbalancers.plan.facts import Facts, RecordedStatus

#: Seconds until what was repaired or taken over is looked at again: somebody may be undoing it.
WATCHFUL = 30.0


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds until the next look while something is wrong: at first, twice as many, at most."""

    first: float
    longest: float


#: After CloudStack refused something, or a person has to act.
REFUSED = Waits(15.0, 300.0)
#: After nothing usable came back, or something takes its time.
OUTAGE = Waits(2.0, 60.0)
#: After something undid what we did again and again.
CONTESTED = Waits(3600.0, 3600.0)


def regular(facts: Facts) -> float:
    """Answer the seconds until what is right is looked at again; each has its own share."""
    share = int(hashlib.sha256(facts.request.uid.encode()).hexdigest()[:4], 16) / 0xFFFF
    return facts.settings.drift_resync * (0.9 + 0.2 * share)


def watchful(facts: Facts, *, begins: bool) -> float:
    """Answer the seconds until what somebody may undo is looked at again: soon, then ever later."""
    last = 0.0 if begins else _last_wait(facts.request.recorded)
    return min(regular(facts), max(WATCHFUL, 2 * last))


def is_early(facts: Facts) -> bool:
    """Tell whether a look is one of those that come sooner than others."""
    return _last_wait(facts.request.recorded) < 0.9 * regular(facts)


def longer(recorded: RecordedStatus, fingerprint: str, waits: Waits) -> float:
    """Wait twice as long as the last time, if that was in vain for the same."""
    failed = recorded.condition("Ready").get("status") != "True"
    if not failed or recorded.fingerprint != fingerprint:
        return waits.first
    return min(waits.longest, max(waits.first, 2 * _last_wait(recorded)))


def _last_wait(recorded: RecordedStatus) -> float:
    return (recorded.next_check or 0.0) - (recorded.last_check or 0.0)
