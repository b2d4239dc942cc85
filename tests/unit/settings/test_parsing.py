from collections.abc import Callable

import pytest

from hooks.settings import parsing
from hooks.settings.parsing import ListenAddress


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        pytest.param(parsing.names, "a, b,a ,,", ("a", "b"), id="names"),
        pytest.param(parsing.names, "", (), id="no names"),
        pytest.param(parsing.object_name, "kube-system", "kube-system", id="object name"),
        pytest.param(parsing.object_name, "", "", id="no object name"),
        pytest.param(parsing.object_names, "a,b-c", ("a", "b-c"), id="object names"),
        pytest.param(parsing.port, "1", 1, id="lowest port"),
        pytest.param(parsing.port, "65535", 65535, id="highest port"),
        pytest.param(parsing.host, "[::1]", "::1", id="IPv6 in brackets"),
        pytest.param(parsing.host, "0.0.0.0", "0.0.0.0", id="every address"),
        pytest.param(parsing.address, "127.0.0.1:80", ListenAddress("127.0.0.1", 80), id="address"),
        pytest.param(parsing.address, "[::]:80", ListenAddress("::", 80), id="IPv6 address"),
        pytest.param(parsing.choice("a", "b"), "A", "a", id="choice in capitals"),
        pytest.param(parsing.boolean, "True", True, id="true"),
        pytest.param(parsing.boolean, "false", False, id="false"),
        pytest.param(parsing.seconds(1, 100), "1m30s", 90.0, id="duration"),
        pytest.param(parsing.seconds(1, 100), "100s", 100.0, id="longest duration"),
    ],
)
def test_a_good_text_becomes_a_value(
    parse: Callable[[str], object], text: str, value: object
) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text", "problem"),
    [
        pytest.param(parsing.object_name, "Kube", "cannot name", id="capitals"),
        pytest.param(parsing.object_name, "a/b", "cannot name", id="slash"),
        pytest.param(parsing.object_name, "a..b", "cannot name", id="empty label"),
        pytest.param(parsing.object_names, "a,-", "cannot name", id="one of several"),
        pytest.param(parsing.port, "0", "is not a port", id="port 0"),
        pytest.param(parsing.port, "65536", "is not a port", id="port too high"),
        pytest.param(parsing.port, "-1", "is not a port", id="negative port"),
        pytest.param(parsing.port, "٨٠", "is not a port", id="digits of another script"),
        pytest.param(parsing.port, "tcp://10.0.0.1:80", "is not a port", id="of a service link"),
        pytest.param(parsing.host, "", "is not an address", id="no host"),
        pytest.param(parsing.host, "a b", "is not an address", id="blank in a host"),
        pytest.param(parsing.address, "8080", "is not an address with a port", id="port alone"),
        pytest.param(parsing.address, ":8080", "is not an address", id="no host before a port"),
        pytest.param(parsing.address, "::1", "is not an address with", id="IPv6 without brackets"),
        pytest.param(parsing.address, "a:b", "is not a port", id="port in words"),
        pytest.param(parsing.choice("a", "b"), "c", "is not one of a, b", id="choice"),
        pytest.param(parsing.boolean, "1", "is not one of true, false", id="number for true"),
        pytest.param(parsing.seconds(1, 100), "30", "is not a duration", id="no unit"),
        pytest.param(parsing.seconds(1, 100), "", "is not a duration", id="empty duration"),
        pytest.param(parsing.seconds(1, 100), "0.5s", "is not from 1s to 100s", id="too short"),
        pytest.param(parsing.seconds(1, 100), "2m", "is not from 1s to 100s", id="too long"),
    ],
)
def test_a_bad_text_is_refused_with_what_would_be_right(
    parse: Callable[[str], object], text: str, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        parse(text)


@pytest.mark.parametrize(
    ("address", "loopback", "text"),
    [
        (ListenAddress("127.0.0.1", 80), True, "127.0.0.1:80"),
        (ListenAddress("127.1.2.3", 80), True, "127.1.2.3:80"),
        (ListenAddress("::1", 80), True, "[::1]:80"),
        (ListenAddress("localhost", 80), True, "localhost:80"),
        (ListenAddress("0.0.0.0", 80), False, "0.0.0.0:80"),
        (ListenAddress("::", 80), False, "[::]:80"),
        (ListenAddress("10.0.0.1", 80), False, "10.0.0.1:80"),
        (ListenAddress("node-1", 80), False, "node-1:80"),
    ],
)
def test_an_address_knows_who_can_reach_it(
    address: ListenAddress, loopback: bool, text: str
) -> None:
    assert address.is_loopback() is loopback
    assert str(address) == text
