"""HTTP servers on loopback, whose answers each test chooses."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext


class Handler(BaseHTTPRequestHandler):
    """Answers one connection, by `answer`; which method was asked for is in `command`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms for its second half

    def answer(self) -> None:
        """Answer one request."""
        raise NotImplementedError

    def _any(self) -> None:
        self.answer()

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _any  # noqa: N815 - names looked for

    def body(self) -> bytes:
        """Read the request's body."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def reply(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Answer."""
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Keep silent: which requests came in is what tests look at."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that hangs up is what some tests are about


@contextmanager
def serving(handler: type[Handler], *, tls: SSLContext | None = None) -> Iterator[str]:
    """Serve on a free port of 127.0.0.1 until the block ends; give its URL, without a path."""
    with _Server(("127.0.0.1", 0), handler) as http:
        if tls:
            http.socket = tls.wrap_socket(http.socket, server_side=True)
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{http.server_address[1]}"
        finally:
            http.shutdown()
            thread.join()
