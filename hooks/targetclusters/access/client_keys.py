"""Tells which private keys cost a handshake more than a moment: no deadline ends that."""

import re

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

#: Bits of an RSA key. One of 16,384 costs a second of processor time at each connection, and one
#: that fits into a Secret minutes.
MAX_BITS = 8192
#: Bits of its public exponent, as OpenSSL bounds it.
_EXPONENT_BITS = 64
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)
#: What the library raises for what it cannot read; InternalError where OpenSSL has no words.
_UNREADABLE = (ValueError, TypeError, OverflowError, UnsupportedAlgorithm, InternalError)
UNREADABLE = "is not a key in PEM that fits client-certificate-data"


def key_problem(pem: str) -> str:
    """Say what is wrong with the keys in a text in PEM, each of them; empty for nothing."""
    blocks = [found[0] for found in _BLOCK.finditer(pem)]
    if not blocks:
        return UNREADABLE
    for block in blocks:
        try:
            # Whether its primes are some costs seconds, and is left to the cluster.
            key = load_pem_private_key(block.encode(), None, unsafe_skip_rsa_key_validation=True)
        except _UNREADABLE:
            return UNREADABLE
        if isinstance(key, RSAPrivateKey) and _is_large(key):
            return f"holds an RSA key of more than {MAX_BITS} bits"
    return ""


def _is_large(key: RSAPrivateKey) -> bool:
    """Tell whether a number of a key is larger than that of an honest one of MAX_BITS."""
    numbers = key.private_numbers()
    public = numbers.public_numbers
    halves = (numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp)
    return (
        max(public.n, numbers.d).bit_length() > MAX_BITS
        or max(halves).bit_length() > MAX_BITS // 2
        or public.e.bit_length() > _EXPONENT_BITS
    )
