"""A body that waits for memory for too long: its caller is told to try again."""

import socket
from typing import TYPE_CHECKING

from werkzeug import Response

from hooks.server.apps import Apps
from hooks.server.auth import Authenticator
from hooks.server.connection import Connection, Phase
from hooks.server.environ import REFUSAL
from tests.controlplane.polling import until
from tests.unit.echo import serve

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class FullGate:
    """Has no memory for any body, and answers at once."""

    def __init__(self, apps: Apps) -> None:
        self.apps = apps

    def reserve(self, _connection: Connection, _size: int) -> bool:
        return False

    def reserve_parsing(self, _connection: Connection, _size: int) -> bool:
        return False

    def submit(self, connection: Connection, _pool: str, environ: "WSGIEnvironment") -> None:
        assert REFUSAL in environ
        connection.reply(Response.from_app(self.apps, environ, buffered=True), last=False)


def test_who_waited_too_long_is_told_to_try_again() -> None:
    authenticator = Authenticator(None, client_certificates=False)
    served = serve(authenticator, [])
    app = served.client.application.wsgi_app
    apps = Apps(app, app, 0, authenticator, frozenset({"/echo/sync"}), lambda _: None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        caller = socket.create_connection(listener.getsockname())
        connection = Connection(listener.accept()[0], apps, FullGate(apps))
    with caller, connection.sock:
        caller.sendall(b"POST /echo/sync HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")

        def held() -> bool:
            connection.advance()
            return connection.phase is Phase.HELD

        until(held, "the body is held")
        connection.give_up()
        answer = caller.recv(65536)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 429 ")
    assert b"\r\nRetry-After: 5" in head
    assert b"no memory became free" in body
