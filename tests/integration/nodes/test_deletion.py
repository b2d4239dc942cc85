"""When the nodes hook deletes a Node: once, the very one, and only after a clean no."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass

import pytest

from hooks.cloudstack.errors import InvalidParameter
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import KubeUnreachable
from hooks.names import ANNOTATION_CONFIRM_DELETION
from hooks.nodes import facts
from hooks.nodes.context import INSTANCES_PATH
from hooks.nodes.hook import NodesHook
from hooks.nodes.plan.actions import AddressPatch, NodeDeletion
from hooks.nodes.request import INSTANCES
from hooks.webhook.reconcile import CallResult
from simulator.server import Simulator
from tests.integration.nodes.clocks import ProcessClocks
from tests.integration.nodes.running import (
    EXAMPLE,
    kube_with,
    make_hook,
    replaced,
    request_for,
    shown,
)
from tests.memory_kube import MemoryKube

NODE = f"{facts.NODES_PATH}/node-1"
MISSING = "cloudstack:///00000000-0000-4000-8000-000000000000"


@dataclass
class Overdue:
    """A node that is not Ready, and a hook that has seen its VM missing for long.

    Attributes:
        request: the next one, with the Instance of the last answer.
        kube: the cluster with both.
        machines: the ids of VMs that there are.
    """

    hook: NodesHook
    request: Json
    kube: MemoryKube
    machines: list[str]

    def call(self) -> CallResult:
        return self.hook.sync(self.request, Deadline(8))


@pytest.fixture
def overdue(simulator: Simulator) -> Iterator[Overdue]:
    with overdue_node(simulator, {"owner": owner_of(simulator)}) as prepared:
        yield prepared


def owner_of(simulator: Simulator) -> str:
    account = simulator.user.account
    return f"account {account.domain.id}/{account.name}"


@contextmanager
def overdue_node(simulator: Simulator, observed: Json) -> Iterator[Overdue]:
    """Call for a node often enough; its Instance says at first what is given."""
    clocks = ProcessClocks()
    request = request_for("node-1", providerID=MISSING, taints=[])
    request["object"]["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    kube = kube_with(request)
    request["attachments"] = {
        INSTANCES: {"node-1": {"metadata": {"name": "node-1"}, "observed": observed}}
    }
    with clocks.cloud(simulator) as cloud:
        hook = make_hook(cloud, clocks.epoch, kube)
        for _ in range(3):
            answer = hook.sync(request, Deadline(8))
            assert answer.actions == ()
            [instance] = shown(answer)["attachments"]
            assert instance["observed"]["state"] == "Missing"
            request["attachments"] = {INSTANCES: {"node-1": instance}}
            kube.objects[f"{INSTANCES_PATH}/node-1"] = instance
            clocks.advance(20)
        assert kube.reads == []
        yield Overdue(hook, request, kube, [vm.id for vm in simulator.world.vms])


def test_a_missing_vm_deletes_nothing_where_the_api_server_does_not_answer(
    overdue: Overdue,
) -> None:
    overdue.kube.failure = KubeUnreachable("GET /api/v1/nodes/node-1: timeout")
    with pytest.raises(KubeUnreachable):
        overdue.call()
    assert overdue.kube.reads
    assert overdue.kube.writes == []


def test_a_node_whose_vm_is_gone_for_good_is_deleted_and_not_read_again(overdue: Overdue) -> None:
    answer = overdue.call()
    kube = overdue.kube
    [deletion] = answer.actions
    assert isinstance(deletion, NodeDeletion)
    assert [verb for verb, *_ in kube.writes] == ["delete"]
    assert f"{facts.NODES_PATH}/node-1" not in kube.objects
    assert kube.reads == [NODE, INSTANCES_PATH, NODE]
    assert shown(answer)["resyncAfterSeconds"] == 15


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [("metadata", "uid", "another"), ("spec", "providerID", "external-cloudstack://another")],
)
def test_a_new_node_is_not_deleted_for_the_missing_vm_of_the_one_before(
    overdue: Overdue, part: str, field: str, value: str
) -> None:
    another = replaced(overdue.request["object"], (part, field), value)
    overdue.kube.objects[f"{facts.NODES_PATH}/node-1"] = another
    overdue.call()
    assert overdue.kube.reads
    assert overdue.kube.writes == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Invalid value for parameter details: min", id="another parameter"),
        pytest.param(
            "Unable to execute API command listvirtualmachines due to invalid value. Invalid "
            "parameter projectid value=00000000-0000-4000-8000-000000000001 due to incorrect long "
            "value format, or entity does not exist or due to incorrect parameter annotation for "
            "the field in api cmd class.",
            id="another id",
        ),
    ],
)
def test_a_refusal_about_something_else_than_the_vms_id_deletes_no_node(
    simulator: Simulator, overdue: Overdue, text: str
) -> None:
    by_id = {"id": "00000000-0000-4000-8000-000000000000"}
    simulator.control.fault("listVirtualMachines", code=431, text=text, times=None, when=by_id)
    with pytest.raises(InvalidParameter):
        overdue.call()
    assert overdue.kube.writes == []


def test_a_node_that_is_gone_when_it_is_read_again_ends_the_call(overdue: Overdue) -> None:
    del overdue.kube.objects[NODE]
    answer = overdue.call()
    assert (answer.actions, answer.error) == ((), None)
    assert overdue.kube.writes == []
    assert overdue.kube.reasons() == []


def test_a_node_that_somebody_else_deletes_first_is_answered_and_not_counted(
    overdue: Overdue,
) -> None:
    overdue.kube.before_delete = lambda: overdue.kube.objects.pop(NODE)
    answer = overdue.call()
    assert [type(action) for action in answer.actions] == [NodeDeletion]  # tried
    assert answer.error is None
    assert overdue.kube.reasons() == []


def test_a_deletion_is_told_once(overdue: Overdue) -> None:
    answer = overdue.call()
    assert [type(action) for action in answer.actions] == [NodeDeletion]
    assert overdue.kube.reasons() == ["DeletingNode"]


def test_a_write_for_a_node_that_was_replaced_ends_the_call(simulator: Simulator) -> None:
    request = deepcopy(EXAMPLE)
    kube = kube_with(request)
    with ProcessClocks().cloud(simulator) as cloud:
        hook = make_hook(cloud, kube=kube)
        labels = shown(hook.sync(request, Deadline(8)))["labels"]
        request["object"]["metadata"]["labels"].update(labels)
        another = replaced(request["object"], ("metadata", "uid"), "another")
        kube.before_patch = lambda: kube.objects.update({NODE: another})
        answer = hook.sync(request, Deadline(8))
    assert [(verb, path) for verb, path, _ in kube.writes] == [("patch", f"{NODE}/status")]
    assert kube.objects[NODE] == another
    assert [type(action) for action in answer.actions] == [AddressPatch]  # tried
    assert answer.error is None


def others(overdue: Overdue, *, ready: int, missing: int, of: int) -> None:
    """Add nodes to the cluster, the first of which are missing, and of these the first Ready."""
    machines = overdue.machines
    for number in range(of):
        vm = f"00000000-0000-4000-8001-{number:012}" if number < missing else machines[0]
        name = f"other-{number}"
        overdue.kube.objects[f"{INSTANCES_PATH}/{name}"] = {
            "metadata": {"name": name},
            "spec": {"instanceID": vm},
        }
        overdue.kube.objects[f"{facts.NODES_PATH}/{name}"] = {
            "metadata": {"name": name},
            "spec": {"providerID": f"external-cloudstack://{vm}"},
            "status": {"conditions": [{"type": "Ready", "status": str(number < ready)}]},
        }


def test_one_ready_node_without_a_vm_does_not_keep_every_other(overdue: Overdue) -> None:
    others(overdue, ready=1, missing=1, of=9)
    overdue.call()
    assert NODE not in overdue.kube.objects


def test_many_ready_nodes_without_vms_keep_the_node_until_a_person_confirms(
    overdue: Overdue,
) -> None:
    others(overdue, ready=4, missing=4, of=9)
    overdue.call()
    assert NODE in overdue.kube.objects
    [event] = overdue.kube.events
    assert event.reason == "NodeDeletionHeld"
    assert "4 of 10 nodes that are Ready" in event.message
    assert ANNOTATION_CONFIRM_DELETION in event.message
    annotated = {ANNOTATION_CONFIRM_DELETION: "true"}
    overdue.kube.objects[NODE]["metadata"]["annotations"] = annotated
    overdue.call()
    assert NODE not in overdue.kube.objects


def test_a_node_whose_vm_was_never_seen_is_kept_until_a_person_confirms(
    simulator: Simulator,
) -> None:
    with overdue_node(simulator, {}) as overdue:
        overdue.call()
        assert NODE in overdue.kube.objects
        [event] = overdue.kube.events
        assert event.reason == "NodeDeletionHeld"
        assert "it never had this VM" in event.message
        annotated = {ANNOTATION_CONFIRM_DELETION: "true"}
        overdue.kube.objects[NODE]["metadata"]["annotations"] = annotated
        overdue.call()
        assert NODE not in overdue.kube.objects


def test_a_node_that_joins_anew_under_its_name_is_no_contradiction(overdue: Overdue) -> None:
    others(overdue, ready=4, missing=4, of=9)
    for number in range(4):
        node = overdue.kube.objects[f"{facts.NODES_PATH}/other-{number}"]
        node["spec"]["providerID"] = f"external-cloudstack://{overdue.machines[1]}"
    overdue.call()
    assert NODE not in overdue.kube.objects
