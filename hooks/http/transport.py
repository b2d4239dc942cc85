"""Sends one HTTP request to any server, within a total time and a size, and only once.

Redirects are not followed, nothing is sent twice, and no cookie, `.netrc` or variable of the
environment takes part: a request may carry credentials, and may create something.
"""

import re
import ssl
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from socket import socket
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from hooks.http import proxies
from hooks.http.answer_memory import AnswerBounds, Lease
from hooks.http.deadline import Deadline
from hooks.http.errors import HttpError, failure
from hooks.http.hide import HIDDEN, Hider
from hooks.http.sockets import BUDGET, Budget, NoRoom, TooLarge, check_tunnel, connect, spending
from hooks.http.tls import BadTrust

#: Connections kept open: as many as hooks may call at once.
POOL_SIZE = 64
#: Seconds that a connection may be idle before it is not used again.
IDLE_SECONDS = 30.0
_CHUNK_BYTES = 64 * 1024
#: The first status of an answer that is no interim one, and those that have no body.
OK = 200
_WITHOUT_BODY = (204, 304)
#: A character that a header escapes.
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        url: the whole address, its query included.
        secrets: what no answer and no error may show; an Authorization header needs no mention.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer, whatever its status; `retry_after`, `date`, `warning` are headers as they came.

    It holds memory that others may wait for: nobody keeps one.
    """

    status: int
    body: bytes | bytearray = field(repr=False)
    content_type: str = ""
    retry_after: str = ""
    date: str = ""
    warning: str = ""
    bounds: AnswerBounds = field(default_factory=AnswerBounds, repr=False)
    deadline: Deadline = field(default_factory=lambda: Deadline(0), repr=False)
    lease: Lease | None = field(default=None, repr=False)

    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """Parse the body within the time of its request.

        Raises BadJson, whose text continues "the answer ".
        """
        return self.bounds.parse(self.body, self.deadline)


class Transport:
    """Sends requests, mostly to one server; used by many threads at once.

    Args:
        trust: gives the TLS context for the next connection.
        server_name: what the server's certificate must be for; empty for the URL's host.
        bounds: of each answer, and the memory for all.
        proxy: the URL of the proxy, without a `proxy_problem`; empty for none.
        refusal: returns why an IP address and port may not be connected to, by us or by the proxy;
            empty if they may.

    Attributes:
        idle_seconds: after which a connection is not used again.
        pool_size: how many connections are kept open.
    """

    idle_seconds = IDLE_SECONDS
    pool_size = POOL_SIZE

    def __init__(
        self,
        trust: Callable[[], ssl.SSLContext],
        *,
        server_name: str = "",
        bounds: AnswerBounds | None = None,
        proxy: str = "",
        refusal: Callable[[str, int], str] | None = None,
    ) -> None:
        self._adapter = _Adapter(trust, server_name, self.pool_size)
        self._bounds = bounds or AnswerBounds()
        self._refusal = refusal
        self._proxies = {"all": proxy} if proxy else {}
        self._secrets = tuple(proxies.secrets(proxy))

    def send(self, request: Request, seconds: float) -> HttpAnswer:
        """Send once and return what comes back within so many seconds, name and TLS included.

        Raises:
            HttpError: saying why nothing usable came back.
        """
        outcome = self._exchange(request, seconds)
        # Raised here, outside of any handler: what the libraries raise holds the whole request,
        # and a chained exception would carry it into a log.
        if isinstance(outcome, HttpError):
            raise outcome
        return outcome

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._adapter.close()

    def _exchange(self, request: Request, seconds: float) -> HttpAnswer | HttpError:
        if seconds <= 0:
            return HttpError("not sent, no time is left", sent=False)
        secrets = (*request.secrets, *_credentials(request.headers), *self._secrets)
        budget = Budget(
            seconds,
            max_bytes=self._bounds.max_bytes,
            idle_seconds=self.idle_seconds,
            refusal=self._refusal,
        )
        hider, lease = Hider(secrets), Lease(self._bounds.memory.reading)
        budget.is_given_up = lambda: lease.is_overdue
        try:
            with spending(budget), closing(self._send(request, seconds)) as reply:
                if reply.status_code in _WITHOUT_BODY or reply.status_code < OK:
                    # What follows may be another answer: it must not go to the next request.
                    _close(reply.raw.connection)
                received = self._read(reply.raw, lease, budget.deadline)
            with self._bounds.memory.turn(len(received), budget.deadline):
                body = hider.hide_bytes(received)
        except (requests.RequestException, HTTPError, OSError, ValueError, BadTrust) as error:
            return failure(error, request.url, secrets, sent=budget.sent)
        return HttpAnswer(
            reply.status_code,
            body,
            content_type=_header("Content-Type", reply, hider),
            retry_after=_header("Retry-After", reply, hider),
            date=_header("Date", reply, hider),
            warning=_header("Warning", reply, hider),
            bounds=self._bounds,
            deadline=budget.deadline,
            lease=lease,
        )

    def _read(self, raw: Any, lease: Lease, deadline: Deadline) -> bytearray:  # noqa: ANN401
        """Read the body of urllib3's response, as far as there is memory for it."""
        body, most = bytearray(), self._bounds.max_bytes
        for chunk in raw.stream(_CHUNK_BYTES, decode_content=True):
            size = len(body) + len(chunk)
            if size > most:
                raise TooLarge(f"is larger than {most} bytes")
            if size > lease.amount:
                needed = max(size, min(most, 2 * lease.amount))
                if not lease.grow(needed, deadline):
                    raise NoRoom("waited for memory until no time was left")
            body += chunk
        return body

    def _send(self, request: Request, seconds: float) -> requests.Response:
        prepared = requests.Request(
            request.method, request.url, headers=dict(request.headers), data=request.body
        ).prepare()
        return self._adapter.send(prepared, stream=True, timeout=seconds, proxies=self._proxies)


def _header(name: str, reply: requests.Response, hider: Hider) -> str:
    """Return a header without secrets; a character may have a backslash (RFC 9110, 5.6.4)."""
    text = str(reply.headers.get(name, ""))
    plain = _QUOTED_PAIR.sub(r"\1", text)
    return hider.hide(text) if hider.hide(plain) == plain else HIDDEN


def _credentials(headers: Mapping[str, str]) -> Iterator[str]:
    """Yield what an Authorization header holds: a token, or a login and its password."""
    scheme, _, credential = headers.get("Authorization", "").rpartition(" ")
    yield credential
    if scheme.lower() == "basic":
        with suppress(ValueError):
            login = b64decode(credential).decode(errors="surrogateescape")
            yield from (login, login.partition(":")[2])


def _close(connection: Any) -> None:  # noqa: ANN401 - urllib3's, None once the answer has ended
    if connection is not None:
        connection.close()


class _Connection(HTTPConnection):
    _used_at = 0.0
    _is_connecting = False

    def _new_conn(self) -> socket:
        if self._tunnel_host and self._tunnel_port:
            check_tunnel(self._tunnel_host, self._tunnel_port)
        return connect(self._dns_host, self.port)

    def getresponse(self) -> Any:  # noqa: ANN401 - urllib3's response
        self._used_at = time.monotonic()
        return super().getresponse()

    @property
    def is_connected(self) -> bool:
        """Whether the connection can be used again: a firewall forgets idle ones silently."""
        idle = time.monotonic() - self._used_at
        return super().is_connected and idle <= BUDGET.get().idle_seconds

    def connect(self) -> None:
        self._is_connecting = True
        try:
            super().connect()
        finally:
            self._is_connecting = False

    def send(self, data: Any) -> None:  # noqa: ANN401 - as http.client's
        """Send a part of the request, or of the tunnel to where it goes."""
        if self.sock is None:
            self.connect()
        if not self._is_connecting:
            BUDGET.get().sent = True
        super().send(data)


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection

    def _validate_conn(self, conn: Any) -> None:  # noqa: ANN401 - urllib3's connection
        """Connect; urllib3 would also warn of each server that is not to be verified."""
        if conn.is_closed:
            conn.connect()


_POOLS = {"http": _Pool, "https": _TlsPool}


class _Adapter(HTTPAdapter):
    """Makes bounded connections that trust as we say: requests would add public authorities."""

    def __init__(
        self, trust: Callable[[], ssl.SSLContext], server_name: str, pool_size: int
    ) -> None:
        self._trust = trust
        self._server_name = server_name or None
        super().__init__(pool_connections=1, pool_maxsize=pool_size)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as requests'
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:  # noqa: ANN401 - as requests'
        manager = super().proxy_manager_for(proxy, proxy_ssl_context=self._trust(), **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        authorization = proxies.authorization(proxy)
        return {"Proxy-Authorization": authorization} if authorization else {}

    def build_connection_pool_key_attributes(self, request: Any, *trust: Any) -> Any:  # noqa: ANN401
        host, _ = super().build_connection_pool_key_attributes(request, *trust)
        if host["scheme"] != "https":
            return host, {}
        return host, {"ssl_context": self._trust(), "server_hostname": self._server_name}

    def cert_verify(self, *_trust: object) -> None:
        """Leave the connection's trust as it is."""
