"""Two Nodes with one VM: one keeps it, and both are told."""

from typing import Any

import pytest

from hooks.http.bounded_json import Json
from hooks.names import EVENT_INSTANCE_CLAIMED_TWICE
from hooks.nodes.plan.match import Found
from hooks.nodes.plan.plan import NodePlan, plan_node
from hooks.nodes.plan.rivals import keeper
from tests.unit.nodes.objects import (
    UNINITIALIZED,
    make_facts,
    make_initialised_node,
    make_node,
    make_vm,
)


def named(name: str, created: str = "2026-01-02T00:00:00Z") -> Json:
    return make_node(name=name, metadata={"creationTimestamp": created})


@pytest.mark.parametrize(
    ("vm", "nodes", "kept_by"),
    [
        pytest.param("node-1", ("a", "node-1"), "node-1", id="the VM's name"),
        pytest.param("Node-1", ("a", "node-1"), "node-1", id="in another case"),
        pytest.param("node-1", ("a", "node-1.example.com"), "node-1.example.com", id="or domain"),
        pytest.param("node-1", ("node-1.example.com", "node-1"), "node-1", id="the exact one"),
        pytest.param("node-1.b.org", ("node-1.c.org", "a"), "a", id="not another domain's host"),
        pytest.param("renamed", ("b", "a"), "a", id="of equal age, the first by name"),
    ],
)
def test_the_node_with_the_vms_name_keeps_it(vm: str, nodes: tuple[str, ...], kept_by: str) -> None:
    found = keeper(make_vm(name=vm), [named(name) for name in nodes])
    assert found["metadata"]["name"] == kept_by


def test_where_no_name_is_the_vms_the_oldest_keeps_it() -> None:
    nodes = [named("a", "2026-01-03T00:00:00Z"), named("b", "2026-01-01T00:00:00Z")]
    assert keeper(make_vm(name="renamed"), nodes)["metadata"]["name"] == "b"
    assert keeper(make_vm(name="renamed"), [named("a", ""), *nodes])["metadata"]["name"] == "b"


@pytest.mark.parametrize("created", ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"])
def test_one_that_is_initialised_keeps_it_from_one_that_waits(created: str) -> None:
    waiting = named("a", created)
    waiting["spec"] = {"taints": [UNINITIALIZED]}
    assert keeper(make_vm(name="renamed"), [waiting, named("b")])["metadata"]["name"] == "b"


def planned(node: Json, rival: Json) -> NodePlan:
    return plan_node(make_facts(node, Found(make_vm()), rivals=(rival,)))


def instance(plan: NodePlan) -> Any:
    [found] = plan.response["attachments"]  # type: ignore[typeddict-item]
    return found


def test_the_other_one_gets_no_write_no_label_and_no_membership() -> None:
    node = make_initialised_node(name="thief", labels={"mine": "yes"}, addresses=[])
    made = planned(node, make_initialised_node())
    assert made.actions == ()
    assert made.response["labels"] == {}  # type: ignore[typeddict-item]
    observed = instance(made)["observed"]
    assert observed["servesLoadBalancers"] is False
    sole = observed["conditions"][1]
    assert (sole["type"], sole["status"], sole["reason"]) == ("SoleNode", "False", "ClaimedTwice")
    [event] = made.events
    assert event.reason == EVENT_INSTANCE_CLAIMED_TWICE
    assert "is claimed by the nodes node-1, thief; node-1 keeps it" in event.message
    assert sole["message"] == event.message


def test_the_one_that_keeps_it_is_told_and_served_as_before() -> None:
    made = planned(make_initialised_node(), make_initialised_node(name="thief"))
    alone = plan_node(make_facts(make_initialised_node(), Found(make_vm())))
    assert made.response == alone.response
    assert instance(made)["observed"]["servesLoadBalancers"] is True
    assert [event.reason for event in made.events] == [EVENT_INSTANCE_CLAIMED_TWICE]


def test_a_condition_changes_its_time_with_its_status_alone() -> None:
    former = instance(plan_node(make_facts(make_initialised_node(), taken_at=1_700_000_000.0)))
    same = plan_node(make_facts(make_initialised_node(), instance=former))
    assert instance(same)["observed"]["conditions"] == former["observed"]["conditions"]
    lost = plan_node(
        make_facts(
            make_initialised_node(), Found(make_vm()), instance=former, rivals=(named("node-1"),)
        )
    )
    found, _ = instance(lost)["observed"]["conditions"]
    assert found == former["observed"]["conditions"][0]


@pytest.mark.parametrize("conditions", ["text", [7], [{"type": []}], [{"status": "True"}]])
def test_conditions_that_cannot_be_read_are_made_anew(conditions: object) -> None:
    former: Json = {"metadata": {"name": "node-1"}, "observed": {"conditions": conditions}}
    made = plan_node(make_facts(make_initialised_node(), instance=former))
    assert [each["status"] for each in instance(made)["observed"]["conditions"]] == ["True"] * 2
