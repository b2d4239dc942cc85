"""A Service whose load balancer shows a certificate: which ports, and what contradicts it."""

import pytest

from hooks.http.bounded_json import Json
from tests.unit.services.objects import port, service
from tests.unit.services.plan.test_spec import annotation, spec_of

PORTS = [port(443), port(8443, 30843), port(53, 30053, protocol="UDP")]


def secrets(spec: Json) -> dict[int, str]:
    """Return the Secret of each port that has one."""
    return {
        each["publicPort"]: each["certificate"] for each in spec["ports"] if "certificate" in each
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("web-tls", {443: "web-tls", 8443: "web-tls"}),
        (" web-tls  ports=443 ", {443: "web-tls"}),
        ("web.tls ports=8443,443", {443: "web.tls", 8443: "web.tls"}),
    ],
)
def test_the_tcp_ports_that_are_named_have_the_secret_else_all(
    text: str, found: dict[int, str]
) -> None:
    spec = spec_of(service({"certificate": text}, ports=PORTS))
    assert (secrets(spec), spec["invalid"]) == (found, [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no name of a Secret"),
        ("Web_TLS", "is no name of a Secret"),
        ("shop/web-tls", "is no name of a Secret"),
        ("web-tls 443", "follows the Secret's name"),
        ("web-tls ports=443 ports=8443", "follows the Secret's name"),
        ("web-tls ports=444", "is no port of the Service"),
        ("web-tls ports=53", "is a port without TCP"),
        ("web-tls ports=", "names no port"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, words: str) -> None:
    spec = spec_of(service({"certificate": text}, ports=PORTS))
    [refused] = spec["invalid"]
    assert refused["field"] == annotation("certificate")
    assert words in refused["message"]
    assert secrets(spec) == {}


def test_a_port_has_the_proxy_protocol_or_a_certificate() -> None:
    both = {"certificate": "web-tls", "proxy-protocol": "8443"}
    [refused] = spec_of(service(both, ports=PORTS))["invalid"]
    assert refused["field"] == annotation("certificate")
    assert "port 8443 asks for both" in refused["message"]
    one_each = both | {"certificate": "web-tls ports=443"}
    assert spec_of(service(one_each, ports=PORTS))["invalid"] == []


def test_an_internal_load_balancer_takes_none() -> None:
    asked = {"certificate": "web-tls", "internal": "true"}
    [refused] = spec_of(service(asked, ports=[port(443)]))["invalid"]
    assert refused["field"] == annotation("certificate")
    assert "takes no certificate" in refused["message"]
