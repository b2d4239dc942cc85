"""When a difference is drift, and how it is announced."""

from hooks.kube.conditions import Condition
from hooks.loadbalancers.plan import status as statuses
from hooks.loadbalancers.plan.schedule import MAX_REPAIRS
from hooks.names import EVENT_CONTESTED, EVENT_REPAIRED
from tests.unit.loadbalancers.builders import (
    NAME,
    NOW,
    firewall_rule,
    port,
    recorded,
    request,
    rule,
)
from tests.unit.loadbalancers.plan.planning import (
    RIGHT,
    TAGS,
    condition,
    later,
    planned,
    state,
    status,
    wait,
)


def test_drift_is_announced_on_the_service_and_counted() -> None:
    before, now = later(planned(request(status=recorded()), RIGHT))
    existing = state(
        rule(80, tags=TAGS, algorithm="source"), firewall_rules=(firewall_rule(80, tags=TAGS),)
    )
    made = planned(request(status=before), existing, now=now)
    [event] = made.events
    assert (event.reason, event.regarding.kind, event.regarding.name) == (
        EVENT_REPAIRED,
        "Service",
        "web",
    )
    assert f"change rule {NAME}-tcp-80: algorithm roundrobin" in event.message
    assert status(made)["repeatedDrift"]["times"] == 1


def test_drift_during_an_outage_is_announced_afterwards() -> None:
    before = status(planned(request(status=recorded()), RIGHT))
    ready = Condition("Ready", "Unknown", "CloudStackUnreachable", "no answer")
    outage = statuses.unobserved(request(status=before), NOW + 400, ready)
    existing = state(
        rule(80, tags=TAGS, algorithm="source"), firewall_rules=(firewall_rule(80, tags=TAGS),)
    )
    made = planned(request(status=outage["status"]), existing, now=NOW + 800)
    assert [event.reason for event in made.events] == [EVENT_REPAIRED]


def test_a_change_that_was_asked_for_is_not_drift() -> None:
    before, now = later(planned(request(status=recorded()), RIGHT))
    made = planned(request(status=before, algorithm="source"), RIGHT, now=now)
    assert made.actions
    assert made.events == ()


def test_later_passes_of_a_call_are_not_drift() -> None:
    before, now = later(planned(request(status=recorded()), RIGHT))
    existing = state(
        rule(80, tags=TAGS, algorithm="source"), firewall_rules=(firewall_rule(80, tags=TAGS),)
    )
    first = planned(request(status=before), existing, now=now)
    then = state(rule(80, tags=TAGS))
    made = planned(request(status=before), then, now=now, first_actions=first.actions)
    assert made.actions
    assert made.events == ()
    assert status(made)["repeatedDrift"] == status(first)["repeatedDrift"]


def test_many_repairs_are_counted_and_not_listed() -> None:
    ports = [port(80 + number) for number in range(9)]
    rules = [rule(80 + number, tags=TAGS) for number in range(9)]
    right = state(*rules, firewall_rules=(firewall_rule(80, 88, tags=TAGS),))
    before, now = later(planned(request(status=recorded(), ports=ports), right))
    wrong = [rule(80 + number, tags=TAGS, algorithm="source") for number in range(9)]
    existing = state(*wrong, firewall_rules=(firewall_rule(80, 88, tags=TAGS),))
    [event] = planned(request(status=before, ports=ports), existing, now=now).events
    assert event.message.endswith("and 4 more")


def test_drift_that_comes_back_again_and_again_is_left_for_an_hour() -> None:
    existing = state(
        rule(80, tags=TAGS, algorithm="source"), firewall_rules=(firewall_rule(80, tags=TAGS),)
    )
    before, now = later(planned(request(status=recorded()), RIGHT))
    for times in range(1, MAX_REPAIRS + 1):
        drift = planned(request(status=before), existing, now=now)
        assert drift.actions
        assert status(drift)["repeatedDrift"]["times"] == times
        repaired = planned(
            request(status=status(drift)),
            RIGHT,
            now=now,
            first_actions=drift.actions,
        )
        before, now = status(repaired), now + 400
    contested = planned(request(status=before), existing, now=now)
    assert contested.actions == ()
    assert [event.reason for event in contested.events] == [EVENT_CONTESTED]
    assert "undone the same repairs 3 times in a row" in contested.events[0].message
    assert condition(contested)["reason"] == "Contested"
    assert wait(contested) == 3600
    again = planned(request(status=status(contested)), existing, now=now + 3601)
    assert again.actions
