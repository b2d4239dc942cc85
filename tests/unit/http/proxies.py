"""A real HTTP proxy on loopback: tunnels (CONNECT) and plain requests."""

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests import loopback
from tests.controlplane.polling import PATIENCE


@dataclass
class Proxy:
    """Where it listens, what it was asked for, and with which credentials.

    Attributes:
        refusal: the status with which it refuses everything; 0 to serve.
        port: of this machine, to which each tunnel leads; 0 for where it is to lead.
    """

    url: str = ""
    refusal: int = 0
    port: int = 0
    requests: list[str] = field(default_factory=list)
    credentials: list[str] = field(default_factory=list)


@contextmanager
def proxying(refusal: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """Serve on a free port of 127.0.0.1 until the block ends."""
    proxy = Proxy(refusal=refusal)

    class Handler(loopback.Handler):
        def do_CONNECT(self) -> None:  # noqa: N802 - a name looked for
            if not self.note():
                return
            host, _, port = self.path.rpartition(":")
            there = ("127.0.0.1", proxy.port) if proxy.port else (host, int(port))
            with socket.create_connection(there, timeout=PATIENCE) as upstream:
                self.send_response(200)
                self.end_headers()
                back = threading.Thread(target=pump, args=(upstream, self.connection))
                back.start()
                pump(self.connection, upstream)
                back.join()
            self.close_connection = True

        def answer(self) -> None:
            if not self.note():
                return
            url = urlsplit(self.path)
            upstream = http.client.HTTPConnection(str(url.hostname), url.port, timeout=PATIENCE)
            passed = ("Content-Type", "User-Agent")
            headers = {name: self.headers[name] for name in passed if name in self.headers}
            upstream.request(self.command, url.path, self.body(), headers)
            answer = upstream.getresponse()
            self.reply(answer.status, answer.read(), {"Content-Type": "application/json"})
            upstream.close()

        def note(self) -> bool:
            """Note what is asked for; refuse it, or tell that it may be served."""
            proxy.requests.append(f"{self.command} {self.path}")
            proxy.credentials.append(self.headers.get("Proxy-Authorization", ""))
            if proxy.refusal:
                self.close_connection = True
                self.reply(proxy.refusal, b"", {"Connection": "close"})
            return not proxy.refusal

    with loopback.serving(Handler, tls=tls) as proxy.url:
        yield proxy


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Pass bytes on until one side ends."""
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the other direction has ended the connection
