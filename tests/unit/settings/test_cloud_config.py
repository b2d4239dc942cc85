from pathlib import Path

import pytest

from hooks.cloudstack.config import CloudConfig
from hooks.settings.cloud_config import (
    CA_VARIABLES,
    fill_from_environ,
    parse_cloud_config,
    read_cloud_config,
)
from hooks.settings.parsing import SettingsError
from tests.targets.certificates import Authority

KEYS = "api-key = KEY-1\nsecret-key = SECRET-1\n"
GOOD = "[Global]\napi-url = https://cloud.example.com/client/api\n" + KEYS


def parse(text: str) -> CloudConfig:
    """Read a cloud-config in which nothing is unknown."""
    return parse_cloud_config(text, warn=pytest.fail)


def test_every_name_of_the_file_is_read() -> None:
    more = (
        "project-id = p-1\nzone = Zone 1\nregion = north\nssl-no-verify = true\n"
        "ca-file = /etc/ca.pem\nproxy = http://me:word@proxy.example.com:3128\n"
    )
    assert parse(GOOD + more) == CloudConfig(
        api_url="https://cloud.example.com/client/api",
        api_key="KEY-1",
        secret_key="SECRET-1",
        project_id="p-1",
        zone="Zone 1",
        region="north",
        ssl_no_verify=True,
        ca_file="/etc/ca.pem",
        proxy="http://me:word@proxy.example.com:3128",
    )


def test_only_the_url_and_the_keys_are_needed() -> None:
    config = parse(GOOD)
    assert (config.project_id, config.zone, config.region) == ("", "", "")
    assert config.ssl_no_verify is False


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        pytest.param(
            "",
            ["api-url is missing", "api-key is missing", "secret-key is missing"],
            id="empty file",
        ),
        pytest.param(
            "[Global]\napi-url = ftp://x\napi-key = K\nssl-no-verify = perhaps\n",
            ["secret-key is missing", "api-url is not an http", "ssl-no-verify must be true or"],
            id="all at once",
        ),
        pytest.param("[Global]\napi-url = cloud\n" + KEYS, ["api-url is not an"], id="no scheme"),
        pytest.param(
            "[Global]\napi-url = http:///client\n" + KEYS, ["api-url is not an"], id="no host"
        ),
        pytest.param(
            "[Global]\napi-url = http://a:b/\n" + KEYS, ["api-url is not an"], id="port in words"
        ),
        pytest.param(
            "[Global]\napi-url = http://[::1/\n" + KEYS, ["api-url is not an"], id="half brackets"
        ),
        pytest.param(
            "[Global]\napi-url = https://me:PASSWORD-1@x/\n" + KEYS,
            ["api-url must hold no user"],
            id="password in the URL",
        ),
        pytest.param(
            "[Global]\napi-url = https://x/?apikey=KEY-1\n" + KEYS,
            ["api-url must hold no user, query"],
            id="key in the URL",
        ),
        pytest.param(
            GOOD + "proxy = socks5://me:PASSWORD-1@proxy\n",
            ["proxy is 'socks5://***@proxy'; must be an http or https URL"],
            id="SOCKS",
        ),
        pytest.param(
            GOOD + "proxy = proxy:3128\n", ["proxy begins with neither"], id="no scheme of it"
        ),
        pytest.param(
            '[Global]\napi-key = "KEY-1\n', ["line 2: the value's double"], id="open quotes"
        ),
        pytest.param(GOOD + "zone\n", ["zone has no value; write zone = VALUE"], id="no value"),
        pytest.param("KEY-1\n" + GOOD, ["line 1: there is a line before"], id="before it"),
        pytest.param(GOOD + "= SECRET-1\n", ["line 5: is not of the form"], id="no name"),
    ],
)
def test_every_problem_is_named_and_no_value_is_shown(text: str, problems: list[str]) -> None:
    with pytest.raises(SettingsError) as refusal:
        parse(text)
    assert len(refusal.value.problems) == len(problems)
    for problem, start in zip(refusal.value.problems, problems, strict=True):
        assert problem.startswith(start)
    for secret in ("KEY-1", "KEY-2", "SECRET-1", "PASSWORD-1"):
        assert secret not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("api-ulr = x\n", "api-ulr", id="misspelt name"),
        pytest.param("KEY-1\n", "one of the lines", id="a key without its name"),
        pytest.param("KEY-1==\n", "one of the lines", id="a key that ends in equals signs"),
        pytest.param("[LoadBalancer]\nx = 1\n", "only section [Global]", id="other section"),
    ],
)
def test_what_means_nothing_is_told_without_showing_a_key(text: str, shown: str) -> None:
    on_reload: list[str] = []
    parse_cloud_config(GOOD + text, warn=on_reload.append)
    assert len(on_reload) == 1
    assert shown in on_reload[0]
    assert "KEY-1" not in on_reload[0]
    assert "key-1" not in on_reload[0]


def test_a_configuration_does_not_print_its_keys() -> None:
    assert "KEY-1" not in repr(parse(GOOD))
    assert "SECRET-1" not in repr(parse(GOOD))
    assert "word" not in repr(parse(GOOD + "proxy = http://me:word@proxy.example.com:3128"))


def test_a_carriage_return_ends_no_line(tmp_path: Path) -> None:
    path = tmp_path / "cloud-config"
    path.write_bytes(GOOD.replace("\n", "\r\n").encode() + b"zone = a\rregion = b\r\n")
    assert read_cloud_config(str(path), environ={}, warn=pytest.fail).zone == "aregion = b"


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cloud-config"
    path.write_bytes(b"[Global]\nzone = \xff\n")
    with pytest.raises(SettingsError, match="not UTF-8 at byte 16"):
        read_cloud_config(str(path), environ={}, warn=pytest.fail)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        pytest.param("/no/ca.pem", "No such file or directory", id="not there"),
        pytest.param("/etc/passwd", "no certificate or crl found", id="no authorities"),
    ],
)
def test_authorities_that_cannot_be_used_are_refused(
    tmp_path: Path, path: str, problem: str
) -> None:
    config = tmp_path / "cloud-config"
    config.write_text(f"{GOOD}ca-file = {path}\n")
    wanted = f"^ca-file: {path} cannot be used: .*{problem}"
    with pytest.raises(SettingsError, match=wanted):
        read_cloud_config(str(config), environ={}, warn=pytest.fail)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param({}, "", id="none"),
        pytest.param({"SSL_CERT_FILE": "ca"}, "ca", id="OpenSSL's"),
        pytest.param(
            {"SSL_CERT_FILE": "ca", "REQUESTS_CA_BUNDLE": "mine"}, "mine", id="requests' first"
        ),
        pytest.param({"REQUESTS_CA_BUNDLE": ""}, "", id="empty"),
    ],
)
def test_the_environment_names_authorities_as_requests_and_openssl_read_it(
    variables: dict[str, str], expected: str, tmp_path: Path
) -> None:
    for name in ("ca", "mine"):
        (tmp_path / name).write_text(Authority().pem)
    environ = {name: each and str(tmp_path / each) for name, each in variables.items()}
    wanted = str(tmp_path / expected) if expected else ""
    assert fill_from_environ(parse(GOOD), environ, warn=pytest.fail).ca_file == wanted


@pytest.mark.parametrize("variable", CA_VARIABLES)
def test_a_variable_that_names_no_authorities_is_named(variable: str) -> None:
    wanted = f"^{variable}: /no/ca cannot be used: .*No such file or directory"
    with pytest.raises(SettingsError, match=wanted):
        fill_from_environ(parse(GOOD), {variable: "/no/ca"}, warn=pytest.fail)
