"""The simulator as a running HTTP server: `with Simulator() as simulator: simulator.url`."""

import json
import socket
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from simulator.answers import JSON, Reply, not_found
from simulator.api import Api
from simulator.clock import Clock
from simulator.control import Control, SettingError
from simulator.faults import FaultError
from simulator.loading import load_world
from simulator.model import User
from simulator.staging import StagingError
from simulator.world import NEWEST

API_PATH = "/client/api"
CONTROL_PATH = "/simulator/"
Request = socket.socket | tuple[bytes, socket.socket]
MAX_BODY = 16 * 1024 * 1024


class Server(ThreadingHTTPServer):
    """A thread for each connection; connections left open are cut when it stops."""

    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], api: Api, control: Control, clock: Clock) -> None:
        self.api = api
        self.clock = clock
        self.control = control
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(address, Handler)

    def process_request_thread(self, request: Request, client_address: object) -> None:
        """Serve one connection, and remember it while it is open."""
        assert isinstance(request, socket.socket)  # noqa: S101 - TCP, so never a datagram
        with self._guard:
            self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._guard:
                self._open.discard(request)

    def handle_error(self, request: Request, client_address: object) -> None:
        """Ignore clients that went away; print everything else, which is a bug."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError, ValueError)):
            super().handle_error(request, client_address)

    def cut_connections(self) -> None:
        """Cut the connections that clients keep open."""
        with self._guard:
            for connection in self._open:
                cut(connection)


def cut(connection: socket.socket) -> None:
    """Cut a connection; one that is closed already is no error."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


class Handler(BaseHTTPRequestHandler):
    """Reads a request, hands it to the API or to the control interface, writes the reply."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        """Answer a GET."""
        self._serve()

    def do_POST(self) -> None:
        """Answer a POST."""
        self._serve()

    def do_DELETE(self) -> None:
        """Answer a DELETE."""
        self._serve()

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Write the header `Date` by the simulator's clock, which a test may move."""
        return super().date_time_string(timestamp or self.server.clock.now())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Log nothing: the request line of a GET carries key and signature."""

    def _serve(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), MAX_BODY))
        target = urlsplit(self.path)
        if target.path.startswith(CONTROL_PATH):
            self._send(operate(self.server.control, self.command, target.path, body))
        elif target.path.rstrip("/") == API_PATH and self.command in {"GET", "POST"}:
            text = "&".join(part for part in (target.query, body.decode("latin-1")) if part)
            pairs = parse_qsl(text, keep_blank_values=True)
            self._send(self.server.api.answer(dict(reversed(pairs))))
        else:
            self._send(not_found(target.path))

    def _send(self, reply: Reply) -> None:
        if reply.dropped:
            self.close_connection = True
            cut(self.connection)
            return
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)


def operate(control: Control, method: str, path: str, body: bytes) -> Reply:
    """Carry out one operation of the control interface."""
    name = path.removeprefix(CONTROL_PATH).strip("/")
    operations: dict[tuple[str, str], Callable[[Any], Any]] = {
        ("GET", "calls"): lambda _: {"calls": control.calls(), "counts": control.counts()},
        ("DELETE", "calls"): lambda _: control.clear_calls(),
        ("GET", "ignored-parameters"): lambda _: control.ignored_parameters(),
        ("POST", "faults"): lambda document: control.fault(**document),
        ("DELETE", "faults"): lambda _: control.clear_faults(),
        ("POST", "stage"): lambda document: stage(control, document),
        ("GET", "state"): lambda _: control.state(),
        ("GET", "settings"): lambda _: control.settings(),
        ("POST", "settings"): lambda document: control.settings(**document),
    }
    operation = operations.get((method, name))
    if operation is None:
        known = ", ".join(f"{verb} {CONTROL_PATH}{noun}" for verb, noun in operations)
        return control_reply(404, {"error": f"{method} {path}: unknown; known: {known}"})
    try:
        document = json.loads(body or b"{}")
        if not isinstance(document, dict):
            raise FaultError(f"the body is an object, not {document!r}")
        result = operation(document)
    except (FaultError, SettingError, StagingError, json.JSONDecodeError) as error:
        return control_reply(400, {"error": str(error)})
    return control_reply(200, {"ok": True} if result is None else result)


def stage(control: Control, document: dict[str, Any]) -> None:
    """Stage what a document says."""
    fields = dict(document)
    kind, name = fields.pop("kind", ""), fields.pop("name", "")
    control.stage(str(kind), str(name), **fields)


def control_reply(status: int, document: object) -> Reply:
    """Write an answer of the control interface."""
    return Reply(status, json.dumps(document).encode() + b"\n", JSON)


class Simulator:
    """A CloudStack for one test or one command: starts on enter, stops on exit.

    Args:
        world: the name of a world file, or a path to one.
        port: where to listen; 0 for a free port.
        bind: the address to listen on.
        vms: how many VMs there are, in a world whose file has `generate`.
        api_version: the CloudStack to imitate.
        job_delay: seconds that every job takes.
        timing: `real` for the times of a real server, else `off`.
        clock: gives the time; the machine's by default.

    Raises:
        WorldError: the world file is unusable.
        OSError: the port cannot be used.
    """

    def __init__(  # noqa: PLR0913 - one for each choice that a test has
        self,
        world: str = "small",
        *,
        port: int = 0,
        bind: str = "127.0.0.1",
        vms: int | None = None,
        api_version: str = NEWEST,
        job_delay: float = 0.02,
        timing: str = "off",
        clock: Clock | None = None,
    ) -> None:
        lock = threading.RLock()
        self.clock = clock or Clock()
        self.world = load_world(world, vms=vms, api_version=api_version, clock=self.clock)
        self.control = Control(self.world, lock)
        self.control.settings(job_delay=job_delay, timing=timing)
        self._closing = threading.Event()
        api = Api(self.world, self.control, lock, self._closing)
        self._server = Server((bind, port), api, self.control, self.clock)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.keys: dict[str, User] = {user.name: user for user in self.world.users}

    @property
    def url(self) -> str:
        """Return the API's whole address."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}{API_PATH}"

    @property
    def user(self) -> User:
        """Return the ordinary user."""
        return self.keys["user"]

    @property
    def admin(self) -> User:
        """Return the administrator."""
        return self.keys["admin"]

    def __enter__(self) -> "Simulator":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop answering, cut the connections, wait for the server's thread."""
        self._closing.set()
        if self._thread.is_alive():
            host, port = self._server.server_address[:2]
            socket.create_connection((str(host), port)).close()  # wakes the thread
            self._thread.join()
        self._server.cut_connections()
        self._server.server_close()

    def _serve(self) -> None:
        """Take connections until the simulator is closed; no poll delays the end."""
        while not self._closing.is_set():
            self._server.handle_request()
