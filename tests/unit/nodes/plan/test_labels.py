import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.cloudstack.models.compute import Zone
from hooks.http.bounded_json import Json
from hooks.names import EVENT_ZONE_LABEL, TERMINATION_TAINTS
from hooks.nodes.plan.instance import present_instance
from hooks.nodes.plan.labels import (
    clean_label_value,
    desired_labels,
    explain_zone,
    serves_load_balancers,
    zone_label_value,
)
from hooks.nodes.plan.match import Found
from hooks.nodes.plan.plan import plan_node
from tests.unit.nodes.objects import make_facts, make_node, make_vm

MODERN = {
    "kubernetes.io/hostname",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
}
LEGACY = {
    "beta.kubernetes.io/instance-type",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("Small Instance", "SmallInstance", id="spaces"),
        pytest.param("Small Instance (1 vCPU)", "SmallInstance1vCPU", id="parentheses"),
        pytest.param("m5.large_x-2", "m5.large_x-2", id="all that is allowed"),
        pytest.param("-.edge._", "edge", id="ends must be alphanumeric"),
        pytest.param("größe", "gre", id="letters beyond ASCII"),
        pytest.param("x" * 62 + "-y", "x" * 62, id="cut at 63, then the end mended"),
        pytest.param("()", "", id="nothing left"),
    ],
)
def test_cleans_a_label_value(text: str, value: str) -> None:
    assert clean_label_value(text) == value


@given(st.text(max_size=200))
def test_a_cleaned_value_is_one_that_the_api_server_admits(text: str) -> None:
    value = clean_label_value(text)
    assert re.fullmatch(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?", value)
    assert len(value) <= 63


LONG = "x" * 70
ZONES = (
    Zone("1a2b3c4d-0000", "Zürich 1"),
    Zone("5e6f7a8b-0000", "Zrich1"),
    Zone("9c0d1e2f-0000", "東京"),
    Zone("3a4b5c6d-0000", "大阪"),
    Zone("7e8f9a0b-0000", f"{LONG}a"),
    Zone("1c2d3e4f-0000", f"{LONG}b"),
    Zone("5a6b7c8d-0000", "Bern (West)"),
    Zone("9e0f1a2b-0000", "Genève"),
)


@pytest.mark.parametrize(
    ("zone", "value"),
    [
        pytest.param(ZONES[0], "Zrich1-1a2b3c4d", id="what another zone's name is already"),
        pytest.param(ZONES[1], "Zrich1", id="a name that a label can hold"),
        pytest.param(ZONES[2], "zone-9c0d1e2f", id="nothing left"),
        pytest.param(ZONES[3], "zone-3a4b5c6d", id="nothing left of another"),
        pytest.param(ZONES[4], f"{'x' * 54}-7e8f9a0b", id="too long, and another alike"),
        pytest.param(ZONES[5], f"{'x' * 54}-1c2d3e4f", id="the other one"),
        pytest.param(ZONES[6], "BernWest", id="alone: as the existing provider has it"),
        pytest.param(ZONES[7], "Genve", id="alone, with a letter beyond ASCII"),
        pytest.param(Zone("", ""), "", id="no zone"),
    ],
)
def test_each_zone_has_a_value_of_its_own(zone: Zone, value: str) -> None:
    vm = make_vm(zone_id=zone.id, zone_name=zone.name)
    assert zone_label_value(vm, ZONES) == value
    assert bool(explain_zone(vm, ZONES)) == (zone.id[:8] in value and bool(zone.id))
    labels = desired_labels(make_node(), vm, region="", legacy="true", zones=ZONES)
    keys = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region")
    assert [labels.get(key, "") for key in keys] == [value, value]


@given(st.lists(st.text(max_size=70), unique=True, max_size=5))
def test_no_two_zones_share_a_value_that_is_never_empty(texts: list[str]) -> None:
    zones = [Zone(f"{n:08}-0000", text) for n, text in enumerate(texts)]
    values = [
        zone_label_value(make_vm(zone_id=zone.id, zone_name=zone.name), zones)
        for zone in zones
        if zone.name
    ]
    assert len(set(values)) == len(values)
    assert all(re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", v) for v in values)


@pytest.mark.parametrize(
    ("zone", "why"),
    [
        (ZONES[0], "zone 'Zürich 1' reads 'Zrich1' as a label, and so does 'Zrich1'"),
        (ZONES[2], "zone '東京' has no character that a label can hold"),
    ],
)
def test_a_zone_whose_value_holds_its_id_is_told_as_the_label_is_set(zone: Zone, why: str) -> None:
    vm = make_vm(zone_id=zone.id, zone_name=zone.name)
    first = plan_node(make_facts(make_node(), Found(vm), zones=ZONES))
    [event] = first.events
    assert (event.reason, event.type) == (EVENT_ZONE_LABEL, "Warning")
    assert event.message.startswith(why)
    assert zone_label_value(vm, ZONES) in event.message
    set_labels: Any = dict(first.response)["labels"]
    later = plan_node(make_facts(make_node(labels=set_labels), Found(vm), zones=ZONES))
    assert EVENT_ZONE_LABEL not in [event.reason for event in later.events]


def test_labels_are_those_of_the_vm() -> None:
    assert desired_labels(make_node(), make_vm(), region="", legacy="auto") == {
        "kubernetes.io/hostname": "node-1",
        "node.kubernetes.io/instance-type": "SmallInstance",
        "topology.kubernetes.io/zone": "zone-1",
        "topology.kubernetes.io/region": "zone-1",
    }


def test_a_configured_region_is_cleaned_too() -> None:
    labels = desired_labels(make_node(), make_vm(), region="Europe (West)", legacy="auto")
    assert labels["topology.kubernetes.io/region"] == "EuropeWest"


def test_a_hostname_that_kubelet_set_is_left_alone() -> None:
    node = make_node(labels={"kubernetes.io/hostname": "other"})
    labels = desired_labels(node, make_vm(), region="", legacy="auto")
    assert "kubernetes.io/hostname" not in labels


def test_a_value_that_comes_out_empty_is_left_out() -> None:
    labels = desired_labels(make_node(), make_vm(offering_name="()"), region="", legacy="auto")
    assert set(labels) == MODERN - {"node.kubernetes.io/instance-type"}


@pytest.mark.parametrize(
    ("legacy", "kubelet", "expected"),
    [
        pytest.param("auto", "v1.36.3", set(), id="auto, a kubelet of today"),
        pytest.param("auto", "v1.17.0", set(), id="auto, the first without"),
        pytest.param("auto", "v1.16.15", LEGACY, id="auto, the last with"),
        pytest.param("auto", "kwok-0.8.0", set(), id="auto, no version"),
        pytest.param("auto", "", set(), id="auto, no version known"),
        pytest.param("true", "v1.36.3", LEGACY, id="always"),
        pytest.param("false", "v1.16.15", set(), id="never"),
    ],
)
def test_older_labels_follow_the_setting_and_the_kubelet(
    legacy: str, kubelet: str, expected: set[str]
) -> None:
    labels = desired_labels(make_node(kubelet=kubelet), make_vm(), region="", legacy=legacy)
    assert set(labels) - MODERN == expected
    for older in expected & {"beta.kubernetes.io/instance-type"}:
        assert labels[older] == labels["node.kubernetes.io/instance-type"]


def test_an_older_label_that_is_there_is_kept_true() -> None:
    node = make_node(labels={"beta.kubernetes.io/instance-type": "Tiny"})
    labels = desired_labels(node, make_vm(), region="", legacy="auto")
    assert labels["beta.kubernetes.io/instance-type"] == "SmallInstance"
    assert "failure-domain.beta.kubernetes.io/zone" not in labels


@pytest.mark.parametrize(
    ("node", "serves"),
    [
        pytest.param(make_node(), True, id="a plain node"),
        pytest.param(make_node(ready=False), True, id="a node that is not Ready"),
        pytest.param(
            make_node(metadata={"deletionTimestamp": "2026-11-22T00:00:00Z"}), False, id="deleted"
        ),
        *(
            pytest.param(
                make_node(labels={"node.kubernetes.io/exclude-from-external-load-balancers": v}),
                serves,
                id=f"excluded: {v!r}",
            )
            for v, serves in [
                ("true", False),
                ("", False),
                ("maybe", False),
                ("false", True),
                ("0", True),
                ("F", True),
            ]
        ),
        *(
            pytest.param(make_node(spec={"taints": [{"key": key}]}), False, id=f"taint {key}")
            for key in (
                "ToBeDeletedByClusterAutoscaler",
                "karpenter.sh/disrupted",
                "karpenter.sh/disruption",
                "node.kubernetes.io/out-of-service",
                "medik8s.io/remediation",
                "aws-node-termination-handler/spot-itn",
                "aws-node-termination-handler/asg-lifecycle-termination",
                "cloud.google.com/impending-node-termination",
            )
        ),
        pytest.param(
            make_node(spec={"taints": [{"key": "DeletionCandidateOfClusterAutoscaler"}]}),
            True,
            id="a taint that announces nothing yet",
        ),
        pytest.param(
            make_node(spec={"taints": [{"key": "node.kubernetes.io/not-ready"}]}),
            True,
            id="another taint",
        ),
    ],
)
def test_the_stable_node_set_serves_load_balancers(node: Json, serves: bool) -> None:
    assert serves_load_balancers(node, TERMINATION_TAINTS) is serves


def test_the_taints_that_announce_a_nodes_end_are_chosen_by_the_operator() -> None:
    node = make_node(spec={"taints": [{"key": "example.com/spot"}]})
    assert serves_load_balancers(node, TERMINATION_TAINTS)
    assert not serves_load_balancers(node, ("example.com/spot",))
    instance = present_instance(
        make_facts(node, termination_taints=("example.com/spot",)), make_vm(), {}
    )
    assert instance["observed"]["servesLoadBalancers"] is False
