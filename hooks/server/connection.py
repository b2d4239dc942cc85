"""One caller's connection: reads requests, writes responses, and never waits for the caller."""

import io
import socket
import ssl
import time
from enum import Enum, auto
from selectors import EVENT_READ, EVENT_WRITE
from typing import TYPE_CHECKING, Protocol

import h11
from werkzeug import Response

from hooks.server.app import MAX_BODY_BYTES
from hooks.server.apps import Apps
from hooks.server.environ import PEER_CERTIFICATE, REFUSAL, connection_environ, request_environ

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: Seconds for the TLS handshake and a whole request, headers and body, however it is sent.
RECEIVE_SECONDS = 10.0
#: Seconds that a body waits at most until there is memory for it.
HELD_SECONDS = 30.0
#: Seconds for a caller to take a whole response.
SEND_SECONDS = 10.0
#: Seconds that a connection stays open between requests; longer than the 90 s after which Go's
#: HTTP client drops an idle one: a server that drops it first loses a call that is being sent.
IDLE_SECONDS = 100.0
#: Seconds and bytes that are read and dropped after the last response, so that a caller that still
#: sends can see it.
LINGER_SECONDS = 2.0
LINGER_BYTES = 64 * 1024 * 1024
#: Bytes of a request line with its headers.
MAX_HEADER_BYTES = 32 * 1024

_CHUNK = 64 * 1024


class Phase(Enum):
    """What a connection is doing."""

    HANDSHAKE = auto()
    IDLE = auto()
    READING = auto()
    HELD = auto()
    RUNNING = auto()
    WRITING = auto()
    LINGERING = auto()


class ConnectionOver(Exception):
    """Nothing more can be read or written."""


class Gate(Protocol):
    """Has the memory for bodies and the threads for calls."""

    def reserve(self, connection: "Connection", size: int) -> bool:
        """Reserve memory for a body of so many bytes; False holds the connection for now."""

    def submit(self, connection: "Connection", environ: "WSGIEnvironment") -> None:
        """Call the app in a thread; `reply` gets what it returns."""


class Connection:
    """A connection's state; all methods are for the loop's thread.

    Args:
        sock: as accepted.
        apps: what is called, and how its ports speak TLS.
        gate: decides when a body is read and a call runs.

    Attributes:
        deadline: when the phase must end, in monotonic seconds.
        served: how many responses were begun.
    """

    def __init__(self, sock: socket.socket, apps: Apps, gate: Gate) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        host, port = sock.getsockname()[:2]
        context = apps.context_at(port)
        self.sock: socket.socket = sock
        if context is not None:
            self.sock = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self._enter(Phase.READING if context is None else Phase.HANDSHAKE, RECEIVE_SECONDS)
        self.served = 0
        self._common = connection_environ(host, port)
        self._apps = apps
        self._gate = gate
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADER_BYTES)
        self._out = bytearray()
        self._environ: WSGIEnvironment = {}
        self._body = bytearray()
        self._length = 0
        self._drained = 0
        self._wants_write = False

    @property
    def events(self) -> int:
        """What the selector has to wait for; 0 where only a thread's end counts."""
        if self.phase is Phase.HANDSHAKE:
            return EVENT_WRITE if self._wants_write else EVENT_READ
        if self._out:
            return EVENT_WRITE if self.phase is Phase.WRITING else EVENT_READ | EVENT_WRITE
        return 0 if self.phase in (Phase.RUNNING, Phase.HELD) else EVENT_READ

    def advance(self) -> None:
        """Do what the socket is ready for. Raises ConnectionOver."""
        try:
            if self.phase is Phase.HANDSHAKE:
                self._shake_hands()
            if self._out:
                self._send()
            if self.phase in (Phase.IDLE, Phase.READING):
                self._receive()
            elif self.phase is Phase.LINGERING:
                self._drain()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError, InterruptedError):
            return
        except OSError as error:
            raise ConnectionOver from error

    def read_body(self) -> None:
        """Read on if there is memory for the body now. Raises ConnectionOver."""
        if self._gate.reserve(self, self._length):
            self._enter(Phase.READING, RECEIVE_SECONDS)
            self._continue()
            self._read_events()

    def reply(self, response: Response, *, last: bool) -> None:
        """Write a response; with `last` the caller learns that no other one will come.

        Raises ConnectionOver.
        """
        headers = list(response.headers)
        if last or self._http.their_state is not h11.DONE:
            headers.append(("Connection", "close"))
        head = h11.Response(status_code=response.status_code, headers=headers)
        for event in (head, h11.Data(data=response.get_data()), h11.EndOfMessage()):
            self._out += self._http.send(event) or b""
        self.served += 1
        self._enter(Phase.WRITING, SEND_SECONDS)
        self.advance()

    def _enter(self, phase: Phase, seconds: float) -> None:
        self.phase = phase
        self.deadline = time.monotonic() + seconds

    def _shake_hands(self) -> None:
        assert isinstance(self.sock, ssl.SSLSocket)  # noqa: S101 - only TLS has this phase
        try:
            self._wants_write = False
            self.sock.do_handshake()
        except ssl.SSLWantWriteError:
            self._wants_write = True
            raise
        self._common[PEER_CERTIFICATE] = self.sock.getpeercert()
        self._common["wsgi.url_scheme"] = "https"
        self.phase = Phase.READING

    def _send(self) -> None:
        """Send what the socket takes, then go on with the next request, or to the end."""
        sent = self.sock.send(self._out)
        del self._out[:sent]
        if self._out or self.phase is not Phase.WRITING:
            return
        if self._http.our_state is not h11.DONE:
            self._end()
            return
        self._http.start_next_cycle()
        self._enter(Phase.IDLE, IDLE_SECONDS)
        if self._http.trailing_data[0]:
            self._read_events()

    def _end(self) -> None:
        if isinstance(self.sock, ssl.SSLSocket):
            # What follows is dropped undecrypted; TLS has no half-closed connections here.
            self.sock = socket.socket(fileno=self.sock.detach())
            self.sock.setblocking(False)
        self.sock.shutdown(socket.SHUT_WR)
        self._enter(Phase.LINGERING, LINGER_SECONDS)

    def _drain(self) -> None:
        while chunk := self.sock.recv(_CHUNK):
            self._drained += len(chunk)
            if self._drained > LINGER_BYTES:
                break
        raise ConnectionOver

    def _receive(self) -> None:
        """Read once; and on, where TLS holds back what it has decrypted already."""
        while self.phase in (Phase.IDLE, Phase.READING):
            data = self.sock.recv(_CHUNK)
            if self.phase is Phase.IDLE:
                self._enter(Phase.READING, RECEIVE_SECONDS)
            self._http.receive_data(data)
            self._read_events()
            if not data:
                raise ConnectionOver
            if not (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()):
                return

    def _read_events(self) -> None:
        """Take what has arrived of a request; the last part of it calls the app."""
        try:
            while self.phase in (Phase.IDLE, Phase.READING):
                event = self._http.next_event()
                if event in (h11.NEED_DATA, h11.PAUSED):
                    return
                self._take(event)
        except h11.RemoteProtocolError as error:
            if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
                raise ConnectionOver from error
            refusal = (error.error_status_hint, str(error))
            request = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", REFUSAL: refusal}
            self._environ = self._common | request
            self._run()

    def _take(self, event: object) -> None:
        match event:
            case h11.Request():
                self._environ = self._common | request_environ(event)
                self._begin_body()
            case h11.Data():
                self._body += event.data
                if len(self._body) > MAX_BODY_BYTES:
                    self._run_with_body()
            case h11.EndOfMessage():
                self._run_with_body()
            case h11.ConnectionClosed():
                raise ConnectionOver

    def _begin_body(self) -> None:
        """Read the body, call the app without it, or wait until there is memory for it."""
        self._length = int(self._environ.get("CONTENT_LENGTH") or 0)
        if "HTTP_TRANSFER_ENCODING" in self._environ:
            self._length = MAX_BODY_BYTES
        if self._length == 0:
            return
        if self._length > MAX_BODY_BYTES or not self._apps.wants_body(self._environ):
            self._run()
        elif self._gate.reserve(self, self._length):
            self._continue()
        else:
            self.phase = Phase.HELD
            self.deadline += HELD_SECONDS

    def _continue(self) -> None:
        """Ask for the body where the caller waits for that."""
        if self._http.they_are_waiting_for_100_continue:
            response = h11.InformationalResponse(status_code=100, headers=[])
            self._out += self._http.send(response) or b""

    def _run_with_body(self) -> None:
        """Call the app with a body whose size is known now, however it was sent."""
        self._environ.pop("HTTP_TRANSFER_ENCODING", None)
        self._environ["CONTENT_LENGTH"] = str(len(self._body))
        self._run()

    def _run(self) -> None:
        """Call the app with what has arrived; a body that is too large is dropped."""
        self.phase = Phase.RUNNING
        body = b"" if len(self._body) > MAX_BODY_BYTES else bytes(self._body)
        self._body.clear()
        self._gate.submit(self, self._environ | {"wsgi.input": io.BytesIO(body)})
