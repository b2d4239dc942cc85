"""A tiny HTTP server that answers as it is told: what a broken or hostile API server may say."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Call:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Server:
    """Where it listens and what it was asked."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)


Answer = tuple[int, Any] | Callable[[BaseHTTPRequestHandler], None]
"""A status and a body (JSON, or bytes as they are), or a function that writes what it likes."""


@contextmanager
def serving(answer: Callable[[Call], Answer]) -> Iterator[Server]:
    """Serve on a free port of 127.0.0.1 until the block ends."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(length)
            body = json.loads(text) if text else None
            call = Call(self.command, self.path, dict(self.headers), body)
            server.calls.append(call)
            answered = answer(call)
            if callable(answered):
                answered(self)
                return
            status, content = answered
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            if status in {301, 302, 307}:
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = handle_any  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    class QuietServer(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that hangs up is what some tests are about

    with QuietServer(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
