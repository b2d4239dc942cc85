"""Who may write in a namespace may write EndpointSlices: they make no stranger a member."""

import json
from collections.abc import Callable

import pytest

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.loadbalancers.endpoints import ENDPOINT_SLICES
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.webhook.contract import BadRequest
from hooks.webhook.requests import MAX_VALUES, parse_body
from tests.integration.loadbalancers.driver import LoadBalancer, World

#: How a VM on the members' network that is no node of this cluster may be called.
NAMES: dict[str, Callable[[str, Json], str]] = {
    "its name": lambda name, _: name,
    "its id": lambda _, stranger: str(stranger["spec"]["instanceID"]),
    "its provider id": lambda _, stranger: str(stranger["spec"]["providerID"]),
    "its address": lambda _, stranger: str(stranger["observed"]["networks"][0]["addresses"][0]),
    "a path to its Instance": lambda name, _: f"../cloudstackinstances/{name}",
}


def members(world: World) -> set[str]:
    [rule] = world.rules()
    return set(rule["members"])


@pytest.mark.parametrize("named", NAMES.values(), ids=NAMES)
def test_a_machine_that_is_no_node_of_the_cluster_never_becomes_a_member(
    world: World, hook: LoadBalancersHook, named: Callable[[str, Json], str]
) -> None:
    stranger = world.nodes.pop("node-3")
    world.place("node-1", named("node-3", stranger))
    lb = LoadBalancer(world, externalTrafficPolicy="Local").settle(hook)
    assert members(world) == {"node-1"}
    world.place(named("node-3", stranger))
    lb.settle(hook)
    assert members(world) == {"node-1"}
    asked = [
        call for call in world.simulator.control.calls() if not call["command"].startswith("list")
    ]
    assert str(stranger["spec"]["instanceID"]) not in json.dumps(asked)


def test_a_node_that_may_not_serve_never_becomes_a_member(
    world: World, hook: LoadBalancersHook
) -> None:
    world.nodes["node-3"]["observed"]["servesLoadBalancers"] = False
    world.place("node-1", "node-3")
    LoadBalancer(world, externalTrafficPolicy="Local").settle(hook)
    assert members(world) == {"node-1"}


def test_what_a_slice_names_is_told_to_nobody(world: World, hook: LoadBalancersHook) -> None:
    world.place("node-1", "<script>" + "n" * 2000)
    lb = LoadBalancer(world, externalTrafficPolicy="Local").settle(hook)
    assert lb.is_ready()
    told = json.dumps([answer.response for answer in lb.answers]) + str(world.cluster.events)
    assert "<script>" not in told


def test_endpoints_that_come_and_go_cost_two_writes_each_time_and_no_list_of_members(
    world: World, hook: LoadBalancersHook
) -> None:
    world.place("node-1")
    lb = LoadBalancer(world, externalTrafficPolicy="Local").settle(hook)
    world.simulator.control.clear_calls()
    for turn in range(10):
        world.place("node-1" if turn % 2 else "node-2")
        lb.settle(hook)
    assert world.writes() == {"assignToLoadBalancerRule": 10, "removeFromLoadBalancerRule": 10}
    assert "listLoadBalancerRuleInstances" not in world.simulator.control.counts()


def test_more_slices_than_a_request_may_have_hold_up_no_deletion(
    world: World, hook: LoadBalancersHook
) -> None:
    world.place("node-1")
    lb = LoadBalancer(world, externalTrafficPolicy="Local").settle(hook)
    world.slices["default/web-many"] = {
        "addressType": "IPv4",
        "ports": [{"port": 80}],
        "endpoints": [{"nodeName": "n"}] * (MAX_VALUES // 2),
    }
    body = lb.request()
    with pytest.raises(BadRequest, match="more than"):
        parse_body(json.dumps(body).encode())
    lb.delete()
    asked = hook.customize(lb.request(), Deadline(8)).response
    assert ENDPOINT_SLICES not in lb.request()["related"]
    assert "endpointslices" not in json.dumps(asked)
    lb.settle(hook)
    assert lb.is_finalized()
