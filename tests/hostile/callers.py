"""Callers that cost themselves alone: hundreds at once, each as slow or silent as it can be."""

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from hooks.server.connection import RECEIVE_SECONDS
from tests.controlplane.polling import PATIENCE

LOOPBACK = "127.0.0.1"
#: Seconds that a call may take beside hostile callers, on any machine: a quiet one takes a
#: hundredth. Who has to wait for a slow caller waits until that one is hung up on.
BOUND_SECONDS = RECEIVE_SECONDS * 0.8
#: Seconds between two bytes of a caller that drips.
DRIP_SECONDS = 0.5


@dataclass(frozen=True)
class Kind:
    """How a caller behaves.

    Attributes:
        begin: what it sends at once.
        drip: what it then sends byte by byte, again and again; empty for nothing.
        handshakes: whether it does its part of TLS before, where there is TLS.
        half_closes: whether it says at once that it sends nothing more.
    """

    begin: bytes
    drip: bytes = b""
    handshakes: bool = True
    half_closes: bool = False


def request(path: str, *lines: str, method: str = "GET", end: bool = True) -> bytes:
    """Write a request's head."""
    text = "\r\n".join((f"{method} {path} HTTP/1.1", "Host: a", *lines))
    return (text + ("\r\n\r\n" if end else "\r\n")).encode()


#: Each kind with what it is to be called by `/healthz`, which the metrics port does not know.
KINDS = {
    "silent": Kind(b"", handshakes=False),
    "silent after the handshake": Kind(b""),
    "drips from the first byte": Kind(b"", b"\x16", handshakes=False),
    "never hangs up": Kind(request("/healthz", "Connection: close")),
    "drips its headers": Kind(request("/nodes/sync", end=False), b"X"),
    "drips a refused body": Kind(
        request("/nodes/sync", "Content-Length: 1000000", method="POST"), b" "
    ),
    "drips a refused body in chunks": Kind(
        request("/nodes/sync", "Transfer-Encoding: chunked", method="POST"), b"1\r\n \r\n"
    ),
    "drips the body of a probe": Kind(
        request("/healthz", "Content-Length: 1000000", method="POST"), b" "
    ),
    "never reads": Kind(request("/metrics") * 200),
    "sends no more": Kind(request("/healthz", end=False), half_closes=True),
    "is no HTTP": Kind(b"\x00\xff" * 2000, b"\xff"),
}


class Callers:
    """Callers of one kind at one port, from `with` on; those that are hung up on call again."""

    def __init__(self, kind: Kind, port: int, count: int, context: ssl.SSLContext | None) -> None:
        self._kind = kind
        self._port = port
        self._count = count
        self._context = context if kind.handshakes else None
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(n,)) for n in range(8)]

    def __enter__(self) -> "Callers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _call(self, part: int) -> None:
        """Keep an eighth of the callers connected, and let each drip."""
        callers: list[socket.socket] = []
        sent = 0
        while not self._over.is_set():
            while len(callers) < (self._count + part) // 8:
                with suppress(OSError):
                    callers.append(self._connect())
                if self._over.is_set():
                    break
            gone = [each for each in callers if self._has_ended(each)]
            for caller in callers:
                if self._kind.drip and caller not in gone:
                    at = sent % len(self._kind.drip)
                    with suppress(OSError):
                        caller.send(self._kind.drip[at : at + 1])
            sent += 1
            for caller in gone:
                caller.close()
                callers.remove(caller)
            self._over.wait(DRIP_SECONDS)
        for caller in callers:
            caller.close()

    def _connect(self) -> socket.socket:
        sock = socket.create_connection((LOOPBACK, self._port), timeout=PATIENCE)
        if self._context is not None:
            sock = self._context.wrap_socket(sock, server_hostname=LOOPBACK)
        sock.sendall(self._kind.begin)
        if self._kind.half_closes:
            sock.shutdown(socket.SHUT_WR)
        sock.settimeout(0.0)
        return sock

    def _has_ended(self, caller: socket.socket) -> bool:
        """Tell whether the server hung up hard; who never hangs up stays after a plain end."""
        poller = select.poll()
        poller.register(caller, select.POLLERR | select.POLLHUP)
        return bool(poller.poll(0))


def slowest(call: Callable[[], object], *, seconds: float) -> float:
    """Call again and again for so many seconds; return what the slowest call took."""
    end = time.monotonic() + seconds
    worst = 0.0
    while (started := time.monotonic()) < end:
        call()
        worst = max(worst, time.monotonic() - started)
    return worst
