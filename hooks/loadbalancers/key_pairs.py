"""Reads a certificate and its key from a Secret, and refuses what CloudStack would not take."""

import hashlib
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from hooks.http.bounded_json import Json
from hooks.http.texts import quote
from hooks.kube.objects import part
from hooks.kube.times import timestamp

TLS_SECRET = "kubernetes.io/tls"  # noqa: S105 - a type
#: Characters that CloudStack takes of a certificate, and of a key.
MAX_PEM = 16384
#: Bytes of tls.crt, with the chain, that are read; and bits of a key.
MAX_CHAIN = 4 * MAX_PEM
MAX_BITS = 8192
#: What the library raises for what it cannot read. Its own InternalError is for what OpenSSL
#: refuses without words, as a Diffie-Hellman key of 16,000 bits.
_UNREADABLE = (
    ValueError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    InternalError,
)


class BadPair(ValueError):
    """A Secret's certificate cannot be used; str() says why, and holds nothing of the key."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate, the chain that signed it, and its key, each in PEM.

    Attributes:
        digest: of the certificate and the chain; see `digest_of`.
        expires: epoch seconds, the first end among them.
    """

    certificate: str
    chain: str
    key: str = field(repr=False)
    digest: str
    expires: float


def read_pair(secret: Json, now: float) -> KeyPair:
    """Read the pair of a Secret of type kubernetes.io/tls.

    Args:
        secret: as the API server has it.
        now: epoch seconds.

    Raises:
        BadPair: it has none that CloudStack would take.
    """
    if secret.get("type") != TLS_SECRET:
        raise BadPair(f"is of type {quote(secret.get('type'))}, not {TLS_SECRET}")
    data = part(secret, "data")
    first, *chain = _certificates(_entry(data, "tls.crt", at_most=MAX_CHAIN))
    key = _key(_entry(data, "tls.key", at_most=MAX_PEM))
    public, starts, expires = _facts([first, *chain])
    if not isinstance(public, RSAPublicKey) or not isinstance(key, RSAPrivateKey):
        raise BadPair("has a key that is not RSA, the only kind that CloudStack takes")
    if max(key.key_size, public.key_size) > MAX_BITS:
        raise BadPair(f"has a key of more than {MAX_BITS} bits")
    if key.public_key() != public:
        raise BadPair("has a key in tls.key that is not that of the first certificate in tls.crt")
    if expires <= now:
        raise BadPair(f"has a certificate that expired at {timestamp(expires)}")
    if starts > now:
        raise BadPair(f"has a certificate that holds from {timestamp(starts)} on")
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    leaf, signers = _pem([first]), _pem(chain)
    if max(len(leaf), len(pem)) > MAX_PEM:
        raise BadPair(f"has a certificate or a key of more than {MAX_PEM} characters")
    return KeyPair(leaf, signers, pem, _digest([first, *chain]), expires)


def digest_of(certificate: str, chain: str) -> str:
    """Return SHA-256 of certificates in PEM, however they are written, in hexadecimal digits.

    That of one alone is its fingerprint. Empty if one cannot be read.
    """
    try:
        return _digest(x509.load_pem_x509_certificates(f"{certificate}\n{chain}".encode()))
    except _UNREADABLE:
        return ""


def _digest(certificates: Sequence[x509.Certificate]) -> str:
    written = (each.public_bytes(Encoding.DER) for each in certificates)
    return hashlib.sha256(b"".join(written)).hexdigest()


def _pem(certificates: Sequence[x509.Certificate]) -> str:
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in certificates)


def _entry(data: Json, name: str, *, at_most: int) -> bytes:
    text = str(data.get(name) or "")
    if len(text) * 3 > at_most * 4:
        raise BadPair(f"has more than {at_most} bytes in {name}")
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise BadPair(f"has something in {name} that is not base64") from None


def _certificates(pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except _UNREADABLE:
        raise BadPair("has no certificate in PEM in tls.crt") from None


def _facts(certificates: Sequence[x509.Certificate]) -> tuple[object, float, float]:
    """Return the key of the first, and from when to when all hold, in epoch seconds.

    A root that is sent along does not count: clients trust their own copy, or none. An old one that
    has ended is delivered behind good certificates for years.
    """
    try:
        counting = [
            certificates[0],
            *(one for one in certificates[1:] if one.issuer != one.subject),
        ]
        starts = max(each.not_valid_before_utc.timestamp() for each in counting)
        expires = min(each.not_valid_after_utc.timestamp() for each in counting)
        return certificates[0].public_key(), starts, expires
    except _UNREADABLE:
        raise BadPair("has a certificate in tls.crt that cannot be read in full") from None


def _key(pem: bytes) -> object:
    """Read a key, and leave to CloudStack whether its primes are some.

    That check is one call into the library, which no deadline ends and beside which no thread of
    this process runs: 10 s for a key of 8,676 bits.
    """
    try:
        return load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        raise BadPair("has a key behind a password in tls.key; write one without") from None
    except _UNREADABLE:
        raise BadPair("has no private key in PEM in tls.key") from None
