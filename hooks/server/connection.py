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

from hooks.http.bounded_json import parsing_bytes
from hooks.server.app import MAX_BODY_BYTES
from hooks.server.apps import Apps
from hooks.server.environ import (
    PEER_CERTIFICATE,
    REFUSAL,
    STARTED,
    connection_environ,
    request_environ,
)
from hooks.server.heads import MAX_HEAD_BYTES, Unreadable, head_length
from hooks.webhook.requests import MAX_VALUES

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: Seconds for the TLS handshake and a whole request, headers and body, however it is sent.
RECEIVE_SECONDS = 10.0
#: Seconds for a caller to take a whole response.
SEND_SECONDS = 10.0
#: Seconds that a connection stays open between requests; longer than the 90 s after which Go's
#: HTTP client drops an idle one: a server that drops it first loses a call that is being sent.
IDLE_SECONDS = 100.0
#: The same where a credential is needed, and the caller has shown no valid one.
STRANGER_IDLE_SECONDS = 5.0
#: Seconds and bytes that are read and dropped after the last response, so that a caller that still
#: sends can see it.
LINGER_SECONDS = 2.0
LINGER_BYTES = 64 * 1024 * 1024
#: A body up to this size, in bytes, is read whatever else is in memory. Longer ones need the
#: header Content-Length.
SMALL_BODY = 64 * 1024
#: Chunks of a body without that header.
MAX_CHUNKS = 256

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

    def reserve_parsing(self, connection: "Connection", size: int) -> bool:
        """Reserve memory for what a body becomes; False holds the connection for now."""

    def submit(self, connection: "Connection", pool: str, environ: "WSGIEnvironment") -> None:
        """Call the app in a thread of this pool; `reply` gets what it returns."""


class Connection:
    """A connection's state; all methods are for the loop's thread.

    Args:
        sock: as accepted.
        apps: what is called, and how its ports speak TLS.
        gate: decides when a body is read and a call runs.

    Attributes:
        deadline: when the phase must end, in monotonic seconds.
        port: where it was accepted.
        opened: when, in monotonic seconds.
        is_admitted: whether the caller has called a hook and was not refused.
        is_whole: whether all of a request with a body has arrived.
        watched: the events that the loop waits for.
    """

    def __init__(self, sock: socket.socket, apps: Apps, gate: Gate) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        host, port = sock.getsockname()[:2]
        self._context = context = apps.context_at(port)
        self.sock: socket.socket = sock
        if context is not None:
            self.sock = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self._enter(Phase.READING if context is None else Phase.HANDSHAKE, RECEIVE_SECONDS)
        self.port = port
        self.opened = time.monotonic()
        self.is_admitted = False
        self.watched = 0
        self._common = connection_environ(host, port)
        self._apps = apps
        self._gate = gate
        self._http = _http_state()
        self._in = bytearray()
        self._out = bytearray()
        self._environ: WSGIEnvironment = {}
        self._pool = ""
        self._body = bytearray()
        self.is_whole = False
        self._is_chunked = False
        self._length = 0
        self._reserved = 0
        self._seconds_left = 0.0
        self._held_since = 0.0
        self._held_seconds = 0.0
        self._received = 0
        self._chunks = 0
        self._parsing_bytes = 0
        self._drained = 0
        self._is_last = False
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
    def is_outdated(self) -> bool:
        """Tell whether the certificates that let the caller in have been replaced since."""
        return self._apps.context_at(self.port) is not self._context

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

    def resume(self) -> None:
        """Go on if there is memory for the body now. Raises ConnectionOver."""
        if self.is_whole:
            self._run_when_it_fits()
        elif self._gate.reserve(self, self._next_reserve()):
            self._reserved = self._next_reserve()
            self._held_seconds += time.monotonic() - self._held_since
            self._enter(Phase.READING, self._seconds_left)
            self._read(b"")

    def give_up(self) -> None:
        """Answer a caller whose body has waited too long for memory."""
        self._refuse(Unreadable(429, "no memory became free for it in time, try again later"))

    def reply(self, response: Response, *, last: bool) -> None:
        """Write a response; with `last` the caller learns that no other one will come.

        Raises ConnectionOver.
        """
        self._is_last = last or self._http.their_state is not h11.DONE
        head = [f"HTTP/1.1 {response.status}", *(f"{k}: {v}" for k, v in response.headers)]
        if self._is_last:
            head.append("Connection: close")
        self._out += "\r\n".join((*head, "", "")).encode("latin-1") + response.get_data()
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
        if self._is_last:
            self._end()
            return
        seconds = STRANGER_IDLE_SECONDS
        if self.is_admitted or not self._apps.needs_credentials(self.port):
            seconds = IDLE_SECONDS
        self._enter(Phase.IDLE, seconds)
        self._in += self._http.trailing_data[0]
        self._http = _http_state()
        if self._in:
            self._enter(Phase.READING, RECEIVE_SECONDS)
            self._read(b"")

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
            data = self.sock.recv(self._wanted_bytes())
            if not data:
                raise ConnectionOver
            if self.phase is Phase.IDLE:
                self._enter(Phase.READING, RECEIVE_SECONDS)
            self._read(data)
            if not (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()):
                return

    def _wanted_bytes(self) -> int:
        """Return how much to read at once: of a head no more than it may have."""
        if not self._environ:
            return MAX_HEAD_BYTES + 1 - len(self._in)
        if self._is_chunked:
            return _CHUNK
        return min(_CHUNK, max(1, self._length - len(self._body)))

    def _read(self, data: bytes) -> None:
        """Take what has arrived of a request; the last part of it calls the app."""
        try:
            if self._environ:
                self._received += len(data)
                self._check_chunks()
                if data:  # none is the end of the connection to the parser
                    self._http.receive_data(data)
                self._read_events()
                return
            self._in += data
            if length := head_length(self._in):
                self._received = len(self._in) - length
                self._http.receive_data(bytes(self._in))
                self._in = bytearray()
                self._read_events()
        except Unreadable as error:
            self._refuse(error)

    def _read_events(self) -> None:
        """Take what the parser finds. Raises Unreadable."""
        while self.phase in (Phase.IDLE, Phase.READING):
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise Unreadable(error.error_status_hint) from None
            if event in (h11.NEED_DATA, h11.PAUSED):
                return
            self._take(event)

    def _refuse(self, error: Unreadable) -> None:
        """Have the app answer why a request cannot be read; the connection ends then."""
        unread = {"REQUEST_METHOD": "GET", "PATH_INFO": "/"}
        asked = {name: self._environ.get(name, value) for name, value in unread.items()}
        self._environ = self._common | asked | {REFUSAL: (error.status, error.reason)}
        self._in = bytearray()
        self._body = bytearray()
        self._pool = self._apps.pool(self._environ)
        self._run()

    def _take(self, event: object) -> None:
        match event:
            case h11.Request():
                self._environ = self._common | request_environ(event)
                self._pool = self._apps.pool(self._environ)
                self.is_admitted |= self._pool == "hooks"
                self._begin_body()
            case h11.Data():
                self._body += event.data
                self._chunks += event.chunk_start
                self._check_chunks()
                self._reserve_more()
            case h11.EndOfMessage():
                self._environ.pop("HTTP_TRANSFER_ENCODING", None)
                self._environ["CONTENT_LENGTH"] = str(len(self._body))
                self.is_whole = True
                self._parsing_bytes = parsing_bytes(self._body, MAX_VALUES)
                self._run_when_it_fits()

    def _check_chunks(self) -> None:
        if self._is_chunked and self._received > SMALL_BODY:
            raise Unreadable(413, f"without Content-Length it may have {SMALL_BODY} bytes")
        if self._chunks > MAX_CHUNKS:
            raise Unreadable(413, f"it may have {MAX_CHUNKS} chunks")

    def _begin_body(self) -> None:
        """Read the body, or call the app without it."""
        self._chunks = 0
        self._held_seconds = 0.0
        self.is_whole = False
        self._is_chunked = "HTTP_TRANSFER_ENCODING" in self._environ
        self._length = int(self._environ.get("CONTENT_LENGTH") or 0)
        if self._is_chunked:
            self._length = SMALL_BODY
        if self._length == 0:
            return
        if self._length > MAX_BODY_BYTES or self._pool != "hooks":
            self._run()
        else:
            self._reserved = SMALL_BODY
            self._continue()

    def _next_reserve(self) -> int:
        return min(self._length, 2 * self._reserved)

    def _reserve_more(self) -> None:
        """Reserve memory for as much again as has arrived, or wait until it is there."""
        if len(self._body) + _CHUNK <= self._reserved or self._reserved >= self._length:
            return
        if self._gate.reserve(self, self._next_reserve()):
            self._reserved = self._next_reserve()
        else:
            self._hold()

    def _hold(self) -> None:
        """Wait for memory, for what is left of the time that a request may wait for it."""
        self._held_since = time.monotonic()
        self._seconds_left = self.deadline - self._held_since
        self._enter(Phase.HELD, self._apps.held_seconds - self._held_seconds)

    def _continue(self) -> None:
        """Ask for the body where the caller waits for that."""
        if self._http.they_are_waiting_for_100_continue:
            response = h11.InformationalResponse(status_code=100, headers=[])
            self._out += self._http.send(response) or b""

    def _run_when_it_fits(self) -> None:
        """Call the app with the whole body, or wait until there is memory for what it becomes."""
        if self._gate.reserve_parsing(self, self._parsing_bytes):
            self._run()
        elif self.phase is not Phase.HELD:
            self._hold()

    def _run(self) -> None:
        """Call the app with what has arrived, and keep none of it."""
        now = time.monotonic()
        if self.phase is Phase.HELD:
            self._held_seconds += now - self._held_since
        self.phase = Phase.RUNNING
        environ = self._environ | {
            "wsgi.input": io.BytesIO(bytes(self._body)),
            STARTED: now - self._held_seconds,
        }
        self._environ, self._body = {}, bytearray()
        pool = "side" if self._length > MAX_BODY_BYTES else self._pool
        self._gate.submit(self, pool, environ)


def _http_state() -> h11.Connection:
    """Make the parser of one request, which also asks for its body."""
    return h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
