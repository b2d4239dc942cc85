"""Events reach a real server: beside the call, again after a failure, and never too many."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from threading import Event as Flag

import pytest
from kubernetes.client import Configuration

from hooks.kube.client import ApiServer
from hooks.kube.events import Event, Reference
from hooks.kube.recorder import (
    EVENT_REPEAT_SECONDS,
    FLUSH_SECONDS,
    MAX_WAITING,
    Cause,
    EventRecorder,
)
from hooks.kube.times import timestamp
from tests.controlplane.polling import PATIENCE, SLACK, until
from tests.unit.api_server import Answer, Call, Server, serving

NODE = Reference("v1", "Node", "node-1", "uid-1")
SYNCED = Event(NODE, "Synced", "Node synced successfully")
NOW = 1_800_000_000.0


def numbered(number: int) -> Event:
    return Event(NODE, "Synced", f"number {number}")


class Recorded:
    """A recorder on a server, its clocks, and what it dropped."""

    def __init__(self, url: str) -> None:
        self.now = NOW
        self.uptime = 100.0
        self.drops: list[Cause] = []
        self.record = EventRecorder(
            ApiServer.of(Configuration(host=url)),
            source=("cloudstack-cloud-controller", "pod-1"),
            on_drop=self.drops.append,
            clock=lambda: self.now,
            monotonic=lambda: self.uptime,
        )


@contextmanager
def recorded(answer: Callable[[Call], Answer]) -> Iterator[tuple[Recorded, Server]]:
    with serving(answer) as server:
        made = Recorded(server.url)
        try:
            yield made, server
        finally:
            made.record.close()


def created(_: Call) -> Answer:
    return 201, {}


def messages(server: Server) -> list[str]:
    return [call.body["message"] for call in server.calls if call.method == "POST"]


def test_an_event_is_written_where_people_look_for_it() -> None:
    with recorded(created) as (made, server):
        made.record(SYNCED)
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
    with recorded(created) as (made, server):
        made.record(event)
    assert server.calls[0].path == "/api/v1/namespaces/shop/events"


def test_the_same_event_is_not_written_again_for_a_while() -> None:
    with recorded(created) as (made, server):
        made.record(SYNCED)
        until(lambda: len(server.calls) == 1, "it is written")
        made.uptime += EVENT_REPEAT_SECONDS - 1
        made.record(SYNCED)
        made.record(Event(NODE, "Synced", "something else"))
        until(lambda: len(server.calls) == 2, "the other is written")
        made.uptime += 1
        made.record(SYNCED)
        until(lambda: len(server.calls) == 3, "it is written again")
    assert messages(server) == [SYNCED.message, "something else", SYNCED.message]


def test_a_wall_clock_that_jumps_repeats_nothing() -> None:
    with recorded(created) as (made, server):
        made.record(SYNCED)
        until(lambda: len(server.calls) == 1, "it is written")
        made.now += 10 * EVENT_REPEAT_SECONDS
        made.record(SYNCED)
        made.now -= 20 * EVENT_REPEAT_SECONDS
        made.record(SYNCED)
    assert len(server.calls) == 1


def test_an_event_that_any_replica_wrote_before_is_counted_up() -> None:
    def answer(call: Call) -> Answer:
        if call.method == "POST":
            return 409, {"message": "already exists"}
        return 200, {"count": 4}

    with recorded(answer) as (made, server):
        made.record(SYNCED)
    name = server.calls[0].body["metadata"]["name"]
    assert name.startswith("node-1.")
    assert [(call.method, call.path) for call in server.calls[1:]] == [
        ("GET", f"/api/v1/namespaces/default/events/{name}"),
        ("PATCH", f"/api/v1/namespaces/default/events/{name}"),
    ]
    assert server.calls[2].body == {"count": 5, "lastTimestamp": timestamp(NOW)}


@pytest.mark.parametrize("lost", ["POST", "PATCH"])
def test_a_write_whose_answer_was_lost_is_not_counted_twice(lost: str) -> None:
    """The API server does each write; the answer of the first of one method is lost."""
    counts: list[int] = []
    stored: dict[str, object] = {"count": 4, "lastTimestamp": "2020-01-01T00:00:00Z"}
    if lost == "POST":
        stored.clear()
    left = [lost]

    def answer(call: Call) -> Answer:
        if call.method == "POST" and stored:
            return 409, {"message": "already exists"}
        if call.method != "GET":
            stored.update(call.body)
            counts.append(call.body["count"])
        if call.method in left:
            left.remove(call.method)
            return 502, b"lost"
        return 200, stored

    with recorded(answer) as (made, server):
        made.record(SYNCED)
        reads = ["POST", "PATCH"].index(lost) + 1
        until(lambda: [call.method for call in server.calls].count("GET") == reads, "it is read")
    assert counts == [1 if lost == "POST" else 5]


def test_no_call_waits_for_a_server_that_hangs() -> None:
    let_go = Flag()

    def hang(_: BaseHTTPRequestHandler) -> None:
        let_go.wait(PATIENCE)

    with serving(lambda _: hang) as server:
        made = Recorded(server.url)
        times = []
        for number in range(4):
            started = time.monotonic()
            made.record(numbered(number))
            times.append(time.monotonic() - started)
        assert min(times) < 0.5
        until(lambda: server.calls, "the first is being written")
        started = time.monotonic()
        made.record.close()
        assert time.monotonic() - started < FLUSH_SECONDS + SLACK
        assert made.drops == ["stopped"] * 4
        let_go.set()


@pytest.mark.parametrize("code", [401, 409, 429, 500, 503])
def test_an_event_that_was_not_written_is_tried_again(
    code: int, caplog: pytest.LogCaptureFixture
) -> None:
    answers = [code, 201, 201]

    def answer(call: Call) -> Answer:
        # A conflict that cannot be counted up: the Event that was there has expired.
        return (
            (answers.pop(0), {})
            if call.method == "POST"
            else (404, {"kind": "Status", "message": "gone"})
        )

    with recorded(answer) as (made, server):
        made.record(numbered(1))
        made.record(numbered(2))
        until(lambda: len(messages(server)) == 3, "both are written")
        made.now += 60.0
        assert made.drops == []
    # The one that failed does not hold up the other.
    assert messages(server) == ["number 1", "number 2", "number 1"]
    assert server.calls[-1].body["firstTimestamp"] == timestamp(NOW)
    assert [each.message for each in caplog.records] == ["event not written, tried again"]


@pytest.mark.parametrize(("code", "body"), [(429, {"message": "slow down"}), (409, {})])
def test_a_namespace_that_is_put_off_delays_no_other(code: int, body: object) -> None:
    # The pause is a second: a machine that stalls for so long tells nothing.
    assert any(others_come_first(code, body) for _ in range(5))


def others_come_first(code: int, body: object) -> bool:
    """Put a namespace off; tell whether the Events of another are written before its next try."""

    def answer(call: Call) -> Answer:
        if "/namespaces/busy/" not in call.path:
            return 201, {}
        return (
            (code, body) if call.method == "POST" else (404, {"kind": "Status", "message": "gone"})
        )

    def named(namespace: str, message: str) -> Event:
        return Event(Reference("v1", "Service", "web", namespace, namespace), "Ensured", message)

    with recorded(answer) as (made, server):
        made.record(named("busy", "put off"))
        until(lambda: server.calls, "it has failed")
        for message in ("first", "second", "third"):
            made.record(named("shop", message))
            made.record(named("busy", f"{message} too"))
        until(lambda: "third" in messages(server), "the other namespace's are written")
        until(lambda: messages(server).count("put off") > 1, "the namespace is tried again")
    assert made.drops == ["stopped"] * 4
    return messages(server)[:5] == ["put off", "first", "second", "third", "put off"]


def test_a_server_that_does_not_answer_is_left_alone_for_all_namespaces() -> None:
    asked = []

    def answer(_: Call) -> Answer:
        asked.append(time.monotonic())
        return 502, b"bad gateway"

    with recorded(answer) as (made, _):
        for namespace in ("shop", "other"):
            made.record(
                Event(Reference("v1", "Service", "web", namespace, namespace), "Ensured", "done")
            )
        until(lambda: len(asked) > 1, "it is tried again")
    assert asked[1] - asked[0] > 0.9


def test_an_event_that_waits_is_queued_once() -> None:
    answers = [503, 201]
    with recorded(lambda _: (answers.pop(0), {})) as (made, server):
        made.record(SYNCED)
        until(lambda: server.calls, "it has failed")
        made.record(SYNCED)
        until(lambda: len(server.calls) == 2, "it is tried again")
    assert len(server.calls) == 2


def test_an_event_that_is_refused_is_dropped_and_the_next_one_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers = [403, 201]
    with recorded(lambda _: (answers.pop(0), {"message": "forbidden"})) as (made, server):
        made.record(numbered(1))
        made.record(numbered(2))
    assert messages(server) == ["number 1", "number 2"]
    assert made.drops == ["refused"]
    assert [each.message for each in caplog.records] == ["event refused"]


def test_an_answer_that_nobody_expects_ends_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[Answer] = [(409, {}), (200, {"count": "many"}), (201, {})]
    with recorded(lambda _: answers.pop(0)) as (made, server):
        made.record(numbered(1))
        made.record(numbered(2))
        until(lambda: len(messages(server)) == 2, "the next is written")
    assert made.drops == ["failed"]
    assert [each.message for each in caplog.records] == ["event not written"]


def test_a_full_queue_drops_the_oldest_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    go_on, answering = Flag(), Flag()

    def answer(_: Call) -> Answer:
        answering.set()
        go_on.wait(PATIENCE)
        return 201, {}

    with recorded(answer) as (made, server):
        made.record(numbered(0))
        assert answering.wait(PATIENCE)
        for number in range(1, MAX_WAITING + 3):
            made.record(numbered(number))
        assert made.drops == ["full"] * 3
        go_on.set()
        until(lambda: len(server.calls) == MAX_WAITING + 1, "the others are written")
    # The first was on its way already; the second and third are gone.
    assert messages(server) == [f"number {n}" for n in (0, *range(3, MAX_WAITING + 3))]
    assert [each.message for each in caplog.records] == ["queue of events is full"]


def test_what_waits_is_written_before_the_end(caplog: pytest.LogCaptureFixture) -> None:
    with recorded(created) as (made, server):
        for number in range(20):
            made.record(numbered(number))
    assert len(server.calls) == 20
    made.record(SYNCED)
    assert len(server.calls) == 20
    assert caplog.records == []


def test_a_stop_in_a_pause_tries_once_more() -> None:
    answers = [503, 503, 201]
    with recorded(lambda _: (answers.pop(0), {})) as (made, server):
        made.record(SYNCED)
        until(lambda: len(server.calls) == 2, "it waits for the third attempt")
        time.sleep(0.1)
        made.record.close()
    assert len(server.calls) == 3
    assert made.drops == []


def test_nobody_listening_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    made = Recorded("http://127.0.0.1:9")
    made.record(SYNCED)
    until(lambda: caplog.records, "the attempt has failed")
    made.record.close()
    assert made.drops == ["stopped"]
    assert [each.message for each in caplog.records] == [
        "event not written, tried again",
        "events not written before the stop",
    ]
