import time
from http.server import BaseHTTPRequestHandler

import pytest

from hooks.http.deadline import Deadline
from hooks.http.tls import file_context
from hooks.http.transport import MAX_ANSWER_BYTES, Transport
from hooks.kube.client import (
    ApiServer,
    Conflict,
    KubeRefused,
    KubeUnreachable,
    NotFound,
)
from tests.unit.api_server import Answer, Call, serving

TOKEN = "very-secret-token"


def api(url: str, *, max_answer_bytes: int = MAX_ANSWER_BYTES) -> ApiServer:
    transport = Transport(file_context, max_bytes=max_answer_bytes)
    return ApiServer(url, transport, authorization=lambda: f"Bearer {TOKEN}")


def test_reads_creates_patches_and_deletes_with_the_token() -> None:
    with serving(lambda _: (200, {"kind": "Node", "metadata": {"name": "n"}})) as server:
        kube = api(server.url)
        assert kube.get("/api/v1/nodes/n", deadline=Deadline(5))["kind"] == "Node"
        kube.create("/api/v1/events", {"a": 1}, deadline=Deadline(5))
        kube.patch("/api/v1/nodes/n", {"b": 2}, deadline=Deadline(5))
        kube.delete(
            "/api/v1/nodes/n", deadline=Deadline(5), options={"preconditions": {"uid": "u"}}
        )
    methods = [(call.method, call.body, call.headers["Content-Type"]) for call in server.calls]
    assert methods == [
        ("GET", None, "application/json"),
        ("POST", {"a": 1}, "application/json"),
        ("PATCH", {"b": 2}, "application/merge-patch+json"),
        ("DELETE", {"preconditions": {"uid": "u"}}, "application/json"),
    ]
    assert {call.headers["Authorization"] for call in server.calls} == {f"Bearer {TOKEN}"}


def test_a_list_is_read_page_by_page() -> None:
    def answer(call: Call) -> Answer:
        if "continue=next" in call.path:
            return 200, {"items": [{"n": 3}], "metadata": {}}
        return 200, {"items": [{"n": 1}, {"n": 2}], "metadata": {"continue": "next"}}

    with serving(answer) as server:
        items = list(
            api(server.url).list("/x", deadline=Deadline(5), params={"labelSelector": "a"})
        )
    assert [item["n"] for item in items] == [1, 2, 3]
    assert all("labelSelector=a" in call.path and "limit=500" in call.path for call in server.calls)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (404, NotFound),
        (409, Conflict),
        (403, KubeRefused),
        (422, KubeRefused),
        (429, KubeUnreachable),
        (500, KubeUnreachable),
        (503, KubeUnreachable),
    ],
)
def test_a_refusal_carries_the_api_servers_words(code: int, error: type[Exception]) -> None:
    with (
        serving(lambda _: (code, {"kind": "Status", "message": "because"})) as server,
        pytest.raises(error, match=r"GET /x: because") as raised,
    ):
        api(server.url).get("/x", deadline=Deadline(5))
    assert type(raised.value) is error
    assert TOKEN not in repr(raised.value)


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"", b"[1]", b"null", b"[" * 100_000],
    ids=["html", "none", "list", "null", "deep"],
)
def test_an_answer_that_is_no_json_object_is_no_answer(body: bytes) -> None:
    with (
        serving(lambda _: (200, body)) as server,
        pytest.raises(KubeUnreachable, match="HTTP 200 without a JSON object"),
    ):
        api(server.url).get("/x", deadline=Deadline(5))


def test_a_redirect_is_not_followed() -> None:
    with serving(lambda _: (302, {})) as server, pytest.raises(KubeRefused, match="302"):
        api(server.url).get("/x", deadline=Deadline(5))


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(10_000):
        handler.wfile.write(b" " * 65536)


def dripping(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b" " * 65536)
        time.sleep(0.05)


def test_an_endless_answer_is_cut_at_the_limit() -> None:
    with (
        serving(lambda _: endless) as server,
        pytest.raises(KubeUnreachable, match="is larger than 1000000 bytes"),
    ):
        api(server.url, max_answer_bytes=1_000_000).get("/x", deadline=Deadline(30))


@pytest.mark.parametrize(
    "item", ["[]", "{}", '{"a":[]}', "0"], ids=["lists", "objects", "both", "numbers"]
)
def test_an_answer_that_would_take_far_more_memory_than_its_text_is_refused(item: str) -> None:
    text = ('{"items": [' + f"{item}," * 500_000 + "0]}").encode()
    with (
        serving(lambda _: (200, text)) as server,
        pytest.raises(KubeUnreachable, match="the answer has more than 312500 values"),
    ):
        api(server.url, max_answer_bytes=5_000_000).get("/x", deadline=Deadline(30))


def test_a_dripping_answer_is_cut_at_the_deadline() -> None:
    started = time.monotonic()
    with (
        serving(lambda _: dripping) as server,
        pytest.raises(KubeUnreachable, match="took too long"),
    ):
        api(server.url).get("/x", deadline=Deadline(0.3))
    assert time.monotonic() - started < 3


def test_nobody_listening_is_said_without_the_token() -> None:
    with pytest.raises(KubeUnreachable, match=r"GET /x: no connection to .*refused") as raised:
        api("http://127.0.0.1:9").get("/x", deadline=Deadline(5))
    assert TOKEN not in repr(raised.value)


def test_nothing_is_asked_when_no_time_is_left() -> None:
    with (
        serving(lambda _: (200, {})) as server,
        pytest.raises(KubeUnreachable, match="not sent, no time is left"),
    ):
        api(server.url).get("/x", deadline=Deadline(0))
    assert server.calls == []


def test_its_repr_shows_no_secret() -> None:
    assert repr(api("https://api:6443")) == "ApiServer(https://api:6443)"
