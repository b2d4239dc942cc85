"""A request is sent once, and an answer goes to the request that it is for."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from hooks.cloudstack import Cloud, CloudConfig
from hooks.cloudstack.errors import Unreachable
from hooks.http.deadline import Deadline
from hooks.http.errors import HttpError
from hooks.http.tls import new_context
from hooks.http.transport import Request, Transport

LOOPBACK = "127.0.0.1"


class Server:
    """Reads requests, and answers each as `behaviour` says; counts them."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = answers
        self.requests: list[bytes] = []
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = self._listener.getsockname()[1]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "Server":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        socket.create_connection((LOOPBACK, self.port)).close()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            connection, _ = self._listener.accept()
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with closing(connection):
            while request := _whole(connection):
                self.requests.append(request)
                if not self.answers:
                    return
                for answer in self.answers:
                    connection.sendall(answer.replace(b"PATH", request.split()[1]))
                    self._over.wait(0.1)


def _whole(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (part := connection.recv(65536)):
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = int((head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]) or 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def transport() -> Iterator[Transport]:
    made = Transport(new_context)
    yield made
    made.close()


@pytest.mark.parametrize("proxied", [False, True], ids=["directly", "through a proxy"])
def test_a_write_whose_answer_is_lost_is_sent_once(proxied: bool) -> None:
    with Server() as server:
        there = f"http://{LOOPBACK}:{server.port}"
        url, proxy = ("http://cloud.example.com", there) if proxied else (there, "")
        config = CloudConfig(f"{url}/client/api", "key", "secret", proxy=proxy)
        with closing(Cloud(config)) as cloud, pytest.raises(Unreachable) as raised:
            cloud.client.call("associateIpAddress", {}, Deadline(5))
    assert raised.value.sent
    assert "broke before the answer was whole" in str(raised.value)
    assert len(server.requests) == 1


def test_a_proxy_that_is_not_there_is_tried_again() -> None:
    config = CloudConfig("http://cloud.example.com/x", "k", "s", proxy=f"http://{LOOPBACK}:9")
    with closing(Cloud(config)) as cloud, pytest.raises(Unreachable) as raised:
        cloud.client.call("associateIpAddress", {}, Deadline(5))
    assert not raised.value.sent
    assert raised.value.transient


@pytest.mark.parametrize("status", ["101 Switching", "102 Processing", "103 Hints", "204 None"])
def test_what_follows_an_answer_without_a_body_goes_to_no_other_request(status: str) -> None:
    early = f"HTTP/1.1 {status}\r\n\r\n".encode()
    late = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nPATH"
    with Server(early, late) as server, transport() as client:
        for path in ("/a", "/b"):
            url = f"http://{LOOPBACK}:{server.port}{path}"
            answer = client.send(Request("GET", url), 5)
            assert answer.status == int(status.split(maxsplit=1)[0])
            assert answer.body == b""
    assert len(server.requests) == 2


@pytest.mark.parametrize("length", ["2\r\nContent-Length: 3", "2, 3"])
def test_an_answer_with_a_header_that_cannot_be_was_sent_for(length: str) -> None:
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{{}}".encode()
    with Server(answer) as server, transport() as client, pytest.raises(HttpError) as raised:
        client.send(Request("GET", f"http://{LOOPBACK}:{server.port}/"), 5)
    assert raised.value.sent
    assert "is not HTTP" in str(raised.value)
