"""Describes requests and connections as WSGI environments (PEP 3333)."""

import sys
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

import h11

from hooks.server.heads import Unreadable

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: Environment variable that tells the app why a request could not be read: HTTP status, reason.
REFUSAL = "hooks.refusal"
#: Environment variable with the caller's certificate, as `ssl.SSLSocket.getpeercert` returns it.
PEER_CERTIFICATE = "hooks.peer_certificate"

#: Environment variable with the monotonic seconds from which a call's time counts: when all of it
#: had arrived, less the time for which its body waited for memory.
STARTED = "hooks.started"

#: Environment variable with the name of this server that the caller used, from the header Host.
#: Flask does not see it: to Flask, the server's name is its address.
HOST = "hooks.host"

#: The headers that are read; no other one stays in memory.
_VARIABLES = {
    b"accept": "HTTP_ACCEPT",
    b"authorization": "HTTP_AUTHORIZATION",
    b"content-length": "CONTENT_LENGTH",
    b"host": HOST,
    b"transfer-encoding": "HTTP_TRANSFER_ENCODING",
}


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

    Raises:
        Unreadable: its target is no path, or it expects what HTTP/1.1 does not know.
    """
    path, _, query = request.target.partition(b"?")
    if not path.startswith(b"/"):
        raise Unreadable(400, "its target must be a path")
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": request.method.decode("ascii"),
        # One path for all that read it: Flask takes several slashes at the start as one.
        "PATH_INFO": "/" + unquote_to_bytes(path).decode("latin-1").lstrip("/"),
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{request.http_version.decode('ascii')}",
    }
    for name, value in request.headers:
        if name == b"expect" and value.lower() != b"100-continue":
            raise Unreadable(417, "the only expectation is 100-continue")
        if variable := _VARIABLES.get(name):
            text = value.decode("latin-1")
            environ[variable] = f"{environ[variable]},{text}" if variable in environ else text
    return environ
