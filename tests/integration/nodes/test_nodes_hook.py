"""The nodes hook against a CloudStack that answers, refuses, breaks and hides."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pytest

from hooks.cloudstack import Cloud, CloudConfig
from hooks.cloudstack.errors import CloudStackError, Unreachable
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import Conflict
from hooks.names import ANNOTATION_PROVIDED_NODE_IP, TAINT_UNINITIALIZED
from hooks.nodes.plan.actions import AddressPatch, SpecPatch
from hooks.webhook.reconcile import CONFLICT_RESUME_AFTER, MAX_CONFLICTS
from simulator.server import Simulator
from tests.controlplane.polling import SLACK
from tests.integration.nodes.running import (
    EXAMPLE,
    kube_with,
    make_hook,
    open_simulated,
    request_for,
    shown,
)
from tests.kubes import Answering, Call


def test_the_example_is_answered_labels_and_an_instance(cloud: Cloud) -> None:
    answer = make_hook(cloud).sync(EXAMPLE, Deadline(8))
    assert shown(answer)["labels"] == {
        "node.kubernetes.io/instance-type": "SmallInstance",
        "topology.kubernetes.io/zone": "zone-1",
        "topology.kubernetes.io/region": "zone-1",
    }
    [instance] = shown(answer)["attachments"]
    assert instance["kind"] == "CloudStackInstance"
    assert answer.actions == ()


def test_a_node_that_shows_its_labels_is_written_to_addresses_first_release_last(
    cloud: Cloud,
) -> None:
    hook = make_hook(cloud)
    request = deepcopy(EXAMPLE)
    labels = shown(hook.sync(request, Deadline(8)))["labels"]
    request["object"]["metadata"]["labels"].update(labels)
    answer = hook.sync(request, Deadline(8))
    first, last = answer.actions
    assert isinstance(first, AddressPatch)
    assert isinstance(last, SpecPatch)
    assert last.provider_id is not None
    assert last.provider_id.endswith(shown(answer)["attachments"][0]["spec"]["instanceID"])
    assert TAINT_UNINITIALIZED not in str(last.taints)


def test_a_secondary_address_that_kubelet_uses_is_the_nodes(
    simulator: Simulator, cloud: Cloud
) -> None:
    vm = next(vm for vm in simulator.world.vms if vm.name == "node-1")
    vm.nics[0].secondary["secondary-id"] = "10.1.1.77"
    request = deepcopy(EXAMPLE)
    request["object"]["metadata"]["annotations"] = {ANNOTATION_PROVIDED_NODE_IP: "10.1.1.77"}
    hook = make_hook(cloud, kube=kube_with(request))
    labels = shown(hook.sync(request, Deadline(8)))["labels"]
    request["object"]["metadata"]["labels"].update(labels)
    patch, _ = hook.sync(request, Deadline(8)).actions
    assert isinstance(patch, AddressPatch)
    internal = [address for kind, address in patch.addresses if kind == "InternalIP"]
    assert internal == ["10.1.1.77"]


@dataclass
class AlwaysConflicting(Answering):
    """An API server that refuses each write, as if the Node had always just changed."""

    node: Json
    calls: list[Call] = field(default_factory=list)

    def answer(self, call: Call) -> Json:
        self.calls.append(call)
        if call.writes:
            raise Conflict(f"{call.verb} {call.path}", 409, "the object has been modified")
        return self.node


def test_a_node_that_is_always_outdated_costs_a_handful_of_requests(cloud: Cloud) -> None:
    request = deepcopy(EXAMPLE)
    labels = shown(make_hook(cloud).sync(request, Deadline(8)))["labels"]
    request["object"]["metadata"]["labels"].update(labels)
    kube = AlwaysConflicting(request["object"])
    answer = make_hook(cloud, kube=kube).sync(request, Deadline(8))
    assert 2 <= len(kube.calls) <= 7
    assert len(answer.actions) == MAX_CONFLICTS  # each was tried
    assert shown(answer)["labels"] == labels
    assert shown(answer)["resyncAfterSeconds"] == CONFLICT_RESUME_AFTER
    assert "the object has been modified" in str(answer.error)


def test_600_vms_are_one_snapshot_of_two_pages_and_page_two_counts() -> None:
    with Simulator(world="large", vms=600) as simulator:
        cloud = open_simulated(simulator)
        hook = make_hook(cloud)
        for name in ("node-00001", "node-00600"):
            [instance] = shown(hook.sync(request_for(name), Deadline(8)))["attachments"]
            assert instance["spec"]["nodeName"] == name
        assert simulator.control.counts() == {"listVirtualMachines": 2, "listAccounts": 1}
        cloud.close()


def test_a_page_that_fails_changes_nothing() -> None:
    with Simulator(world="large", vms=600) as simulator:
        simulator.control.fault(
            "listVirtualMachines", "error", code=530, times=None, when={"page": "2"}
        )
        cloud = open_simulated(simulator)
        with pytest.raises(CloudStackError):
            make_hook(cloud).sync(request_for("node-00001"), Deadline(2))
        cloud.close()


def test_32_calls_at_once_share_one_snapshot() -> None:
    with Simulator(world="large", vms=100) as simulator:
        cloud = open_simulated(simulator)
        hook = make_hook(cloud)
        gate = threading.Barrier(32)

        def call(number: int) -> str:
            gate.wait()
            answer = hook.sync(request_for(f"node-{number + 1:05}"), Deadline(8))
            return str(shown(answer)["attachments"][0]["metadata"]["name"])

        with ThreadPoolExecutor(32) as pool:
            names = list(pool.map(call, range(32)))
        assert names == [f"node-{n + 1:05}" for n in range(32)]
        assert simulator.control.counts() == {"listVirtualMachines": 1, "listAccounts": 1}
        cloud.close()


def test_in_a_project_its_vms_are_found_and_only_with_its_id(simulator: Simulator) -> None:
    project = next(project["id"] for project in simulator.control.state()["projects"])
    inside, outside = open_simulated(simulator, project=project), open_simulated(simulator)
    request = request_for("project-node-1")
    assert shown(make_hook(inside).sync(request, Deadline(8)))["attachments"]
    calls = simulator.control.calls()
    assert calls
    assert all(call["params"].get("projectid") == project for call in calls)
    assert shown(make_hook(outside).sync(request, Deadline(8)))["attachments"] == []
    inside.close()
    outside.close()


FAULTS: list[Any] = [
    *(
        pytest.param({"kind": "error", "code": code}, id=str(code))
        for code in (401, 429, 431, 432, 530, 531, 533)
    ),
    pytest.param({"kind": "timeout", "seconds": 60.0}, id="timeout"),
    pytest.param({"kind": "html"}, id="HTML"),
    pytest.param({"kind": "empty"}, id="nothing"),
    pytest.param({"kind": "throttled"}, id="throttled"),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_any_fault_of_cloudstack_is_an_error_in_time_without_a_secret(
    simulator: Simulator, fault: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    simulator.control.fault("listVirtualMachines", times=None, **fault)
    cloud = open_simulated(simulator)
    started = time.monotonic()
    with caplog.at_level(logging.DEBUG), pytest.raises(CloudStackError) as raised:
        make_hook(cloud).sync(EXAMPLE, Deadline(1.5))
    assert time.monotonic() - started < 1.5 + SLACK
    text = f"{raised.value!r} {raised.getrepr(chain=True)} {caplog.text}"
    for secret in (simulator.user.api_key, simulator.user.secret_key, "signature="):
        assert secret not in text
    cloud.close()


def test_an_api_that_nobody_serves_is_an_error(simulator: Simulator) -> None:
    user = simulator.user
    cloud = Cloud(CloudConfig("http://127.0.0.1:9/client/api", user.api_key, user.secret_key))
    with pytest.raises(Unreachable):
        make_hook(cloud).sync(EXAMPLE, Deadline(1))
    cloud.close()
