import pytest

from hooks.http.bounded_json import Json
from hooks.loadbalancers.instances import INSTANCES, NetworkAttachment
from hooks.loadbalancers.recorded import RecordedAddress, RepeatedDrift
from hooks.loadbalancers.request import Adopt, Invalid, Port, read
from hooks.webhook.contract import BadRequest
from hooks.webhook.requests import Time
from tests.unit.loadbalancers.builders import (
    NET,
    NOW,
    UID,
    body,
    chosen,
    instance,
    port,
    request,
)


def test_a_spec_with_nothing_optional_has_the_schemas_defaults() -> None:
    spec = request().spec
    assert spec.service.uid == UID
    assert spec.ports == (Port("TCP", 80, 30080),)
    assert spec.algorithm == "roundrobin"
    assert spec.source_ranges == ("0.0.0.0/0",)
    assert spec.adopt == Adopt()
    assert (spec.address, spec.keep_address, spec.plan_only) == ("", False, False)
    assert spec.invalid == ()


def test_everything_that_is_asked_for_is_read() -> None:
    spec = request(
        ports=[port(53, 30053, "UDP"), port(443, 30443, proxy=True)],
        algorithm="source",
        sourceRanges=["10.1.2.3/8", "10.0.0.0/8", "192.0.2.0/24"],
        address="198.51.100.9",
        keepAddress=True,
        adopt={"address": "198.51.100.9", "associatedByController": True, "names": ["x"]},
        nodeSelector={"pool": "edge"},
        mode="Plan",
        invalid=[{"field": "spec.ports", "message": "no"}],
    ).spec
    assert [each.rule_protocol for each in spec.ports] == ["udp", "tcp-proxy"]
    assert [each.transport for each in spec.ports] == ["udp", "tcp"]
    assert spec.source_ranges == ("10.0.0.0/8", "192.0.2.0/24")
    assert spec.adopt == Adopt("198.51.100.9", True, frozenset({"x"}))
    assert spec.node_selector == {"pool": "edge"}
    assert (spec.plan_only, spec.keep_address) == (True, True)
    assert spec.invalid == (Invalid("spec.ports", "no"),)


def test_an_empty_list_of_ranges_admits_nobody() -> None:
    assert request(sourceRanges=[]).spec.source_ranges == ()


@pytest.mark.parametrize(
    ("metadata", "finalizing", "is_deleting"),
    [
        pytest.param({}, False, False, id="alive"),
        pytest.param({"deletionTimestamp": "2027-01-15T08:00:00Z"}, True, True, id="finalizing"),
        pytest.param({"deletionTimestamp": "2027-01-15T08:00:00Z"}, False, True, id="deleted"),
        pytest.param({}, True, True, id="finalizing without a time"),
        pytest.param({"deletionTimestamp": "soon"}, True, True, id="a time nobody can read"),
    ],
)
def test_a_deletion_is_known_by_its_time(
    metadata: Json, finalizing: bool, is_deleting: bool
) -> None:
    asking = {**body(metadata=metadata), "finalizing": finalizing}
    assert read(asking).is_deleting is is_deleting


@pytest.mark.parametrize(
    ("owners", "owned"),
    [
        pytest.param([{"kind": "Service", "name": "web", "uid": UID}], True, id="its Service"),
        pytest.param([{"kind": "Service", "name": "web", "uid": "other"}], False, id="a namesake"),
        pytest.param([], False, id="nobody"),
        pytest.param(None, False, id="null"),
    ],
)
def test_owned_is_what_the_services_deletion_deletes(owners: list[Json], owned: bool) -> None:
    assert request(metadata={"ownerReferences": owners}).is_owned is owned


def test_a_status_is_read_back() -> None:
    status = {
        "address": {
            "ip": "198.51.100.9",
            "id": "a-1",
            "networkID": NET,
            "associatedByController": True,
            "allocatedAt": "2027-01-15T07:00:00Z",
            "published": True,
        },
        "networkID": NET,
        "lastCheckTime": "2027-01-15T07:59:00Z",
        "nextCheckTime": "2027-01-15T08:04:00Z",
        "checkedFor": "abc",
        "repeatedDrift": {"what": "w", "times": 2},
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    asked = request(status=status)
    recorded = asked.recorded
    assert recorded.address == RecordedAddress(
        "198.51.100.9", "a-1", NET, True, None, Time(NOW - 3600), 0, True
    )
    assert recorded.claimed is recorded.address
    assert (recorded.last_check, recorded.next_check) == (NOW - 60, NOW + 240)
    assert (recorded.fingerprint, recorded.repeated_drift) == ("abc", RepeatedDrift("w", 2))
    assert recorded.condition("Ready").status == "True"
    assert recorded.condition("Other").status == ""
    assert asked.recorded_json == status


def test_a_choice_is_an_address_without_an_id_and_without_an_ip_there_is_none() -> None:
    some = request(status=chosen("198.51.100.9", tries=2)).recorded
    assert some.address == RecordedAddress("198.51.100.9", chosen_at=Time(NOW - 10), tries=2)
    assert some.claimed is None
    assert request(status=chosen("")).recorded.address is None
    assert request(status={"address": {"published": False}}).recorded.address is None


def test_instances_are_read_by_what_matters_of_them() -> None:
    nodes = {
        "b": instance("b", NET, "other", servesLoadBalancers=False),
        "a": instance("a", missing={"since": "2027-01-15T07:00:00Z"}),
        "bare": {"metadata": {"name": "bare"}},
    }
    first, second = request(nodes=nodes).instances
    assert (
        first.name,
        first.vm_id,
        first.observed.serves_load_balancers,
        first.is_missing,
    ) == (
        "a",
        "vm-a",
        True,
        True,
    )
    assert first.observed.networks == (NetworkAttachment(NET, True),)
    assert first.metadata.labels == {"kubernetes.io/hostname": "a"}
    assert (second.name, second.vm_id) == ("b", "vm-b")
    assert (second.observed.serves_load_balancers, second.is_missing) == (False, False)
    assert second.observed.networks == (
        NetworkAttachment(NET, True),
        NetworkAttachment("other", False),
    )
    assert second.metadata.labels == {"kubernetes.io/hostname": "b"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param({}, "parent", id="nothing"),
        pytest.param(body(service={"name": "web"}), "parent.spec.service.uid", id="no UID"),
        pytest.param(body(loadBalancerName=None), "parent.spec.loadBalancerName", id="no name"),
        pytest.param(
            body(ports=[{**port(80), "protocol": "SCTP"}]),
            "parent.spec.ports[0].protocol",
            id="SCTP",
        ),
        pytest.param(
            body(ports=[{"protocol": "TCP", "publicPort": 80}]),
            "parent.spec.ports[0].nodePort",
            id="no node port",
        ),
        pytest.param(
            body(sourceRanges=["10.0.0.0/8", "x"]), "parent.spec.sourceRanges[1]", id="no CIDR"
        ),
        pytest.param(
            body(metadata={"namespace": None}), "parent.metadata.namespace", id="no namespace"
        ),
        pytest.param(
            body(nodes={"a": {"metadata": {"name": "a"}, "observed": {"networks": [{}]}}}),
            f'related["{INSTANCES}"].a.observed.networks[0].id',
            id="a network without id",
        ),
    ],
)
def test_a_body_that_is_not_a_request_is_refused_by_field(body: Json, field: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(body)
    assert refused.value.field == field
