"""Sockets that keep within what is left of a request's time and bytes, whatever the server sends.

A socket's own timeout starts again with each byte, so a server could hold a caller for as long as
it likes: with drops of a header, `100 Continue` without end, the sizes of chunks. Each operation
of these sockets is cut to the request's budget instead.
"""

import io
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

from hooks.http.deadline import Deadline, run_detached
from hooks.http.turns import waiting

#: Seconds for a name to be looked up, and for each of its addresses to accept a connection.
CONNECT_SECONDS = 3.0
#: Bytes of headers and chunk sizes that an answer may have besides its body.
OVERHEAD_BYTES = 1024 * 1024
#: Bytes of its longer lines together, which are headers: libraries keep several copies of each.
HEADER_BYTES = 64 * 1024
_LONGER_LINE = 64
#: Lines that come before, between and after the parts of a body: of headers, `100 Continue`, sizes
#: of chunks. Each costs 10 µs of processor time, however short it is: so many, and one more for
#: each so many bytes of an answer.
OVERHEAD_LINES = 10_000
BYTES_PER_LINE = 256
#: Seconds after which a socket that waits looks whether others wait for its answer's memory.
LOOK_SECONDS = 2.0
#: Options of each socket; what was sent must be acknowledged within 20 s, where the system knows.
_OPTIONS = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
]
if hasattr(socket, "TCP_USER_TIMEOUT"):
    _OPTIONS.append((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 20_000))


T = TypeVar("T")


class NotConnected(OSError):
    """No connection was made; str() says why."""


class TooLarge(OSError):
    """More came in than an answer may have; str() says how much that is."""


class NoRoom(OSError):
    """An answer found no memory in time; str() continues "the answer of HOST "."""


class Budget:
    """What is left of one request.

    Attributes:
        sent: the server, or a proxy in its name, may have got some of the request; a tunnel and TLS
            come before it.
        idle_seconds: after which no connection is used for it.
        refusal: returns why an IP address and port may not be connected to; empty if they may.
            None for none that may not.
        is_given_up: tells whether the rest of the answer is not waited for.
    """

    def __init__(
        self,
        seconds: float,
        *,
        max_bytes: int,
        idle_seconds: float,
        refusal: Callable[[str, int], str] | None = None,
    ) -> None:
        self.idle_seconds = idle_seconds
        self.refusal = refusal
        self.is_given_up: Callable[[], bool] = lambda: False
        self.deadline = Deadline(seconds)
        self.sent = False
        self._max_bytes = max_bytes
        self._bytes_left = max_bytes + OVERHEAD_BYTES
        self._lines_left = OVERHEAD_LINES + max_bytes // BYTES_PER_LINE
        self._header_bytes_left = HEADER_BYTES

    def cut(self, sock: socket.socket, most: float = 3600.0) -> None:
        """Let the socket's next operation wait no longer than is left."""
        seconds = min(self.deadline.remaining(), most)
        if seconds <= 0:
            raise TimeoutError("the time of the request is over")
        sock.settimeout(seconds)

    def take(self, count: int) -> None:
        """Count bytes that came in."""
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise TooLarge(f"is larger than {self._max_bytes} bytes")

    def take_line(self, size: int) -> None:
        """Count a line that came in around a body."""
        self._lines_left -= 1
        if self._lines_left < 0:
            raise TooLarge("comes in too many small pieces")
        if size > _LONGER_LINE:
            self._header_bytes_left -= size
            if self._header_bytes_left < 0:
                raise TooLarge(f"has more than {HEADER_BYTES} bytes of headers")


#: The budget of the request that this thread sends. All of its operations are the thread's own.
BUDGET: ContextVar[Budget] = ContextVar("budget")


@contextmanager
def spending(budget: Budget) -> Iterator[None]:
    """Bound the operations of this thread's sockets together until the block ends."""
    token = BUDGET.set(budget)
    try:
        yield
    finally:
        BUDGET.reset(token)


class _Socket(socket.socket):
    """A connection within the budget of whichever request uses it."""

    def recv_into(self, *args: Any) -> int:  # noqa: ANN401 - as socket.socket's
        count = _wait_for(self, partial(super().recv_into, *args))
        BUDGET.get().take(count)
        return count

    def recv(self, *args: Any) -> bytes:  # noqa: ANN401
        received = _wait_for(self, partial(super().recv, *args))
        BUDGET.get().take(len(received))
        return received

    def send(self, *args: Any) -> int:  # noqa: ANN401
        BUDGET.get().cut(self)
        return super().send(*args)

    def sendall(self, *args: Any) -> None:  # noqa: ANN401
        BUDGET.get().cut(self)
        super().sendall(*args)

    def makefile(self, *_args: Any, **_kwargs: Any) -> Any:  # noqa: ANN401 - as socket.socket's
        """Return what http.client reads an answer from, which counts lines."""
        return _Reader(super().makefile("rb", buffering=0))


def _wait_for(sock: socket.socket, receive: Callable[[], T]) -> T:
    """Receive what comes, within the budget and for as long as nobody else needs its memory."""
    budget = BUDGET.get()
    while True:
        if budget.is_given_up():
            raise NoRoom("comes so slowly that others have waited too long for its memory")
        budget.cut(sock, LOOK_SECONDS)
        try:
            with waiting():
                return receive()
        except TimeoutError:
            if budget.deadline.passed():
                raise


class _Reader(io.BufferedReader):
    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        BUDGET.get().take_line(len(line))
        return line


class BoundedTlsSocket(_Socket, ssl.SSLSocket):
    """The same over TLS; to be a context's `sslsocket_class`."""

    def do_handshake(self, block: bool = False) -> None:
        """Shake hands, within the budget."""
        BUDGET.get().cut(self)
        with waiting():
            super().do_handshake(block)


def connect(host: str, port: int) -> socket.socket:
    """Connect to the first of a host's addresses that accepts.

    Raises:
        NotConnected: none does, or none may be connected to, or the name is unknown.
    """
    problem = "it has no address"
    refuse = BUDGET.get().refusal
    for family, kind, protocol, _, address in look_up(host, port):
        # The address is checked that is connected to: a name may stand for another one each time.
        if refuse and (refusal := refuse(address[0], address[1])):
            problem = refusal
            continue
        sock = _Socket(family, kind, protocol)
        try:
            for option in _OPTIONS:
                sock.setsockopt(*option)
            BUDGET.get().cut(sock, CONNECT_SECONDS)
            with waiting():
                sock.connect(address)
            return sock
        except OSError as error:
            sock.close()
            problem = error.strerror or "no answer"
    raise NotConnected(problem)


def check_tunnel(host: str, port: int) -> None:
    """Check where a proxy is to connect to, as far as its name stands for an address here as well.

    Raises:
        NotConnected: one of its addresses may not be connected to.
    """
    if (refuse := BUDGET.get().refusal) is None:
        return
    try:
        addresses = [each[4] for each in look_up(host, port)]
    except NotConnected:
        return  # only the proxy knows the name
    for address in addresses:
        if refusal := refuse(address[0], address[1]):
            raise NotConnected(refusal)


def look_up(host: str, port: int) -> Sequence[tuple[int, int, int, str, Any]]:
    """Return a name's addresses. The resolver knows no deadline.

    Raises:
        NotConnected: it has none, or they were not found in time.
    """
    kind = socket.SOCK_STREAM
    with suppress(OSError, UnicodeError):  # an address needs no resolver, and no thread for it
        return socket.getaddrinfo(host, port, type=kind, flags=socket.AI_NUMERICHOST)
    found = run_detached("resolver", lambda: socket.getaddrinfo(host, port, type=kind))
    try:
        with waiting():
            return found.result(min(BUDGET.get().deadline.remaining(), CONNECT_SECONDS))
    except TimeoutError:
        raise NotConnected("its name was not resolved in time") from None
    except (OSError, UnicodeError) as error:
        raise NotConnected(getattr(error, "strerror", None) or "it is not a host name") from None
