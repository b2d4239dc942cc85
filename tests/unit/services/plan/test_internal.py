"""A Service that asks for an internal load balancer: what contradicts that, and cannot change."""

import pytest

from hooks.names import SERVICE_FINALIZER
from tests.unit.services.objects import load_balancer, port, service, serving
from tests.unit.services.plan.test_spec import annotation, spec_of

INTERNAL = {"internal": "true"}
#: The status of a load balancer on an internal address, which has no id of its own.
_ON = {"address": {"ip": "10.30.4.37", "id": "10.30.4.37"}}


@pytest.mark.parametrize("text", ["true", " True "])
def test_the_annotation_asks_for_one(text: str) -> None:
    spec = spec_of(service({"internal": text}))
    assert (spec["internal"], spec["invalid"]) == (True, [])


@pytest.mark.parametrize("annotations", [{}, {"internal": "false"}])
def test_without_it_nothing_is_said(annotations: dict[str, str]) -> None:
    assert "internal" not in spec_of(service(annotations))


def test_a_misspelt_value_is_refused() -> None:
    spec = spec_of(service({"internal": "yes"}))
    [refused] = spec["invalid"]
    assert refused["field"] == annotation("internal")
    assert 'write "true" or "false"' in refused["message"]


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        ({"shared-address": "front"}, "is not shared"),
        ({"takeover-from": "c-0"}, "is not taken over"),
        ({"proxy-protocol": "true"}, "does not speak it"),
        ({"proxy-protocol": "80"}, "does not speak it"),
    ],
)
def test_what_is_about_public_addresses_contradicts_it(
    annotations: dict[str, str], words: str
) -> None:
    [refused] = spec_of(service(INTERNAL | annotations))["invalid"]
    assert refused["field"] == annotation(*annotations)
    assert words in refused["message"]


def test_udp_is_refused_by_its_port() -> None:
    ports = [port(80), port(53, 30053, protocol="UDP")]
    [refused] = spec_of(service(INTERNAL, ports=ports))["invalid"]
    assert refused["field"] == "spec.ports[1].protocol"


def test_keep_ip_has_no_effect() -> None:
    spec = spec_of(service(INTERNAL | {"keep-ip": "true", "proxy-protocol": "false"}))
    assert spec["invalid"] == []
    assert [each["field"] for each in spec["ignored"]] == [annotation("keep-ip")]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({}, INTERNAL, "has a public address"),
        (INTERNAL, {}, "has an internal address"),
        (INTERNAL, {"internal": "false"}, 'write "true"'),
    ],
)
def test_a_live_service_cannot_change_its_kind_and_keeps_what_it_has(
    before: dict[str, str], after: dict[str, str], words: str
) -> None:
    present = spec_of(service(before))
    spec = spec_of(service(after), load_balancer(present, _ON if before else serving()))
    [refused] = spec["invalid"]
    assert refused["field"] == annotation("internal")
    assert words in refused["message"]
    assert {**spec, "invalid": []} == present


def test_a_service_without_an_address_may_change_its_kind() -> None:
    present = load_balancer(spec_of(service()), {"address": {"ip": "203.0.113.7"}})
    spec = spec_of(service(INTERNAL), present)
    assert (spec["internal"], spec["invalid"]) == (True, [])


@pytest.mark.parametrize("annotations", [INTERNAL, {}])
def test_the_address_says_which_kind_a_service_has_that_changed_it_while_it_was_made(
    annotations: dict[str, str],
) -> None:
    for status, kind in ((_ON, INTERNAL), (serving(), {})):
        present = load_balancer(spec_of(service({} if kind else INTERNAL)), status)
        spec = spec_of(service(annotations), present)
        assert bool(spec.get("internal")) is bool(kind)
        assert [each["field"] for each in spec["invalid"]] == (
            [] if annotations == kind else [annotation("internal")]
        )


def test_another_providers_address_is_taken_over_before_a_service_becomes_internal() -> None:
    status = {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}}
    left = service(INTERNAL, metadata={"finalizers": [SERVICE_FINALIZER]}, status=status)
    spec = spec_of(left)
    [refused] = spec["invalid"]
    assert refused["field"] == annotation("internal")
    assert "203.0.113.7 from another provider" in refused["message"]
    [again] = spec_of(left, load_balancer(spec))["invalid"]
    assert again == refused
    public = spec_of(
        service({}, metadata={"finalizers": [SERVICE_FINALIZER]}, status=status),
        load_balancer(spec),
    )
    assert (public["invalid"], public["adopt"]["address"]) == ([], "203.0.113.7")
