"""What a Secret's certificate is told by, and that its key is never shown."""

import base64
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers, RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hooks.loadbalancers.certificates import travels_in_clear
from hooks.loadbalancers.key_pairs import MAX_CHAIN, MAX_PEM, BadPair, digest_of, read_pair
from hooks.targetclusters.access.client_keys import UNREADABLE, key_problem
from tests.integration.loadbalancers.certificates import make_certificate, pem_of, rsa_key, secret

NOW = 1_800_000_000.0


def test_a_digest_goes_by_the_certificates_and_not_by_how_they_are_written() -> None:
    first, second = (make_certificate(NOW, name, key=rsa_key()) for name in ("a", "b"))
    assert digest_of(first, "") == digest_of(f"# of web\n{first}\n\n", "")
    assert digest_of(first, second) == digest_of(first + second, "")
    assert len({digest_of(first, ""), digest_of(second, ""), digest_of(first, second)}) == 3
    assert digest_of("hello", "") == ""


def test_the_first_certificate_is_shown_and_those_behind_it_are_its_chain() -> None:
    leaf = make_certificate(NOW, "leaf", days=20, key=rsa_key())
    signer = make_certificate(NOW, "signer", days=10, key=rsa_key(1), issuer="root")
    pair = read_pair(secret(leaf + signer, pem_of(rsa_key())), NOW)
    assert (pair.certificate, pair.chain) == (leaf, signer)
    assert pair.expires == NOW + 10 * 86400
    assert pair.digest == digest_of(leaf, signer)
    assert pair.key not in repr(pair)
    assert "PRIVATE" not in repr(pair)


def test_a_root_that_has_ended_behind_a_good_certificate_stops_nothing() -> None:
    leaf = make_certificate(NOW, "leaf", days=20, key=rsa_key())
    root = make_certificate(NOW, "root", days=-1, key=rsa_key(1))
    assert read_pair(secret(leaf + root, pem_of(rsa_key())), NOW).expires == NOW + 20 * 86400


#: Where a certificate in DER says its version, and its key's algorithm (RSA).
VERSION, ALGORITHM = bytes.fromhex("a003020102"), bytes.fromhex("06092a864886f70d010101")


def edited(before: bytes, after: bytes) -> str:
    """Return a certificate that has other bytes in one place."""
    text = make_certificate(NOW, "web", key=rsa_key())
    der = x509.load_pem_x509_certificate(text.encode()).public_bytes(Encoding.DER)
    assert der.count(before) == 1
    written = base64.encodebytes(der.replace(before, after)).decode()
    return f"-----BEGIN CERTIFICATE-----\n{written}-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    "certificate",
    [
        pytest.param(edited(VERSION, VERSION[:-1] + b"\x04"), id="a version that is unknown"),
        pytest.param(edited(ALGORITHM, ALGORITHM[:-1] + b"\x7d"), id="an unknown algorithm"),
    ],
)
def test_a_certificate_that_the_library_refuses_in_its_own_way_is_told(certificate: str) -> None:
    with pytest.raises(BadPair, match="certificate"):
        read_pair(secret(certificate, pem_of(rsa_key())), NOW)
    assert len(digest_of(certificate, "")) in (0, 64)


def test_a_key_that_openssl_refuses_without_words_is_told() -> None:
    key = diffie_hellman_key(16_000)
    with pytest.raises(BadPair, match=r"no private key in PEM in tls.key"):
        read_pair(secret(make_certificate(NOW, "web", key=rsa_key()), key), NOW)
    assert key_problem(key) == UNREADABLE


def diffie_hellman_key(bits: int) -> str:
    """Write a Diffie-Hellman key in PKCS #8 (RFC 5208, PKCS #3), whose prime is none."""
    prime = _integer((1 << (bits - 1)) | 1)
    algorithm = _der(
        0x30, bytes.fromhex("06092a864886f70d010301") + _der(0x30, prime + _integer(2))
    )
    der = _der(0x30, _integer(0) + algorithm + _der(0x04, _integer(1 << (bits - 2))))
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{text}-----END PRIVATE KEY-----\n"


def _integer(number: int) -> bytes:
    return _der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    length = size if len(content) < 128 else bytes([0x80 | len(size)]) + size
    return bytes([tag]) + length + content


def test_a_key_that_costs_a_worker_seconds_is_refused_before_that() -> None:
    """Its primes are known (Mersenne's), so a tenant makes it at no cost."""
    p, q, e = 2**4423 - 1, 2**4253 - 1, 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    public = RSAPublicNumbers(e, p * q)
    numbers = RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    key = numbers.private_key(unsafe_skip_rsa_key_validation=True)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    began = time.process_time()
    with pytest.raises(BadPair, match="has a key of more than 8192 bits"):
        read_pair(secret(make_certificate(NOW, "web", key=rsa_key()), pem), NOW)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(("name", "most"), [("tls.crt", MAX_CHAIN), ("tls.key", MAX_PEM)])
def test_no_more_is_read_than_a_pair_can_have(name: str, most: int) -> None:
    found = secret(make_certificate(NOW, "web", key=rsa_key()), pem_of(rsa_key()))
    found["data"][name] = base64.b64encode(b"x" * (most + 3)).decode()
    with pytest.raises(BadPair, match=f"has more than {most} bytes in {name}"):
        read_pair(found, NOW)


@pytest.mark.parametrize(
    ("url", "in_clear"),
    [
        ("https://cloud.example/client/api", False),
        ("http://cloud.example/client/api", True),
        ("http://10.0.0.1:8080/client/api", True),
        ("http://127.0.0.1:8080/client/api", False),
        ("http://[::1]:8080/client/api", False),
        ("http://localhost/client/api", False),
    ],
)
def test_a_key_is_sent_by_https_or_to_this_machine(url: str, in_clear: bool) -> None:
    assert travels_in_clear(url) is in_clear
