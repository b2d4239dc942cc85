"""One transport, shared by many threads, sends each request once and keeps connections open."""

import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import ClassVar

import pytest

from hooks.http.errors import HttpError
from hooks.http.tls import file_context
from hooks.http.transport import HttpAnswer, Request, Transport
from tests import loopback
from tests.controlplane.polling import PATIENCE
from tests.targets import servers


class Echo(loopback.Handler):
    """Answers with the path, and counts the connections."""

    connections: ClassVar[Counter[tuple[str, int]]] = Counter()
    lock = threading.Lock()

    def answer(self) -> None:
        with self.lock:
            self.connections[self.client_address[:2]] += 1
        self.reply(200, self.path.encode())


def test_forty_threads_share_one_transport_and_its_connections() -> None:
    Echo.connections.clear()
    with (
        loopback.serving(Echo) as url,
        closing(Transport(file_context)) as transport,
        ThreadPoolExecutor(40) as threads,
    ):
        start = threading.Barrier(40)

        def ask(number: int) -> bool:
            if number < 40:
                start.wait(PATIENCE)
            answer = transport.send(Request("GET", f"{url}/{number}"), PATIENCE)
            return answer.body == f"/{number}".encode()

        assert all(threads.map(ask, range(2000)))
    assert sum(Echo.connections.values()) == 2000
    assert len(Echo.connections) <= 40


class OnceEach(loopback.Handler):
    """Answers the first request of a connection alone."""

    asked = False

    def answer(self) -> None:
        self.reply(503 if self.asked else 200, b"")
        self.asked = True


def test_a_connection_that_was_idle_for_long_is_not_used_again() -> None:
    with (
        loopback.serving(OnceEach) as url,
        closing(Transport(file_context)) as transport,
    ):
        transport.idle_seconds = 0.2
        for _ in range(3):
            assert transport.send(Request("GET", url), PATIENCE).status == 200
            time.sleep(0.3)


def test_nothing_is_sent_when_no_time_is_left() -> None:
    Echo.connections.clear()
    with loopback.serving(Echo) as url, closing(Transport(file_context)) as transport:
        with pytest.raises(HttpError, match="not sent, no time is left") as caught:
            transport.send(Request("GET", url), 0)
        assert not caught.value.sent
    assert not Echo.connections


def test_a_request_shows_neither_its_credentials_nor_its_body() -> None:
    request = Request("GET", "http://x/", {"Authorization": "Bearer t0ken"}, b"b0dy", ("s3cret",))
    assert repr(request) == "Request(method='GET', url='http://x/')"


def test_an_answer_does_not_show_its_body() -> None:
    assert "s3cret" not in repr(HttpAnswer(200, b'{"data": {"kubeconfig": "s3cret"}}'))


TOKEN = "token-of-some-length"


@pytest.mark.parametrize("name", ["Content-Type", "Retry-After", "Date", "Warning"])
@pytest.mark.parametrize(
    "written",
    [
        pytest.param(TOKEN, id="plain"),
        pytest.param(TOKEN.replace("o", "\\o"), id="some characters as quoted pairs"),
        pytest.param("".join(f"\\{each}" for each in TOKEN), id="each character as a quoted pair"),
        pytest.param(TOKEN.replace("-", "\\u002d"), id="escaped as JSON"),
    ],
)
def test_no_header_shows_a_credential(name: str, written: str) -> None:
    header = f'{name}: 299 - "a {written} b"\r\n'.encode()
    with (
        servers.serving(servers.answering(b"{}", headers=header)) as server,
        closing(Transport(file_context)) as transport,
    ):
        sent = Request("GET", server.url, {"Authorization": f"Bearer {TOKEN}"})
        answer = transport.send(sent, PATIENCE)
    shown = [answer.content_type, answer.retry_after, answer.date, answer.warning]
    assert any(shown)
    for text in shown:
        assert TOKEN not in text
        assert TOKEN not in re.sub(r"\\(.)", r"\1", text)


def test_headers_that_hold_no_credential_are_shown_as_they_came() -> None:
    header = b'Warning: 299 - "v1 \\"Endpoints\\" is old"\r\n'
    with (
        servers.serving(servers.answering(b"{}", headers=header)) as server,
        closing(Transport(file_context)) as transport,
    ):
        sent = Request("GET", server.url, {"Authorization": f"Bearer {TOKEN}"})
        assert transport.send(sent, PATIENCE).warning == '299 - "v1 \\"Endpoints\\" is old"'


@pytest.mark.parametrize(
    ("count", "length", "passes"),
    [
        pytest.param(20, 1000, True, id="more than servers of Kubernetes send"),
        pytest.param(80, 1000, False, id="many long ones"),
        pytest.param(2, 60_000, False, id="two very long ones"),
    ],
)
def test_headers_have_a_bound_of_their_own(count: int, length: int, passes: bool) -> None:
    headers = b"".join(b"X-%d: %s\r\n" % (n, b"x" * length) for n in range(count))
    with (
        servers.serving(servers.answering(b"{}", headers=headers)) as server,
        closing(Transport(file_context)) as transport,
    ):
        request = Request("GET", server.url)
        if passes:
            assert transport.send(request, PATIENCE).body == b"{}"
        else:
            with pytest.raises(HttpError, match="more than 65536 bytes of headers"):
                transport.send(request, PATIENCE)
