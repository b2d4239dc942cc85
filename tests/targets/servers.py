"""Servers on loopback that behave as no API server should, each in its own way."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.controlplane.polling import PATIENCE
from tests.targets.certificates import Certificate

#: What a server does with a connection once it has read a request; the event tells it the end.
Behaviour = Callable[[socket.socket, threading.Event], None]

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@dataclass
class HostileServer:
    """A listening server; `connections` counts those it has accepted."""

    url: str
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)


@contextmanager
def serving(
    behaviour: Behaviour,
    *,
    tls: Certificate | None = None,
    folder: Path | None = None,
    client_ca: str = "",
) -> Iterator[HostileServer]:
    """Serve on a free port until the block ends; all connections are closed then.

    `tls`, which needs a folder for its files, makes it https; `client_ca` makes it ask for the
    client's certificate.
    """
    context = _server_context(tls, folder, client_ca) if tls and folder else None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        scheme = "https" if tls else "http"
        server = HostileServer(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")
        acceptor = _Acceptor(listener, server, behaviour, context)
        thread = threading.Thread(target=acceptor.run, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            acceptor.over.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE)


@dataclass
class _Acceptor:
    """Takes connections, and gives each a thread."""

    listener: socket.socket
    server: HostileServer
    behaviour: Behaviour
    context: ssl.SSLContext | None
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with suppress(OSError):  # the listener is shut down
            while not self.over.is_set():
                connection, _ = self.listener.accept()
                self.server.connections += 1
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        with suppress(OSError):  # the client hangs up
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
            with connection:
                while not self.over.is_set() and (request := connection.recv(65536)):
                    self.server.requests.append(request)
                    self.behaviour(connection, self.over)


def black_hole(_connection: socket.socket, over: threading.Event) -> None:
    """Take the request and never answer."""
    over.wait()


def endless_body(connection: socket.socket, over: threading.Event) -> None:
    """Answer with a body that does not end."""
    connection.sendall(_HEAD + b"\r\n")
    while not over.is_set():
        connection.sendall(b"[" * 65536)


def dripping_body(connection: socket.socket, over: threading.Event) -> None:
    """Answer with a byte now and then."""
    connection.sendall(_HEAD + b"Content-Length: 1000000\r\n\r\n")
    while not over.wait(0.02):
        connection.sendall(b" ")


def dripping_headers(connection: socket.socket, over: threading.Event) -> None:
    """Answer with a header that takes for ever."""
    connection.sendall(_HEAD + b"X-Slow: ")
    while not over.wait(0.02):
        connection.sendall(b"x")


def repeating(piece: bytes, *, after: bytes = b"", pause: float = 0.02) -> Behaviour:
    """Send something, and then a piece again and again, for ever."""

    def repeat(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(after)
        while not over.wait(pause):
            connection.sendall(piece)

    return repeat


def answering(body: bytes, *, status: str = "200 OK", headers: bytes = b"") -> Behaviour:
    """Answer every request with the same."""

    def answer(connection: socket.socket, _over: threading.Event) -> None:
        length = f"Content-Length: {len(body)}\r\n".encode()
        connection.sendall(f"HTTP/1.1 {status}\r\n".encode() + length + headers + b"\r\n" + body)

    return answer


def sending(bytes_of_it: bytes) -> Behaviour:
    """Send just this, and hang up."""

    def send(connection: socket.socket, _over: threading.Event) -> None:
        connection.sendall(bytes_of_it)
        connection.shutdown(socket.SHUT_WR)

    return send


@contextmanager
def refusing() -> Iterator[str]:
    """Give the URL of a port that nobody else can take and that refuses connections."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def _server_context(certificate: Certificate, folder: Path, client_ca: str) -> ssl.SSLContext:
    pem = folder / "server.pem"
    pem.touch(mode=0o600)
    pem.write_text(certificate.certificate + certificate.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_ca)
    return context
