import gzip
import time
import tracemalloc
from http.server import BaseHTTPRequestHandler

import pytest
from kubernetes.config import ConfigException

from hooks.http.answer_memory import BYTES_PER_VALUE, MAX_ANSWER_BYTES, AnswerBounds
from hooks.http.deadline import Deadline
from hooks.http.tls import file_context
from hooks.http.transport import Transport
from hooks.kube.client import (
    ApiServer,
    Conflict,
    KubeError,
    KubeRefused,
    KubeRequest,
    KubeUnreachable,
    NotFound,
)
from tests.controlplane.polling import SLACK
from tests.unit.api_server import Answer, Call, serving

TOKEN = "very-secret-token"


def api(url: str, *, max_answer_bytes: int = MAX_ANSWER_BYTES) -> ApiServer:
    bounds = AnswerBounds(max_answer_bytes, max_answer_bytes // BYTES_PER_VALUE)
    transport = Transport(file_context, bounds=bounds)
    return ApiServer(url, transport, authorization=lambda _: f"Bearer {TOKEN}")


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


@pytest.mark.parametrize(
    "name",
    ["../services/x", "..", ".", "", "a//b", "a?b", "a#b", "a b", "a%2fb", "%2E%2E", "%252F", "ä"],
)
def test_a_path_that_a_name_has_bent_is_not_sent(name: str) -> None:
    with serving(lambda _: (200, {})) as server:
        for path in (f"/api/v1/namespaces/{name}/pods", f"/api/v1/nodes/{name}"):
            with pytest.raises(KubeError, match="is no path; it is not sent"):
                api(server.url).get(path, deadline=Deadline(5))
    assert server.calls == []


@pytest.mark.parametrize("name", ["system:node", "system%3Anode", "a.b-c", "(x)", "..a", "a.."])
def test_a_path_with_any_name_that_an_api_server_accepts_is_sent(name: str) -> None:
    with serving(lambda _: (200, {})) as server:
        api(server.url).get(f"/apis/x/v1/clusterroles/{name}", deadline=Deadline(5))
    assert [call.path for call in server.calls] == [f"/apis/x/v1/clusterroles/{name}"]


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


def test_a_404_that_is_not_in_kubernetes_words_is_no_absence() -> None:
    """A gateway in front of the API server that has lost its route answers so."""
    with (
        serving(lambda _: (404, {"message": "no Route matched with those values"})) as server,
        pytest.raises(KubeRefused, match="without a Status of Kubernetes") as raised,
    ):
        api(server.url).get("/x", deadline=Deadline(5))
    assert not isinstance(raised.value, NotFound)


@pytest.mark.parametrize(
    ("code", "header", "body", "seconds"),
    [
        pytest.param(429, "7", b"Too many requests, please try again later.", 7.0, id="its own"),
        pytest.param(429, "7", b'{"kind": "Status", "message": "slow down"}', 7.0, id="JSON"),
        pytest.param(503, "30", b'{"kind": "Status", "message": "starting"}', 30.0, id="503"),
        pytest.param(429, "999999", b"", 600.0, id="longer than is believed"),
        pytest.param(429, "soon", b"", 0.0, id="a word"),
        pytest.param(429, "", b"", 0.0, id="nothing"),
    ],
)
def test_an_api_server_that_asks_to_be_left_alone_says_for_how_long(
    code: int, header: str, body: bytes, seconds: float
) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.send_header("Retry-After", header)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    with serving(lambda _: answer) as server, pytest.raises(KubeUnreachable) as caught:
        api(server.url).get("/x", deadline=Deadline(5))
    assert caught.value.retry_after == seconds


def test_the_token_is_in_no_error_whatever_the_api_server_says() -> None:
    words = f"bad token {TOKEN}, {TOKEN}"
    with (
        serving(lambda _: (403, {"message": words})) as server,
        pytest.raises(KubeRefused, match=r"bad token \*\*\*, \*\*\*") as caught,
    ):
        api(server.url).get("/x", deadline=Deadline(5))
    assert TOKEN not in repr(caught.value)


def test_an_answer_is_asked_for_and_read_compressed() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        body = gzip.compress(b'{"a": 1}')
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    with serving(lambda _: answer) as server:
        assert api(server.url).get("/x", deadline=Deadline(5)) == {"a": 1}
    assert server.calls[0].headers["Accept-Encoding"] == "gzip"


def test_a_compressed_answer_is_measured_as_it_is_when_it_is_unpacked() -> None:
    body = gzip.compress(b" " * 200_000_000)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    with serving(lambda _: answer) as server:
        tracemalloc.start()
        try:
            with pytest.raises(KubeUnreachable, match="larger than 1000000 bytes"):
                api(server.url, max_answer_bytes=1_000_000).get("/x", deadline=Deadline(30))
            assert tracemalloc.get_traced_memory()[1] < 10_000_000
        finally:
            tracemalloc.stop()


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
    for _ in range(2000):
        handler.wfile.write(b" ")
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
    assert time.monotonic() - started < SLACK


def test_nobody_listening_is_said_without_the_token() -> None:
    with pytest.raises(KubeUnreachable, match=r"GET /x: no connection to .*refused") as raised:
        api("http://127.0.0.1:9").get("/x", deadline=Deadline(5))
    assert TOKEN not in repr(raised.value)


def test_a_credential_that_cannot_be_read_is_no_answer() -> None:
    def authorization(_: Deadline) -> str:
        raise ConfigException(f"no token in {TOKEN}")

    kube = ApiServer("http://127.0.0.1:9", Transport(file_context), authorization=authorization)
    with pytest.raises(
        KubeUnreachable, match=r"^GET /x: the credential cannot be read \(ConfigException\)$"
    ):
        kube.get("/x", deadline=Deadline(5))


def test_a_credential_is_sent_without_the_line_break_at_its_end() -> None:
    with serving(lambda _: (200, {})) as server:
        transport = Transport(file_context)
        kube = ApiServer(server.url, transport, authorization=lambda _: f"Bearer {TOKEN}\n")
        kube.get("/x", deadline=Deadline(5))
    assert server.calls[0].headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("token", ["two\nlines-of-it", "ключ-of-the-account"])
def test_a_credential_that_no_header_can_carry_is_named(token: str) -> None:
    with serving(lambda _: (200, {})) as server:
        kube = ApiServer(server.url, Transport(file_context), authorization=lambda _: token)
        with pytest.raises(KubeUnreachable, match="a header, such as the token's, has") as caught:
            kube.get("/x", deadline=Deadline(5))
    assert token not in str(caught.value)
    assert server.calls == []


def test_a_list_that_expires_between_two_pages_may_be_read_again() -> None:
    def answer(call: Call) -> Answer:
        if "continue=next" in call.path:
            return 410, {"message": "too old"}
        return 200, {"items": [{"n": 1}], "metadata": {"continue": "next"}}

    with serving(answer) as server, pytest.raises(KubeUnreachable, match=r"too old \(410\)"):
        list(api(server.url).list("/x", deadline=Deadline(5)))


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_failure_in_plain_text_shows_its_status_and_first_line(code: int) -> None:
    body = f"slow down {TOKEN}\nand more".encode()
    with (
        serving(lambda _: (code, body)) as server,
        pytest.raises(KubeUnreachable, match=rf"^GET /x: slow down \*\*\* \({code}\)$") as caught,
    ):
        api(server.url).get("/x", deadline=Deadline(5))
    assert caught.value.code == 0  # it may be a proxy's


def test_nothing_is_asked_when_no_time_is_left() -> None:
    with (
        serving(lambda _: (200, {})) as server,
        pytest.raises(KubeUnreachable, match="not sent, no time is left"),
    ):
        api(server.url).get("/x", deadline=Deadline(0))
    assert server.calls == []


def test_its_repr_shows_no_secret() -> None:
    assert repr(api("https://api:6443")) == "ApiServer(https://api:6443)"
    body = {"kind": "Secret", "data": {"password": "aHVudGVyMg=="}}
    assert "aHVudGVyMg" not in repr(KubeRequest("PATCH", "/x", Deadline(1), body=body))
