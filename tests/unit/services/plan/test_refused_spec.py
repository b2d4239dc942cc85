from dataclasses import replace

import pytest

from hooks.http.bounded_json import Json
from hooks.services.plan.spec import wanted_spec
from tests.unit.services.objects import facts, load_balancer, port, service
from tests.unit.services.plan.test_spec import annotation, spec_of


def test_while_something_cannot_be_served_the_rest_stays_as_it_is() -> None:
    before = spec_of(service())
    ports = [*service()["spec"]["ports"], port(443, 30443)]
    changed = service({"mode": "dry", "hostname": "lb.example.com"}, ports=ports)
    after = spec_of(changed, load_balancer(before))
    assert [item["field"] for item in after["invalid"]] == [annotation("mode")]
    assert {**after, "invalid": []} == before


def test_while_something_cannot_be_served_nothing_is_added_that_was_left_out() -> None:
    before = spec_of(service())
    asked = {"takeover-from": "old-cluster", "network": "net-2", "hostname": "lb.example.com"}
    observed, balancer = service({**asked, "mode": "dry"}), load_balancer(before)
    assert {**spec_of(observed, balancer), "invalid": []} == before
    after = wanted_spec(replace(facts(observed, balancer), default_network="net-1"))
    assert {**after, "invalid": []} == before


@pytest.mark.parametrize(
    ("now", "kept"),
    [
        pytest.param("old-cluster", "old-cluster", id="still named"),
        pytest.param("another", None, id="another is named"),
        pytest.param("x" * 256, None, id="invalid now"),
        pytest.param(None, None, id="named no longer"),
    ],
)
def test_while_something_cannot_be_served_a_takeover_goes_on_only_if_it_is_still_named(
    now: str | None, kept: str | None
) -> None:
    before = spec_of(service({"takeover-from": "old-cluster"}))
    named = {} if now is None else {"takeover-from": now}
    after = spec_of(service({**named, "mode": "dry"}), load_balancer(before))
    assert after.get("takeoverFrom") == kept


@pytest.mark.parametrize(
    ("now", "kept"),
    [
        pytest.param([port(80, 30080)], {80: 30080}, id="a port goes"),
        pytest.param([port(80, 31080), port(443, 30443)], {80: 31080, 443: 30443}, id="renumbered"),
        pytest.param([port(80, None), port(443, 30443)], {443: 30443}, id="a node port goes"),
        pytest.param(
            [port(80, 30080), {**port(443, 30443), "protocol": "UDP"}], {80: 30080}, id="protocol"
        ),
        pytest.param([port(81, 30081)], {}, id="all go"),
    ],
)
def test_while_something_cannot_be_served_only_ports_stay_that_the_service_still_has(
    now: list[Json], kept: dict[int, int]
) -> None:
    before = spec_of(service(ports=[port(80, 30080), port(443, 30443)]))
    after = spec_of(service({"mode": "dry"}, ports=now), load_balancer(before))
    assert {each["publicPort"]: each["nodePort"] for each in after["ports"]} == kept


@pytest.mark.parametrize("word", ["ture", "yes", ""])
def test_a_misspelt_keep_ip_keeps_the_address(word: str) -> None:
    before = spec_of(service())
    for present in (None, load_balancer(before), load_balancer({**before, "keepAddress": True})):
        spec = spec_of(service({"keep-ip": word}), present)
        assert spec["keepAddress"] is True
        assert [item["field"] for item in spec["invalid"]] == [annotation("keep-ip")]


@pytest.mark.parametrize(
    ("before", "now", "field", "kept"),
    [
        pytest.param({}, {"mode": "plan"}, "mode", "Plan", id="plan mode holds at once"),
        pytest.param({"mode": "plan"}, {}, "mode", "Plan", id="and stays"),
        pytest.param({}, {"mode": "paln"}, "mode", "Apply", id="a misspelt mode is none"),
        pytest.param({}, {"keep-ip": "true"}, "keepAddress", True, id="keep-ip holds at once"),
        pytest.param({"keep-ip": "true"}, {}, "keepAddress", True, id="and stays too"),
    ],
)
def test_while_something_cannot_be_served_what_forbids_writes_holds(
    before: dict[str, str], now: dict[str, str], field: str, kept: object
) -> None:
    present = load_balancer(spec_of(service(before)))
    assert spec_of(service({**now, "algorithm": "fastest"}), present)[field] == kept


def test_a_valid_spec_replaces_the_invalid_one() -> None:
    present = {**spec_of(service()), "invalid": [{"field": "f", "message": "m"}]}
    changed = service(ports=[port(443, 30443)])
    assert spec_of(changed, load_balancer(present)) == spec_of(changed)


def test_the_spec_of_a_load_balancer_that_is_being_deleted_is_not_kept() -> None:
    present = spec_of(service())
    going = load_balancer(present, deletionTimestamp="2026-03-01T09:59:00Z")
    changed = service({"mode": "dry"}, ports=[port(443, 30443)])
    assert spec_of(changed, going)["ports"] == spec_of(changed)["ports"] != present["ports"]
