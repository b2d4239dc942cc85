"""Describes requests and connections as WSGI environments (PEP 3333)."""

import sys
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

import h11

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: Environment variable that tells the app why a request could not be read: HTTP status, reason.
REFUSAL = "hooks.refusal"
#: Environment variable with the caller's certificate, as `ssl.SSLSocket.getpeercert` returns it.
PEER_CERTIFICATE = "hooks.peer_certificate"

_OWN_VARIABLES = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


def connection_environ(host: str, port: int) -> "WSGIEnvironment":
    """Describe what all requests of a plain connection to this address have in common."""
    return {
        "SCRIPT_NAME": "",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }


def request_environ(request: h11.Request) -> "WSGIEnvironment":
    """Describe a request, without its body.

    A header with an underscore in its name is left out: it would read as another one.
    """
    path, _, query = request.target.partition(b"?")
    environ: WSGIEnvironment = {
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
