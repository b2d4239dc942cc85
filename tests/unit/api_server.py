"""A tiny HTTP server that answers as it is told: what a broken or hostile API server may say."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests import loopback


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

    class Handler(loopback.Handler):
        def answer(self) -> None:
            text = self.body()
            body = json.loads(text) if text else None
            call = Call(self.command, self.path, dict(self.headers), body)
            server.calls.append(call)
            answered = answer(call)
            if callable(answered):
                answered(self)
                return
            status, content = answered
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            elsewhere = {"Location": "http://127.0.0.1:9/elsewhere"}
            self.reply(status, data, elsewhere if status in {301, 302, 307} else None)

    with loopback.serving(Handler) as url:
        server.url = url
        yield server
