import pytest

from hooks.http.bounded_json import Json
from hooks.services.plan import status
from tests.unit.services.objects import (
    EARLIER,
    condition,
    facts,
    load_balancer,
    own_condition,
    ready,
    service,
    serving,
)
from tests.unit.services.plan.test_status import FAILED, verdict_on

PROGRESS = ready("False", "CreatingRules", "2 of 3 rules stand")


EVENTS = [
    pytest.param(None, load_balancer(), ["EnsuringLoadBalancer"], id="begins"),
    pytest.param(
        own_condition("Unknown", "Pending", "The load balancer is being created"),
        load_balancer(),
        [],
        id="has begun",
    ),
    pytest.param(
        own_condition("Unknown", "Reconciling"),
        load_balancer(status=serving(conditions=[PROGRESS, condition("Reconciling")])),
        [],
        id="goes on",
    ),
    pytest.param(
        own_condition(),
        load_balancer(status=serving(), generation=2),
        ["EnsuringLoadBalancer"],
        id="is changed",
    ),
    pytest.param(
        own_condition("False", "QuotaExceeded", "full"),
        load_balancer(status=serving(), generation=2),
        ["EnsuringLoadBalancer"],
        id="is changed after a failure",
    ),
    pytest.param(
        own_condition("Unknown", "Reconciling"),
        load_balancer(status=serving()),
        ["EnsuredLoadBalancer"],
        id="serves",
    ),
    pytest.param(
        None, load_balancer(status=serving()), ["EnsuredLoadBalancer"], id="serves, status wiped"
    ),
    pytest.param(
        own_condition(message="203.0.113.7: rules 1/1, members 2/2"),
        load_balancer(status=serving()),
        [],
        id="goes on serving",
    ),
    pytest.param(
        own_condition(message="203.0.113.7: rules 1/1, members 2/2"),
        load_balancer(status=serving(memberSummary="3/3")),
        ["UpdatedLoadBalancer"],
        id="has another member",
    ),
    pytest.param(
        own_condition(),
        load_balancer(status=serving(conditions=[FAILED, condition("Stalled")])),
        ["SyncLoadBalancerFailed"],
        id="fails",
    ),
    pytest.param(
        own_condition("False", "QuotaExceeded", FAILED["message"]),
        load_balancer(status=serving(conditions=[FAILED, condition("Stalled")])),
        [],
        id="goes on failing",
    ),
    pytest.param(
        own_condition("False", "Unreachable", "no answer"),
        load_balancer(status=serving(conditions=[FAILED, condition("Stalled")])),
        ["SyncLoadBalancerFailed"],
        id="fails otherwise",
    ),
    pytest.param(
        own_condition(),
        load_balancer(status=serving(conditions=[ready("Unknown", "Unreachable", "no answer")])),
        ["SyncLoadBalancerFailed"],
        id="cannot be looked at",
    ),
    pytest.param(
        own_condition("False", "Deleting", "The load balancer is being deleted"),
        load_balancer(
            status=serving(conditions=[FAILED, condition("Stalled")]), deletionTimestamp=EARLIER
        ),
        ["EnsuringLoadBalancer"],
        id="is wanted again while the one before fails to go",
    ),
    pytest.param(
        own_condition("Unknown", "Unreachable", "no answer"),
        load_balancer(status=serving(conditions=[ready("Unknown", "Unreachable", "no answer")])),
        [],
        id="still cannot be looked at",
    ),
    pytest.param(
        own_condition(),
        load_balancer(
            status=serving(conditions=[ready("False", "PlanOnly", "2"), condition("Stalled")])
        ),
        [],
        id="is only planned",
    ),
    pytest.param(
        own_condition(),
        load_balancer(
            status=serving(
                conditions=[ready("False", "NoMembers", "no node")],
                members={"assigned": 0, "wanted": 0},
            )
        ),
        ["UnAvailableLoadBalancer", "EnsuringLoadBalancer"],
        id="waits for a node",
    ),
    pytest.param(
        own_condition(),
        load_balancer(
            status=serving(
                conditions=[PROGRESS, condition("Reconciling")],
                members={"assigned": 0, "wanted": 0},
            )
        ),
        ["UnAvailableLoadBalancer", "EnsuringLoadBalancer"],
        id="has no node left",
    ),
    pytest.param(
        own_condition(),
        load_balancer(status=serving(conditions=[ready("False", "NoRunningMembers", "None runs")])),
        ["UnAvailableLoadBalancer", "EnsuringLoadBalancer"],
        id="has no node that runs",
    ),
    pytest.param(
        own_condition(),
        load_balancer(status=serving(conditions=[ready("False", "NoReadyEndpoints", "none")])),
        ["UnAvailableLoadBalancer", "EnsuringLoadBalancer"],
        id="has no endpoint left",
    ),
    pytest.param(
        own_condition("Unknown", "Reconciling", "soon"),
        load_balancer(status=serving(conditions=[ready("False", "NoReadyEndpoints", "none")])),
        [],
        id="waits for its first endpoint",
    ),
    pytest.param(
        own_condition("False", "NoAvailableNodes", "none"),
        load_balancer(
            status=serving(
                conditions=[PROGRESS, condition("Reconciling")],
                members={"assigned": 0, "wanted": 0},
            )
        ),
        [],
        id="still has no node",
    ),
]


@pytest.mark.parametrize(("before", "balancer", "reasons"), EVENTS)
def test_each_transition_has_its_events(
    before: Json | None, balancer: Json | None, reasons: list[str]
) -> None:
    observed = service(status={"loadBalancer": {}, "conditions": [before] if before else []})
    known = facts(observed, balancer)
    events = list(status.transition_events(known, verdict_on(observed, balancer)))
    assert [event.reason for event in events] == reasons
    warnings = {"SyncLoadBalancerFailed", "UnAvailableLoadBalancer"}
    assert all((event.type == "Warning") is (event.reason in warnings) for event in events)
    assert all(event.regarding.uid == observed["metadata"]["uid"] for event in events)


def test_the_event_of_a_failure_has_the_reason() -> None:
    failing = serving(conditions=[FAILED, condition("Stalled")])
    known = facts(service(), load_balancer(status=failing))
    (event,) = status.transition_events(known, verdict_on(known.service, known.load_balancer))
    assert event.message == f"Error syncing load balancer: {FAILED['message']}"
