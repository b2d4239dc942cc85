"""One transport, shared by many threads, sends each request once and keeps connections open."""

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
