"""Which stickiness policy each port of a Service gets, and what is refused."""

from typing import Any

import pytest

from hooks.http.bounded_json import Json
from hooks.services.plan.spec import wanted_spec
from tests.schemas import schema_of
from tests.unit.services.objects import PREFIX, facts, load_balancer, port, service

FIELD = f'metadata.annotations["{PREFIX}stickiness"]'
PORTS = [port(80, 30080, name="http"), port(443, 30443, name="https")]
DNS = port(53, 30053, name="dns", protocol="UDP")
THREE_HOURS = {"method": "SourceBased", "parameters": {"expire": "10800s"}}
SPEC = schema_of("cloudstackloadbalancers")["spec"]


def read(text: str | None = None, **spec: Any) -> Json:
    """Return the spec that a Service with the annotation asks for."""
    ports = spec.pop("ports", PORTS)
    found = wanted_spec(
        facts(service({"stickiness": text} if text is not None else {}, ports=ports, **spec))
    )
    assert SPEC.problems(found) == []
    return found


def policies(spec: Json) -> list[Json | None]:
    return [each.get("stickiness") for each in spec["ports"]]


def timeout(seconds: int) -> Json:
    return {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": seconds}}}


@pytest.mark.parametrize(
    ("spec", "policy"),
    [
        pytest.param({}, None, id="no affinity"),
        pytest.param({"sessionAffinity": "None", **timeout(60)}, None, id="a timeout alone"),
        pytest.param({"sessionAffinity": "ClientIP"}, THREE_HOURS, id="no timeout"),
        pytest.param({"sessionAffinity": "ClientIP", **timeout(10800)}, THREE_HOURS, id="default"),
        pytest.param(
            {"sessionAffinity": "ClientIP", **timeout(60)},
            {"method": "SourceBased", "parameters": {"expire": "60s"}},
            id="a timeout",
        ),
    ],
)
def test_session_affinity_is_a_policy_by_source(spec: Json, policy: Json | None) -> None:
    found = read(**spec)
    assert policies(found) == [policy, policy]
    assert found["algorithm"] == ("source" if policy else "roundrobin")
    assert found["invalid"] == []


@pytest.mark.parametrize(
    ("text", "method", "parameters"),
    [
        pytest.param("SourceBased", "SourceBased", {}, id="by source"),
        pytest.param(
            " sourcebased  expire=24d tablesize=1m ",
            "SourceBased",
            {"expire": "24d", "tablesize": "1m"},
            id="the largest of both",
        ),
        pytest.param(
            "SOURCEBASED expire=1s tablesize=1k",
            "SourceBased",
            {"expire": "1s", "tablesize": "1k"},
            id="the smallest of both",
        ),
        pytest.param("LbCookie", "LbCookie", {}, id="a cookie"),
        pytest.param(
            "LbCookie cookie-name=__Host-SRV.1 mode=Insert nocache indirect=true postonly=false "
            "domain=.example.com",
            "LbCookie",
            {
                "cookie-name": "__Host-SRV.1",
                "domain": ".example.com",
                "indirect": "true",
                "mode": "insert",
                "nocache": "true",
            },
            id="everything of a cookie",
        ),
        pytest.param(
            "LbCookie mode=prefix cookie-name=JSESSIONID",
            "LbCookie",
            {"cookie-name": "JSESSIONID", "mode": "prefix"},
            id="a cookie of the pods",
        ),
    ],
)
def test_the_annotation_is_a_policy_of_every_tcp_port(
    text: str, method: str, parameters: Json
) -> None:
    found = read(text)
    assert found["invalid"] == []
    assert policies(found) == [{"method": method, "parameters": parameters}] * 2


def test_the_annotation_precedes_the_field_for_the_ports_that_it_is_about() -> None:
    cookie = {"method": "LbCookie", "parameters": {}}

    def both(text: str) -> list[Json | None]:
        return policies(read(text, sessionAffinity="ClientIP"))

    assert both("LbCookie ports=http") == [cookie, THREE_HOURS]
    assert both("LbCookie ports=80,https") == [cookie, cookie]
    assert both("none ports=443") == [THREE_HOURS, None]
    assert both("none") == [None, None]


def test_udp_ports_have_none_and_each_is_named() -> None:
    found = read(ports=[*PORTS, DNS], sessionAffinity="ClientIP")
    assert policies(found) == [THREE_HOURS, THREE_HOURS, None]
    note = {
        "field": "spec.ports[2].protocol",
        "message": "port 53 is not TCP and has no stickiness policy",
    }
    assert found["ignored"] == [note]
    assert "ignored" not in read(ports=[*PORTS, DNS])
    assert "ignored" not in read("none", ports=[*PORTS, DNS], sessionAffinity="ClientIP")


REFUSED = [
    ("", "'' is not known; write LbCookie, SourceBased or none"),
    ("cookie", "'cookie' is not known; write LbCookie, SourceBased or none"),
    ("AppCookie cookie-name=JSESSIONID", "AppCookie stops the virtual router"),
    ("none expire=3h", "'expire' is no parameter of none; there are ports"),
    ("LbCookie expire=3h", "'expire' is no parameter of LbCookie; there are ports, cookie-name, "),
    ("SourceBased Expire=3h", "'Expire' is no parameter of SourceBased; there are ports, table"),
    ("SourceBased expire=3h expire=4h", "'expire' is written twice; write it once"),
    ("SourceBased expire=", "'expire=' is no parameter; write name=value"),
    ("SourceBased =3h", "'=3h' is no parameter; write name=value"),
    ("SourceBased expire", "expire: '' is no time; write one such as 30s, 20m, 3h or 1d"),
    *(
        (f"SourceBased expire={text}", f"expire: '{text}' is no time; write one such as 30s")
        for text in ("0", "0s", "10800", "100ms", "3H", "-1", "3h\u0660", "\u0663h", "3h;")
    ),
    ("SourceBased expire=25d", "expire: '25d' is too long for HAProxy; write at most 24d"),
    ("SourceBased expire=999999999d", "is too long for HAProxy; write at most 24d"),
    *(
        (f"SourceBased tablesize={text}", f"tablesize: '{text}' is no size; write one from 1k to")
        for text in ("0k", "200", "200K", "1g", "2m", "1001k", "1t")
    ),
    *(
        (f"LbCookie cookie-name={text}", f"cookie-name: '{text}' is no name of a cookie; write up")
        for text in ("a;b", "a,b", "a#b", 'a"b', "-a", "é", "x" * 65)
    ),
    ("LbCookie cookie-name=a b", "'b' is no parameter of LbCookie"),
    ("LbCookie cookie-name=a\n\toption httpclose", "'option' is no parameter of LbCookie"),
    ("LbCookie mode=bogus", "mode: 'bogus' is not known; write insert, rewrite or prefix"),
    ("LbCookie nocache=yes", "nocache: 'yes' is not known; write true or false"),
    ("LbCookie mode=prefix", "mode prefix changes a cookie of the pods; write its cookie-name"),
    ("LbCookie mode=rewrite indirect cookie-name=A", "indirect does not go with mode rewrite"),
    ("LbCookie domain=com", "domain: 'com' is no domain; write one such as .example.com"),
    ("LbCookie domain=exa_mple.com", "domain: 'exa_mple.com' is no domain"),
    ("LbCookie ports=8080", "'8080' is no port of the Service; write TCP ports by number or name"),
    ("LbCookie ports=dns", "'dns' is a port without TCP; write TCP ports by number or name: 80 ("),
    ("LbCookie ports=,", "',' names no port; write TCP ports by number or name: 80 (http), 443"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[text for text, _ in REFUSED])
def test_what_the_router_would_not_understand_is_refused(text: str, message: str) -> None:
    found = read(text, ports=[*PORTS, DNS])
    [invalid] = found["invalid"]
    assert invalid["field"] == FIELD
    assert message in invalid["message"]


def test_policies_stay_as_they_were_while_the_annotation_is_wrong() -> None:
    before = read("LbCookie ports=http")
    asked = service({"stickiness": "LbCookie ports=web"}, ports=PORTS)
    found = wanted_spec(facts(asked, load_balancer(before)))
    assert policies(found) == [{"method": "LbCookie", "parameters": {}}, None]
    assert [each["field"] for each in found["invalid"]] == [FIELD]


def test_another_algorithm_than_source_breaks_the_affinity() -> None:
    found = wanted_spec(facts(service({"algorithm": "leastconn"}, sessionAffinity="ClientIP")))
    assert "breaks spec.sessionAffinity ClientIP" in found["invalid"][0]["message"]
