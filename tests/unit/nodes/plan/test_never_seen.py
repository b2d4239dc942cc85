"""A VM that CloudStack has never shown deletes no Node: it may be another cloud's."""

from typing import Any

from hooks.names import ANNOTATION_CONFIRM_DELETION, EVENT_DELETION_HELD
from hooks.nodes.plan.actions import NodeDeletion
from hooks.nodes.plan.guard import Survey
from hooks.nodes.plan.match import Missing
from hooks.nodes.plan.plan import NodePlan, plan_node
from tests.unit.nodes.objects import VM_ID, make_facts, make_initialised_node, make_vm, seen_missing

ALONE = Survey("", frozenset())


def plan(match: Missing, annotations: dict[str, str] | None = None, **node: Any) -> NodePlan:
    """Plan a node without an Instance, long after its VM was first missed."""
    made = make_initialised_node(annotations=annotations, **{"ready": False, **node})
    return plan_node(make_facts(made, match, survey=ALONE, seen=seen_missing(9999)))


def condition(made: NodePlan) -> Any:
    [instance] = made.response["attachments"]  # type: ignore[typeddict-item]
    [found] = instance["observed"]["conditions"]
    return found


def test_its_node_is_kept_and_event_and_condition_ask_for_a_confirmation() -> None:
    made = plan(Missing(VM_ID))
    assert made.actions == ()
    [event] = made.events
    assert event.reason == EVENT_DELETION_HELD
    assert "it never had this VM" in event.message
    assert f"{ANNOTATION_CONFIRM_DELETION}=true" in event.message
    found = condition(made)
    assert (found["status"], found["reason"]) == ("False", "NeverSeen")
    assert f"{ANNOTATION_CONFIRM_DELETION}=true" in found["message"]


def test_its_node_is_deleted_when_a_person_confirms() -> None:
    [deletion] = plan(Missing(VM_ID), {ANNOTATION_CONFIRM_DELETION: "true"}).actions
    assert isinstance(deletion, NodeDeletion)


def test_a_living_vm_of_its_nodes_name_is_the_reason() -> None:
    assert condition(plan(Missing(VM_ID, (make_vm(id="new"),))))["reason"] == "Replaced"
