"""The certificates with which the hooks speak TLS, read from files."""

import ssl


def server_context(client_ca: str, cert: str, key: str) -> ssl.SSLContext:
    """Make the context of the certificates as they are now.

    A client certificate is optional here: kubelet's probes have none, and the app decides by
    path whether one is needed.

    Args:
        client_ca: PEM file with the authorities of client certificates; empty for none.
        cert: PEM file with the chain of the server.
        key: PEM file with its private key.

    Raises:
        OSError: a file is missing or is not what it should be.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    # An empty passphrase keeps OpenSSL from asking for one at the terminal.
    context.load_cert_chain(cert, key, password="")
    if client_ca:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context
