"""Nodes that claim one VM: found by the Instances, and by the Nodes as they are now."""

from copy import deepcopy

import pytest

from hooks.cloudstack import Cloud
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import KubeUnreachable
from hooks.nodes import facts
from hooks.nodes.context import INSTANCES_PATH, PAUSE
from hooks.nodes.hook import NodesHook
from hooks.nodes.request import INSTANCES
from simulator.server import Simulator
from tests.integration.nodes.clocks import ProcessClocks
from tests.integration.nodes.running import kube_with, make_hook, request_for, shown
from tests.memory_kube import MemoryKube


def cluster(simulator: Simulator, claimed: str) -> tuple[MemoryKube, Json]:
    """Make a cluster of node-1 and of a thief that claims a VM; return it and the thief's call."""
    machines = {vm.name: vm.id for vm in simulator.world.vms}
    provider_id = f"external-cloudstack://{machines['node-1']}"
    kube = kube_with(request_for("node-1", providerID=provider_id))
    claim = f"external-cloudstack://{machines[claimed]}"
    request = request_for("thief", providerID=claim)
    request["object"]["metadata"]["uid"] = "thief"
    kube.objects[f"{facts.NODES_PATH}/thief"] = deepcopy(request["object"])
    kube.objects[f"{INSTANCES_PATH}/node-1"] = {
        "metadata": {"name": "node-1"},
        "spec": {"instanceID": machines["node-1"].upper()},
    }
    return kube, request


def test_a_node_that_claims_another_ones_vm_is_not_given_it(
    simulator: Simulator, cloud: Cloud
) -> None:
    kube, request = cluster(simulator, "node-1")
    answer = make_hook(cloud, kube=kube).sync(request, Deadline(8))
    [instance] = shown(answer)["attachments"]
    assert instance["observed"]["servesLoadBalancers"] is False
    assert kube.writes == []
    assert kube.reasons() == ["InstanceClaimedTwice"]


def test_a_node_with_a_vm_of_its_own_is_not_compared_with_the_cluster(
    simulator: Simulator, cloud: Cloud
) -> None:
    kube, request = cluster(simulator, "node-2")
    make_hook(cloud, kube=kube).sync(request, Deadline(8))
    assert kube.reads == [INSTANCES_PATH]
    assert kube.reasons() == []


@pytest.mark.parametrize("gone", [True, False], ids=["deleted", "with another VM now"])
def test_an_instance_that_is_out_of_date_is_no_claim(
    simulator: Simulator, cloud: Cloud, gone: bool
) -> None:
    kube, request = cluster(simulator, "node-1")
    node = kube.objects.pop(f"{facts.NODES_PATH}/node-1")
    if not gone:
        node["spec"]["providerID"] = "external-cloudstack://another"
        kube.objects[f"{facts.NODES_PATH}/node-1"] = node
    make_hook(cloud, kube=kube).sync(request, Deadline(8))
    assert kube.reasons() == []


def test_many_calls_read_the_instances_once(simulator: Simulator, cloud: Cloud) -> None:
    kube, request = cluster(simulator, "node-2")
    hook = make_hook(cloud, kube=kube)
    for _ in range(20):
        hook.sync(request, Deadline(8))
    assert kube.reads == [INSTANCES_PATH]


def test_without_the_instances_a_node_is_answered_and_the_list_is_read_again_later(
    simulator: Simulator,
) -> None:
    clocks = ProcessClocks()
    kube, request = cluster(simulator, "node-1")
    with clocks.cloud(simulator) as cloud:
        hook = make_hook(cloud, clocks.epoch, kube)
        kube.failure = KubeUnreachable("GET: timeout")
        assert hook.sync(request, Deadline(8)).error is None
        hook.sync(request, Deadline(8))
        assert kube.reads == [INSTANCES_PATH]
        kube.failure = None
        clocks.advance(6)
        hook.sync(request, Deadline(8))
    assert kube.reasons() == ["InstanceClaimedTwice"]


def test_a_list_without_the_node_itself_is_soon_too_old(simulator: Simulator) -> None:
    clocks = ProcessClocks()
    kube, request = cluster(simulator, "node-1")
    rival = kube.objects.pop(f"{INSTANCES_PATH}/node-1")
    with clocks.cloud(simulator) as cloud:
        hook = make_hook(cloud, clocks.epoch, kube)
        hook.sync(request, Deadline(8))
        kube.objects[f"{INSTANCES_PATH}/node-1"] = rival
        hook.sync(request, Deadline(8))
        assert kube.reasons() == []
        clocks.advance(1)
        hook.sync(request, Deadline(8))
    assert kube.reasons() == ["InstanceClaimedTwice"]


def waiting(simulator: Simulator, kube: MemoryKube, *names: str) -> list[Json]:
    """Make Nodes that claim the VM of node-1; return their calls."""
    vm_id = next(vm.id for vm in simulator.world.vms if vm.name == "node-1")
    requests = [request_for(name, providerID=f"external-cloudstack://{vm_id}") for name in names]
    for name, request in zip(names, requests, strict=True):
        request["object"]["metadata"]["uid"] = f"uid-{name}"
        kube.objects[f"{facts.NODES_PATH}/{name}"] = deepcopy(request["object"])
    return requests


def announce(hook: NodesHook, kube: MemoryKube, requests: list[Json]) -> None:
    """Call for each Node, and write labels and Instances only after all calls."""
    for request in requests:
        answer = shown(hook.sync(request, Deadline(8)))
        request["object"]["metadata"]["labels"] |= answer["labels"]
        request["attachments"] = {
            INSTANCES: {each["metadata"]["name"]: each for each in answer["attachments"]}
        }
    assert kube.writes == []
    for request in requests:
        for name, instance in request["attachments"][INSTANCES].items():
            kube.objects[f"{INSTANCES_PATH}/{name}"] = instance


@pytest.mark.parametrize("names", [("node-1", "thief"), ("a", "b"), ("b", "a")])
def test_of_two_nodes_that_claim_one_vm_in_the_same_moment_one_is_initialised(
    simulator: Simulator, names: tuple[str, str]
) -> None:
    kube, clocks = MemoryKube(), ProcessClocks()
    requests = waiting(simulator, kube, *names)
    with clocks.cloud(simulator) as cloud:
        hook = make_hook(cloud, clocks.epoch, kube)
        announce(hook, kube, requests)
        clocks.advance(0.1)  # much less than a list without a node is used
        for request in requests:
            hook.sync(request, Deadline(8))
    kept_by = "node-1" if "node-1" in names else min(names)
    assert {path.split("/")[4] for _, path, _ in kube.writes} == {kept_by}
    assert kube.reasons().count("InstanceClaimedTwice") == 2
    assert kube.reads.count(INSTANCES_PATH) == 2


def test_after_a_list_that_failed_the_next_of_them_reads_it_again(simulator: Simulator) -> None:
    kube, clocks = MemoryKube(), ProcessClocks()
    requests = waiting(simulator, kube, "a", "b")
    with clocks.cloud(simulator) as cloud:
        hook = make_hook(cloud, clocks.epoch, kube)
        announce(hook, kube, requests)
        clocks.advance(0.1)
        kube.refused["list"] = KubeUnreachable("GET: timeout")
        hook.sync(requests[0], Deadline(8))
        del kube.refused["list"]
        clocks.advance(0.1)
        hook.sync(requests[1], Deadline(8))
    assert {path.split("/")[4] for _, path, _ in kube.writes} == {"a"}
    assert kube.reasons().count("InstanceClaimedTwice") == 1
    assert kube.reads.count(INSTANCES_PATH) == 3


def test_a_list_that_failed_is_read_again_sooner_than_one_that_was_read(
    simulator: Simulator,
) -> None:
    clocks = ProcessClocks()
    kube, request = cluster(simulator, "node-2")
    kube.objects[f"{INSTANCES_PATH}/thief"] = {
        "metadata": {"name": "thief"},
        "spec": {"instanceID": next(vm.id for vm in simulator.world.vms if vm.name == "node-2")},
    }
    with clocks.cloud(simulator) as cloud:
        hook = make_hook(cloud, clocks.epoch, kube)
        hook.sync(request, Deadline(8))
        clocks.advance(15)
        kube.refused["list"] = KubeUnreachable("GET: timeout")
        hook.sync(request, Deadline(8))
        clocks.advance(PAUSE - 0.5)
        hook.sync(request, Deadline(8))
        assert kube.reads.count(INSTANCES_PATH) == 2
        clocks.advance(0.5)
        hook.sync(request, Deadline(8))
    assert kube.reads.count(INSTANCES_PATH) == 3


@pytest.mark.parametrize("has_id", [True, False], ids=["with a provider id", "by its name"])
def test_a_node_with_the_vms_name_that_was_never_called_is_seen_before_another_is_initialised(
    simulator: Simulator, cloud: Cloud, has_id: bool
) -> None:
    kube, request = cluster(simulator, "node-1")
    del kube.objects[f"{INSTANCES_PATH}/node-1"]
    if not has_id:
        del kube.objects[f"{facts.NODES_PATH}/node-1"]["spec"]["providerID"]
    hook = make_hook(cloud, kube=kube)
    request["object"]["metadata"]["labels"] |= shown(hook.sync(request, Deadline(8)))["labels"]
    hook.sync(request, Deadline(8))
    assert kube.writes == []
    assert kube.reasons() == ["InstanceClaimedTwice"]


def test_a_list_that_cannot_be_read_keeps_no_node_that_waits(simulator: Simulator) -> None:
    clocks = ProcessClocks()
    kube, request = cluster(simulator, "node-2")
    request["object"]["metadata"]["labels"]["topology.kubernetes.io/region"] = "zone-1"
    kube.refused["list"] = KubeUnreachable("GET: timeout")
    with clocks.cloud(simulator) as cloud:
        hook = make_hook(cloud, clocks.epoch, kube)
        for _ in range(3):
            assert hook.sync(request, Deadline(8)).error is None
    assert kube.reads.count(INSTANCES_PATH) <= 1
