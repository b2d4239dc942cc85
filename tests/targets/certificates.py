"""Makes authorities, and the certificates that they sign, for servers and clients on loopback."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

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
        self,
        name: str = "admin",
        *,
        starts: float | None = None,
        ends: float = FAR,
        host: str = "client.example",
    ) -> Certificate:
        """Sign a certificate for a name, good for a server at `host` and for a client."""
        issued = self._authority.issue_cert(
            host,
            common_name=name,
            not_before=None if starts is None else datetime.fromtimestamp(starts, tz=UTC),
            not_after=datetime.fromtimestamp(ends, tz=UTC),
        )
        certificate = issued.cert_chain_pems[0].bytes().decode()
        return Certificate(certificate, issued.private_key_pem.bytes().decode())


def self_signed(name: str, kind: str) -> Certificate:
    """Make a client certificate that is its own authority, with a key of a kind.

    `kind` is Ed25519, P-384, or RSA, PKCS#1.
    """
    keys: dict[str, Callable[[], CertificateIssuerPrivateKeyTypes]] = {
        "Ed25519": ed25519.Ed25519PrivateKey.generate,
        "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "RSA, PKCS#1": lambda: rsa.generate_private_key(65537, 2048),
    }
    key = keys[kind]()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime.fromtimestamp(FAR, tz=UTC))
    )
    certificate = builder.sign(key, None if kind == "Ed25519" else hashes.SHA256())
    form = PrivateFormat.PKCS8 if kind == "Ed25519" else PrivateFormat.TraditionalOpenSSL
    pem = key.private_bytes(Encoding.PEM, form, NoEncryption())
    return Certificate(certificate.public_bytes(Encoding.PEM).decode(), pem.decode())


def encrypted(key: str, password: bytes) -> str:
    """Write a key in PEM again, behind a password."""
    loaded = load_pem_private_key(key.encode(), None)
    encryption = BestAvailableEncryption(password)
    return loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()
