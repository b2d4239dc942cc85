from dataclasses import replace

import pytest

from hooks.http.bounded_json import Json
from hooks.kube.services import ServiceFinalizers
from hooks.names import CLEANUP_FINALIZER
from hooks.services.plan.facts import Facts
from hooks.services.plan.plan import Action, CreateForCleanup, plan
from hooks.services.plan.takeover import NOTHING_TO_ADOPT
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

SERVES = own_condition(message="203.0.113.7: rules 1/1, members 2/2")
LEAVING = own_condition("False", "Deleting", "The load balancer is being deleted")
HELD: Json = {"finalizers": ["example.com/other", OLD_FINALIZER]}
DELETED: Json = {"deletionTimestamp": EARLIER}
FOREIGN: Json = {
    "loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]},
    "conditions": [{"type": "example.com/Other", "status": "True"}],
}
TAKEN_OFF = (ServiceFinalizers("default", "web", "256", ("example.com/other",)),)


def planned(observed: Json, balancer: Json | None = None) -> Plan[Action]:
    """Plan for a Service, with the default settings."""
    return plan(facts(observed, balancer))


def response_of(answer: Plan[Action]) -> Json:
    """Answer a plan's response as the JSON it becomes."""
    return dict(answer.response)


def settled(observed: Json, balancer: Json | None = None) -> Json:
    """Give a Service the status that the plan asks for, as Metacontroller would."""
    status = planned(observed, balancer).response.get("status")
    return {**observed, "status": status} if status is not None else observed


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


def test_a_deleted_service_keeps_its_load_balancer_until_it_is_gone() -> None:
    balancer = load_balancer(status=serving())
    observed = settled(service(metadata=DELETED, status=ours(SERVES, ip="203.0.113.7")), balancer)
    answer = planned(observed, balancer)
    assert response_of(answer)["status"]["loadBalancer"] == {
        "ingress": [{"ip": "203.0.113.7", "ipMode": "VIP"}]
    }
    assert answer.events == ()


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


# Our finalizer, which holds a Service while it has no load balancer.


GAP: Json = {"finalizers": ["example.com/other", CLEANUP_FINALIZER]}


def test_our_finalizer_is_removed_once_the_load_balancer_is_created_again() -> None:
    balancer = load_balancer(status=serving())
    for notes in ({}, {"algorithm": "fastest"}):
        observed = settled(service(notes, metadata=GAP, status=ours(SERVES)), balancer)
        assert planned(observed, balancer).actions == TAKEN_OFF


@pytest.mark.parametrize(
    "balancer",
    [
        pytest.param(load_balancer(status=serving(), finalizers=[]), id="not held itself yet"),
        pytest.param(load_balancer(status=serving(), deletionTimestamp=EARLIER), id="still going"),
        pytest.param(None, id="not there"),
    ],
)
def test_until_then_our_finalizer_stays(balancer: Json | None) -> None:
    observed = settled(service(metadata=GAP, status=ours(SERVES)), balancer)
    assert planned(observed, balancer).actions == ()


@pytest.mark.parametrize(
    ("observed", "namespace"),
    [
        pytest.param(
            service(metadata={**GAP, **DELETED}, status=ours(SERVES)), "kube-system", id="deleted"
        ),
        pytest.param(
            service(metadata=GAP, status=ours(SERVES), type="ClusterIP"), "default", id="ClusterIP"
        ),
        pytest.param(
            service({"disabled": "true"}, metadata=GAP, status=ours(SERVES)),
            "default",
            id="opted out",
        ),
    ],
)
def test_a_service_deleted_in_between_gets_a_load_balancer_that_cleans_up(
    observed: Json, namespace: str
) -> None:
    answer = planned(observed)
    assert response_of(answer) == {"attachments": []}
    made, released = answer.actions
    assert isinstance(made, CreateForCleanup)
    assert made.manifest["metadata"]["name"] == f"{NAME}-cleanup"
    assert made.manifest["metadata"]["namespace"] == namespace
    assert made.manifest["spec"]["loadBalancerName"] == NAME
    spoken_for = made.manifest["spec"]["service"].get("namespace")
    assert spoken_for == ("default" if namespace == "kube-system" else None)
    assert (released,) == TAKEN_OFF


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"metadata": DELETED}, id="deleted"),
        pytest.param({"type": "ClusterIP"}, id="ClusterIP"),
    ],
)
def test_what_cleans_up_takes_over_and_makes_nothing(change: Json) -> None:
    """Anybody who may edit a Service may write our finalizer and signs of former providers."""
    notes = {"address": "203.0.113.7", "id": "ip-1", "takeover-from": "c-0"}
    annotations = {PREFIX + key: value for key, value in notes.items()}
    forged = {**GAP, "annotations": annotations, **change.get("metadata", {})}
    kind = change.get("type", "LoadBalancer")
    made, _ = planned(service(metadata=forged, status=FOREIGN, type=kind)).actions
    assert isinstance(made, CreateForCleanup)
    assert made.manifest["spec"]["adopt"] == NOTHING_TO_ADOPT
    assert made.manifest["spec"]["address"] == ""
    assert "takeoverFrom" not in made.manifest["spec"]
    [invalid] = made.manifest["spec"]["invalid"]
    assert invalid["field"] == "metadata.finalizers"


def test_our_finalizer_stays_while_the_load_balancer_is_being_deleted() -> None:
    observed = service(metadata={**GAP, **DELETED}, status=ours(LEAVING))
    going = load_balancer(status=serving(), deletionTimestamp=EARLIER)
    assert planned(observed, going).actions == ()


# Another provider that still runs.


def written(by: str, time: str, *finalizers: str) -> Json:
    """Note who wrote finalizers, as the API server does."""
    names: Json = {f'v:"{name}"': {} for name in finalizers}
    return {
        "manager": by,
        "operation": "Update",
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:finalizers": {".": {}, **names}}},
    }


@pytest.mark.parametrize(
    ("entry", "beside"),
    [
        pytest.param(written("ccm", "2026-03-01T09:30:00Z", OLD_FINALIZER), True, id="after ours"),
        pytest.param(written("ccm", EARLIER, OLD_FINALIZER), False, id="in the same second"),
        pytest.param(written("ccm", "2026-02-01T09:00:00Z", OLD_FINALIZER), False, id="before"),
        pytest.param(written("ccm", "2026-03-01T09:30:00Z", "x.com/y"), False, id="another one"),
        pytest.param({"manager": "kubectl", "time": "2026-03-01T09:30:00Z"}, False, id="no fields"),
    ],
)
def test_a_provider_that_adds_its_finalizer_again_is_noticed_and_the_spec_stays(
    entry: Json, *, beside: bool
) -> None:
    observed = service(metadata={**HELD, "managedFields": [entry]}, status=ours(SERVES))
    spec = response_of(planned(service()))["attachments"][0]["spec"]
    balancer = load_balancer(spec, serving(), creationTimestamp=EARLIER)
    observed = settled(observed, balancer)
    answer = planned(observed, balancer)
    (made,) = response_of(answer)["attachments"]
    if not beside:
        assert made["spec"]["invalid"] == []
        assert answer.actions == TAKEN_OFF
        return
    (refusal,) = made["spec"]["invalid"]
    assert refusal["field"] == "metadata.finalizers"
    assert "was added again by ccm at 2026-03-01T09:30:00Z" in refusal["message"]
    assert {**made["spec"], "invalid": []} == spec
    assert answer.actions == ()
    assert observed["status"]["conditions"][0]["reason"] == "InvalidService"
    gone = {**observed, "metadata": {**observed["metadata"], **DELETED}}
    assert planned(settled(gone, balancer), balancer).actions == TAKEN_OFF
