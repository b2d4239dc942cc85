"""Members follow the nodes: by difference, within a call, and not after a failed read."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from hooks.cloudstack import Cloud
from hooks.http.bounded_json import Json
from hooks.kube.client import KubeUnreachable
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.plan.members import UNLISTED_LOOK
from tests.controlplane.polling import PATIENCE
from tests.integration.loadbalancers.driver import (
    LoadBalancer,
    World,
    instance_of,
    make_hook,
    port,
    start_simulator,
)

GONE = "2026-11-30T12:00:00Z"


def members(world: World) -> set[str]:
    [rule] = world.rules()
    return set(rule["members"])


def test_a_node_that_leaves_and_comes_back_is_one_change_each(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    gone = world.nodes.pop("node-2")
    world.simulator.control.clear_calls()
    lb.settle(hook)
    assert members(world) == set(world.nodes)
    assert world.writes() == {"removeFromLoadBalancerRule": 1}
    world.nodes["node-2"] = gone
    world.simulator.control.clear_calls()
    lb.settle(hook)
    assert members(world) == set(world.nodes)
    assert world.writes() == {"assignToLoadBalancerRule": 1}


def node_of(instance: Json, **metadata: Any) -> Json:
    """Return the Node of an Instance, as the API server has it."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": instance["metadata"]["name"], **metadata},
        "spec": {"providerID": instance["spec"]["providerID"]},
    }


@pytest.mark.parametrize("name", ["node-2", "a-name-that-is-not-its-vms"])
def test_a_node_that_loses_its_instance_stays_a_member_until_it_goes_itself(
    world: World, hook: LoadBalancersHook, name: str
) -> None:
    instance = world.nodes.pop("node-2")
    instance["metadata"]["name"] = name
    world.nodes[name] = instance
    lb = LoadBalancer(world).settle(hook)
    before = members(world)
    world.cluster.store.put(node_of(instance))
    del world.nodes[name]
    world.simulator.control.clear_calls()
    lb.settle(hook)
    assert (members(world), world.writes()) == (before, {})
    assert lb.reason("MembersReady") == "InstancesGone"
    # It comes back, or its Node goes: at the next look, for nobody calls.
    world.nodes[name] = instance
    lb.settle(hook)
    assert (lb.reason("MembersReady"), world.writes()) == ("AllAssigned", {})
    del world.nodes[name]
    lb.settle(hook)
    world.cluster.store.objects.pop(f"/api/v1/nodes/{name}")
    world.advance(UNLISTED_LOOK)
    lb.settle(hook)
    assert members(world) == before - {"node-2"}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda node: node["spec"].update(providerID="cloudstack:///other"), id="VM"),
        pytest.param(lambda node: node["metadata"].update(deletionTimestamp=GONE), id="going"),
        pytest.param(lambda node: node["spec"].clear(), id="no VM"),
    ],
)
def test_a_node_that_is_another_vms_or_goes_keeps_no_member(
    world: World, hook: LoadBalancersHook, change: Callable[[Json], None]
) -> None:
    lb = LoadBalancer(world).settle(hook)
    node = node_of(world.nodes.pop("node-2"))
    change(node)
    world.cluster.store.put(node)
    lb.settle(hook)
    assert members(world) == set(world.nodes)


def test_a_node_that_is_gone_is_asked_for_once_whichever_load_balancer_asks(
    world: World, hook: LoadBalancersHook
) -> None:
    balancers = [LoadBalancer(world, name=f"web-{each}").settle(hook) for each in range(3)]
    del world.nodes["node-2"]
    world.cluster.reads.clear()
    for lb in balancers:
        lb.settle(hook)
    assert world.cluster.reads.count("/api/v1/nodes/node-2") == 1


def test_while_the_api_server_does_not_answer_no_member_without_an_instance_goes(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    before = members(world)
    del world.nodes["node-2"]
    world.cluster.failure = KubeUnreachable("no route")
    world.simulator.control.clear_calls()
    lb.call(hook)
    assert (members(world), world.writes()) == (before, {})
    world.cluster.failure = None
    lb.wait(hook)
    assert members(world) == before - {"node-2"}


def test_an_excluded_node_goes(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world).settle(hook)
    world.nodes["node-1"]["observed"]["servesLoadBalancers"] = False
    lb.settle(hook)
    assert members(world) == set(world.nodes) - {"node-1"}


def test_what_does_not_matter_of_a_node_costs_no_call(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    world.simulator.control.clear_calls()
    world.nodes["node-1"]["metadata"]["labels"]["new"] = "label"
    world.nodes["node-1"]["observed"]["state"] = "Stopped"
    lb.settle(hook)
    assert world.simulator.control.counts() == {}


def test_members_whose_vms_are_all_stopped_stay_and_are_told(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    for state, reason in (("Stopped", "NoRunningMembers"), ("Running", "Serving")):
        for node in world.nodes.values():
            node["observed"]["state"] = state
        world.simulator.control.clear_calls()
        lb.settle(hook)
        assert lb.reason() == reason
        assert members(world) == set(world.nodes)
        assert world.writes() == {}


def test_members_come_before_others_go(world: World, hook: LoadBalancersHook) -> None:
    kept = {"node-1": world.nodes.pop("node-1")}
    others, world.nodes = world.nodes, kept
    lb = LoadBalancer(world).settle(hook)
    world.nodes = others
    world.simulator.control.clear_calls()
    lb.settle(hook)
    assert list(world.writes()) == ["assignToLoadBalancerRule", "removeFromLoadBalancerRule"]
    assert members(world) == set(others)


def test_no_instance_at_all_removes_nobody(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world).settle(hook)
    before, nodes = members(world), world.nodes
    world.nodes = {}
    lb.settle(hook)
    assert members(world) == before
    assert lb.reason("MembersReady") == "NoInstances"
    assert "memberSummary" not in lb.status, "how many there should be is not known"
    world.nodes = nodes
    lb.settle(hook)
    assert lb.is_ready()


def test_a_missing_vm_stays_a_member_but_never_becomes_one(
    world: World, hook: LoadBalancersHook
) -> None:
    world.nodes["node-5.example.com"]["observed"]["missing"] = {"since": "2026-11-22T00:00:00Z"}
    lb = LoadBalancer(world).settle(hook)
    assert members(world) == set(world.nodes) - {"node-5.example.com"}
    assert lb.is_ready()
    assert "node-5.example.com" in lb.condition("MembersReady")["message"]
    world.nodes["node-4"]["observed"]["missing"] = {"since": "2026-11-22T00:00:00Z"}
    world.simulator.control.clear_calls()
    lb.settle(hook)
    assert "node-4" in members(world)
    assert world.writes() == {}


@pytest.mark.parametrize("ports", [1, 3], ids=["one port", "three ports"])
def test_one_destroyed_vm_keeps_no_other_out(
    world: World, hook: LoadBalancersHook, ports: int
) -> None:
    gone = world.nodes["node-3"]["spec"]["instanceID"]
    world.human.done("destroyVirtualMachine", id=gone)
    lb = LoadBalancer(world, ports=[port(80 + n) for n in range(ports)]).settle(hook)
    for rule in world.rules():
        assert set(rule["members"]) == set(world.nodes) - {"node-3"}
    assert "without a VM in CloudStack: node-3" in lb.condition("MembersReady")["message"]
    assert lb.is_ready()


def test_a_node_of_another_network_is_named_and_left_out(
    world: World, hook: LoadBalancersHook
) -> None:
    other = world.network("net-2")
    for each in ("node-3", "node-4"):
        world.nodes[each]["observed"]["networks"] = [{"id": other, "default": True}]
    lb = LoadBalancer(world).settle(hook)
    assert members(world) == {"node-1", "node-2", "node-5.example.com"}
    missing = "not on the members' network: node-3, node-4"
    assert lb.status["members"] == {"assigned": 3, "wanted": 5, "missing": [missing]}
    assert lb.condition("MembersReady")["message"].endswith(missing)
    assert lb.is_ready()


def test_600_members_are_all_assigned_and_a_failed_read_removes_nobody() -> None:
    with start_simulator("large", vms=600) as simulator:
        world = World(simulator)
        cloud = world.open_cloud()
        hook = make_hook(world, cloud)
        lb = LoadBalancer(world).settle(hook)
        assert members(world) == set(world.nodes)
        assert lb.status["memberSummary"] == "600/600"
        simulator.control.clear_calls()
        lb.wait(hook)
        assert world.writes() == {}
        simulator.control.fault("listLoadBalancerRuleInstances", "error", code=530)
        hook = make_hook(world, cloud)
        gone = world.nodes.pop("node-00001")
        lb.call(hook)
        assert len(members(world)) == 600
        assert lb.reason() == "CloudStackRefused"
        lb.wait(hook)
        assert members(world) == set(world.nodes)
        assert gone["metadata"]["name"] not in members(world)
        cloud.close()
        world.close()


def test_after_a_refused_assignment_the_second_page_of_vms_counts_too() -> None:
    with start_simulator("large", vms=600) as simulator:
        world = World(simulator)
        world.human.done(
            "destroyVirtualMachine", id=world.nodes["node-00002"]["spec"]["instanceID"]
        )
        cloud = world.open_cloud()
        hook = make_hook(world, cloud)
        simulator.control.fault("listVirtualMachines", "error", code=530, when={"page": "2"})
        lb = LoadBalancer(world)
        lb.call(hook)
        lb.call(hook)
        assert members(world) == set()
        assert lb.reason() == "MembersRefused"
        give_up = time.monotonic() + PATIENCE
        while not lb.is_ready() and time.monotonic() < give_up:
            time.sleep(0.2)  # a failed snapshot is answered with for a second
            lb.wait(hook)
        assert members(world) == set(world.nodes) - {"node-00002"}
        cloud.close()
        world.close()


def test_a_vm_added_later_joins(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world).settle(hook)
    [zone] = world.human.list("listZones", "zone")
    offering = world.human.list("listServiceOfferings", "serviceoffering")[0]
    template = world.human.list("listTemplates", "template", templatefilter="executable")[0]
    world.human.done(
        "deployVirtualMachine",
        name="node-6",
        zoneid=zone["id"],
        serviceofferingid=offering["id"],
        templateid=template["id"],
        networkids=world.network("net-1"),
    )
    [made] = [vm for vm in world.state()["virtualmachines"] if vm["name"] == "node-6"]
    world.nodes["node-6"] = instance_of(made)
    lb.settle(hook)
    assert "node-6" in members(world)


def test_a_refusal_about_another_parameter_does_not_mean_that_a_rule_has_no_members(
    world: World, cloud: Cloud
) -> None:
    lb = LoadBalancer(world).settle(make_hook(world, cloud))
    world.nodes.pop("node-2")
    world.simulator.control.clear_calls()
    text = "Invalid parameter lbvmips value=maybe due to incorrect long value format"
    world.simulator.control.fault("listLoadBalancerRuleInstances", "error", code=431, text=text)
    lb.call(make_hook(world, cloud))
    assert lb.reason() == "CloudStackRefused"
    assert world.writes() == {}
