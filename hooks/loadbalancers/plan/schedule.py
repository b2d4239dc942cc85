"""Decides when a load balancer is checked in CloudStack again, and counts repeated drift."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from hooks import names
from hooks.kube.times import CLOCK_SLACK
from hooks.loadbalancers.plan.actions import (
    Action,
    AddItem,
    AddTags,
    ChangeItem,
    RemoveItem,
    Retag,
)
from hooks.loadbalancers.plan.certificates import is_recorded
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.fingerprint import is_asked_still
from hooks.loadbalancers.plan.sticky_actions import SetStickiness
from hooks.loadbalancers.recorded import RecordedStatus, RepeatedDrift
from hooks.loadbalancers.request import LoadBalancerRequest

#: Conditions of the stages; Ready sums them up.
STAGE_CONDITIONS = ("AddressReady", "RulesReady", "MembersReady", "FirewallReady")
#: Reasons of Ready to wait for nodes or for a person's decision: nothing has failed.
WAITING = frozenset(
    {
        names.REASON_NO_MEMBERS,
        names.REASON_NO_RUNNING_MEMBERS,
        names.REASON_NO_INSTANCES,
        names.REASON_NO_ENDPOINTS,
        names.REASON_NO_NETWORK,
        names.REASON_PLAN_ONLY,
    }
)
#: Drift checks in a row that repair the same drift. The next one leaves it for an hour.
MAX_REPAIRS = 3
#: Seconds until the first early check, after a repair or a takeover: somebody may undo it.
EARLY_CHECK = 30.0
#: How much earlier or later than DRIFT_RESYNC a drift check is due at most, as a part of that.
SPREAD = 0.1


@dataclass(frozen=True, slots=True)
class RetryRange:
    """Seconds until the next check while something is wrong, doubled from `first` to `longest`."""

    first: float
    longest: float

    def wait(self, request: LoadBalancerRequest) -> float:
        """Return twice the last wait if the last check failed for the same request."""
        recorded = request.recorded
        ready = recorded.condition("Ready")
        has_failed = ready.status != "True" and ready.reason not in WAITING
        if not has_failed or not is_asked_still(recorded.fingerprint, request):
            return self.first
        return min(self.longest, max(self.first, 2 * _last_wait(recorded)))


#: After CloudStack refused something, or if a person has to act.
REFUSED = RetryRange(15.0, 300.0)
#: While another call has the lease on an address. Most have it for a second, as each of several
#: Services that leave a shared address at once.
LEASED = RetryRange(1.0, 5.0)
#: After no usable answer, or if CloudStack is still working.
OUTAGE = RetryRange(2.0, 60.0)
#: After something undid our repairs again and again.
CONTESTED = RetryRange(3600.0, 3600.0)


def until_check(
    request: LoadBalancerRequest, now: float, drift_resync: float, *, elapsed: float | None
) -> float:
    """Return the seconds until the next check is due: as recorded, if that is plausible.

    A last check in the future, or a next one in more than the longest wait, comes from a wrong
    clock. If it counted, nothing would be checked until then. Only a replica's own checks keep two
    whose clocks differ from checking in turns without end.

    Args:
        request: the request.
        now: epoch seconds.
        drift_resync: seconds between two drift checks.
        elapsed: seconds since this process checked it; None if it has not.
    """
    last, due = request.recorded.last_check, request.recorded.next_check
    longest = max(CONTESTED.longest, (1 + SPREAD) * drift_resync) + CLOCK_SLACK
    if due is None:
        return 0.0
    if last is not None and last > now + CLOCK_SLACK:
        return 0.0 if elapsed is None else max(0.0, min(longest, due - last) - elapsed)
    return max(0.0, due - now) if due - now <= longest else 0.0


def is_settled(request: LoadBalancerRequest, wait: float) -> bool:
    """Tell whether nothing new is asked for and no check is due, so CloudStack need not be read.

    An object without an owner is always checked: its Service may be gone. `wait` is the seconds
    until the next check.
    """
    return (
        (request.is_owned or request.is_deleting)
        and wait > 0
        and is_asked_still(request.recorded.fingerprint, request)
    )


def was_converged(facts: Facts) -> bool:
    """Tell whether the last check that succeeded found everything as it is still asked for.

    Checks that failed since then do not count: what differs after an outage is drift as well.
    """
    recorded = facts.request.recorded
    return (
        recorded.fingerprint == facts.fingerprint
        and recorded.change is None
        and is_recorded(facts.request, facts.certificate.digest)
        and recorded.condition("Ready").status in ("True", "Unknown")
        and all(recorded.condition(kind).status == "True" for kind in STAGE_CONDITIONS)
        # A node that has waited joins: nobody asked for that, and it is no drift.
        and recorded.condition("MembersReady").reason != names.REASON_NODES_RETURNING
    )


def repairs(facts: Facts, actions: Sequence[Action]) -> tuple[Action, ...]:
    """Return the actions that repair something: what was refused, and is tried again, does not.

    A rule that serves without its stickiness policy is right as far as CloudStack lets it be.
    """
    without = {each.id for each in facts.request.recorded.rules if each.reason}
    return tuple(
        each
        for each in actions
        if not (isinstance(each, SetStickiness) and each.rule_id in without)
    )


def are_about_list(actions: Sequence[Action]) -> bool:
    """Tell whether actions change nothing but items of a tier's network ACL list."""
    return all(
        isinstance(each, AddItem | ChangeItem | RemoveItem)
        or (isinstance(each, AddTags) and each.kind == "ACL item")
        or (isinstance(each, Retag) and each.owns[0].kind == "ACL item")
        for each in actions
    )


def regular_wait(facts: Facts) -> float:
    """Return the seconds between two drift checks, spread by the object's UID."""
    spread = int(hashlib.sha256(facts.request.metadata.uid.encode()).hexdigest()[:4], 16) / 0xFFFF
    return facts.drift_resync * (1 + SPREAD * (2 * spread - 1))


def early_wait(facts: Facts) -> float:
    """Return the seconds until the next early check: twice the last wait, up to the regular one."""
    last = _last_wait(facts.request.recorded) if is_drift_check(facts) else 0.0
    return min(regular_wait(facts), max(EARLY_CHECK, 2 * last))


def count_drift(facts: Facts, actions: Sequence[Action]) -> RepeatedDrift:
    """Return hash and count of the drift checks in a row that found the same drift.

    A check is a drift check if nothing else was asked for since the last one. The call's first
    pass tells what it found. An early check without drift does not reset the count: what is right
    so soon may be undone later.
    """
    recorded = facts.request.recorded.repeated_drift
    if not was_converged(facts):
        return recorded
    first = facts.call_state.first_actions
    found = repairs(facts, actions if first is None else first)
    if not found:
        is_early = _last_wait(facts.request.recorded) < 0.9 * regular_wait(facts)
        return recorded if is_early else RepeatedDrift()
    # The texts are the identity: rules that somebody deleted come back with other ids.
    text = "\0".join(sorted(str(action) for action in found))
    drift = hashlib.sha256(text.encode()).hexdigest()[:16]
    return RepeatedDrift(drift, recorded.times + 1 if drift == recorded.what else 1)


def is_drift_check(facts: Facts) -> bool:
    """Tell whether what this pass finds is drift: nothing else was asked for or done."""
    return facts.call_state.first_actions is None and was_converged(facts)


def _last_wait(recorded: RecordedStatus) -> float:
    return (recorded.next_check or 0.0) - (recorded.last_check or 0.0)
