"""How the hooks speak TLS: with certificates that are taken up anew, on the hooks' port only."""

import socket
import ssl
from collections.abc import Callable

from hooks.settings.certificates import CertificateFiles, server_context
from hooks.settings.reloading import OnReload, ReloadingFile

#: Seconds that a caller may take for the TLS handshake.
HANDSHAKE_SECONDS = 10.0


class PortContext:
    """Stands for a server's SSLContext, and leaves the connections of one port as they are.

    Gunicorn has one TLS setting for all its addresses. `/metrics` is plain HTTP whether or not
    the hooks have certificates, so that Prometheus need not know about them.

    Args:
        context: gives the context of the newest certificates.
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


def reloading_certificates(
    files: CertificateFiles, first: ssl.SSLContext, *, on_reload: OnReload
) -> ReloadingFile[ssl.SSLContext]:
    """Follow the certificate files, so that a renewed certificate counts at the next connection."""
    paths = tuple(path for path in (files.cert, files.key, files.client_ca) if path)
    return ReloadingFile(
        "certificates", paths, lambda: server_context(files), first=first, on_reload=on_reload
    )
