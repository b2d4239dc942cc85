"""Counts how often in a row drift checks find the same drift, and stops repairs for a while."""

import hashlib
from collections.abc import Sequence

from hooks.http.texts import join_sentences
from hooks.kube.events import Event
from hooks.loadbalancers.plan import status
from hooks.loadbalancers.plan.actions import Action
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.schedule import CONTESTED, is_early_check
from hooks.loadbalancers.request import RepeatedDrift
from hooks.names import EVENT_CONTESTED, EVENT_REPAIRED
from hooks.webhook.contract import Plan

#: Drift checks in a row that repair the same drift. The next one leaves it for an hour.
MAX_REPAIRS = 3
#: Changes that an Event names; the others are counted.
_NAMED_CHANGES = 5


def count_drift(facts: Facts, actions: Sequence[Action]) -> RepeatedDrift:
    """Return hash and count of the drift checks in a row that found the same drift.

    A check is a drift check if nothing else was asked for since the last one. The call's first
    pass tells what it found. An early check without drift does not reset the count: what is right
    so soon may be undone later.
    """
    recorded = facts.request.recorded.repeated_drift
    if not status.was_converged(facts):
        return recorded
    found = actions if facts.attempt.first_actions is None else facts.attempt.first_actions
    if not found:
        return recorded if is_early_check(facts) else RepeatedDrift()
    # The texts are the identity: rules that somebody deleted come back with other ids.
    text = "\0".join(sorted(str(action) for action in found))
    drift = hashlib.sha256(text.encode()).hexdigest()[:16]
    return RepeatedDrift(drift, recorded.times + 1 if drift == recorded.what else 1)


def is_found_now(facts: Facts) -> bool:
    """Tell whether this pass is the one that finds drift."""
    return facts.attempt.first_actions is None and status.was_converged(facts)


def repaired(facts: Facts, actions: Sequence[Action]) -> Event:
    """Return the Event about a repair."""
    message = f"Repaired what had changed in CloudStack: {_named(actions)}"
    return Event(facts.request.service, EVENT_REPAIRED, message)


def contested(facts: Facts, actions: Sequence[Action], drift: RepeatedDrift) -> Plan[Action]:
    """Do nothing for an hour: something undoes our repairs again and again."""
    message = (
        f"Something has undone this load balancer {drift.times} times in a row: {_named(actions)}. "
        "Is another cloud provider running? Nothing is changed for an hour"
    )
    response = status.stopped(facts, "Contested", message, back_off=CONTESTED)
    response["status"]["repeatedDrift"] = {"what": drift.what, "times": drift.times}
    event = Event(facts.request.service, EVENT_CONTESTED, message, type="Warning")
    return Plan(response, events=(event,))


def _named(actions: Sequence[Action]) -> str:
    return join_sentences([str(action) for action in actions], limit=_NAMED_CHANGES)
