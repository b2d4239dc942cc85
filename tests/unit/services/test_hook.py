from collections.abc import Iterator, Mapping

import pytest

from hooks.deadline import Deadline
from hooks.events import Event
from hooks.kube import MERGE_PATCH, Conflict, KubeError, KubeRefused, KubeUnreachable
from hooks.services import ServicesHook
from hooks.services.spec import Settings
from hooks.webhook import BadRequest, Json
from tests.unit.services.objects import (
    NOW,
    OLD_FINALIZER,
    load_balancer,
    ours,
    own_condition,
    request,
    service,
    serving,
)

SERVES = own_condition(message="203.0.113.7: rules 1/1, members 2/2")
HANDED_OVER = request(
    service(metadata={"finalizers": [OLD_FINALIZER]}, status=ours(SERVES, ip="203.0.113.7")),
    load_balancer(status=serving()),
)


class PatchedKube:
    """An API server that takes patches, or fails them all; implements Kube."""

    def __init__(self, failure: KubeError | None = None) -> None:
        self.patches: list[tuple[str, Json]] = []
        self._failure = failure

    def patch(
        self,
        path: str,
        body: Json,
        *,
        deadline: Deadline,
        content_type: str = MERGE_PATCH,
        params: Mapping[str, str] | None = None,
    ) -> Json:
        assert deadline.remaining() > 0
        assert (content_type, params) == (MERGE_PATCH, None)
        self.patches.append((path, body))
        if self._failure:
            raise self._failure
        return {}

    def get(
        self,
        path: str,
        *,
        deadline: Deadline,
        params: Mapping[str, str] | None = None,
        accept: str = "",
    ) -> Json:
        raise AssertionError(f"the hook reads {path} ({params}, {accept}, {deadline})")

    def list(
        self,
        path: str,
        *,
        deadline: Deadline,
        params: Mapping[str, str] | None = None,
        accept: str = "",
    ) -> Iterator[Json]:
        raise AssertionError(f"the hook lists {path} ({params}, {accept}, {deadline})")

    def create(self, path: str, body: Json, *, deadline: Deadline) -> Json | None:
        raise AssertionError(f"the hook creates {path} ({body}, {deadline})")

    def delete(self, path: str, *, deadline: Deadline, options: Json | None = None) -> None:
        raise AssertionError(f"the hook deletes {path} ({options}, {deadline})")


def hook(kube: PatchedKube, events: list[Event]) -> ServicesHook:
    """Make the hook with its world in the test's hands."""
    return ServicesHook(kube=kube, record=events.append, settings=Settings(), clock=lambda: NOW)


def test_a_sync_answers_without_calling_anybody() -> None:
    kube, events = PatchedKube(), list[Event]()
    answer = hook(kube, events).sync(request(service()), Deadline(8))
    response: Json = dict(answer.response)
    assert [made["kind"] for made in response["attachments"]] == ["CloudStackLoadBalancer"]
    assert (answer.actions, answer.error, kube.patches, events) == ((), None, [], [])


def test_events_of_a_transition_are_recorded() -> None:
    kube, events = PatchedKube(), list[Event]()
    hook(kube, events).sync(request(service(), load_balancer()), Deadline(8))
    assert [event.reason for event in events] == ["EnsuringLoadBalancer"]


def test_the_old_finalizer_is_patched_off_under_the_version_that_was_seen() -> None:
    kube, events = PatchedKube(), list[Event]()
    answer = hook(kube, events).sync(HANDED_OVER, Deadline(8))
    assert kube.patches == [
        (
            "/api/v1/namespaces/default/services/web",
            {"metadata": {"resourceVersion": "256", "finalizers": []}},
        )
    ]
    assert len(answer.actions) == 1
    response = dict(answer.response)
    assert response["status"] == HANDED_OVER["object"]["status"]
    assert "resyncAfterSeconds" not in response


@pytest.mark.parametrize(
    ("failure", "seconds", "told"),
    [
        pytest.param(KubeUnreachable("PATCH: no connection"), 5.0, False, id="out of reach"),
        pytest.param(Conflict("PATCH", 409, "it changed"), 5.0, False, id="changed since"),
        pytest.param(KubeRefused("PATCH", 403, "forbidden"), 60.0, True, id="refused"),
    ],
)
def test_a_finalizer_that_could_not_be_taken_off_is_tried_again(
    failure: KubeError, seconds: float, told: bool
) -> None:
    kube, events = PatchedKube(failure), list[Event]()
    answer = hook(kube, events).sync(HANDED_OVER, Deadline(8))
    response = dict(answer.response)
    assert answer.error is failure
    assert response["resyncAfterSeconds"] == seconds
    assert response["status"] == HANDED_OVER["object"]["status"]
    assert [event.message for event in events] == (
        ["Error syncing load balancer: PATCH: forbidden (403)"] if told else []
    )


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
        hook(PatchedKube(), []).sync(broken(path, value), Deadline(8))
    assert str(refusal.value).startswith(message)


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({"address": "203.0.113.7"}, id="address"),
        pytest.param({"rules": [None]}, id="rules"),
        pytest.param({"members": {"wanted": "2"}}, id="members"),
    ],
)
def test_an_attachment_of_another_shape_is_refused_by_its_field(status: Json) -> None:
    body = request(service(), load_balancer(status=status))
    with pytest.raises(BadRequest) as refusal:
        hook(PatchedKube(), []).sync(body, Deadline(8))
    assert next(iter(status)) in refusal.value.field
