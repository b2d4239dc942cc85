import logging

import pytest
from kubernetes.client import Configuration

from hooks.kube.client import ApiServer
from hooks.kube.events import Event, Reference
from hooks.kube.recorder import EVENT_REPEAT_SECONDS, EventRecorder
from hooks.kube.times import timestamp
from tests.unit.api_server import Answer, Call, serving

LOG = logging.getLogger("tests")
NODE = Reference("v1", "Node", "node-1", "uid-1")
SYNCED = Event(NODE, "Synced", "Node synced successfully")
NOW = 1_800_000_000.0


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


def recorder(url: str, clock: Clock | None = None) -> EventRecorder:
    return EventRecorder(
        ApiServer.of(Configuration(host=url)),
        component="cloudstack-cloud-controller",
        instance="pod-1",
        log=LOG,
        clock=clock or Clock(),
    )


def test_an_event_is_written_where_people_look_for_it() -> None:
    with serving(lambda _: (201, {})) as server:
        recorder(server.url)(SYNCED)
    [call] = server.calls
    assert (call.method, call.path) == ("POST", "/api/v1/namespaces/default/events")
    assert call.body["involvedObject"] == {
        "apiVersion": "v1",
        "kind": "Node",
        "name": "node-1",
        "namespace": "",
        "uid": "uid-1",
    }
    assert call.body["reason"] == "Synced"
    assert call.body["source"]["component"] == "cloudstack-cloud-controller"
    assert call.body["firstTimestamp"] == timestamp(NOW)


def test_an_event_of_a_namespaced_object_lives_in_its_namespace() -> None:
    event = Event(Reference("v1", "Service", "web", "u", "shop"), "Ensured", "done")
    with serving(lambda _: (201, {})) as server:
        recorder(server.url)(event)
    assert server.calls[0].path == "/api/v1/namespaces/shop/events"


def test_the_same_event_is_not_written_again_for_a_while() -> None:
    clock = Clock()
    with serving(lambda _: (201, {})) as server:
        record = recorder(server.url, clock)
        record(SYNCED)
        clock.now += EVENT_REPEAT_SECONDS - 1
        record(SYNCED)
        assert len(server.calls) == 1
        record(Event(NODE, "Synced", "something else"))
        assert len(server.calls) == 2
        clock.now += 1
        record(SYNCED)
        assert len(server.calls) == 3


def test_an_event_that_any_replica_wrote_before_is_counted_up() -> None:
    def answer(call: Call) -> Answer:
        if call.method == "POST":
            return 409, {"message": "already exists"}
        return 200, {"count": 4}

    with serving(answer) as server:
        recorder(server.url)(SYNCED)
    name = server.calls[0].body["metadata"]["name"]
    assert name.startswith("node-1.")
    assert [(call.method, call.path) for call in server.calls[1:]] == [
        ("GET", f"/api/v1/namespaces/default/events/{name}"),
        ("PATCH", f"/api/v1/namespaces/default/events/{name}"),
    ]
    assert server.calls[2].body == {"count": 5, "lastTimestamp": timestamp(NOW)}


def test_an_event_that_cannot_be_written_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    recorder("http://127.0.0.1:9")(SYNCED)
    assert [record.message for record in caplog.records] == ["event not written"]
