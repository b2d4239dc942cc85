"""Which ports an annotation means."""

import pytest

from hooks.services.plan.named_ports import proxied_ports, tcp_ports
from hooks.services.plan.spec import wanted_spec
from hooks.services.plan.values import InvalidValue
from tests.unit.services.objects import facts, load_balancer, port, service

PORTS = [
    port(80, 30080, name="http"),
    port(443, 30443, name="https"),
    port(53, 30053, name="dns-tcp"),
    port(53, 30054, name="dns", protocol="UDP"),
    port(123, 30123, name="ntp", protocol="UDP"),
    port(8443, 30444, name="9000"),
    {"port": 9000, "nodePort": 30900},
]
TCP = {0, 1, 2, 5, 6}
RIGHT = "write true, false or TCP ports by number or name: 80 (http), 443 (https), "


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        pytest.param("true", TCP, id="all"),
        pytest.param(" True ", TCP, id="all, in any case"),
        pytest.param("false", set(), id="none"),
        pytest.param("443", {1}, id="a number"),
        pytest.param("https", {1}, id="a name"),
        pytest.param(" 80 ,https, 80,", {0, 1}, id="both, with spaces and twice"),
        pytest.param("https,443", {1}, id="one port by both"),
        pytest.param("53", {2}, id="TCP beside UDP"),
        pytest.param("9000", {6}, id="digits are a number and no name"),
    ],
)
def test_it_means_tcp_ports(text: str, meant: set[int]) -> None:
    assert proxied_ports(text, PORTS) == meant


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("8080", f"'8080' is no port of the Service; {RIGHT}", id="a number"),
        pytest.param(
            "web,443,8080,web",
            f"'web', '8080' are no ports of the Service; {RIGHT}",
            id="each that is unknown, once",
        ),
        pytest.param("HTTPS", f"'HTTPS' is no port of the Service; {RIGHT}", id="another case"),
        pytest.param("0443", f"'0443' is no port of the Service; {RIGHT}", id="a leading zero"),
        pytest.param("ntp", f"'ntp' is a port without TCP; {RIGHT}", id="UDP by name"),
        pytest.param("123,dns", f"'123', 'dns' are ports without TCP; {RIGHT}", id="UDP"),
        pytest.param(
            "web,ntp",
            f"'web' is no port of the Service; 'ntp' is a port without TCP; {RIGHT}",
            id="both",
        ),
        pytest.param("true,443", f"'true' is no port of the Service; {RIGHT}", id="true and more"),
        pytest.param("", f"'' names no port; {RIGHT}", id="nothing"),
        pytest.param(" , ", f"' , ' names no port; {RIGHT}", id="commas alone"),
    ],
)
def test_what_is_no_tcp_port_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        proxied_ports(text, PORTS)
    assert str(refused.value).startswith(message)


def test_an_error_names_no_more_than_a_few_and_counts_the_others() -> None:
    many = [port(1000 + n, 30000 + n) for n in range(20)]
    with pytest.raises(InvalidValue) as refused:
        tcp_ports(",".join(f"p{n}" for n in range(20)), many)
    assert "'p7' and 12 more are no ports of the Service" in str(refused.value)
    assert str(refused.value).endswith("1006, 1007 and 12 more")


def test_a_service_without_tcp_ports_has_none_to_name() -> None:
    with pytest.raises(InvalidValue, match="by number or name: there are none"):
        proxied_ports("53", [port(53, 30053, protocol="UDP")])


def test_ports_stay_as_they_were_while_the_list_is_wrong() -> None:
    before = wanted_spec(facts(service({"proxy-protocol": "https"}, ports=PORTS[:2])))
    asked = service({"proxy-protocol": "https,web"}, ports=PORTS[:2])
    spec = wanted_spec(facts(asked, load_balancer(before)))
    assert [each["proxyProtocol"] for each in spec["ports"]] == [False, True]
    assert [each["field"] for each in spec["invalid"]] == [
        'metadata.annotations["service.beta.kubernetes.io/cloudstack-load-balancer-proxy-protocol"]'
    ]
