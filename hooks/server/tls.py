"""TLS on the port of the hooks only, with the newest certificates for each connection."""

import socket
import ssl
from collections.abc import Callable

#: Seconds that a caller may take for the TLS handshake.
HANDSHAKE_SECONDS = 10.0


class PortContext:
    """Takes the place of a server's SSLContext, and leaves the connections of one port plain.

    Gunicorn has one TLS setting for all its addresses. `/metrics` is always plain HTTP, so
    Prometheus needs none of the hooks' certificates.

    Args:
        context: returns the context of the newest certificates.
        plain_port: the port without TLS.
    """

    def __init__(self, context: Callable[[], ssl.SSLContext], *, plain_port: int) -> None:
        self._context = context
        self._plain_port = plain_port

    def wrap_socket(
        self,
        sock: socket.socket,
        *,
        server_side: bool,
        suppress_ragged_eofs: bool,
        do_handshake_on_connect: bool,
    ) -> socket.socket:
        """Make a TLS connection of a socket; gunicorn calls this in the connection's thread."""
        if sock.getsockname()[1] == self._plain_port:
            return sock
        sock.settimeout(HANDSHAKE_SECONDS)
        try:
            connection = self._context().wrap_socket(
                sock,
                server_side=server_side,
                suppress_ragged_eofs=suppress_ragged_eofs,
                do_handshake_on_connect=do_handshake_on_connect,
            )
        except TimeoutError as error:
            raise ssl.SSLError("the handshake took too long") from error
        connection.settimeout(None)
        return connection
