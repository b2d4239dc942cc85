"""One caller's connection: reads requests, writes responses, and never waits for the caller."""

import socket
import ssl
from collections.abc import Mapping
from dataclasses import replace
from enum import Enum, auto
from selectors import EVENT_READ, EVENT_WRITE
from typing import TYPE_CHECKING, Any, Protocol

import h11

from hooks.server.gateway import Peer, Reply, environ_of, unreadable

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
    """Decides what becomes of requests."""

    def wants_body(self, environ: "WSGIEnvironment") -> bool:
        """Tell whether the body is read; where it is not, the app is called without it."""

    def reserve(self, connection: "Connection", size: int) -> bool:
        """Reserve memory for a body of so many bytes; False holds the connection for now."""

    def submit(self, connection: "Connection", environ: "WSGIEnvironment", body: bytes) -> None:
        """Call the app in a thread; `reply` gets what it returns."""


class Connection:
    """A connection's state; all methods are for the loop's thread.

    Args:
        sock: as accepted.
        peer: where it came in.
        context: TLS, or None for plain HTTP.
        gate: decides what becomes of requests.
        max_body_bytes: a larger body is not read on.
        now: monotonic seconds, as everywhere here.
    """

    def __init__(  # noqa: PLR0913 - what a connection is made of
        self,
        sock: socket.socket,
        peer: Peer,
        *,
        context: ssl.SSLContext | None,
        gate: Gate,
        max_body_bytes: int,
        now: float,
    ) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock: socket.socket = sock
        if context is not None:
            self.sock = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self.peer = peer
        self.phase = Phase.READING if context is None else Phase.HANDSHAKE
        self.deadline = now + RECEIVE_SECONDS
        self.served = 0
        self._gate = gate
        self._max_body_bytes = max_body_bytes
        self._http = _protocol()
        self._out = bytearray()
        self._environ: WSGIEnvironment | None = None
        self._body: list[bytes] = []
        self._size = 0
        self._drained = 0
        self._last = False
        self._wants_write = False

    @property
    def events(self) -> int:
        """What the selector has to wait for; 0 where only a thread's end counts."""
        if self.phase is Phase.HANDSHAKE:
            return EVENT_WRITE if self._wants_write else EVENT_READ
        if self._out:
            return EVENT_WRITE if self.phase is Phase.WRITING else EVENT_READ | EVENT_WRITE
        return 0 if self.phase in (Phase.RUNNING, Phase.HELD) else EVENT_READ

    @property
    def is_between_requests(self) -> bool:
        """Tell whether no request has begun."""
        return self.phase is Phase.IDLE

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()

    def advance(self, now: float) -> None:
        """Do what the socket is ready for. Raises ConnectionOver."""
        try:
            if self.phase is Phase.HANDSHAKE:
                self._shake_hands()
            if self._out:
                self._send(now)
            if self.phase in (Phase.IDLE, Phase.READING):
                self._receive(now)
            elif self.phase is Phase.LINGERING:
                self._drain()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError, InterruptedError):
            return
        except OSError as error:
            raise ConnectionOver from error

    def resume(self, now: float) -> None:
        """Read on after memory was reserved for the body. Raises ConnectionOver."""
        self.phase = Phase.READING
        self.deadline = now + RECEIVE_SECONDS
        self._continue()
        self._read_events()

    def reply(self, reply: Reply, now: float, *, last: bool) -> None:
        """Write a response; with `last` the caller learns that no other one will come."""
        unread = self._http.their_state is not h11.DONE
        self._last = last or unread
        headers = [each for each in reply.headers if each[0].lower() != b"connection"]
        if self._last:
            headers.append((b"Connection", b"close"))
        response = h11.Response(status_code=reply.status, headers=headers)
        is_head = self._environ is not None and self._environ["REQUEST_METHOD"] == "HEAD"
        for event in (response, *(() if is_head else (h11.Data(data=reply.body),))):
            self._out += self._http.send(event) or b""
        self._out += self._http.send(h11.EndOfMessage()) or b""
        self._environ = None
        self._body = []
        self.served += 1
        self.phase = Phase.WRITING
        self.deadline = now + SEND_SECONDS

    def _shake_hands(self) -> None:
        assert isinstance(self.sock, ssl.SSLSocket)  # noqa: S101 - only TLS has this phase
        try:
            self._wants_write = False
            self.sock.do_handshake()
        except ssl.SSLWantWriteError:
            self._wants_write = True
            raise
        certificate: Mapping[str, Any] | None = self.sock.getpeercert()
        self.peer = replace(self.peer, certificate=certificate, scheme="https")
        self.phase = Phase.READING

    def _send(self, now: float) -> None:
        """Send what the socket takes, then go on with the next request, or to the end."""
        sent = self.sock.send(self._out)
        del self._out[:sent]
        if self._out or self.phase is not Phase.WRITING:
            return
        if self._last or self._http.our_state is not h11.DONE:
            self._end(now)
            return
        self._http.start_next_cycle()
        self.phase = Phase.IDLE
        self.deadline = now + IDLE_SECONDS
        if self._http.trailing_data[0]:
            self._read_events()

    def _end(self, now: float) -> None:
        if isinstance(self.sock, ssl.SSLSocket):
            # What follows is dropped undecrypted; TLS has no half-closed connections here.
            self.sock = socket.socket(fileno=self.sock.detach())
            self.sock.setblocking(False)
        self.sock.shutdown(socket.SHUT_WR)
        self.phase = Phase.LINGERING
        self.deadline = now + LINGER_SECONDS

    def _drain(self) -> None:
        while chunk := self.sock.recv(_CHUNK):
            self._drained += len(chunk)
            if self._drained > LINGER_BYTES:
                break
        raise ConnectionOver

    def _receive(self, now: float) -> None:
        """Read once; and on, where TLS holds back what it has decrypted already."""
        while self.phase in (Phase.IDLE, Phase.READING):
            data = self.sock.recv(_CHUNK)
            if self.phase is Phase.IDLE:
                self.phase = Phase.READING
                self.deadline = now + RECEIVE_SECONDS
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
            self._run(unreadable(self.peer, error.error_status_hint, str(error)), b"")

    def _take(self, event: object) -> None:
        match event:
            case h11.Request():
                self._environ = environ_of(event, self.peer)
                self._size = 0
                self._begin_body(self._environ)
            case h11.Data():
                self._body.append(bytes(event.data))
                self._size += len(event.data)
                if self._size > self._max_body_bytes:
                    self._run_with(b"")
            case h11.EndOfMessage():
                self._run_with(b"".join(self._body))
            case h11.ConnectionClosed():
                raise ConnectionOver

    def _begin_body(self, environ: "WSGIEnvironment") -> None:
        """Read the body, call the app without it, or wait until there is memory for it."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if "HTTP_TRANSFER_ENCODING" in environ:
            length = self._max_body_bytes
        if length == 0:
            return
        if length > self._max_body_bytes or not self._gate.wants_body(environ):
            self._run(environ, b"")
        elif self._gate.reserve(self, length):
            self._continue()
        else:
            self.phase = Phase.HELD
            self.deadline += HELD_SECONDS

    def _continue(self) -> None:
        """Ask for the body where the caller waits for that."""
        if self._http.they_are_waiting_for_100_continue:
            response = h11.InformationalResponse(status_code=100, headers=[])
            self._out += self._http.send(response) or b""

    def _run_with(self, body: bytes) -> None:
        """Call the app with a body whose size is known now, however it was sent."""
        assert self._environ is not None  # noqa: S101 - a body follows on a request
        self._environ.pop("HTTP_TRANSFER_ENCODING", None)
        self._environ["CONTENT_LENGTH"] = str(self._size)
        self._run(self._environ, body)

    def _run(self, environ: "WSGIEnvironment", body: bytes) -> None:
        self.phase = Phase.RUNNING
        self._gate.submit(self, environ, body)


def _protocol() -> h11.Connection:
    return h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADER_BYTES)
