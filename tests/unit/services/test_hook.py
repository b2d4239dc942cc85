from copy import deepcopy

import pytest

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import Conflict, KubeError, KubeRefused, KubeUnreachable
from hooks.names import CLEANUP_FINALIZER, LOAD_BALANCER_FINALIZER
from hooks.server.call_log import changes_object
from hooks.services.hook import ServicesHook
from hooks.webhook.contract import BadRequest
from tests.bench.log import settled
from tests.hooks import dependencies
from tests.memory_kube import MemoryKube
from tests.unit.services.objects import (
    NAME,
    NOW,
    OLD_FINALIZER,
    load_balancer,
    ours,
    own_condition,
    request,
    service,
    serving,
)

SERVICE_PATH = "/api/v1/namespaces/default/services/web"
LOAD_BALANCERS_PATH = (
    "/apis/cloudstack.targetcluster.example.com/v1alpha1"
    "/namespaces/kube-system/cloudstackloadbalancers"
)
SERVES = own_condition(message="203.0.113.7: rules 1/1, members 2/2")
HANDED_OVER = request(
    service(metadata={"finalizers": [OLD_FINALIZER]}, status=ours(SERVES, ip="203.0.113.7")),
    load_balancer(status=serving()),
)


def kube_with(body: Json, failure: KubeError | None = None) -> MemoryKube:
    """Make an API server that has the Service of a request."""
    metadata = body["object"]["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/services/{metadata['name']}"
    return MemoryKube({path: body["object"]}, failure)


def hook(kube: MemoryKube) -> ServicesHook:
    """Make the hook with its world in the test's hands."""
    return ServicesHook(dependencies(kube, record=kube.record, clock=lambda: NOW))


def test_a_sync_calls_no_server() -> None:
    kube = MemoryKube()
    answer = hook(kube).sync(request(service()), Deadline(8))
    response: Json = dict(answer.response)
    assert [made["kind"] for made in response["attachments"]] == ["CloudStackLoadBalancer"]
    assert (answer.actions, answer.error, kube.writes, kube.events) == ((), None, [], [])


def test_the_bench_of_the_log_calls_about_a_service_whose_answer_changes_nothing() -> None:
    body = settled()
    answer = dict(hook(MemoryKube()).sync(body, Deadline(8)).response)
    assert answer["status"] == body["object"]["status"]
    assert not changes_object(body["object"], answer)


def test_members_that_are_missing_are_read_and_named() -> None:
    members = {"assigned": 2, "wanted": 3, "missing": ["without a VM in CloudStack: n3"]}
    body = request(service(), load_balancer(status=serving(members=members)))
    response: Json = dict(hook(MemoryKube()).sync(body, Deadline(8)).response)
    (condition,) = response["status"]["conditions"]
    assert condition["message"].endswith("; without a VM in CloudStack: n3")


def test_events_of_a_transition_are_recorded() -> None:
    kube = MemoryKube()
    hook(kube).sync(request(service(), load_balancer()), Deadline(8))
    assert kube.reasons() == ["EnsuringLoadBalancer"]


def test_the_old_finalizer_is_removed_from_the_version_that_was_read() -> None:
    kube = kube_with(deepcopy(HANDED_OVER))
    answer = hook(kube).sync(HANDED_OVER, Deadline(8))
    assert kube.writes == [
        ("patch", SERVICE_PATH, {"metadata": {"resourceVersion": "256", "finalizers": []}})
    ]
    assert len(answer.actions) == 1
    response = dict(answer.response)
    assert response["status"] == HANDED_OVER["object"]["status"]
    assert "resyncAfterSeconds" not in response


@pytest.mark.parametrize(
    ("failure", "seconds", "is_recorded"),
    [
        pytest.param(KubeUnreachable("PATCH: no connection"), 5.0, False, id="out of reach"),
        pytest.param(Conflict("PATCH", 409, "it changed"), 5.0, False, id="changed since"),
        pytest.param(KubeRefused("PATCH", 403, "forbidden"), 60.0, True, id="refused"),
    ],
)
def test_a_finalizer_that_could_not_be_removed_is_tried_again(
    failure: KubeError, seconds: float, is_recorded: bool
) -> None:
    kube = kube_with(HANDED_OVER, failure)
    answer = hook(kube).sync(HANDED_OVER, Deadline(8))
    response = dict(answer.response)
    assert answer.error is failure
    assert len(answer.actions) == 1  # it was tried
    assert response["resyncAfterSeconds"] == seconds
    assert response["status"] == HANDED_OVER["object"]["status"]
    assert [event.message for event in kube.events] == (
        ["Error syncing load balancer: PATCH: forbidden (403)"] if is_recorded else []
    )


def test_a_service_that_is_gone_before_its_finalizer_is_removed_is_no_failure() -> None:
    kube = MemoryKube()
    answer = hook(kube).sync(HANDED_OVER, Deadline(8))
    assert [verb for verb, *_ in kube.writes] == ["patch"]
    assert (answer.error, kube.events) == (None, [])
    assert "resyncAfterSeconds" not in answer.response


ABANDONED = request(
    service(
        metadata={
            "finalizers": ["example.com/other", CLEANUP_FINALIZER],
            "deletionTimestamp": "2026-03-01T09:59:00Z",
        },
        status=ours(SERVES, ip="203.0.113.7"),
    )
)


def test_a_service_without_its_load_balancer_is_let_go_once_another_cleans_up() -> None:
    kube = kube_with(deepcopy(ABANDONED))
    answer = hook(kube).sync(ABANDONED, Deadline(8))
    assert dict(answer.response) == {"attachments": []}
    (create, where, made), (patch, _, body) = kube.writes
    assert (create, where, patch) == ("create", LOAD_BALANCERS_PATH, "patch")
    assert made["metadata"] == {
        "name": f"{NAME}-cleanup",
        "namespace": "kube-system",
        "finalizers": [LOAD_BALANCER_FINALIZER],
    }
    assert made["spec"]["loadBalancerName"] == NAME
    assert body["metadata"]["finalizers"] == ["example.com/other"]


def test_what_cleans_up_is_created_once_and_before_the_service_is_let_go() -> None:
    kube = kube_with(deepcopy(ABANDONED))
    kube.refused["create"] = KubeRefused("POST", 403, "forbidden")
    answer = hook(kube).sync(ABANDONED, Deadline(8))
    assert dict(answer.response)["resyncAfterSeconds"] == 60
    assert [verb for verb, *_ in kube.writes] == ["create"]
    kube.refused = {"patch": KubeUnreachable("no connection")}
    hook(kube).sync(ABANDONED, Deadline(8))
    kube.refused = {}
    answer = hook(kube).sync(ABANDONED, Deadline(8))
    assert answer.error is None
    assert kube.objects[SERVICE_PATH]["metadata"]["finalizers"] == ["example.com/other"]


HELD_BY_SOMEBODY = request(
    service(
        metadata={
            "finalizers": ["example.com/other"],
            "deletionTimestamp": "2026-03-01T09:59:00Z",
        },
        status=ours(SERVES, ip="203.0.113.7"),
    ),
    load_balancer(status=serving(), finalizers=[]),
)
ITS_LOAD_BALANCER = (
    "/apis/cloudstack.targetcluster.example.com/v1alpha1"
    f"/namespaces/default/cloudstackloadbalancers/{NAME}"
)


@pytest.mark.parametrize("uid", ["0f3cf4a9-9ac6-4e1e-9a5e-6d8c0f1b4d11", "another", None])
def test_the_load_balancer_of_a_service_that_goes_is_deleted_and_no_other(uid: str | None) -> None:
    kube = MemoryKube()
    if uid:
        kube.objects[ITS_LOAD_BALANCER] = load_balancer(finalizers=[], uid=uid)
    answer = hook(kube).sync(HELD_BY_SOMEBODY, Deadline(8))
    assert answer.error is None
    assert [(verb, path) for verb, path, _ in kube.writes] == [("delete", ITS_LOAD_BALANCER)]
    assert (ITS_LOAD_BALANCER in kube.objects) is (uid == "another")


def test_a_deletion_is_told_once_also_if_it_is_refused_at_first() -> None:
    kube = MemoryKube()
    kube.refused["delete"] = KubeUnreachable("DELETE: no connection")
    answer = hook(kube).sync(HELD_BY_SOMEBODY, Deadline(8))
    assert answer.error is kube.refused.pop("delete")
    assert kube.reasons() == ["DeletingLoadBalancer"]
    body = deepcopy(HELD_BY_SOMEBODY)
    body["object"]["status"] = dict(answer.response)["status"]
    assert hook(kube).sync(body, Deadline(8)).error is None
    assert kube.reasons() == ["DeletingLoadBalancer"]


def broken(path: str, value: object) -> Json:
    """Make a request with one value put somewhere; None takes the field away."""
    body = request(service(), load_balancer(status=serving()))
    *parents, last = path.split(".")
    place = body
    for key in parents:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return body


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        pytest.param("object", None, "object: is missing", id="no object"),
        pytest.param("object.kind", "Node", "object.kind: is 'Node', must be Service", id="kind"),
        pytest.param("object.metadata.uid", None, "object.metadata.uid: is missing", id="no uid"),
        pytest.param(
            "object.metadata.namespace", "", "object.metadata.namespace: is missing", id="namespace"
        ),
        pytest.param(
            "object.metadata.annotations",
            {"a": 1},
            "object.metadata.annotations.a",
            id="annotation",
        ),
        pytest.param("object.spec.ports", {}, "object.spec.ports: must be a list", id="ports"),
        pytest.param(
            "object.spec.ports", [{"name": "x"}], "object.spec.ports[0].port: is missing", id="port"
        ),
        pytest.param(
            "object.spec.loadBalancerSourceRanges",
            "10.0.0.0/8",
            "object.spec.loadBalancerSourceRanges: must be a list",
            id="ranges",
        ),
        pytest.param(
            "object.status.conditions", [1], "object.status.conditions[0]: must be", id="conditions"
        ),
        pytest.param(
            "object.status.loadBalancer", [], "object.status.loadBalancer: must be", id="status"
        ),
        pytest.param("attachments", [], "attachments: must be an object", id="attachments"),
    ],
)
def test_a_body_that_is_no_service_is_refused_by_its_field(
    path: str, value: object, message: str
) -> None:
    with pytest.raises(BadRequest) as refusal:
        hook(MemoryKube()).sync(broken(path, value), Deadline(8))
    assert str(refusal.value).startswith(message)


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({"address": "203.0.113.7"}, id="address"),
        pytest.param({"rules": [None]}, id="rules"),
        pytest.param({"members": {"wanted": "2"}}, id="members"),
        pytest.param({"members": {"missing": "n3"}}, id="members that are missing"),
    ],
)
def test_an_attachment_of_another_shape_is_refused_by_its_field(status: Json) -> None:
    body = request(service(), load_balancer(status=status))
    with pytest.raises(BadRequest) as refusal:
        hook(MemoryKube()).sync(body, Deadline(8))
    assert next(iter(status)) in refusal.value.field
