"""Certificates and keys in a kubeconfig."""

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from hooks.http.bounded_json import Json
from hooks.targetclusters.access.connector import tls_context
from hooks.targetclusters.access.kubeconfig import read_untrusted_kubeconfig
from hooks.targetclusters.access.kubeconfig_fields import PEM_BOUNDS, BadKubeconfig
from hooks.targetclusters.health.model import Lifetime
from tests.targets.certificates import FAR, encrypted, self_signed
from tests.targets.objects import encoded, jwt, kubeconfig
from tests.unit.targetclusters.access.kubeconfigs import AUTHORITY, SERVER, refusal

STARTS = 1600000000.0


def with_certificate(ends: float) -> Json:
    client = AUTHORITY.issue(starts=STARTS, ends=ends)
    return {
        "client-certificate-data": encoded(client.certificate),
        "client-key-data": encoded(client.key),
    }


OF_CERTIFICATE = Lifetime(1900000000.0, STARTS)


@pytest.mark.parametrize(
    ("user", "lifetimes"),
    [
        pytest.param({"token": "opaque"}, [], id="opaque-token"),
        pytest.param({"token": jwt(exp=2000000000)}, [Lifetime(2000000000.0)], id="jwt"),
        pytest.param(
            {"token": jwt(exp=2000000000, iat=1999996400)},
            [Lifetime(2000000000.0, 1999996400.0)],
            id="jwt-with-its-start",
        ),
        pytest.param(
            {"token": jwt(exp=2000000000, iat="once")},
            [Lifetime(2000000000.0)],
            id="jwt-with-a-bad-start",
        ),
        pytest.param(
            {"token": jwt(exp=2000000000, iat=-1)},
            [Lifetime(2000000000.0)],
            id="jwt-from-before-the-calendar",
        ),
        pytest.param({"token": jwt(iat=1900000000)}, [], id="jwt-without-end"),
        pytest.param({"token": jwt(exp="soon")}, [], id="jwt-with-a-bad-end"),
        pytest.param({"token": jwt(exp=float("nan"))}, [], id="jwt-that-ends-at-no-number"),
        pytest.param({"token": jwt(exp=1e300)}, [], id="jwt-that-outlives-the-calendar"),
        pytest.param({"token": "a.W10.c"}, [], id="jwt-that-claims-a-list"),
        pytest.param({"token": "a.b.c"}, [], id="three-parts-that-are-no-jwt"),
        pytest.param(with_certificate(1900000000), [OF_CERTIFICATE], id="certificate"),
        pytest.param(
            {"token": jwt(exp=2000000000), **with_certificate(1900000000)},
            [OF_CERTIFICATE, Lifetime(2000000000.0)],
            id="both",
        ),
    ],
)
def test_how_long_the_credentials_hold_is_read(user: Json, lifetimes: list[Lifetime]) -> None:
    found = read_untrusted_kubeconfig(kubeconfig(SERVER, user=user))
    assert list(found.lifetimes) == lifetimes


def test_a_certificate_without_its_key_is_refused() -> None:
    user = with_certificate(FAR)
    del user["client-key-data"]
    assert str(refusal(kubeconfig(SERVER, user=user))).startswith(
        "users[u].user.client-key-data: is missing"
    )


def test_a_client_certificate_that_is_none_is_refused() -> None:
    user = with_certificate(FAR) | {"client-certificate-data": encoded("no PEM")}
    assert "client-certificate-data: is not a certificate in PEM" in str(
        refusal(kubeconfig(SERVER, user=user))
    )


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(AUTHORITY.issue().key, id="of-another-certificate"),
        pytest.param("no PEM", id="no-pem"),
    ],
)
def test_a_key_that_does_not_fit_is_refused_without_asking_anybody(key: str) -> None:
    user = with_certificate(FAR) | {"client-key-data": encoded(key)}
    found = read_untrusted_kubeconfig(kubeconfig(SERVER, user=user))
    with pytest.raises(BadKubeconfig, match="client-key-data: is not a key in PEM that fits"):
        tls_context(found)


RSA = self_signed("admin", "RSA, PKCS#1")


def with_numbers(**others: int) -> str:
    """Write the key of RSA with other numbers in the place of its own."""
    key = load_pem_private_key(RSA.key.encode(), None)
    assert isinstance(key, RSAPrivateKey)
    own, public = key.private_numbers(), key.public_key().public_numbers()
    numbers = {"version": 0, "n": public.n, "e": public.e, "d": own.d, "p": own.p, "q": own.q}
    numbers |= {"dmp1": own.dmp1, "dmq1": own.dmq1, "iqmp": own.iqmp}
    written = b"".join(map(integer, (numbers | others).values()))
    lines = base64.encodebytes(b"\x30" + length(written) + written).decode()
    return f"-----BEGIN RSA PRIVATE KEY-----\n{lines}-----END RSA PRIVATE KEY-----\n"


def integer(number: int) -> bytes:
    """Write a whole number in DER."""
    content = number.to_bytes(number.bit_length() // 8 + 1)
    return b"\x02" + length(content) + content


def length(content: bytes) -> bytes:
    """Write the length of something in DER."""
    size = len(content)
    if size < 128:
        return bytes([size])
    written = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([0x80 + len(written)]) + written


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param({"n": 1 << 8192 | 1}, id="modulus"),
        pytest.param({"e": 1 << 64 | 1}, id="public-exponent"),
        pytest.param({"d": 1 << 8192 | 1}, id="private-exponent"),
        pytest.param({"p": 1 << 4096 | 1}, id="first-prime"),
        pytest.param({"q": 1 << 4096 | 1}, id="second-prime"),
        pytest.param({"dmp1": 1 << 4096 | 1}, id="first-exponent"),
        pytest.param({"dmq1": 1 << 4096 | 1}, id="second-exponent"),
        pytest.param({"iqmp": 1 << 4096 | 1}, id="coefficient"),
    ],
)
@pytest.mark.parametrize("before", ["", RSA.key], ids=["alone", "after another"])
def test_a_key_that_would_compute_for_minutes_at_each_connection_is_refused(
    numbers: dict[str, int], before: str
) -> None:
    user = {
        "client-certificate-data": encoded(RSA.certificate),
        "client-key-data": encoded(before + with_numbers(**numbers)),
    }
    found = read_untrusted_kubeconfig(kubeconfig(SERVER, user=user))
    with pytest.raises(BadKubeconfig, match="client-key-data: holds an RSA key of more"):
        tls_context(found)


def test_the_key_counts_that_is_in_the_field_for_it() -> None:
    other = AUTHORITY.issue().key
    user = {
        "client-certificate-data": encoded(other + RSA.certificate),
        "client-key-data": encoded(with_numbers()),
    }
    tls_context(read_untrusted_kubeconfig(kubeconfig(SERVER, user=user)))


CLIENT = AUTHORITY.issue()
ENCRYPTED = encrypted(CLIENT.key, b"secret")
PROC_TYPE = CLIENT.key.replace(
    "KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n", 1
)
PEM_FIELDS = ("certificate-authority-data", "client-certificate-data", "client-key-data")


@pytest.mark.parametrize("field", PEM_FIELDS)
@pytest.mark.parametrize("key", [ENCRYPTED, PROC_TYPE], ids=["pkcs8", "proc-type"])
@pytest.mark.parametrize("before", ["", CLIENT.certificate, CLIENT.key], ids=["first", "c", "k"])
def test_an_encrypted_key_is_refused_before_openssl_hashes_its_password(
    field: str, key: str, before: str
) -> None:
    assert "ENCRYPTED" in key
    text = with_pem(field, before + key)
    assert str(refusal(text)).endswith(
        f"{field}: holds an encrypted key; must be a key without a password"
    )


@pytest.mark.parametrize("field", PEM_FIELDS)
def test_a_pem_field_holds_so_much_and_so_many_blocks(field: str) -> None:
    length, blocks = PEM_BOUNDS[field]
    problem = f"{field}: holds more than {length} characters or {blocks} PEM blocks"
    one = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"
    assert str(refusal(with_pem(field, "A" * (length + 1)))).endswith(problem)
    assert str(refusal(with_pem(field, one * (blocks + 1)))).endswith(problem)


def test_a_key_after_its_parameters_is_read() -> None:
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    key = AUTHORITY.issue()
    user = {
        "client-certificate-data": encoded(key.certificate),
        "client-key-data": encoded(parameters + key.key),
    }
    tls_context(read_untrusted_kubeconfig(kubeconfig(SERVER, user=user)))


def with_pem(field: str, pem: str) -> str:
    if field == "certificate-authority-data":
        return kubeconfig(SERVER, cluster={field: encoded(pem)})
    return kubeconfig(SERVER, user=with_certificate(FAR) | {field: encoded(pem)})


def test_an_authority_that_is_none_is_refused() -> None:
    cluster = {"certificate-authority-data": encoded("no PEM")}
    with pytest.raises(BadKubeconfig, match="certificate-authority-data: is not a certificate"):
        tls_context(read_untrusted_kubeconfig(kubeconfig(SERVER, cluster=cluster)))


#: Where a certificate in DER says its version, and when it ends.
VERSION, END = b"\xa0\x03\x02\x01\x02", b"\x18\x0f2100"


def edited(before: bytes, after: bytes) -> Json:
    """Return the user of a kubeconfig whose certificate has other bytes in one place."""
    client = AUTHORITY.issue(starts=STARTS, ends=FAR)
    der = x509.load_pem_x509_certificate(client.certificate.encode()).public_bytes(Encoding.DER)
    assert der.count(before) == 1
    text = base64.encodebytes(der.replace(before, after)).decode()
    certificate = f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"
    return {
        "client-certificate-data": encoded(certificate),
        "client-key-data": encoded(client.key),
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(VERSION, VERSION[:-1] + b"\x05", id="version 6"),
        pytest.param(END, END[:-4] + b"0000", id="the year 0"),
    ],
)
def test_a_certificate_that_the_library_refuses_in_its_own_way_is_invalid(
    before: bytes, after: bytes
) -> None:
    error = refusal(kubeconfig(SERVER, user=edited(before, after)))
    assert error.reason == "KubeconfigInvalid"
    assert "client-certificate-data: is not a certificate in PEM" in str(error)


def test_a_certificate_that_ended_long_ago_ends_at_a_time_that_a_status_can_hold() -> None:
    text = kubeconfig(SERVER, user=edited(END, END[:-4] + b"0999"))
    [lifetime] = read_untrusted_kubeconfig(text).lifetimes
    assert lifetime.end == 0.0


@pytest.mark.parametrize(
    "name", ["a\0b", ".x", "a..b", "a" * 64, "a." * 127 + "a", "a:1", "a b", "::1%a"]
)
def test_a_server_name_that_tls_cannot_ask_for_is_named(name: str) -> None:
    error = refusal(kubeconfig(SERVER, cluster={"tls-server-name": name}))
    assert "tls-server-name: is" in str(error)
    assert "must be a host name or an IP address" in str(error)


@pytest.mark.parametrize("name", ["kubernetes", "a.b-c.example", "a_b.example", "10.0.0.1", "::1"])
def test_other_server_names_are_taken(name: str) -> None:
    text = kubeconfig(SERVER, cluster={"tls-server-name": name})
    assert read_untrusted_kubeconfig(text).server_name == name
