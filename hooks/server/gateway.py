"""Calls a WSGI app with a request that has arrived whole, and collects its response.

No socket is involved: threads compute, and the worker's loop alone reads and writes.
"""

import io
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import h11

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: Environment variable that tells the app why a request could not be read: HTTP status, reason.
REFUSAL = "hooks.refusal"
#: Environment variable with the caller's certificate, as `ssl.SSLSocket.getpeercert` returns it.
PEER_CERTIFICATE = "hooks.peer_certificate"

_OWN_VARIABLES = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a connection came in and from where; addresses are host and port."""

    local: tuple[str, int]
    remote: tuple[str, int]
    certificate: Mapping[str, Any] | None = None
    scheme: str = "http"


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole response."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def environ_of(request: h11.Request, peer: Peer) -> "WSGIEnvironment":
    """Describe a request as PEP 3333 does, without its body.

    A header with an underscore in its name is left out: it would read as another one.
    """
    path, _, query = request.target.partition(b"?")
    environ: WSGIEnvironment = {
        **_server_variables(peer),
        "REQUEST_METHOD": request.method.decode("ascii"),
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{request.http_version.decode('ascii')}",
    }
    for name, value in request.headers:
        text = value.decode("latin-1")
        lower = name.decode("ascii").lower()
        if "_" in lower:
            continue
        variable = _OWN_VARIABLES.get(lower, f"HTTP_{lower.upper().replace('-', '_')}")
        environ[variable] = f"{environ[variable]},{text}" if variable in environ else text
    return environ


def unreadable(peer: Peer, status: int, reason: str) -> "WSGIEnvironment":
    """Describe a request that could not be read, for the app to refuse, log and count."""
    return {
        **_server_variables(peer),
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/",
        "SERVER_PROTOCOL": "HTTP/1.1",
        REFUSAL: (status, reason),
    }


def call(app: "WSGIApplication", environ: "WSGIEnvironment", body: bytes) -> Reply:
    """Call the app, in the thread that asks. Raises what the app raises."""
    environ["wsgi.input"] = io.BytesIO(body)
    status = 0
    headers: tuple[tuple[bytes, bytes], ...] = ()
    written: list[bytes] = []

    def start(line: str, given: list[tuple[str, str]], exc_info: object = None) -> Any:  # noqa: ANN401 - PEP 3333
        nonlocal status, headers
        del exc_info  # nothing has been sent, so a second start replaces the first
        status = int(line[:3])
        headers = tuple((name.encode("ascii"), text.encode("latin-1")) for name, text in given)
        return written.append

    chunks: Iterable[bytes] = app(environ, _starter(start))
    try:
        written.extend(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    return Reply(status, headers, b"".join(written))


def _starter(start: Any) -> "StartResponse":  # noqa: ANN401 - the protocol has overloads
    return start  # type: ignore[no-any-return]


def _server_variables(peer: Peer) -> "WSGIEnvironment":
    return {
        "SCRIPT_NAME": "",
        "SERVER_NAME": peer.local[0],
        "SERVER_PORT": str(peer.local[1]),
        "REMOTE_ADDR": peer.remote[0],
        "REMOTE_PORT": str(peer.remote[1]),
        PEER_CERTIFICATE: peer.certificate,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": peer.scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
