from typing import Any

import pytest

from hooks.cloudstack.models.network import PublicIpAddress
from hooks.cloudstack.models.tags import Tag
from hooks.http.bounded_json import Json
from hooks.loadbalancers.plan.actions import Action, HoldService, Release
from hooks.loadbalancers.plan.facts import CloudState, LiveService, Refusal
from hooks.loadbalancers.plan.plan import plan
from hooks.loadbalancers.request import LoadBalancerRequest
from hooks.names import (
    ANNOTATION_ABANDON,
    CLEANUP_FINALIZER,
    EVENT_ABANDONED,
    EVENT_DELETED,
    EVENT_DELETING,
    EVENT_NOT_PROVEN,
    EVENT_SYNC_FAILED,
    TAG_SERVICE_UID,
)
from hooks.webhook.contract import Plan
from tests.unit.loadbalancers.builders import (
    IP,
    NAME,
    NOW,
    acquiring,
    address,
    chosen,
    facts,
    firewall_rule,
    our_address,
    our_tags,
    recorded,
    request,
    rule,
    texts,
)
from tests.unit.loadbalancers.plan.addresses import OTHER

GOING = {"deletionTimestamp": "2027-01-15T08:00:00Z"}
FOREIGN = (Tag(TAG_SERVICE_UID, "another"),)


def going(*, metadata: Json | None = None, **asked: Any) -> LoadBalancerRequest:
    return request(metadata={**GOING, **(metadata or {})}, **asked)


def teardown(asked: LoadBalancerRequest, *addresses: PublicIpAddress, **more: Any) -> Plan[Action]:
    names = ("refusals", "service", "network", "now", "sees_nodes")
    fields = {name: more.pop(name) for name in names if name in more}
    state = CloudState(addresses=addresses, **more)
    return plan(facts(asked, state=state, **{"service": LiveService(still_wants=False), **fields}))


def is_finalized(planned: Plan[Action]) -> bool:
    return bool(planned.response.get("finalized"))


def ready(planned: Plan[Action]) -> Json:
    status = planned.response.get("status") or {}
    return next(dict(each) for each in status["conditions"] if each["type"] == "Ready")


def test_a_service_that_still_wants_it_is_held_and_everything_left_as_it_is() -> None:
    asked = going(status=recorded())
    service = LiveService(True, "7", ("example.com/other",))
    planned = teardown(asked, our_address(asked), service=service)
    held = ("example.com/other", CLEANUP_FINALIZER)
    assert planned.actions == (HoldService("default", "web", "7", held),)
    assert planned.response.get("finalized") is False
    planned = teardown(asked, our_address(asked), service=LiveService(True, "8", held))
    assert is_finalized(planned)
    assert (planned.actions, planned.events) == ((), ())


def test_our_address_is_released_with_everything_and_finalized_in_a_later_call() -> None:
    asked = going(status=recorded())
    planned = teardown(asked, our_address(asked))
    assert texts(planned.actions) == [f"release address {IP} with all its rules"]
    assert planned.response.get("finalized") is False
    assert ready(planned)["reason"] == "Deleting"
    assert [event.reason for event in planned.events] == [EVENT_DELETING]


def test_an_address_that_is_known_by_its_tag_only_goes_too() -> None:
    planned = teardown(going(), our_address(going()))
    assert texts(planned.actions) == [f"release address {IP} with all its rules"]


def test_a_deletion_is_finalized_when_nothing_is_left() -> None:
    for status in (None, recorded(), chosen(), chosen("")):
        planned = teardown(going(status=status))
        assert is_finalized(planned)
        assert [event.reason for event in planned.events] == [EVENT_DELETED]


@pytest.mark.parametrize(
    "spec",
    [pytest.param({"keepAddress": True}, id="kept"), pytest.param({"address": IP}, id="brought")],
)
def test_an_address_that_stays_loses_firewall_rules_and_rules_first_and_tags_last(
    spec: Json,
) -> None:
    asked = going(status=recorded(associatedByController="keepAddress" in spec), **spec)
    existing = our_address(asked, by_controller="keepAddress" in spec)
    first = teardown(
        asked,
        existing,
        rules=(rule(80, tags=our_tags(asked)), rule(9, "human")),
        firewall=(firewall_rule(80, tags=our_tags(asked)), firewall_rule(9)),
    )
    assert texts(first.actions) == [
        "close firewall port 80/tcp for 0.0.0.0/0",
        f"delete rule {NAME}-tcp-80",
    ]
    then = teardown(asked, existing, rules=(rule(9, "human"),), firewall=(firewall_rule(9),))
    assert texts(then.actions) == [f"untag address {IP}"]
    last = teardown(asked, address(IP), rules=(rule(9, "human"),), firewall=(firewall_rule(9),))
    assert is_finalized(last)


def test_what_a_call_may_have_acquired_is_not_claimed_in_order_to_be_released() -> None:
    asked = going(metadata=acquiring())
    planned = teardown(asked, address(IP), now=NOW + 1e6)
    assert (planned.actions, is_finalized(planned)) == ((), False)
    assert ready(planned)["reason"] == "AddressNotProven"
    assert IP in ready(planned)["message"]
    assert ANNOTATION_ABANDON in ready(planned)["message"]
    assert is_finalized(teardown(asked, address(IP, tags=FOREIGN)))
    assert is_finalized(teardown(asked, now=NOW + 600))


def test_a_call_that_may_still_acquire_an_address_is_waited_for() -> None:
    planned = teardown(going(metadata=acquiring()))
    assert ready(planned)["reason"] == "AcquiringAddress"
    assert not is_finalized(planned)
    assert is_finalized(teardown(going(metadata=acquiring(text=f"{IP} 2027-01-15T08:00:00Z x"))))


def test_what_a_call_may_have_acquired_keeps_the_object_of_a_service_that_wants_it() -> None:
    wanting = LiveService(still_wants=True, finalizers=(CLEANUP_FINALIZER,))
    asked = going(metadata=acquiring())
    assert is_finalized(teardown(asked, service=wanting, now=NOW + 600))
    for planned in (
        teardown(asked, address(IP), service=wanting),
        teardown(asked, service=wanting, network=None, now=NOW + 600),
    ):
        assert not is_finalized(planned)
        assert planned.actions == ()


@pytest.mark.parametrize("still_wants", [True, False])
def test_who_lets_go_of_it_is_told_which_address_a_call_may_have_acquired(
    *, still_wants: bool
) -> None:
    metadata = acquiring()
    metadata["annotations"][ANNOTATION_ABANDON] = "true"
    service = LiveService(still_wants=still_wants, finalizers=(CLEANUP_FINALIZER,))
    planned = teardown(going(metadata=metadata), service=service, network=None)
    assert (planned.actions, is_finalized(planned)) == ((), True)
    [event] = planned.events
    assert event.reason == EVENT_ABANDONED
    assert f"address {IP}, if a call of ours acquired it" in event.message


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param(acquiring(since=NOW - 86460), id="a day old"),
        pytest.param(acquiring(text=f"{IP} 2027-01-15T07:59:50.000Z x"), id="of another key"),
    ],
)
def test_a_record_that_proves_nothing_is_told_before_it_is_replaced(metadata: Json) -> None:
    asked = request(status=chosen(OTHER), metadata=metadata)
    state = CloudState(addresses=(address(IP),))
    planned = plan(facts(asked, state=state, service=LiveService(still_wants=True)))
    assert texts(planned.actions) == [f"associate address {OTHER} with network net-1"]
    [event] = planned.events
    assert event.reason == EVENT_NOT_PROVEN
    assert f"Address {IP} is allocated" in event.message


def test_of_two_addresses_that_are_ours_keep_ip_keeps_one() -> None:
    asked = going(status=recorded(), keepAddress=True)
    both = (our_address(asked), our_address(asked, ip="198.51.100.3"))
    [release] = teardown(asked, *both).actions
    assert str(release) == "release address 198.51.100.3 with all its rules"
    assert texts(teardown(asked, both[0]).actions) == [f"untag address {IP}"]


@pytest.mark.parametrize(
    "existing",
    [
        pytest.param([address(IP, tags=FOREIGN)], id="another Service's"),
        pytest.param([address(IP, tags=(Tag("team", "web"),))], id="somebody tagged it"),
        pytest.param([address(IP, is_static_nat=True)], id="static NAT"),
    ],
)
def test_a_chosen_address_of_somebody_else_is_left_alone(existing: list[PublicIpAddress]) -> None:
    planned = teardown(going(status=chosen(), metadata=acquiring()), *existing)
    assert is_finalized(planned)


def test_a_choice_with_rules_is_somebody_elses() -> None:
    asked = going(status=chosen(), metadata=acquiring())
    planned = teardown(asked, address(IP), rules=(rule(80, "human"),))
    assert is_finalized(planned)


def test_an_address_allocated_again_by_somebody_is_left_alone() -> None:
    planned = teardown(going(status=recorded()), address(IP, allocated_at=NOW + 60))
    assert is_finalized(planned)


def test_a_release_under_way_is_waited_for() -> None:
    asked = going(status=recorded())
    planned = teardown(asked, our_address(asked, state="Releasing"))
    assert planned.actions == ()
    assert not is_finalized(planned)
    assert ready(planned)["reason"] == "Releasing"


def test_a_refusal_is_reported_and_tried_again_later() -> None:
    asked = going(status=recorded())
    [release] = teardown(asked, our_address(asked)).actions
    refusals = (Refusal(release, 530, "the router is busy"),)
    planned = teardown(asked, our_address(asked), refusals=refusals)
    assert planned.actions == ()
    assert not is_finalized(planned)
    assert ready(planned)["reason"] == "DeletionRefused"
    assert "the router is busy" in ready(planned)["message"]
    assert planned.response.get("resyncAfterSeconds") == 15


def test_a_release_says_how_many_rules_go_with_it_by_which_its_end_is_awaited() -> None:
    asked = going(status=recorded())
    ours = (rule(80), rule(443))
    [release] = teardown(asked, our_address(asked), rules=ours).actions
    assert isinstance(release, Release)
    assert release.rules == 2


def test_a_refused_release_takes_firewall_rules_and_rules_down_one_by_one() -> None:
    asked = going(status=recorded())
    on_it = {"rules": (rule(80),), "firewall": (firewall_rule(80),)}
    [release] = teardown(asked, our_address(asked), **on_it).actions
    refusals = (Refusal(release, 530, "the router is busy"),)
    planned = teardown(asked, our_address(asked), refusals=refusals, **on_it)
    assert texts(planned.actions) == [
        "close firewall port 80/tcp for 0.0.0.0/0",
        f"delete rule {NAME}-tcp-80",
    ]
    assert [(event.type, event.reason) for event in planned.events] == [
        ("Normal", EVENT_DELETING),
        ("Warning", EVENT_SYNC_FAILED),
    ]
    assert "the router is busy" in planned.events[1].message


def test_a_release_that_waits_for_another_calls_lease_takes_nothing_else_down() -> None:
    asked = going(status=recorded())
    on_it = {"rules": (rule(80),), "firewall": (firewall_rule(80),)}
    [release] = teardown(asked, our_address(asked), **on_it).actions
    refusals = (Refusal(release, 0, "another call has the lease"),)
    assert teardown(asked, our_address(asked), refusals=refusals, **on_it).actions == ()


def test_an_address_that_is_not_visible_is_not_gone_if_its_network_is_not_visible_either() -> None:
    asked = going(status=recorded())
    planned = teardown(asked, network=None)
    assert not is_finalized(planned)
    assert ready(planned)["reason"] == "NetworkNotVisible"
    assert not is_finalized(teardown(asked, network=None, now=NOW + 1e6))


READY = {"type": "AddressReady", "status": "False", "reason": "NoNetwork", "message": "none yet"}


@pytest.mark.parametrize(
    ("asked", "may_exist"),
    [
        pytest.param({"status": {"conditions": [READY]}}, False, id="nothing was ever chosen"),
        pytest.param({"status": {**chosen(), "conditions": [READY]}}, True, id="chosen"),
        pytest.param(
            {"status": {"conditions": [READY]}, "metadata": acquiring()}, True, id="being acquired"
        ),
        pytest.param({}, True, id="a status that was lost"),
        pytest.param(
            {"status": {"conditions": [READY]}, "adopt": {"address": IP}}, True, id="an old address"
        ),
        pytest.param(
            {"status": {"conditions": [READY]}, "metadata": {"ownerReferences": []}},
            True,
            id="an object that only cleans up",
        ),
    ],
)
@pytest.mark.parametrize("nodes", [None, {}], ids=["nodes", "no nodes"])
def test_what_may_exist_and_cannot_be_seen_is_not_let_go(
    asked: Json, may_exist: bool, nodes: Json | None
) -> None:
    planned = teardown(going(nodes=nodes, **asked), network=None, now=NOW + 1e6)
    assert is_finalized(planned) is not may_exist
    if may_exist:
        assert ready(planned)["reason"] == "NetworkNotVisible"
        assert ANNOTATION_ABANDON in ready(planned)["message"]


def test_without_a_status_what_has_our_tags_would_be_seen_where_the_nodes_are() -> None:
    assert is_finalized(teardown(going(), network=None, sees_nodes=True))
    assert not is_finalized(teardown(going(status=recorded()), network=None, sees_nodes=True))
    assert not is_finalized(teardown(going(metadata=acquiring()), network=None, sees_nodes=True))
