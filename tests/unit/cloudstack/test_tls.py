"""How the server's certificate is checked."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hooks.cloudstack import Cloud, CloudConfig
from hooks.cloudstack.errors import Unreachable
from hooks.http.deadline import Deadline
from hooks.settings.cloud_config import fill_from_environ
from tests.unit.cloudstack.http_api import Api, ok, serving

VERSION = {"capability": {"cloudstackversion": "4.22.0.0"}}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a self-signed certificate for 127.0.0.1, and its key, to one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cloudstack.test")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1))
    builder = builder.not_valid_after(now + timedelta(days=1))
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = builder.add_extension(address, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    )
    return path


@pytest.fixture
def api(certificate: Path) -> Iterator[Api]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(lambda call: ok(call, VERSION), tls=context) as api:
        yield api


def version_at(
    url: str, environ: Mapping[str, str] | None = None, *, ssl_no_verify: bool = False
) -> tuple[int, ...]:
    config = CloudConfig(url, "key", "secret", ssl_no_verify=ssl_no_verify)
    with closing(Cloud(fill_from_environ(config, environ or {}, warn=pytest.fail))) as cloud:
        return cloud.capabilities(Deadline(5)).version


def test_a_certificate_that_nobody_vouches_for_gets_no_key(api: Api) -> None:
    with pytest.raises(Unreachable) as caught:
        version_at(api.url)
    assert str(caught.value) == (
        "listCapabilities: the certificate of 127.0.0.1 is not trusted: self-signed certificate; "
        "ca-file in the cloud-config can name the authorities to trust"
    )
    assert (caught.value.sent, caught.value.transient) == (False, False)
    assert api.calls == []


def test_a_certificate_of_the_authorities_in_the_environment_is_trusted(
    api: Api, certificate: Path
) -> None:
    assert version_at(api.url, {"REQUESTS_CA_BUNDLE": str(certificate)}) == (4, 22, 0, 0)


def test_a_certificate_for_another_name_gets_no_key(api: Api, certificate: Path) -> None:
    url = api.url.replace("127.0.0.1", "localhost")
    wanted = "the certificate of localhost is not trusted: .*; is the host of api-url in the cloud-"
    with pytest.raises(Unreachable, match=wanted):
        version_at(url, {"SSL_CERT_FILE": str(certificate)})
    assert api.calls == []


def test_a_server_without_tls_is_told_with_the_setting() -> None:
    with serving(lambda call: ok(call, VERSION)) as plain, pytest.raises(Unreachable) as caught:
        version_at(plain.url.replace("http://", "https://"))
    assert "TLS with 127.0.0.1 failed" in str(caught.value)
    assert str(caught.value).endswith(
        "; does the server speak TLS at the port of api-url in the cloud-config?"
    )


def test_ssl_no_verify_takes_any_certificate(api: Api) -> None:
    assert version_at(api.url, ssl_no_verify=True) == (4, 22, 0, 0)
