"""Answers hook calls as a test tells it to, and remembers what it was asked."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.controlplane.api import Object


@dataclass(frozen=True)
class Reply:
    """One answer, right or wrong; `body` is sent as it is when it is bytes, else as JSON."""

    body: object = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0


@dataclass(frozen=True)
class Call:
    """One call that came in, `at` a time of `time.monotonic`."""

    path: str
    request: Object
    headers: Message
    at: float


Answer = Callable[[Object], Reply | Object]


class HookServer:
    """Hooks on loopback; a path without an answer is 404."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}
        self._calls: list[Call] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                reply = outer._reply(Call(self.path, json.loads(body), self.headers, _now()))
                outer._closing.wait(reply.delay)
                _send(self, reply)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["HookServer"]:
        """Serve until the end."""
        hooks = cls()
        thread = threading.Thread(target=hooks._server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield hooks
        finally:
            hooks._closing.set()
            hooks._server.shutdown()
            thread.join()
            hooks._server.server_close()

    @property
    def url(self) -> str:
        """Return where the hooks are."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path: str, answer: Answer | Reply | Object) -> None:
        """Answer a path from now on: always the same, or what a function makes of a request."""
        with self._lock:
            self._answers[path] = answer if callable(answer) else lambda _: answer

    def calls(self, path: str) -> list[Call]:
        """Return the calls of a path so far, in order."""
        with self._lock:
            return [call for call in self._calls if call.path == path]

    def _reply(self, call: Call) -> Reply:
        with self._lock:
            self._calls.append(call)
            answer = self._answers.get(call.path)
        if answer is None:
            return Reply(f"no hook at {call.path}", 404)
        reply = answer(call.request)
        return reply if isinstance(reply, Reply) else Reply(reply)


def _now() -> float:
    return time.monotonic()


def _send(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
    try:
        handler.send_response(reply.status)
        for name, value in {**reply.headers, "Content-Length": str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)
    except ConnectionError:
        handler.close_connection = True  # the caller did not wait
