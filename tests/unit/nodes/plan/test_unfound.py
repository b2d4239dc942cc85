"""A node whose VM is not found: it is said where was looked, and what would help."""

from typing import Any

import pytest

from hooks.cloudstack.models.compute import Scope, VirtualMachine
from hooks.http.bounded_json import Json
from hooks.names import (
    EVENT_DELETION_HELD,
    EVENT_INSTANCE_NOT_FOUND,
    EVENT_INSTANCE_REPLACED,
    EVENT_NOT_INITIALISED,
    EVENT_PROVIDER_ID_MALFORMED,
)
from hooks.nodes.plan.match import Malformed, Missing
from hooks.nodes.plan.plan import NodePlan, plan_node
from tests.unit.nodes.objects import (
    NOW,
    UNINITIALIZED,
    VM_ID,
    make_facts,
    make_initialised_node,
    make_node,
    make_vm,
)

VM = make_vm()
OTHERS = make_vm(account="other", domain_path="ROOT/d")
USERS, PROJECT = Scope("user", "d"), Scope(project_id="project-id")


def tainted(**changes: Any) -> Json:
    return make_node(**{"spec": {"taints": [UNINITIALIZED]}, **changes})


def reasons(made: NodePlan) -> list[str]:
    return [event.reason for event in made.events]


@pytest.mark.parametrize(
    ("match", "parts"),
    [
        pytest.param(
            Missing(None, (), USERS),
            ("no VM named node-1 in account user, domain d, every zone; rename", "--provider-id"),
            id="by its name",
        ),
        pytest.param(
            Missing(None, (), PROJECT),
            ("no VM named node-1 in project project-id, every zone; rename", "project-id"),
            id="by its name in a project",
        ),
        pytest.param(
            Missing(None, (OTHERS,), USERS),
            ("in account user", "account other of domain ROOT/d has one", "account and domain in"),
            id="another account's has its name",
        ),
        pytest.param(
            Missing(VM_ID, (), USERS),
            (f"no VM {VM_ID} that the keys see; kubelet's --provider-id",),
            id="by its id",
        ),
        pytest.param(
            Missing(VM_ID, (), PROJECT),
            (f"no VM {VM_ID} in project project-id",),
            id="in a project",
        ),
        pytest.param(
            Missing(VM_ID, (VM,), USERS),
            (f"VM node-1 ({VM_ID}) has the node's name: delete the Node and restart",),
            id="by its id, and one has its name",
        ),
    ],
)
@pytest.mark.parametrize("ready", [True, False])
def test_a_node_that_waits_in_vain_is_told_where_was_looked(
    match: Missing, parts: tuple[str, ...], ready: bool
) -> None:
    made = plan_node(make_facts(tainted(ready=ready), match))
    assert made.actions == ()
    event = made.events[0]
    assert (event.reason, event.type) == (EVENT_NOT_INITIALISED, "Warning")
    for each in parts:
        assert each in event.message


@pytest.mark.parametrize(
    ("match", "ready", "told"),
    [
        pytest.param(Missing(None), True, [EVENT_INSTANCE_NOT_FOUND], id="by its name"),
        pytest.param(Missing(VM_ID), True, [EVENT_DELETION_HELD], id="by its id, Ready"),
        pytest.param(Missing(VM_ID, (VM,)), True, [EVENT_INSTANCE_REPLACED], id="rebuilt"),
        pytest.param(Missing(VM_ID), False, [], id="by its id, not Ready: for a while"),
    ],
)
def test_a_node_that_does_not_wait_is_told_of_its_vm_alone(
    match: Missing, ready: bool, told: list[str]
) -> None:
    assert reasons(plan_node(make_facts(make_node(ready=ready), match))) == told


def test_a_node_without_an_instance_gets_none() -> None:
    made = plan_node(make_facts(tainted(), Missing(None)))
    assert made.response == {"labels": {}, "attachments": [], "resyncAfterSeconds": 30}


def test_the_same_is_said_at_every_call_so_that_it_is_one_event() -> None:
    first = plan_node(make_facts(tainted(), Missing(VM_ID), taken_at=NOW))
    again = plan_node(make_facts(tainted(), Missing(VM_ID), taken_at=NOW + 900))
    assert first.events == again.events


def malformed(*namesakes: VirtualMachine, instance: Json | None = None) -> NodePlan:
    node = make_initialised_node(spec={"providerID": "cloudstack:///node-1"})
    match = Malformed("cloudstack:///node-1", namesakes)
    return plan_node(make_facts(node, match, instance=instance))


@pytest.mark.parametrize(
    ("namesakes", "right"),
    [
        pytest.param((VM,), f"external-cloudstack://{VM_ID} would be right", id="one of its name"),
        pytest.param((), "external-cloudstack://ID, with the id", id="none of its name"),
        pytest.param((VM, OTHERS), "external-cloudstack://ID, with the id", id="two of its name"),
    ],
)
def test_a_malformed_provider_id_is_told_with_what_would_be_right(
    namesakes: tuple[VirtualMachine, ...], right: str
) -> None:
    made = malformed(*namesakes)
    assert made.actions == ()
    [event] = made.events
    assert (event.reason, event.type) == (EVENT_PROVIDER_ID_MALFORMED, "Warning")
    assert "spec.providerID is 'cloudstack:///node-1', which names no VM" in event.message
    assert right in event.message
    [made_instance] = made.response["attachments"]  # type: ignore[typeddict-item]
    assert made_instance["spec"] == {"nodeName": "node-1"}
    assert made_instance["observed"]["servesLoadBalancers"] is False
    [found] = made_instance["observed"]["conditions"]
    assert (found["type"], found["status"], found["reason"], found["message"]) == (
        "VMFound",
        "False",
        EVENT_PROVIDER_ID_MALFORMED,
        event.message,
    )


def test_what_was_known_of_its_vm_stays_with_a_malformed_provider_id() -> None:
    observed = {"state": "Running", "owner": "account d/user", "servesLoadBalancers": True}
    spec = {"nodeName": "node-1", "instanceID": VM_ID}
    made = malformed(instance={"spec": spec, "observed": observed})
    [kept] = made.response["attachments"]  # type: ignore[typeddict-item]
    assert kept["spec"] == spec
    assert kept["observed"].items() >= observed.items()
    assert kept["observed"]["conditions"][0]["reason"] == EVENT_PROVIDER_ID_MALFORMED
