"""A real HTTP server on loopback that answers API calls as a test says, well or badly."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from typing import Any
from urllib.parse import parse_qsl

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

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            params = dict(parse_qsl(text, keep_blank_values=True))
            command = params.get("command", "")
            source = (self.client_address[0], self.client_address[1])
            call = Call(self.command, self.path, command, params, dict(self.headers), source)
            api.calls.append(call)
            reply = answer(call)
            if reply is None:
                self.close_connection = True
                return
            self._write(reply)

        do_GET = do_POST  # noqa: N815  # the name that http.server looks for

        def _write(self, reply: Reply) -> None:
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if isinstance(reply.body, bytes):
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)
                return
            self.close_connection = True
            self.send_header("Connection", "close")
            self.end_headers()
            for piece in reply.body:
                self.wfile.write(piece)
                self.wfile.flush()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that hangs up is what some tests are about

    with Server(("127.0.0.1", 0), Handler) as http:
        if tls:
            http.socket = tls.wrap_socket(http.socket, server_side=True)
        api.url = f"{'https' if tls else 'http'}://127.0.0.1:{http.server_address[1]}/client/api"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield api
        finally:
            http.shutdown()
            thread.join()
