from dataclasses import replace

import pytest

from hooks.http.bounded_json import Json
from hooks.services.plan.facts import Facts
from hooks.services.plan.plan import DeleteLoadBalancer, plan
from hooks.webhook.contract import Plan
from tests.unit.services.objects import (
    CONDITION,
    EARLIER,
    NAME,
    OLD_FINALIZER,
    PREFIX,
    facts,
    load_balancer,
    ours,
    own_condition,
    ready,
    service,
    serving,
)
from tests.unit.services.plan.planning import (
    DELETED,
    FOREIGN,
    HELD,
    LEAVING,
    SERVES,
    TAKEN_OFF,
    planned,
    response_of,
    settled,
)


def test_a_service_gets_a_load_balancer_in_its_namespace() -> None:
    (made,) = response_of(planned(service()))["attachments"]
    assert made["apiVersion"] == "cloudstack.targetcluster.example.com/v1alpha1"
    assert made["kind"] == "CloudStackLoadBalancer"
    assert made["metadata"] == {"name": NAME, "namespace": "default"}
    assert made["spec"]["service"]["name"] == "web"


def test_the_load_balancer_keeps_the_annotation_that_lets_go_when_the_service_is_gone() -> None:
    (made,) = response_of(planned(service({"abandon": "true"})))["attachments"]
    assert made["metadata"]["annotations"] == {f"{PREFIX}abandon": "true"}


def test_a_service_becomes_ours_only_once_its_load_balancer_is_there() -> None:
    observed = service(metadata=HELD, status=FOREIGN)
    first = planned(observed)
    assert set(response_of(first)) == {"attachments"}
    assert (first.actions, first.events) == ((), ())
    again = planned(observed)
    assert again.response == first.response


@pytest.mark.parametrize(
    "observed",
    [
        pytest.param(service(type="ClusterIP", status=FOREIGN), id="ClusterIP"),
        pytest.param(
            service(loadBalancerClass="example.com/other", status=FOREIGN), id="other class"
        ),
        pytest.param(service({"disabled": "true"}, status=FOREIGN), id="opted out"),
        pytest.param(
            service({"disabled": "true"}, metadata=HELD, status=FOREIGN), id="other's finalizer"
        ),
    ],
)
def test_the_status_of_a_service_that_never_was_ours_is_not_touched(observed: Json) -> None:
    assert planned(observed) == Plan({"attachments": []})


def test_a_service_that_serves_is_answered_as_it_is() -> None:
    observed = settled(service(status=ours(SERVES)), load_balancer(status=serving()))
    answer = planned(observed, load_balancer(status=serving()))
    assert response_of(answer)["status"] == observed["status"]
    assert answer.events == ()
    assert answer.actions == ()


def test_the_old_finalizer_goes_once_the_load_balancer_has_its_own() -> None:
    balancer = load_balancer(status=serving())
    observed = service(metadata=HELD, status=ours(SERVES))
    assert planned(settled(observed, balancer), balancer).actions == TAKEN_OFF


@pytest.mark.parametrize(
    ("observed", "balancer"),
    [
        pytest.param(
            service(metadata=HELD, status=ours(own_condition("Unknown"))),
            load_balancer(status=serving()),
            id="the answer changes the Service",
        ),
        pytest.param(
            settled(service(metadata=HELD), load_balancer(finalizers=[])),
            load_balancer(finalizers=[]),
            id="the load balancer has none yet",
        ),
        pytest.param(
            settled(service(metadata=HELD, status=ours()), None),
            None,
            id="the load balancer is gone, to be made again",
        ),
        pytest.param(
            settled(service({"mode": "dry"}, metadata=HELD), load_balancer(status=serving())),
            load_balancer(status=serving()),
            id="nothing is taken over of a Service that cannot be served",
        ),
    ],
)
def test_until_then_the_old_finalizer_stays(observed: Json, balancer: Json | None) -> None:
    assert planned(observed, balancer).actions == ()


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"type": "ClusterIP"}, id="type"),
        pytest.param({"loadBalancerClass": "example.com/other"}, id="class"),
    ],
)
def test_leaving_takes_the_load_balancer_down_before_the_condition_goes(
    spec: Json,
) -> None:
    other: Json = {"type": "example.com/Other", "status": "True"}
    status = ours(SERVES, ip="203.0.113.7")
    status["conditions"].insert(0, other)
    observed = service(status=status, **spec)
    going = load_balancer(status=serving(), deletionTimestamp=EARLIER)

    begin = planned(observed, load_balancer(status=serving()))
    assert response_of(begin)["attachments"] == []
    assert [event.reason for event in begin.events] == ["DeletingLoadBalancer"]
    observed = settled(observed, load_balancer(status=serving()))
    assert observed["status"]["loadBalancer"] == {}
    assert [one["type"] for one in observed["status"]["conditions"]] == [other["type"], CONDITION]
    assert observed["status"]["conditions"][1]["reason"] == "Deleting"

    meanwhile = planned(observed, going)
    assert response_of(meanwhile)["status"] == observed["status"]
    assert meanwhile.events == ()

    end = planned(observed)
    assert [event.reason for event in end.events] == ["DeletedLoadBalancer"]
    observed = settled(observed)
    assert observed["status"] == {"loadBalancer": {}, "conditions": [other]}
    assert planned(observed) == Plan({"attachments": []})


def test_the_last_condition_leaves_no_empty_list() -> None:
    observed = service(type="ClusterIP", status=ours(LEAVING))
    assert response_of(planned(observed))["status"] == {"loadBalancer": {}}


def test_what_another_controller_publishes_on_a_leaving_service_is_kept() -> None:
    published = {"ingress": [{"ip": "192.0.2.1"}]}
    status: Json = {"loadBalancer": published, "conditions": [LEAVING]}
    observed = service(loadBalancerClass="example.com/other", status=status)
    going = load_balancer(status=serving(), deletionTimestamp=EARLIER)
    assert settled(observed, going)["status"]["loadBalancer"] == published
    assert settled(observed)["status"]["loadBalancer"] == published


def test_the_condition_says_what_keeps_a_load_balancer_from_being_deleted() -> None:
    refused = ready("False", "Refused", "disassociateIpAddress: static NAT is on (431)")
    going = load_balancer(status=serving(conditions=[refused]), deletionTimestamp=EARLIER)
    observed = settled(service(type="ClusterIP", status=ours(LEAVING)), going)
    assert observed["status"]["conditions"][0]["message"] == (
        "The load balancer is being deleted: disassociateIpAddress: static NAT is on (431)"
    )


def test_annotations_of_other_providers_are_removed_with_their_address() -> None:
    notes = {"id": "ip-1", "network-id": "net-1", "address": "203.0.113.7", "keep-ip": "true"}
    leaving = planned(service(notes, type="ClusterIP", status=ours(LEAVING)))
    assert response_of(leaving)["annotations"] == {
        PREFIX + "id": None,
        PREFIX + "network-id": None,
        PREFIX + "address": None,
    }


@pytest.mark.parametrize(
    ("observed", "balancer"),
    [
        pytest.param(
            service(type="ClusterIP", metadata=HELD, status=ours(LEAVING)),
            load_balancer(deletionTimestamp=EARLIER),
            id="while the load balancer goes",
        ),
        pytest.param(
            service(type="ClusterIP", metadata=HELD, status=ours(LEAVING)),
            None,
            id="when it is gone",
        ),
        pytest.param(
            service(metadata=HELD | DELETED, status=ours(LEAVING)), None, id="deleted, and gone"
        ),
        pytest.param(
            settled(
                service({"mode": "dry"}, metadata=HELD | DELETED), load_balancer(status=serving())
            ),
            load_balancer(status=serving()),
            id="deleted, and cannot be served",
        ),
    ],
)
def test_the_old_finalizer_is_removed_with_what_it_protected(
    observed: Json, balancer: Json | None
) -> None:
    assert planned(observed, balancer).actions == TAKEN_OFF


def test_a_service_is_released_only_when_the_old_finalizer_is_removed() -> None:
    answer = planned(service(type="ClusterIP", metadata=HELD, status=ours(LEAVING)))
    assert response_of(answer)["status"] == ours(LEAVING)
    assert answer.events == ()


@pytest.mark.parametrize(
    "observed",
    [
        pytest.param(service(metadata=DELETED, status=ours(SERVES, ip="203.0.113.7")), id="serves"),
        pytest.param(
            service(metadata=DELETED, status=ours(SERVES), type="ClusterIP"), id="ClusterIP"
        ),
        pytest.param(service(metadata=DELETED), id="has shown nothing yet"),
    ],
)
def test_a_deleted_service_that_somebody_holds_gives_its_load_balancer_back(observed: Json) -> None:
    balancer = load_balancer(status=serving())
    answer = planned(observed, balancer)
    assert answer.actions == (DeleteLoadBalancer("default", NAME, balancer["metadata"]["uid"]),)
    assert [event.reason for event in answer.events] == ["DeletingLoadBalancer"]
    observed = settled(observed, balancer)
    assert observed["status"]["loadBalancer"] == {}
    assert observed["status"]["conditions"][0]["reason"] == "Deleting"

    held = ready("False", "DeletionPlanned", "3 changes are planned")
    going = load_balancer(status=serving(conditions=[held]), deletionTimestamp=EARLIER)
    observed = settled(observed, going)
    answer = planned(observed, going)
    assert (answer.actions, answer.events) == ((), ())
    assert observed["status"]["conditions"][0]["message"] == (
        "The load balancer is being deleted: 3 changes are planned"
    )
    assert [event.reason for event in planned(observed).events] == ["DeletedLoadBalancer"]
    assert settled(observed)["status"] == {"loadBalancer": {}}
    assert planned(settled(observed)) == Plan({"attachments": []})


def test_a_load_balancer_of_a_deleted_service_whose_condition_was_removed_goes_too() -> None:
    observed = service(metadata=DELETED, type="ClusterIP")
    (action,) = planned(observed, load_balancer()).actions
    assert isinstance(action, DeleteLoadBalancer)


def test_a_deleted_service_is_taken_over_before_its_load_balancer_goes() -> None:
    balancer = load_balancer(status=serving())
    observed = settled(service(metadata=HELD | DELETED, status=ours(SERVES)), balancer)
    assert planned(observed, balancer).actions == TAKEN_OFF
    observed["metadata"]["finalizers"] = ["example.com/other"]
    (action,) = planned(observed, balancer).actions
    assert isinstance(action, DeleteLoadBalancer)


def test_a_load_balancer_that_is_deleted_with_its_service_gets_an_event() -> None:
    going = load_balancer(status=serving(), deletionTimestamp=EARLIER)
    answer = planned(service(metadata=DELETED, status=ours(SERVES)), going)
    assert [event.reason for event in answer.events] == ["DeletingLoadBalancer"]


def test_a_service_deleted_before_it_was_taken_over_is_left_to_people() -> None:
    observed = service(metadata=HELD | DELETED, status=FOREIGN)
    answer = planned(observed)
    observed = settled(observed)
    assert observed["status"]["loadBalancer"] == FOREIGN["loadBalancer"]
    own = observed["status"]["conditions"][1]
    assert (own["status"], own["reason"]) == ("False", "NotTakenOver")
    assert OLD_FINALIZER in own["message"]
    assert [event.reason for event in answer.events] == ["SyncLoadBalancerFailed"]
    again = planned(observed)
    assert response_of(again)["status"] == observed["status"]
    assert (again.actions, again.events) == ((), ())


def test_a_service_deleted_before_it_had_anything_is_not_touched() -> None:
    assert planned(service(metadata=DELETED)) == Plan({"attachments": []})


@pytest.mark.parametrize(
    "known",
    [
        pytest.param(facts(service(), load_balancer()), id="begins"),
        pytest.param(facts(service(status=ours()), None), id="made again"),
        pytest.param(facts(service(), load_balancer(status=serving())), id="serves"),
        pytest.param(facts(service({"mode": "x"}), load_balancer(status=serving())), id="invalid"),
        pytest.param(
            facts(service({"hostname": "a.b"}), load_balancer(status=serving())), id="host"
        ),
        pytest.param(
            facts(service(type="ClusterIP", status=ours()), load_balancer(status=serving())),
            id="leaves",
        ),
    ],
)
def test_an_unchanged_service_gets_the_same_answer_and_no_event(known: Facts) -> None:
    observed = settled(known.service, known.load_balancer)
    later = replace(known, service=observed, now=known.now + 3600)
    again = plan(later)
    assert response_of(again)["status"] == observed["status"]
    assert again.events == ()
