"""Makes authorities, and the certificates that they sign, for servers and clients on loopback."""

from dataclasses import dataclass
from datetime import UTC, datetime

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

#: When certificates of tests end that are not about their end.
FAR = 4102444800.0


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key, both PEM."""

    certificate: str
    key: str


class Authority:
    """Signs certificates; `pem` is what to trust."""

    def __init__(self) -> None:
        self._authority = trustme.CA()
        self.pem = self._authority.cert_pem.bytes().decode()

    def issue(
        self, name: str = "admin", *, ends: float = FAR, host: str = "client.example"
    ) -> Certificate:
        """Sign a certificate for a name, good for a server at `host` and for a client."""
        issued = self._authority.issue_cert(
            host, common_name=name, not_after=datetime.fromtimestamp(ends, tz=UTC)
        )
        certificate = issued.cert_chain_pems[0].bytes().decode()
        return Certificate(certificate, issued.private_key_pem.bytes().decode())


def encrypted(key: str, password: bytes) -> str:
    """Write a key in PEM again, behind a password."""
    loaded = load_pem_private_key(key.encode(), None)
    encryption = BestAvailableEncryption(password)
    return loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()
