from dataclasses import replace

import pytest

from hooks.http.bounded_json import Json
from hooks.services.plan.spec import MAX_INVALID, wanted_spec
from tests.unit.services.objects import NAME, PREFIX, UID, facts, load_balancer, port, service

STANDARD_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"


def spec_of(observed: Json, balancer: Json | None = None) -> Json:
    """Read a Service into a spec."""
    return wanted_spec(facts(observed, balancer))


def refusals(observed: Json) -> dict[str, str]:
    """Read a Service and answer what is refused, by field."""
    return {item["field"]: item["message"] for item in spec_of(observed)["invalid"]}


def annotation(key: str) -> str:
    """Name an annotation of the provider's as refusals do."""
    return f'metadata.annotations["{PREFIX}{key}"]'


def test_a_plain_service_asks_for_the_defaults() -> None:
    assert spec_of(service()) == {
        "service": {"name": "web", "uid": UID},
        "loadBalancerName": NAME,
        "ports": [
            {
                "name": "",
                "protocol": "TCP",
                "publicPort": 80,
                "nodePort": 30080,
                "proxyProtocol": False,
            }
        ],
        "algorithm": "roundrobin",
        "sourceRanges": ["0.0.0.0/0"],
        "address": "",
        "keepAddress": False,
        "adopt": {"address": "", "associatedByController": False, "names": []},
        "hostname": "",
        "nodeSelector": {},
        "externalTrafficPolicy": "Cluster",
        "mode": "Apply",
        "invalid": [],
    }


@pytest.mark.parametrize(
    ("observed", "field", "value"),
    [
        pytest.param(service(sessionAffinity="ClientIP"), "algorithm", "source", id="affinity"),
        pytest.param(service({"algorithm": "leastconn"}), "algorithm", "leastconn", id="algorithm"),
        pytest.param(
            service({"algorithm": "Source"}, sessionAffinity="ClientIP"),
            "algorithm",
            "source",
            id="affinity and algorithm agree",
        ),
        pytest.param(
            service(loadBalancerSourceRanges=["10.0.0.0/8", "192.0.2.0/24"]),
            "sourceRanges",
            ["10.0.0.0/8", "192.0.2.0/24"],
            id="ranges by field",
        ),
        pytest.param(
            service({"source-cidrs": "10.0.0.0/8, 192.0.2.0/24"}),
            "sourceRanges",
            ["10.0.0.0/8", "192.0.2.0/24"],
            id="ranges by our annotation",
        ),
        pytest.param(
            service(metadata={"annotations": {STANDARD_RANGES: "10.0.0.0/8"}}),
            "sourceRanges",
            ["10.0.0.0/8"],
            id="ranges by Kubernetes' annotation",
        ),
        pytest.param(
            service(metadata={"annotations": {STANDARD_RANGES: " "}}),
            "sourceRanges",
            ["0.0.0.0/0"],
            id="Kubernetes' annotation is blank",
        ),
        pytest.param(
            service(
                metadata={"annotations": {STANDARD_RANGES: "10.0.0.0/8"}},
                loadBalancerSourceRanges=["192.0.2.0/24"],
            ),
            "sourceRanges",
            ["192.0.2.0/24"],
            id="the field goes before Kubernetes' annotation",
        ),
        pytest.param(
            service(
                {"source-cidrs": "192.0.2.0/24,10.0.0.0/8"},
                loadBalancerSourceRanges=["10.0.0.0/8", "192.0.2.0/24"],
            ),
            "sourceRanges",
            ["10.0.0.0/8", "192.0.2.0/24"],
            id="field and annotation agree",
        ),
        pytest.param(service({"source-cidrs": ""}), "sourceRanges", [], id="nobody"),
        pytest.param(service({"address": "203.0.113.7"}), "address", "203.0.113.7", id="address"),
        pytest.param(
            service(loadBalancerIP="203.0.113.8"), "address", "203.0.113.8", id="loadBalancerIP"
        ),
        pytest.param(
            service({"address": "203.0.113.7"}, loadBalancerIP="203.0.113.8"),
            "address",
            "203.0.113.7",
            id="the annotation goes before loadBalancerIP",
        ),
        pytest.param(
            service({"address": " "}, loadBalancerIP="203.0.113.8"),
            "address",
            "203.0.113.8",
            id="a blank annotation says nothing",
        ),
        pytest.param(service({"keep-ip": "true"}), "keepAddress", True, id="keep-ip"),
        pytest.param(
            service({"hostname": "lb.example.com"}), "hostname", "lb.example.com", id="hostname"
        ),
        pytest.param(service({"hostname": ""}), "hostname", "", id="empty hostname"),
        pytest.param(
            service({"node-selector": "pool=edge"}), "nodeSelector", {"pool": "edge"}, id="nodes"
        ),
        pytest.param(service({"mode": "plan"}), "mode", "Plan", id="plan"),
        pytest.param(
            service({"takeover-from": " c-0 "}), "takeoverFrom", "c-0", id="another cluster's"
        ),
        pytest.param(service({"network": " 7c1f-9e52 "}), "network", "7c1f-9e52", id="network"),
        pytest.param(service({"mode": "apply"}), "mode", "Apply", id="apply"),
        pytest.param(
            service(ipFamilies=["IPv6", "IPv4"]),
            "externalTrafficPolicy",
            "Cluster",
            id="dual stack",
        ),
        pytest.param(
            service(externalTrafficPolicy="Local", healthCheckNodePort=31999),
            "externalTrafficPolicy",
            "Local",
            id="Local",
        ),
    ],
)
def test_a_field_or_annotation_is_served(observed: Json, field: str, value: object) -> None:
    spec = spec_of(observed)
    assert spec[field] == value
    assert spec["invalid"] == []


def test_every_tcp_port_and_no_udp_port_has_the_proxy_protocol() -> None:
    ports = [
        port(80, 30080, name="http"),
        port(53, 30053, protocol="TCP", name="dns-tcp"),
        port(53, 30054, protocol="UDP", name="dns"),
    ]
    read = spec_of(service({"proxy-protocol": "true"}, ports=ports))["ports"]
    assert [(one["name"], one["protocol"], one["publicPort"], one["nodePort"]) for one in read] == [
        ("http", "TCP", 80, 30080),
        ("dns-tcp", "TCP", 53, 30053),
        ("dns", "UDP", 53, 30054),
    ]
    assert [one["proxyProtocol"] for one in read] == [True, True, False]


@pytest.mark.parametrize(
    ("observed", "field", "message"),
    [
        pytest.param(
            service(ports=[port(), port(443, None)], allocateLoadBalancerNodePorts=False),
            "spec.ports[1].nodePort",
            "port 443 has no node port for the load balancer to send to; leave "
            "spec.allocateLoadBalancerNodePorts out, or write a nodePort",
            id="no node port",
        ),
        pytest.param(
            service(ports=[port(80, 0)]), "spec.ports[0].nodePort", "port 80 has", id="zero"
        ),
        pytest.param(
            service(ports=[port(protocol="SCTP")]),
            "spec.ports[0].protocol",
            "'SCTP' cannot be balanced; write TCP or UDP",
            id="SCTP",
        ),
        pytest.param(
            service(ports=[port(1 + n, 30000 + n) for n in range(257)]),
            "spec.ports",
            "257 ports are too many; write at most 256",
            id="too many ports",
        ),
        pytest.param(
            service({"algorithm": "fastest"}),
            annotation("algorithm"),
            "'fastest' is not known; write roundrobin, leastconn or source",
            id="algorithm",
        ),
        pytest.param(
            service({"algorithm": "leastconn"}, sessionAffinity="ClientIP"),
            annotation("algorithm"),
            "'leastconn' breaks spec.sessionAffinity ClientIP; write source",
            id="algorithm against affinity",
        ),
        pytest.param(
            service(loadBalancerSourceRanges=["2001:db8::/32"]),
            "spec.loadBalancerSourceRanges",
            "'2001:db8::/32' is IPv6 only, and CloudStack's load balancers serve IPv4 only",
            id="IPv6 ranges alone",
        ),
        pytest.param(
            service(loadBalancerSourceRanges=["10.0.0.0/8", "10.0.0.1"]),
            "spec.loadBalancerSourceRanges",
            "'10.0.0.1' has no prefix length; write 10.0.0.1/32",
            id="range by field",
        ),
        pytest.param(
            service({"source-cidrs": "10.0.0.0/8,"}),
            annotation("source-cidrs"),
            "'' is not a CIDR; write one such as 192.0.2.0/24",
            id="range by our annotation",
        ),
        pytest.param(
            service(metadata={"annotations": {STANDARD_RANGES: "everybody"}}),
            f'metadata.annotations["{STANDARD_RANGES}"]',
            "'everybody' is not a CIDR",
            id="range by Kubernetes' annotation",
        ),
        pytest.param(
            service({"source-cidrs": "10.0.0.0/8"}, loadBalancerSourceRanges=["192.0.2.0/24"]),
            annotation("source-cidrs"),
            "is not what spec.loadBalancerSourceRanges says; write one of them",
            id="ranges that differ",
        ),
        pytest.param(
            service({"source-cidrs": ""}, loadBalancerSourceRanges=["192.0.2.0/24"]),
            annotation("source-cidrs"),
            "is not what spec.loadBalancerSourceRanges says; write one of them",
            id="nobody against a range",
        ),
        pytest.param(
            service({"address": "lb.example.com"}),
            annotation("address"),
            "'lb.example.com' is not an IPv4 address; write one such as 203.0.113.7",
            id="address",
        ),
        pytest.param(
            service(loadBalancerIP="2001:db8::1"),
            "spec.loadBalancerIP",
            "'2001:db8::1' is not an IPv4 address",
            id="loadBalancerIP",
        ),
        pytest.param(
            service({"hostname": "203.0.113.7"}),
            annotation("hostname"),
            "'203.0.113.7' is an address; write a DNS name",
            id="hostname",
        ),
        pytest.param(
            service({"node-selector": "edge"}),
            annotation("node-selector"),
            "'edge' is not a label; write key=value, such as pool=edge",
            id="node selector",
        ),
        pytest.param(
            service({"mode": "dry"}),
            annotation("mode"),
            "'dry' is not known; write apply or plan",
            id="mode",
        ),
        pytest.param(
            service({"proxy-protocol": "v2"}),
            annotation("proxy-protocol"),
            "'v2' is no port of the Service; write true, false or TCP ports by number or name: 80",
            id="proxy",
        ),
        pytest.param(service({"keep-ip": ""}), annotation("keep-ip"), "not a boolean", id="keep"),
        pytest.param(service({"disabled": "no"}), annotation("disabled"), "not a bool", id="opt"),
        pytest.param(
            service({"shared-address": "Edge_1"}),
            annotation("shared-address"),
            "'Edge_1' is not a name of a shared address; write at most 63 lower case letters",
            id="no share's name",
        ),
        pytest.param(
            service({"shared-address": "edge", "takeover-from": "old"}),
            annotation("takeover-from"),
            "a shared address is not taken over from cluster 'old'; remove this annotation",
            id="takeover of a shared address",
        ),
        pytest.param(
            service({"takeover-from": "x" * 256}),
            annotation("takeover-from"),
            "is longer than a tag's 255 characters",
            id="no cluster's id",
        ),
        pytest.param(
            service({"network": "my network"}),
            annotation("network"),
            "'my network' is not an id of CloudStack; write one as listNetworks shows it",
            id="no network's id",
        ),
        pytest.param(
            service({"abandon": "yes"}),
            annotation("abandon"),
            "'yes' is not a boolean",
            id="abandon",
        ),
        pytest.param(
            service(ipFamilies=["IPv6"]),
            "spec.ipFamilies",
            "['IPv6'] has no IPv4, and CloudStack's load balancers serve IPv4 only",
            id="IPv6 only",
        ),
    ],
)
def test_what_cannot_be_served_is_refused_by_its_field(
    observed: Json, field: str, message: str
) -> None:
    refused = refusals(observed)
    assert list(refused) == [field]
    assert message in refused[field]


def test_every_invalid_field_is_named_at_once() -> None:
    observed = service({"mode": "dry", "address": "x"}, ports=[port(80, None)])
    assert list(refusals(observed)) == [
        "spec.ports[0].nodePort",
        annotation("address"),
        annotation("mode"),
    ]


def test_refusals_beyond_what_the_schema_takes_are_counted() -> None:
    observed = service(ports=[port(number, None) for number in range(1, 101)])
    invalid = spec_of(observed)["invalid"]
    assert len(invalid) == MAX_INVALID
    assert invalid[-1] == {"field": "spec", "message": "37 more fields cannot be served"}


def test_a_service_without_a_network_has_the_operators() -> None:
    known = replace(facts(service()), default_network="n-1")
    assert wanted_spec(known)["network"] == "n-1"
    named = replace(facts(service({"network": "n-2"})), default_network="n-1")
    assert wanted_spec(named)["network"] == "n-2"


def test_another_network_for_a_live_service_is_told_to_have_no_effect() -> None:
    present = load_balancer({}, {"address": {"ip": "203.0.113.7", "networkID": "n-1"}})
    spec = spec_of(service({"network": "n-2"}), present)
    assert spec["ignored"] == [
        {
            "field": annotation("network"),
            "message": "the address is in network n-1, which cannot change on a live Service",
        }
    ]
    assert "ignored" not in spec_of(service({"network": "n-1"}), present)
    going = {**present, "metadata": {**present["metadata"], "deletionTimestamp": "2026-03-01"}}
    assert "ignored" not in spec_of(service({"network": "n-2"}), going)
