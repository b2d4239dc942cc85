"""How the server's certificate is checked.

`tls/` holds a self-signed certificate for 127.0.0.1, made for these tests alone:
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500
-subj /CN=cloudstack.test -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out certificate.pem
"""

import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hooks.cloudstack import CloudConfig, open_cloud
from hooks.cloudstack.errors import Unreachable
from hooks.http.deadline import Deadline
from tests.unit.cloudstack.http_api import Api, ok, serving

TLS = Path(__file__).with_name("tls")
VERSION = {"capability": {"cloudstackversion": "4.22.0.0"}}


@pytest.fixture
def api() -> Iterator[Api]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "certificate.pem", TLS / "key.pem")
    with serving(lambda call: ok(call, VERSION), tls=context) as api:
        yield api


def version_at(url: str, *, ssl_no_verify: bool = False) -> tuple[int, ...]:
    config = CloudConfig(url, "key", "secret", ssl_no_verify=ssl_no_verify)
    with closing(open_cloud(config)) as cloud:
        return cloud.capabilities(Deadline(5)).version


@pytest.fixture(autouse=True)
def _no_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


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
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(TLS / "certificate.pem"))
    assert version_at(api.url) == (4, 22, 0, 0)


def test_a_certificate_for_another_name_gets_no_key(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS / "certificate.pem"))
    with pytest.raises(Unreachable, match="the certificate of localhost is not trusted"):
        version_at(api.url.replace("127.0.0.1", "localhost"))
    assert api.calls == []


def test_authorities_that_are_not_there_are_told(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with pytest.raises(Unreachable, match=r"none\.pem") as caught:
        version_at(api.url)
    assert not caught.value.sent


def test_ssl_no_verify_takes_any_certificate(api: Api) -> None:
    assert version_at(api.url, ssl_no_verify=True) == (4, 22, 0, 0)
