"""Members follow the endpoints of a Service with externalTrafficPolicy Local."""

import pytest

from hooks.cloudstack import Cloud
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.loadbalancers.endpoints import ENDPOINT_SLICES
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.instances import INSTANCES
from hooks.loadbalancers.returns import STAYS_AWAY
from hooks.names import EVENT_REPAIRED
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World, make_hook, port
from tests.integration.loadbalancers.test_addresses import FREE

MEMBERS = "listLoadBalancerRuleInstances"


def local(world: World, *nodes: str, ports: tuple[int, ...] = (80, 443)) -> LoadBalancer:
    """Make a load balancer of a Service with an endpoint on each of these nodes."""
    world.place(*nodes)
    return LoadBalancer(world, ports=[port(each) for each in ports], externalTrafficPolicy="Local")


def members(world: World) -> list[set[str]]:
    return [set(rule["members"]) for rule in world.rules()]


def rules(hook: LoadBalancersHook, lb: LoadBalancer) -> list[Json]:
    found: list[Json] = hook.customize(lb.request(), Deadline(8)).response["relatedResources"]  # type: ignore[typeddict-item]
    return found


def test_endpoints_are_asked_for_where_they_matter_and_of_this_service_alone(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, "web", namespace="shop")
    assert [each["resource"] for each in rules(hook, lb)] == ["cloudstackinstances"]
    lb.change(externalTrafficPolicy="Local")
    assert rules(hook, lb)[1] == {
        "apiVersion": "discovery.k8s.io/v1",
        "resource": "endpointslices",
        "namespace": "shop",
        "labelSelector": {
            "matchLabels": {"kubernetes.io/service-name": "web"},
            "matchExpressions": [
                {"key": "service.kubernetes.io/headless", "operator": "DoesNotExist"}
            ],
        },
    }
    lb.delete()
    assert [each["resource"] for each in rules(hook, lb)] == ["cloudstackinstances"]


def test_it_is_made_followed_and_deleted(world: World, hook: LoadBalancersHook) -> None:
    lb = local(world, "node-1", "node-2").settle(hook)
    assert lb.is_ready()
    assert lb.status["memberSummary"] == "2/2"
    assert members(world) == [{"node-1", "node-2"}] * 2
    world.place("node-2", "node-3")
    lb.settle(hook)
    assert lb.is_ready()
    assert members(world) == [{"node-2", "node-3"}] * 2
    lb.delete()
    lb.settle(hook)
    assert world.remains() == NOTHING


def test_who_gets_an_endpoint_comes_before_others_go(world: World, hook: LoadBalancersHook) -> None:
    lb = local(world, "node-1", ports=(80,)).settle(hook)
    world.simulator.control.clear_calls()
    world.place("node-2")
    lb.settle(hook)
    assert world.writes() == {"assignToLoadBalancerRule": 1, "removeFromLoadBalancerRule": 1}
    assert list(world.writes()) == ["assignToLoadBalancerRule", "removeFromLoadBalancerRule"]


def test_an_address_is_published_before_there_is_any_endpoint(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = local(world)
    lb.call(hook)
    lb.call(hook)
    assert len(world.rules()) == 2
    assert lb.is_published()
    lb.settle(hook)
    assert lb.reason() == "NoReadyEndpoints"
    assert members(world) == [set()] * 2
    assert not lb.condition("Stalled")
    world.place("node-4")
    lb.settle(hook)
    assert lb.is_ready()
    assert members(world) == [{"node-4"}] * 2


def test_without_a_ready_endpoint_those_that_end_serve_and_then_members_stay(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = local(world, "node-1", "node-2").settle(hook)
    world.place("node-1", ending=["node-2"])
    lb.settle(hook)
    assert members(world) == [{"node-1"}] * 2
    world.place(ending=["node-1", "node-2"])
    lb.settle(hook)
    assert lb.is_ready()
    assert members(world) == [{"node-1", "node-2"}] * 2
    world.simulator.control.clear_calls()
    world.place()
    lb.settle(hook)
    assert lb.reason() == "NoReadyEndpoints"
    assert members(world) == [{"node-1", "node-2"}] * 2
    assert world.writes() == {}
    assert lb.is_published()
    world.nodes.pop("node-1")
    lb.settle(hook)
    assert members(world) == [{"node-2"}] * 2, "a node that is gone serves nobody"
    world.place("node-3")
    lb.settle(hook)
    assert lb.is_ready()
    assert members(world) == [{"node-3"}] * 2


def test_a_new_port_gets_the_members_that_stay(world: World, hook: LoadBalancersHook) -> None:
    lb = local(world, "node-1").settle(hook)
    world.place()
    lb.settle(hook)
    lb.change(ports=[port(80), port(443), port(8443)])
    lb.settle(hook)
    assert members(world) == [{"node-1"}] * 3


def test_another_address_gets_the_members_that_stay(world: World, hook: LoadBalancersHook) -> None:
    lb = local(world, "node-1").settle(hook)
    before = lb.status["address"]["ip"]
    world.place()
    lb.settle(hook)
    lb.change(address=FREE)
    for _ in range(5):
        lb.settle(hook)
        world.advance(lb.next_look() + 1)
    assert lb.status["address"]["ip"] == FREE != before
    assert members(world) == [{"node-1"}] * 2
    assert [each["ipaddress"] for each in world.addresses()] == [FREE]


def test_a_live_service_becomes_local_and_back_without_a_moment_without_members(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    [rule] = world.rules()
    world.place("node-3")
    world.simulator.control.clear_calls()
    lb.change(externalTrafficPolicy="Local")
    lb.settle(hook)
    assert members(world) == [{"node-3"}]
    assert world.writes() == {"removeFromLoadBalancerRule": 1}
    world.simulator.control.clear_calls()
    lb.change(externalTrafficPolicy="Cluster")
    lb.settle(hook)
    assert members(world) == [set(world.nodes)]
    assert world.writes() == {"assignToLoadBalancerRule": 1}
    assert [each["id"] for each in world.rules()] == [rule["id"]]


def test_a_live_service_without_an_endpoint_becomes_local_and_keeps_its_members(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    world.simulator.control.clear_calls()
    lb.change(externalTrafficPolicy="Local")
    lb.settle(hook)
    assert members(world) == [set(world.nodes)]
    assert world.writes() == {}
    assert lb.reason() == "NoReadyEndpoints"


def test_slices_that_a_request_does_not_have_remove_nobody(
    world: World, hook: LoadBalancersHook
) -> None:
    """Metacontroller keeps the answer of customize for twenty minutes, over an upgrade as well."""
    lb = local(world, "node-1").settle(hook)
    request = lb.request()
    assert set(request["related"]) == {INSTANCES, ENDPOINT_SLICES}
    del request["related"][ENDPOINT_SLICES]
    lb.accept(hook.sync(request, Deadline(8)))
    assert members(world) == [{"node-1"}] * 2
    assert lb.reason() == "NoReadyEndpoints"


def test_plan_mode_lists_who_would_come_and_go(world: World, hook: LoadBalancersHook) -> None:
    lb = local(world, "node-1", ports=(80,)).settle(hook)
    lb.change(mode="Plan")
    world.place("node-2")
    world.simulator.control.clear_calls()
    lb.settle(hook)
    assert lb.status["plan"] == [
        f"assign node-2 to rule {lb.name}-tcp-80",
        f"remove node-1 from rule {lb.name}-tcp-80",
    ]
    assert world.writes() == {}


def test_a_member_that_somebody_adds_or_removes_is_drift(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = local(world, "node-1", "node-2", ports=(80,)).settle(hook)
    [rule] = world.rules()
    ids = {name: node["spec"]["instanceID"] for name, node in world.nodes.items()}
    world.human.done("removeFromLoadBalancerRule", id=rule["id"], virtualmachineids=ids["node-1"])
    world.human.done("assignToLoadBalancerRule", id=rule["id"], virtualmachineids=ids["node-4"])
    lb.wait(hook)
    assert members(world) == [{"node-1", "node-2"}]
    assert "RepairedLoadBalancer" in world.cluster.reasons()


def test_what_does_not_move_an_endpoint_to_another_node_costs_no_call(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = local(world, "node-1", "node-2").settle(hook)
    world.simulator.control.clear_calls()
    [first, second] = world.slices.values()
    first["endpoints"] *= 100
    second["endpoints"][0]["addresses"] = ["10.0.0.99"]
    second["endpoints"].append({"nodeName": "node-3", "conditions": {"ready": False}})
    world.slices["default/web-9"] = {"addressType": "IPv6", "endpoints": first["endpoints"]}
    lb.settle(hook)
    assert world.simulator.control.counts() == {}


@pytest.mark.parametrize("count", [1, 3])
def test_an_endpoint_that_moves_costs_three_lists_and_two_writes_a_rule(
    world: World, hook: LoadBalancersHook, count: int
) -> None:
    ports = tuple(range(80, 80 + count))
    lb = local(world, "node-1", "node-2", ports=ports).settle(hook, seconds=300)
    world.simulator.control.clear_calls()
    world.place("node-2", "node-3")
    lb.settle(hook, seconds=300)
    assert members(world) == [{"node-2", "node-3"}] * count
    assert world.writes() == {
        "assignToLoadBalancerRule": count,
        "removeFromLoadBalancerRule": count,
    }
    counts = world.simulator.control.counts()
    lists = sum(number for command, number in counts.items() if command.startswith("list"))
    assert MEMBERS not in counts
    assert lists == 5, "three at first, and what may have changed at the end"


def test_a_restart_lists_no_members_and_changes_nothing(
    world: World, hook: LoadBalancersHook, cloud: Cloud
) -> None:
    lb = local(world, "node-1", "node-2").settle(hook)
    world.simulator.control.clear_calls()
    lb.settle(make_hook(world, cloud))
    assert world.simulator.control.counts() == {}
    assert members(world) == [{"node-1", "node-2"}] * 2


def test_a_service_with_a_field_that_cannot_be_served_has_its_members_follow(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = local(world, "node-1").settle(hook)
    lb.change(invalid=[{"field": "spec.ports", "message": "no"}])
    world.place("node-2")
    lb.settle(hook)
    assert members(world) == [{"node-2"}] * 2
    assert lb.reason() == "InvalidService"


def test_endpoints_that_come_back_before_the_last_answer_shows_are_followed(
    world: World, hook: LoadBalancersHook
) -> None:
    """What is asked for is what a status from before the last answer says is right."""
    lb = local(world, "node-1").settle(hook)
    shown = [lb.status]
    for nodes in (("node-2",), ("node-1",), ("node-2",), ("node-1",), ("node-1",)):
        world.place(*nodes)
        lb.parent["status"] = shown[-2:][0]
        lb.call(hook)
        shown.append(lb.status)
        assert members(world) == [set(nodes)] * 2
    assert lb.is_ready()
    assert "RepairedLoadBalancer" not in world.cluster.reasons()


def test_two_replicas_and_late_news_come_to_the_same_members(
    world: World, hook: LoadBalancersHook, cloud: Cloud
) -> None:
    lb, other = local(world, "node-1"), make_hook(world, cloud)
    lb.settle(hook, other)
    lb.late = True
    for nodes in (("node-2",), ("node-2", "node-3"), (), ("node-1",)):
        world.place(*nodes)
        lb.call(hook)
        lb.call(other)
    lb.late = False
    lb.settle(hook, other)
    assert lb.is_ready()
    assert members(world) == [{"node-1"}] * 2


def test_a_node_whose_endpoints_come_and_go_leaves_at_once_and_waits_to_return(
    world: World, hook: LoadBalancersHook
) -> None:
    both = {"node-1", "node-2"}
    lb = local(world, *both, ports=(80,)).settle(hook)
    world.simulator.control.clear_calls()
    for _ in range(10):
        world.place("node-1")
        lb.settle(hook)
        assert members(world) == [{"node-1"}]
        world.place(*both)
        lb.settle(hook)
    assert world.writes() == {"assignToLoadBalancerRule": 1, "removeFromLoadBalancerRule": 2}
    assert lb.is_ready()
    ready = lb.condition("MembersReady")
    assert (ready["status"], ready["reason"]) == ("True", "NodesReturning")
    assert "come and go: node-2" in ready["message"]
    assert lb.next_look() <= STAYS_AWAY
    while lb.reason("MembersReady") == "NodesReturning":
        lb.wait(hook)
    assert members(world) == [both]
    assert lb.is_ready()
    assert EVENT_REPAIRED not in world.cluster.reasons()


def test_a_node_that_alone_has_an_endpoint_never_waits(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = local(world, "node-1", "node-2", ports=(80,)).settle(hook)
    for _ in range(4):
        world.place("node-1")
        lb.settle(hook)
        world.place("node-2")
        lb.settle(hook)
        assert members(world) == [{"node-2"}]
    world.place("node-1", "node-2")
    lb.settle(hook)
    assert members(world) == [{"node-2"}]
    world.place("node-1")
    lb.settle(hook)
    assert members(world) == [{"node-1"}]
