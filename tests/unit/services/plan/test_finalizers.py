"""Finalizers on a Service: ours while it has no load balancer, and another provider's."""

import pytest

from hooks.http.bounded_json import Json
from hooks.names import CLEANUP_FINALIZER
from hooks.services.plan.plan import CreateForCleanup
from hooks.services.plan.takeover import NOTHING_TO_ADOPT
from tests.unit.services.objects import (
    EARLIER,
    NAME,
    OLD_FINALIZER,
    PREFIX,
    load_balancer,
    ours,
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
    forged_service = service(
        metadata=forged, status=FOREIGN, type=kind, externalTrafficPolicy="Local"
    )
    made, _ = planned(forged_service).actions
    assert isinstance(made, CreateForCleanup)
    assert made.manifest["spec"]["externalTrafficPolicy"] == "Cluster"
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
