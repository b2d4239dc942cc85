"""CloudStack is reached through the proxy that the cloud-config or the environment names."""

import base64
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from hooks.cloudstack import Cloud, CloudConfig
from hooks.cloudstack.errors import Unreachable
from hooks.http.deadline import Deadline
from hooks.settings.cloud_config import fill_from_environ
from hooks.settings.parsing import SettingsError
from tests.controlplane.polling import SLACK
from tests.serving import PROJECT
from tests.targets import servers
from tests.unit.api_server import serving as serving_kubernetes
from tests.unit.cloudstack.http_api import Api, ok, serving
from tests.unit.http.clients import AUTHORITY, SERVER
from tests.unit.http.proxies import proxying

VERSION = {"capability": {"cloudstackversion": "4.22.0.0"}}
NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def plain() -> Iterator[Api]:
    with serving(lambda call: ok(call, VERSION)) as api:
        yield api


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_text(AUTHORITY.pem)
    return path


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Api]:
    pem = tmp_path / "server.pem"
    pem.write_text(SERVER.certificate + SERVER.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with serving(lambda call: ok(call, VERSION), tls=context) as api:
        yield api


def version_at(
    url: str,
    environ: Mapping[str, str] | None = None,
    *,
    proxy: str = "",
    ca: Path | None = None,
    seconds: float = 5,
) -> str:
    config = CloudConfig(url, "key", "secret", proxy=proxy, ca_file=str(ca or ""))
    with closing(Cloud(fill_from_environ(config, environ or {}, warn=pytest.fail))) as cloud:
        return ".".join(map(str, cloud.capabilities(Deadline(seconds)).version))


def test_a_plain_call_goes_through_the_proxy_of_the_cloud_config(plain: Api) -> None:
    with proxying() as proxy:
        assert version_at(plain.url, proxy=proxy.url) == "4.22.0.0"
    assert proxy.requests == [f"POST {plain.url}"]
    assert plain.commands() == ["listCapabilities"]


def test_a_call_over_tls_goes_through_a_tunnel_that_the_proxy_cannot_read(
    secure: Api, ca: Path
) -> None:
    with proxying() as proxy:
        assert version_at(secure.url, proxy=proxy.url, ca=ca) == "4.22.0.0"
    host = secure.url.removeprefix("https://").partition("/")[0]
    assert proxy.requests == [f"CONNECT {host}"]


def test_the_certificate_behind_a_tunnel_is_checked(secure: Api) -> None:
    with (
        proxying() as proxy,
        pytest.raises(Unreachable, match=r"certificate of 127\.0\.0\.1 is not trusted.*ca-file"),
    ):
        version_at(secure.url, proxy=proxy.url)
    assert secure.calls == []


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_user_and_password_are_for_the_proxy_alone(
    tls: bool, plain: Api, secure: Api, ca: Path
) -> None:
    with proxying() as proxy:
        url = proxy.url.replace("http://", "http://me:pass%20word@")
        version_at(secure.url if tls else plain.url, proxy=url, ca=ca)
    assert proxy.credentials == ["Basic " + base64.b64encode(b"me:pass word").decode()]
    for call in (*plain.calls, *secure.calls):
        assert "Proxy-Authorization" not in call.headers


@pytest.mark.parametrize(
    ("variable", "tls"),
    [
        ("HTTP_PROXY", False),
        ("http_proxy", False),
        ("ALL_PROXY", False),
        ("HTTPS_PROXY", True),
        ("https_proxy", True),
        ("all_proxy", True),
    ],
)
def test_the_usual_variables_are_obeyed(
    variable: str, tls: bool, plain: Api, secure: Api, ca: Path
) -> None:
    with proxying() as proxy:
        version_at(secure.url if tls else plain.url, {variable: proxy.url}, ca=ca)
        assert len(proxy.requests) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_no_proxy_may_name_the_port(host: str, plain: Api) -> None:
    url = plain.url.replace("127.0.0.1", host)
    port = url.rpartition(":")[2].partition("/")[0]
    environ = {"HTTP_PROXY": NOBODY, "NO_PROXY": f"other, {host}:{port}"}
    assert version_at(url, environ) == "4.22.0.0"
    environ["NO_PROXY"] = f"{host}:1{port[1:]}, {host}:9"
    with pytest.raises(Unreachable, match="through its proxy"):
        version_at(url, environ)


@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
@pytest.mark.parametrize("hosts", ["127.0.0.1", "10.0.0.0/8, 127.0.0.0/8", "*"])
def test_hosts_without_a_proxy_are_called_directly(variable: str, hosts: str, plain: Api) -> None:
    assert version_at(plain.url, {"HTTP_PROXY": NOBODY, variable: hosts}) == "4.22.0.0"


@pytest.mark.parametrize(
    ("url", "hosts", "expected"),
    [
        pytest.param("https://[::1]/", "::1", "", id="IPv6"),
        pytest.param("https://[::1]/", "[::1]:443", "", id="IPv6 with its port"),
        pytest.param("https://a.example.com/", ".example.com", "", id="a domain"),
        pytest.param("https://a.example.com/", "a.com A.Example.com:443", "", id="capitals"),
        pytest.param("https://example.com.evil/", "example.com", NOBODY, id="another domain"),
        pytest.param("https://10.1.2.3/", "10.1.2.0/24", "", id="in the network"),
        pytest.param("https://10.1.3.3/", "10.1.2.0/24", NOBODY, id="outside of it"),
        pytest.param("https://[2001:db8::7]/", "2001:DB8::/32", "", id="in the network of IPv6"),
        pytest.param("https://10.1.3.3/", "2001:db8::/32", NOBODY, id="a network of IPv6"),
        pytest.param("https://[::1]/", "[::1]", "", id="IPv6 in brackets"),
        pytest.param("https://[::1]/", "[::1]:8443", NOBODY, id="IPv6 with another port"),
        pytest.param("https://10.1.3.3/", "10.1.3.3:443", "", id="IPv4 with its port"),
        pytest.param("https://a.example.com/", "*.example.com", "", id="a domain with a star"),
        pytest.param("https://a.example.com/", "other,*", "", id="a star among others"),
        pytest.param("https://a.example.com./", "a.example.com.", "", id="dots at the end"),
        pytest.param("https://a.example.com/", "le.com", NOBODY, id="the end of a domain"),
        pytest.param("https://a.example.com/", "", NOBODY, id="nothing"),
    ],
)
def test_which_hosts_no_proxy_names(url: str, hosts: str, expected: str) -> None:
    environ = {"HTTPS_PROXY": NOBODY, "NO_PROXY": hosts}
    config = CloudConfig(url, "key", "secret")
    assert fill_from_environ(config, environ, warn=pytest.fail).proxy == expected


@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        ("http://a.example.com", "http://a.example.com"),
        ("a.example.com/x", "a.example.com/x"),
        ("not-a-network/24", "not-a-network/24"),
        ("10.1.2.0/33", "10.1.2.0/33"),
        ("10.1.2", "10.1.2"),
        ("10.1.2.*", "10.1.2.*"),
        ("*example.com", "*example.com"),
        ("*.", "*."),
        ("a..b", "a..b"),
        ("<local>", "<local>"),
        ("[::1", "[:***"),
        ("a:http", "a:***"),
        ("me:pass-word@a", "me:***"),
    ],
)
def test_an_entry_of_no_proxy_that_excludes_nothing_is_told_and_the_others_count(
    variable: str, entry: str, shown: str
) -> None:
    environ = {"HTTPS_PROXY": NOBODY, variable: f"{entry}, a.example.com, {entry}"}
    for host, expected in (("a.example.com", ""), ("b.example.com", NOBODY)):
        config = CloudConfig(f"https://{host}/client/api", "key", "secret")
        told: list[str] = []
        assert fill_from_environ(config, environ, warn=told.append).proxy == expected
        assert len(told) == 2
        for each in told:
            assert each.startswith(f"{variable} names '{shown}'; must be a host, ")
            assert each.endswith("; it is ignored")
        without_proxy = {variable: environ[variable]}
        assert fill_from_environ(config, without_proxy, warn=pytest.fail) == config


def test_the_proxy_of_the_cloud_config_wins_over_the_environment(plain: Api) -> None:
    with proxying() as proxy:
        version_at(plain.url, {"HTTP_PROXY": NOBODY, "NO_PROXY": "*"}, proxy=proxy.url)
        assert len(proxy.requests) == 1


ASK = """
import sys
from pathlib import Path
from tests.unit.http.clients import ask_own_api_server, ask_target
for ask in (ask_own_api_server, ask_target):
    assert ask(sys.argv[1], 5, Path(sys.argv[2])) == {}
"""


def test_no_api_server_is_reached_through_a_proxy(ca: Path) -> None:
    environ = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), NOBODY)
    with serving_kubernetes(lambda _: (200, {})) as server:
        command = [sys.executable, "-c", ASK, server.url, str(ca)]
        subprocess.run(command, cwd=PROJECT, env=environ, check=True, timeout=60)
    assert len(server.calls) == 2


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_a_proxy_that_refuses_is_named_and_its_password_is_not(
    tls: bool, plain: Api, secure: Api, ca: Path
) -> None:
    with proxying(refusal=407) as proxy:
        url = proxy.url.replace("http://", "http://me:PASSWORD@")
        with pytest.raises(Unreachable, match="407") as caught:
            version_at(secure.url if tls else plain.url, proxy=url, ca=ca)
    assert "PASSWORD" not in str(caught.value)
    if tls:
        assert "no connection to 127.0.0.1 through its proxy: " in str(caught.value)
        assert not caught.value.sent


def test_what_a_proxy_says_is_shortened_and_holds_no_password(secure: Api, ca: Path) -> None:
    sent = base64.b64encode(b"me:PASS WORD").decode()
    line = f"HTTP/1.1 407 {sent} PASS WORD PASS%20WORD {'x' * 60_000}\r\n\r\n".encode()
    with servers.serving(servers.sending(line)) as proxy:
        url = proxy.url.replace("http://", "http://me:PASS%20WORD@")
        with pytest.raises(Unreachable, match=r"407 \*\*\* \*\*\* \*\*\* x") as caught:
            version_at(secure.url, proxy=url, ca=ca)
    assert len(str(caught.value)) < 600


def test_a_proxy_that_does_not_listen_is_told_from_the_api(secure: Api, ca: Path) -> None:
    with pytest.raises(Unreachable, match="through its proxy: Connection refused") as caught:
        version_at(secure.url, proxy=NOBODY, ca=ca)
    assert (caught.value.sent, caught.value.transient) == (False, True)


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(servers.black_hole, id="never answers"),
        pytest.param(servers.repeating(b"x", after=b"HTTP/1.1 200 OK\r\nX: "), id="drips"),
        pytest.param(
            servers.repeating(b"X: y\r\n", after=b"HTTP/1.1 200 OK\r\n", pause=0.5),
            id="header after header",
        ),
    ],
)
def test_a_proxy_that_does_not_open_its_tunnel_is_left_in_time(
    behaviour: servers.Behaviour, secure: Api, ca: Path
) -> None:
    started = time.monotonic()
    with servers.serving(behaviour) as proxy, pytest.raises(Unreachable):
        version_at(secure.url, proxy=proxy.url, ca=ca, seconds=0.6)
    assert time.monotonic() - started < 0.6 + SLACK


def test_the_scheme_of_a_proxy_in_the_environment_may_be_left_out(plain: Api) -> None:
    with proxying() as proxy:
        version_at(plain.url, {"HTTP_PROXY": proxy.url.removeprefix("http://")})
        assert len(proxy.requests) == 1


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("proxy", ["socks5://me:PASSWORD@a:1", "http://", "ftp://a", "a b:1"])
def test_a_variable_that_names_no_http_proxy_is_named(variable: str, proxy: str) -> None:
    config = CloudConfig("http://cloud.example.com/client/api", "key", "secret")
    with pytest.raises(
        SettingsError, match=f"^{variable} is '.*must be an http or https U"
    ) as caught:
        fill_from_environ(config, {variable: proxy}, warn=pytest.fail)
    assert "PASSWORD" not in str(caught.value)
    without = {variable: proxy, "NO_PROXY": "*"}
    assert not fill_from_environ(config, without, warn=pytest.fail).proxy
