"""A body that waits for memory for too long: its caller is told to try again."""

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from werkzeug import Response

from hooks.server.apps import Apps
from hooks.server.auth import Authenticator
from hooks.server.connection import Connection, Phase
from hooks.server.environ import REFUSAL, STARTED
from tests.controlplane.polling import until
from tests.unit.echo import serve

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: For which a body is held at most.
SECONDS = 60.0
REQUEST = b"POST /echo/sync HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
#: Large enough to ask for memory while it is read.
BODY = json.dumps({"object": {"metadata": {"name": "a"}}, "fill": "x" * 100_000}).encode()


class FullGate:
    """Has no memory for any body until it is told to, and answers at once.

    Attributes:
        environs: what the app was called with.
    """

    def __init__(self, apps: Apps) -> None:
        self.apps = apps
        self.has_memory = self.may_parse = False
        self.environs: list[WSGIEnvironment] = []

    def reserve(self, _connection: Connection, _size: int) -> bool:
        return self.has_memory

    def reserve_parsing(self, _connection: Connection, _size: int) -> bool:
        return self.may_parse

    def submit(self, connection: Connection, _pool: str, environ: "WSGIEnvironment") -> None:
        self.environs.append(environ)
        connection.reply(Response.from_app(self.apps, environ, buffered=True), last=False)


@dataclass
class Held:
    """A caller whose body is held for want of memory."""

    caller: socket.socket
    connection: Connection
    gate: FullGate

    def advance_until(self, phase: Phase) -> None:
        def is_there() -> bool:
            self.connection.advance()
            return self.connection.phase is phase

        until(is_there, f"the connection is {phase.name}")

    def answer(self) -> tuple[bytes, bytes]:
        head, _, body = self.caller.recv(65536).partition(b"\r\n\r\n")
        return head, body


@pytest.fixture
def held() -> Iterator[Held]:
    authenticator = Authenticator(None, client_certificates=False)
    app = serve(authenticator, []).client.application.wsgi_app
    paths = frozenset({"/echo/sync"})
    apps = Apps(app, app, 0, authenticator, paths, lambda _: None, held_seconds=SECONDS)
    gate = FullGate(apps)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        caller = socket.create_connection(listener.getsockname())
        connection = Connection(listener.accept()[0], apps, gate)
    with caller, connection.sock:
        caller.sendall(REQUEST % len(BODY) + BODY)
        made = Held(caller, connection, gate)
        made.advance_until(Phase.HELD)
        yield made


def sleep_until(moment: float) -> None:
    while (left := moment - time.monotonic()) > 0:
        time.sleep(left)


def test_who_waited_too_long_is_told_to_try_again(held: Held) -> None:
    held.connection.give_up()
    head, body = held.answer()
    assert head.startswith(b"HTTP/1.1 429 ")
    assert b"\r\nRetry-After: 5" in head
    assert b"no memory became free" in body
    [environ] = held.gate.environs
    assert environ[REFUSAL][0] == 429
    assert (environ["REQUEST_METHOD"], environ["PATH_INFO"]) == ("POST", "/echo/sync")


def test_the_wait_for_memory_is_bounded_and_part_of_the_calls_own_time(held: Held) -> None:
    began = held.connection.deadline - SECONDS
    sleep_until(began + 0.3)
    held.gate.has_memory = True
    held.connection.resume()
    held.advance_until(Phase.HELD)
    assert held.connection.deadline <= time.monotonic() + SECONDS - 0.3
    sleep_until(held.connection.deadline - SECONDS + 0.6)
    held.gate.may_parse = True
    held.connection.resume()
    assert held.answer()[0].startswith(b"HTTP/1.1 200 ")
    [environ] = held.gate.environs
    assert environ[STARTED] <= time.monotonic() - 0.5
