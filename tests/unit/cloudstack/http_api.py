"""A real HTTP server on loopback that answers API calls as a test says, well or badly."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any
from urllib.parse import parse_qsl

from tests import loopback

JSON = "application/json;charset=utf-8"
HTML = "text/html;charset=utf-8"


@dataclass(frozen=True)
class Call:
    """One request as it came in."""

    method: str
    path: str
    command: str
    params: dict[str, str]
    headers: dict[str, str]
    source: tuple[str, int]


@dataclass(frozen=True)
class Reply:
    """What is answered: a status, headers and a body that is written piece by piece."""

    status: int = 200
    body: bytes | Iterator[bytes] = b""
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


#: Answered in place of a Reply, it cuts the connection.
HANG_UP = None

Answer = Callable[[Call], Reply | None]


@dataclass
class Api:
    """Where it listens, and what it was asked."""

    url: str
    calls: list[Call] = field(default_factory=list)

    def commands(self) -> list[str]:
        """Return the commands that came in, in order."""
        return [call.command for call in self.calls]


def ok(call: Call, content: dict[str, Any]) -> Reply:
    """Answer in the envelope that CloudStack uses for most commands."""
    return Reply(body=json.dumps({f"{call.command.lower()}response": content}).encode())


def refused(call: Call, code: int, text: str) -> Reply:
    """Refuse as CloudStack does: the HTTP status is the error code."""
    error = {"uuidList": [], "errorcode": code, "cserrorcode": 9999, "errortext": text}
    body = json.dumps({f"{call.command.lower()}response": error}).encode()
    return Reply(code, body, headers={"X-Description": text})


@contextmanager
def serving(answer: Answer, *, tls: SSLContext | None = None) -> Iterator[Api]:
    """Serve on a free port of 127.0.0.1 until the block ends."""
    api = Api(url="")

    class Handler(loopback.Handler):
        def answer(self) -> None:
            params = dict(parse_qsl(self.body().decode(), keep_blank_values=True))
            command = params.get("command", "")
            source = (self.client_address[0], self.client_address[1])
            call = Call(self.command, self.path, command, params, dict(self.headers), source)
            api.calls.append(call)
            reply = answer(call)
            if reply is None:
                self.close_connection = True
                return
            headers = {"Content-Type": reply.content_type, **reply.headers}
            if isinstance(reply.body, bytes):
                self.reply(reply.status, reply.body, headers)
            else:
                _stream(self, reply.status, reply.body, headers)

    with loopback.serving(Handler, tls=tls) as url:
        api.url = f"{url}/client/api"
        yield api


def _stream(
    handler: loopback.Handler, status: int, pieces: Iterator[bytes], headers: dict[str, str]
) -> None:
    """Write a body piece by piece; its end is the connection's."""
    handler.close_connection = True
    handler.send_response(status)
    for name, value in {**headers, "Connection": "close"}.items():
        handler.send_header(name, value)
    handler.end_headers()
    for piece in pieces:
        handler.wfile.write(piece)
        handler.wfile.flush()
