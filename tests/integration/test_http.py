"""What the real gunicorn process answers to any request, or to what is none."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from simulator.server import Simulator
from tests.controlplane.polling import PATIENCE
from tests.serving import LOOPBACK, PROJECT, Hooks, raw_call, write_cloud_config

NODE: dict[str, Any] = json.loads((PROJECT / "examples/01-node/request.json").read_text())


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        pytest.param("POST", "/nodes/sync", b"<html>", 400, id="no JSON"),
        pytest.param("POST", "/nodes/sync", b"[" * 200_000, 400, id="200000 deep"),
        pytest.param("POST", "/nodes/sync", b'{"object": NaN}', 400, id="NaN"),
        pytest.param("POST", "/nodes/sync", b'{"object": "\\ud800"}', 400, id="lone surrogate"),
        pytest.param("POST", "/nodes/sync", b"{}", 400, id="no object"),
        pytest.param("POST", "/nodes/finalize", b"{}", 404, id="unknown path"),
        pytest.param("GET", "/nodes/sync", None, 405, id="GET"),
        pytest.param("POST", "/nodes/sync", b" " * 20_000_000, 413, id="20 MB"),
    ],
)
def test_what_is_no_call_is_refused_as_json_in_one_line(
    shared: Hooks, method: str, path: str, body: bytes | None, code: int
) -> None:
    before = len(shared.calls())
    reply = shared.call(method, path, body)
    assert reply.code == code
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.json["error"]
    lines = shared.calls()[before:]
    assert [line["code"] for line in lines] == [code]


def test_a_body_in_chunks_has_a_limit_too(shared: Hooks) -> None:
    chunk = b"%x\r\n%s\r\n" % (1 << 20, b" " * (1 << 20))
    head = b"POST /nodes/sync HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    small = raw_call(shared.port, head + b"2\r\n{}\r\n0\r\n\r\n")
    assert small.startswith(b"HTTP/1.1 400")
    with socket.create_connection((LOOPBACK, shared.port), timeout=PATIENCE) as connection:
        connection.sendall(head + chunk * 20 + b"0\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_broken_chunks_are_no_bug_of_ours(shared: Hooks) -> None:
    head = b"POST /nodes/sync HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert raw_call(shared.port, head + b"zz\r\n{}\r\n").startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    ("head", "code"),
    [
        pytest.param(b"\x16\x03\x01\x02\x00", 400, id="TLS where there is none"),
        pytest.param(b"GET / HTTP/x", 400, id="version"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost a", 400, id="header without a colon"),
        pytest.param(b"GET /healthz HTTP/1.1", 400, id="no host"),
        pytest.param(
            b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000, 431, id="long header"
        ),
        pytest.param(
            b"POST /nodes/sync HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6",
            400,
            id="two lengths",
        ),
        pytest.param(
            b"POST /nodes/sync HTTP/1.1\r\nHost: a\r\nContent-Length: -1", 400, id="length"
        ),
    ],
)
def test_what_is_no_request_is_refused_in_our_words_logged_and_counted(
    shared: Hooks, head: bytes, code: int
) -> None:
    lines = len(shared.calls())
    counted = shared.metric("hook_calls_total", hook="", outcome="bad_request")
    answer = raw_call(shared.port, head + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % code)
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
    assert [line["code"] for line in shared.calls()[lines:]] == [code]
    assert shared.metric("hook_calls_total", hook="", outcome="bad_request") == (counted or 0) + 1


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO", "REMOTE_USER"])
def test_a_header_does_not_pass_for_what_the_server_knows(shared: Hooks, name: str) -> None:
    head = f"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{name}: /zz\r\n\r\n"
    assert raw_call(shared.port, head.encode()).startswith(b"HTTP/1.1 200")


def test_requests_may_come_in_one_piece_and_byte_by_byte(shared: Hooks) -> None:
    body = json.dumps(NODE).encode()
    head = b"POST /nodes/sync HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n" % len(body)
    last = b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    whole = (head + b"\r\n" + body) * 2 + last
    assert raw_call(shared.port, whole).count(b"HTTP/1.1 200") == 3
    with socket.create_connection((LOOPBACK, shared.port), timeout=PATIENCE) as connection:
        for byte in last:
            connection.sendall(bytes([byte]))
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


def test_a_caller_that_asks_before_it_sends_is_told_to_go_on(shared: Hooks) -> None:
    head = b"POST /nodes/sync HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
    with socket.create_connection((LOOPBACK, shared.port), timeout=PATIENCE) as connection:
        connection.sendall(head + b"Expect: 100-continue\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(b"{}")
        assert connection.recv(100).startswith(b"HTTP/1.1 400")


def test_the_root_says_what_answers_here(shared: Hooks) -> None:
    assert shared.get("/").json["hooks"] == {"nodes": ["/nodes/sync"]}


def test_a_probe_by_head_has_no_body(shared: Hooks) -> None:
    head = b"HEAD /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    answer = raw_call(shared.port, head)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\n")


def test_answers_that_need_no_call_of_cloudstack_are_counted(shared: Hooks) -> None:
    def asked() -> list[float]:
        name, command = "cloudstack_cache_requests_total", "listVirtualMachines"
        return [shared.metric(name, command=command, result=each) or 0 for each in ("hit", "miss")]

    hits, misses = asked()
    for _ in range(3):
        assert shared.post("/nodes/sync", NODE).code == 200
    assert sum(asked()) == hits + misses + 3
    assert asked()[0] >= hits + 2


def test_a_kept_connection_goes_on_after_a_refusal(shared: Hooks) -> None:
    with shared.connection() as connection:
        codes = []
        for body in (b"x", json.dumps(NODE).encode(), b"{}", json.dumps(NODE).encode()):
            connection.request("POST", "/nodes/sync", body)
            response = connection.getresponse()
            response.read()
            codes.append(response.status)
    assert codes == [400, 200, 400, 200]


def test_callers_that_stall_do_not_hold_the_threads_for_ever(shared: Hooks) -> None:
    stalled = b"POST /nodes/sync HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"
    with ExitStack() as stack:
        for _ in range(64):
            connection = socket.create_connection((LOOPBACK, shared.port), timeout=PATIENCE)
            stack.enter_context(connection).sendall(stalled)
        assert shared.get("/healthz").code == 200


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hooks]:
    """Serve for tests that leave nothing behind."""
    folder = tmp_path_factory.mktemp("shared")
    with Simulator() as simulator:
        path = write_cloud_config(folder / "cloud-config", simulator)
        with Hooks(folder, {"CLOUD_CONFIG": str(path)}) as hooks:
            yield hooks
