"""Requests that could be read in two ways are refused in fixed words, and the connection ends."""

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest

from tests.controlplane.polling import PATIENCE
from tests.hostile.callers import BOUND_SECONDS, LOOPBACK, request, slowest
from tests.hostile.test_crowds import NODE, TOKEN, serving
from tests.serving import Hooks

SECRET = "pa$$word,of|42"
BODY = json.dumps(NODE).encode()
NEXT = request("/healthz")


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hooks]:
    with serving(tmp_path_factory.mktemp("requests")) as served:
        yield served


def sent(port: int, data: bytes) -> bytes:
    """Send bytes; return what comes until the server ends the connection."""
    answer = b""
    with socket.create_connection((LOOPBACK, port), timeout=PATIENCE) as caller:
        caller.settimeout(PATIENCE)
        caller.sendall(data)
        while part := caller.recv(65536):
            answer += part
    return answer


def post(*lines: str, body: bytes = BODY) -> bytes:
    admitted = f"Authorization: {TOKEN['Authorization']}"
    return request("/nodes/sync", admitted, *lines, method="POST") + body


LENGTH = f"Content-Length: {len(BODY)}"
CHUNKED = "Transfer-Encoding: chunked"
AMBIGUOUS = {
    "a length and chunks": (400, post(LENGTH, CHUNKED, body=b"0\r\n\r\n" + NEXT)),
    "two lengths": (400, post(LENGTH, LENGTH)),
    "a list of lengths": (400, post(f"{LENGTH}, {len(BODY)}")),
    "lines without CR": (400, b"GET /healthz HTTP/1.1\nHost: a\n\n"),
    "a header of two lines": (400, request("/healthz", "X: a", " b")),
    "an absolute target": (400, request("http://other/healthz")),
    "another expectation": (417, post(LENGTH, "Expect: x")),
    "another encoding": (501, post("Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n")),
    "many headers": (431, request("/healthz", *("a:" for _ in range(101)))),
    "a long head": (431, request("/healthz", f"X: {'a' * 33_000}")),
    "a space before a colon": (400, request("/healthz", f"Authorization : Bearer {SECRET}")),
    "a NUL in a header": (400, request("/healthz", f"Authorization: Bearer {SECRET}\0")),
    "a long body in chunks": (413, post(CHUNKED, body=b"12000\r\n" + b" " * 0x12000 + b"\r\n")),
    "many chunks": (413, post(CHUNKED, body=b"1\r\n \r\n" * 2000)),
}


@pytest.mark.parametrize(("code", "data"), AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_can_be_read_in_two_ways_is_refused(hooks: Hooks, code: int, data: bytes) -> None:
    answer = sent(hooks.port, data)
    assert answer.startswith(b"HTTP/1.1 %d " % code)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
    for shown in (answer.decode(), hooks.process.log.read_text()):
        assert SECRET[:6] not in shown


FORGED = "203.0.113.77"
PROXY_LINES = {
    "version 1": f"PROXY TCP4 {FORGED} 127.0.0.1 56324 8080\r\n".encode(),
    "version 2": b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x4d\x7f\0\0\1\xdc\4\x1f\x90",
}
SAID = (
    f"X-Forwarded-For: {FORGED}",
    "X-Forwarded-Proto: https",
    f"X-Forwarded-Host: {FORGED}",
    "X-Forwarded-Prefix: /metrics",
    "X-Forwarded-User: system:admin",
    f"X-Real-IP: {FORGED}",
    f"Forwarded: for={FORGED};proto=https;host={FORGED}",
    "X-SSL-Client-Verify: SUCCESS",
    "Script-Name: /metrics",
    "Script_Name: /metrics",
    "Path-Info: /healthz",
    "X-Original-URL: /healthz",
    "X-HTTP-Method-Override: GET",
)


@pytest.mark.parametrize("port", ["port", "metrics_port"])
@pytest.mark.parametrize("line", PROXY_LINES.values(), ids=PROXY_LINES)
def test_a_line_of_the_proxy_protocol_is_no_request(hooks: Hooks, line: bytes, port: str) -> None:
    answer = sent(getattr(hooks, port), line + NEXT)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert FORGED not in answer.decode() + hooks.process.log.read_text()


def test_what_a_caller_says_of_itself_is_neither_believed_nor_written_down(hooks: Hooks) -> None:
    close = "Connection: close"
    for data, code in (
        (post(LENGTH, close), 200),
        (request("/nodes/sync", LENGTH, close, method="POST") + BODY, 401),
        (request("/zz", close), 401),
        (request("/healthz", close), 200),
    ):
        head, _, body = data.partition(b"\r\n\r\n")
        said = "\r\n".join(("", *SAID, "", "")).encode()
        plain, forged = (sent(hooks.port, one) for one in (data, head + said + body))
        assert plain.startswith(b"HTTP/1.1 %d " % code)
        assert without_date(forged) == without_date(plain)
    said = "\r\n".join((f"GET /metrics HTTP/1.1\r\nHost: a\r\n{close}", *SAID, "", "")).encode()
    assert sent(hooks.metrics_port, said).startswith(b"HTTP/1.1 200 ")
    assert FORGED not in hooks.process.log.read_text() + hooks.scrape().body.decode()


def without_date(answer: bytes) -> list[bytes]:
    return [line for line in answer.split(b"\r\n") if not line.lower().startswith(b"date:")]


def test_slashes_at_the_start_of_a_path_are_one(hooks: Hooks) -> None:
    assert hooks.get("//healthz").code == 200
    assert hooks.post("//nodes/sync", NODE).code == 401
    assert hooks.scrape("//metrics").code == 200


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [("GET", "/zz", 404), ("POST", "/metrics", 405), ("OPTIONS", "/metrics", 405)],
)
def test_the_metrics_port_refuses_in_json(hooks: Hooks, method: str, path: str, code: int) -> None:
    reply = hooks.scrape(path, method)
    assert reply.code == code
    assert reply.json["error"]
    assert ("GET" in reply.headers.get("Allow", "")) == (code == 405)


def test_a_host_is_not_looked_at(hooks: Hooks) -> None:
    line = f"Host: {'a' * 300}"
    data = f"GET /healthz HTTP/1.1\r\n{line}\r\nConnection: close\r\n\r\n".encode()
    assert sent(hooks.port, data).startswith(b"HTTP/1.1 200")


def test_a_busy_stranger_fills_no_log(hooks: Hooks) -> None:
    head = request("/" + "%80" * 8000)
    before = hooks.process.log.stat().st_size
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            with suppress(OSError):
                sent(hooks.port, head)

    def calls() -> None:
        assert hooks.get("/healthz").code == 200
        assert hooks.scrape().code == 200
        assert hooks.post("/nodes/sync", NODE, TOKEN).code == 200

    with ExitStack() as stack:
        for _ in range(16):
            thread = threading.Thread(target=ask)
            thread.start()
            stack.callback(thread.join)
        stack.callback(over.set)
        assert slowest(calls, seconds=4) < BOUND_SECONDS
    assert hooks.process.log.stat().st_size - before < 200_000
    over.wait(1)
    hooks.get("/zz")
    refused = [line for line in hooks.calls() if line["code"] == 401]
    assert max(len(line["path"]) for line in refused) <= 200
    assert any(line.get("unlogged", 0) > 0 for line in refused)


@pytest.mark.parametrize("framing", [CHUNKED, "Content-Length: 16000000"])
def test_bodies_that_drip_hold_no_memory_that_others_wait_for(hooks: Hooks, framing: str) -> None:
    large = NODE | {"pad": "x" * 1_000_000}
    with ExitStack() as stack:
        for _ in range(40):
            caller = socket.create_connection((LOOPBACK, hooks.port), timeout=PATIENCE)
            stack.enter_context(caller).sendall(post(framing, body=b"1\r\n "))

        def call() -> None:
            assert hooks.post("/nodes/sync", large, TOKEN).code == 200

        assert slowest(call, seconds=1) < BOUND_SECONDS


def test_bodies_that_wait_for_each_other_come_to_an_end(hooks: Hooks) -> None:
    body = json.dumps(NODE | {"pad": "x" * 15_000_000}).encode()
    with ThreadPoolExecutor(12) as pool:
        codes = list(pool.map(lambda _: hooks.post("/nodes/sync", body, TOKEN).code, range(12)))
    assert 200 in codes
    assert set(codes) <= {200, 429}  # on a slow machine some wait for too long
