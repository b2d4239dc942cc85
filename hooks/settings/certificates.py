"""The certificates with which the hooks speak TLS, read from files."""

import ssl
from dataclasses import dataclass


@dataclass(frozen=True)
class CertificateFiles:
    """PEM files: the chain we show, its key, and who signs callers' certificates (or empty)."""

    cert: str
    key: str
    client_ca: str = ""


def server_context(files: CertificateFiles) -> ssl.SSLContext:
    """Make the context of the certificates as they are now.

    A caller's certificate is checked where it shows one; whether it must is decided per path,
    because kubelet's probes have none.

    Raises:
        OSError: a file is missing or is not what it should be.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    # An empty passphrase keeps OpenSSL from asking for one at the terminal.
    context.load_cert_chain(files.cert, files.key, password="")
    if files.client_ca:
        context.load_verify_locations(files.client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context
