import pytest

from hooks.cloudstack.models.network import Network, NetworkService
from hooks.http.bounded_json import Json
from hooks.kube.conditions import Condition
from hooks.kube.times import CLOCK_SLACK, timestamp
from hooks.loadbalancers.plan import status as statuses
from hooks.loadbalancers.plan.actions import Action, DeleteOrphan
from hooks.loadbalancers.plan.facts import CloudState, LiveService, Refusal
from hooks.loadbalancers.plan.fingerprint import fingerprint
from hooks.loadbalancers.plan.schedule import is_settled, until_check
from hooks.loadbalancers.request import LoadBalancerRequest
from hooks.names import EVENT_ORPHANED
from hooks.webhook.contract import Plan
from tests.unit.loadbalancers.builders import (
    DRIFT_RESYNC,
    IP,
    NAME,
    NET,
    NETWORK,
    NOW,
    UID,
    chosen,
    firewall_rule,
    instance,
    port,
    recorded,
    request,
    rule,
    texts,
)
from tests.unit.loadbalancers.plan.planning import (
    REQUEST,
    RIGHT,
    TAGS,
    condition,
    planned,
    state,
    status,
    wait,
)

# The whole plan.


def test_all_is_well() -> None:
    made = planned(request(status=recorded()), RIGHT)
    assert made.actions == ()
    assert condition(made)["status"] == "True"
    assert [c["type"] for c in status(made)["conditions"]] == [
        "AddressReady",
        "RulesReady",
        "MembersReady",
        "FirewallReady",
        "Ready",
    ]
    assert status(made)["address"]["published"] is True
    assert status(made)["lastCheckTime"] == timestamp(NOW)
    assert status(made)["checkedFor"] == fingerprint(REQUEST)
    assert 270 <= wait(made) <= 330


def test_work_in_progress_is_reported_and_no_check_counts_as_done() -> None:
    made = planned(request(status=recorded()), state())
    assert made.actions
    assert condition(made)["status"] == "False"
    assert condition(made, "Reconciling")["status"] == "True"
    assert "checkedFor" not in status(made)
    assert wait(made) == 1


def test_the_firewall_waits_for_all_rules_so_that_contiguous_ports_share_a_rule() -> None:
    asked = request(status=recorded(), ports=[port(80), port(81)])
    made = planned(asked, state(rule(80, tags=TAGS)))
    assert not [each for each in texts(made.actions) if "firewall" in each]
    assert condition(made, "FirewallReady")["reason"] == "WaitingForRules"


def test_everything_waits_for_an_address_that_is_not_ours_yet() -> None:
    made = planned(request(status=chosen()), CloudState())
    assert texts(made.actions) == [f"associate address {IP} with network {NET}"]
    for kind in ("RulesReady", "MembersReady", "FirewallReady"):
        assert condition(made, kind)["status"] == "Unknown"
    assert status(made)["ruleSummary"] == "0/1"


def test_a_network_without_a_firewall_opens_nothing() -> None:
    network = Network(id=NET, name="n", services=(NetworkService("Lb"),))
    made = planned(request(status=recorded()), state(rule(80, tags=TAGS)), network=network)
    assert made.actions == ()
    assert condition(made, "FirewallReady")["reason"] == "NoFirewall"


#: The service of a network whose VMs have security groups.
SECURITY_GROUPS = NetworkService("SecurityGroup")


def test_a_network_that_is_not_served_is_reported_before_anything_is_created() -> None:
    grouped = Network(id=NET, name="sg", services=(*NETWORK.services, SECURITY_GROUPS))
    made = planned(request(), CloudState(), network=grouped)
    assert made.actions == ()
    assert condition(made)["reason"] == "NetworkNotServed"
    assert condition(made, "Stalled")["status"] == "True"


def test_a_network_that_is_not_visible_leaves_what_is_known_as_it_is() -> None:
    before = status(planned(request(status=recorded()), RIGHT))
    made = planned(request(status=before), CloudState(), network=None)
    assert made.actions == ()
    assert status(made)["address"] == before["address"]
    assert status(made)["rules"] == before["rules"]
    assert condition(made)["reason"] == "NetworkNotVisible"


def test_waiting_for_nodes_is_not_a_failure() -> None:
    made = planned(request(nodes={}), CloudState(), network=None)
    assert condition(made)["reason"] == "NoNetwork"
    assert condition(made, "Stalled") == {}
    assert wait(made) > 200


def test_a_service_that_cannot_work_gets_right_members_and_nothing_else() -> None:
    wrong = state(rule(80, tags=TAGS, algorithm="source"), members=frozenset({"vm-n1"}))
    invalid = [{"field": "spec.ports[1].nodePort", "message": "there is none"}]
    made = planned(request(status=recorded(), invalid=invalid), wrong)
    assert texts(made.actions) == [f"assign n2, n3 to rule {NAME}-tcp-80"]
    assert condition(made)["reason"] == "InvalidService"
    assert "spec.ports[1].nodePort: there is none" in condition(made)["message"]
    shown = planned(request(status=recorded(), invalid=invalid, mode="Plan"), wrong)
    assert shown.actions == ()


# Publication.


@pytest.mark.parametrize(
    ("before", "existing", "published"),
    [
        pytest.param({}, RIGHT, True, id="a member is in"),
        pytest.param(
            {}, state(rule(80, tags=TAGS), members=frozenset()), False, id="no member yet"
        ),
        pytest.param(
            {"rulesSince": timestamp(NOW - 29)},
            state(rule(80, tags=TAGS), members=frozenset()),
            False,
            id="29 seconds after the rules",
        ),
        pytest.param(
            {"rulesSince": timestamp(NOW - 30)},
            state(rule(80, tags=TAGS), members=frozenset()),
            True,
            id="30 seconds after the rules",
        ),
        pytest.param({}, state(), False, id="no rule yet"),
    ],
)
def test_an_address_is_published_when_it_serves_or_took_too_long(
    before: Json, existing: CloudState, published: bool
) -> None:
    made = planned(request(status={**recorded(), **before}), existing)
    assert status(made)["address"]["published"] is published


@pytest.mark.parametrize(
    ("existing", "published"),
    [
        pytest.param(state(rule(80, tags=TAGS), members=frozenset()), True, id="no member yet"),
        pytest.param(state(), False, id="no rule yet"),
    ],
)
def test_with_local_traffic_an_address_is_published_when_its_rules_exist(
    existing: CloudState, published: bool
) -> None:
    asked = request(status=recorded(), externalTrafficPolicy="Local", slices=[])
    assert status(planned(asked, existing))["address"]["published"] is published


def test_once_published_it_stays_so() -> None:
    made = planned(request(status=recorded(published=True)), state())
    assert status(made)["address"]["published"] is True


def test_plan_mode_publishes_nothing_new() -> None:
    made = planned(request(status=recorded(), mode="Plan"), RIGHT)
    assert status(made)["address"]["published"] is False


def test_a_wait_for_members_ends_in_time_to_publish() -> None:
    nodes = {"n1": instance("n1", servesLoadBalancers=False)}
    asked = request(status={**recorded(), "rulesSince": timestamp(NOW - 10)}, nodes=nodes)
    made = planned(
        asked,
        state(
            rule(80, tags=TAGS), firewall_rules=(firewall_rule(80, tags=TAGS),), members=frozenset()
        ),
    )
    assert made.actions == ()
    assert wait(made) == 20


# Orphans.


def test_an_object_without_an_owner_and_a_service_deletes_itself() -> None:
    asked = request(metadata={"ownerReferences": []}, status=recorded())
    made = planned(asked, CloudState(), service=LiveService(still_wants=False))
    assert made.actions == (DeleteOrphan("default", NAME, "lb-1"),)
    assert [event.reason for event in made.events] == [EVENT_ORPHANED]


def test_what_cleans_up_in_kube_system_names_the_namespace_of_the_service() -> None:
    service = {"name": "web", "uid": UID, "namespace": "shop"}
    metadata = {"ownerReferences": [], "namespace": "kube-system"}
    made = planned(
        request(metadata=metadata, service=service),
        CloudState(),
        service=LiveService(still_wants=False),
    )
    [event] = made.events
    assert event.message.startswith("Service shop/web is gone and its load balancer has no owner")


# Waiting.


def refused_look(before: Json | None, now: float) -> Plan[Action]:
    asked = request(status={**recorded(), **(before or {})}, ports=[port(53, protocol="UDP")])
    [create] = planned(asked, state(), now=now).actions
    return planned(asked, state(), refusals=(Refusal(create, 431, "no"),), now=now)


def test_a_refusal_is_tried_again_twice_as_late_each_time_up_to_five_minutes() -> None:
    before, now, waits = None, NOW, []
    for _ in range(7):
        made = refused_look(before, now)
        waits.append(round(wait(made)))
        before, now = status(made), now + wait(made) + 1
    assert waits == [15, 30, 60, 120, 240, 300, 300]


def test_a_check_that_fails_after_a_wait_for_a_person_is_repeated_as_soon_as_any() -> None:
    waiting = planned(request(status=recorded(), mode="Plan"), state())
    assert condition(waiting)["reason"] == "PlanOnly"
    assert wait(waiting) > 60
    asked = request(status=status(waiting), mode="Plan")
    ready = Condition("Ready", "Unknown", "CloudStackUnreachable", "no answer")
    assert statuses.unobserved(asked, NOW, ready)["resyncAfterSeconds"] == pytest.approx(2, rel=0.3)


def test_a_check_that_failed_is_repeated_soon_and_keeps_what_is_known() -> None:
    before = status(planned(request(status=recorded()), RIGHT))
    ready = Condition("Ready", "Unknown", "CloudStackUnreachable", "no answer")
    waits = []
    for _ in range(7):
        asked = request(status=before)
        answered = statuses.unobserved(asked, NOW, ready)
        before = dict(answered.get("status") or {})
        waits.append(round(float(answered["resyncAfterSeconds"])))
    assert waits == [2, 4, 8, 16, 32, 60, 60]
    assert before["address"]["ip"] == IP
    [ready_now] = [c for c in before["conditions"] if c["type"] == "Ready"]
    assert (ready_now["status"], ready_now["message"]) == ("Unknown", "no answer")


def test_a_throttled_check_waits_as_long_as_cloudstack_asks() -> None:
    ready = Condition("Ready", "Unknown", "CloudStackThrottles", "slow down")
    answered = statuses.unobserved(REQUEST, NOW, ready, least_wait=45.0)
    assert answered["resyncAfterSeconds"] == 45


def remaining(of: LoadBalancerRequest, now: float, elapsed: float | None = None) -> float:
    """Return the seconds until a load balancer is checked."""
    return until_check(of, now, DRIFT_RESYNC, elapsed=elapsed)


HOUR, YEAR = 3600.0, 365 * 86400.0


@pytest.mark.parametrize(
    ("last", "due", "elapsed", "waited"),
    [
        pytest.param(0, 300, None, 300, id="as recorded"),
        pytest.param(-300, 0, None, 0, id="due"),
        pytest.param(-YEAR, -YEAR + 300, 1, 0, id="long ago"),
        pytest.param(30, 330, None, 330, id="another clock may be a little ahead"),
        pytest.param(0, HOUR, None, HOUR, id="as late as after repeated drift"),
        pytest.param(0, 2 * HOUR, None, 0, id="later than any wait"),
        pytest.param(HOUR, HOUR + 300, None, 0, id="in the future, and never checked by us"),
        pytest.param(HOUR, HOUR + 300, 100, 200, id="in the future, checked by us before"),
        pytest.param(YEAR, YEAR + 300, 300, 0, id="in the future, checked by us long before"),
        pytest.param(HOUR, YEAR, 100, HOUR + CLOCK_SLACK - 100, id="both are nonsense"),
    ],
)
def test_recorded_times_count_within_what_is_plausible(
    last: float, due: float, elapsed: float | None, waited: float
) -> None:
    times = {"lastCheckTime": timestamp(NOW + last), "nextCheckTime": timestamp(NOW + due)}
    assert remaining(request(status={**recorded(), **times}), NOW, elapsed) == waited


def test_a_check_is_valid_until_the_next_is_due_or_something_else_is_asked_for() -> None:
    before = status(planned(request(status=recorded()), RIGHT))
    asked = request(status=before)
    assert is_settled(asked, remaining(asked, NOW + 200))
    assert not is_settled(asked, remaining(asked, NOW + 400))
    other = request(status=before, algorithm="source")
    assert not is_settled(other, remaining(other, NOW + 200))
    assert not is_settled(request(), remaining(request(), NOW))
    answered = statuses.unchanged(asked, remaining(asked, NOW + 200))
    assert answered["status"] == before
    assert 70 <= answered["resyncAfterSeconds"] <= 130


def test_a_call_that_is_interrupted_shows_what_is_known_and_is_repeated_at_once() -> None:
    seen_before = status(planned(request(status=recorded()), RIGHT))
    answered = statuses.unfinished(REQUEST, NOW, "job 7 still runs", status=seen_before)
    kinds = {each["type"]: each for each in answered["status"]["conditions"]}
    assert kinds["Reconciling"]["message"] == "job 7 still runs"
    assert kinds["Ready"]["status"] == "True"
    assert "checkedFor" not in answered["status"]
    assert answered["resyncAfterSeconds"] == 1
    first = statuses.unfinished(REQUEST, NOW, "busy")
    assert [each["type"] for each in first["status"]["conditions"]] == ["Ready", "Reconciling"]


@pytest.mark.parametrize(
    ("generation", "ready"),
    [
        pytest.param(1, "True", id="other nodes are asked for"),
        pytest.param(2, "False", id="another spec is asked for"),
    ],
)
def test_a_call_that_could_not_begin_does_not_call_an_older_spec_ready(
    generation: int, ready: str
) -> None:
    before = status(planned(request(status=recorded()), RIGHT))
    asked = request(status=before, metadata={"generation": generation})
    answered = statuses.unfinished(asked, NOW, "another call is writing")
    [now] = [each for each in answered["status"]["conditions"] if each["type"] == "Ready"]
    assert now["status"] == ready


def test_a_status_without_a_generation_claims_none() -> None:
    asked = request(metadata={"generation": None}, status=recorded())
    assert "observedGeneration" not in status(planned(asked, RIGHT))


def test_long_texts_are_shortened() -> None:
    ready = Condition("Ready", "Unknown", "CloudStackUnreachable", "x" * 5000)
    answered = statuses.unobserved(REQUEST, NOW, ready)
    assert answered["status"]["conditions"][-1]["message"] == "x" * 999 + "…"
