"""Answers hook calls as a test tells it to, and remembers what it was asked."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message

from tests import loopback
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
    """Hooks on loopback; a path without an answer is 404.

    Attributes:
        url: where they are.
    """

    def __init__(self) -> None:
        self.url = ""
        self._answers: dict[str, Answer] = {}
        self._calls: list[Call] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["HookServer"]:
        """Serve until the end."""
        hooks = cls()

        class Handler(loopback.Handler):
            def answer(self) -> None:
                call = Call(self.path, json.loads(self.body()), self.headers, time.monotonic())
                reply = hooks._reply(call)
                hooks._closing.wait(reply.delay)
                _send(self, reply)

        with loopback.serving(Handler) as hooks.url:
            try:
                yield hooks
            finally:
                hooks._closing.set()

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


def _send(handler: loopback.Handler, reply: Reply) -> None:
    body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
    try:
        handler.reply(reply.status, body, reply.headers)
    except ConnectionError:
        handler.close_connection = True  # the caller did not wait
