"""Plan mode, UDP and projects."""

from collections.abc import Iterator

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.instances import INSTANCES
from tests.integration.loadbalancers.driver import (
    NOTHING,
    LoadBalancer,
    World,
    make_hook,
    port,
    start_simulator,
)

EVERYONE = ("0.0.0.0/0",)


def test_plan_mode_lists_the_changes_in_order_and_writes_nothing(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, mode="Plan", ports=[port(80, 30080), port(81, 30081)]).settle(hook)
    network, name = world.network("net-1"), lb.name
    nodes = "node-1, node-2, node-3 and 2 more"
    assert lb.status["plan"] == [
        f"associate a free address with network {network}",
        f"create rule {name}-tcp-80: port 80 to 30080, tcp, roundrobin",
        f"create rule {name}-tcp-81: port 81 to 30081, tcp, roundrobin",
        f"assign {nodes} to rule {name}-tcp-80; assign {nodes} to rule {name}-tcp-81",
        "open firewall ports 80-81/tcp for 0.0.0.0/0",
    ]
    assert world.writes() == {}
    assert lb.reason() == "PlanOnly"
    assert not lb.condition("Stalled")
    assert "address" not in lb.status


def test_plan_mode_on_a_live_service_shows_what_would_change(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    before = world.state()
    lb.change(mode="Plan")
    lb.settle(hook)
    assert (lb.status["plan"], lb.status["planSummary"]) == ([], "0 changes")
    assert lb.is_ready()
    lb.change(ports=[port(80, proxy=True), port(443, 30443)])
    world.nodes.pop("node-1")
    lb.settle(hook)
    assert lb.status["plan"] == [
        f"change rule {lb.name}-tcp-80: name {lb.name}-tcp-proxy-80, protocol tcp-proxy",
        f"create rule {lb.name}-tcp-443: port 443 to 30443, tcp, roundrobin",
        "assign node-2, node-3, node-4 and 1 more to rule " + f"{lb.name}-tcp-443",
        f"remove node-1 from rule {lb.name}-tcp-80",
        "open firewall port 443/tcp for 0.0.0.0/0",
    ]
    assert lb.status["address"]["published"] is True
    assert lb.is_ready(), "it goes on to say what serves"
    assert (lb.status["ruleSummary"], lb.status["memberSummary"]) == ("1/2", "4/4")
    assert lb.status["planSummary"] == "5 changes"
    assert lb.condition("ChangesPlanned")["status"] == "True"
    assert world.state() == before
    lb.change(mode="Apply")
    lb.settle(hook)
    assert lb.is_ready()
    assert not {"plan", "planSummary"} & lb.status.keys()
    assert not lb.condition("ChangesPlanned")
    assert len(world.rules()) == 2


def test_plan_mode_counts_the_members_of_a_rule_that_would_be_replaced(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    served = lb.status["memberSummary"]
    lb.change(mode="Plan", ports=[port(80, 31080)])
    lb.settle(hook)
    assert lb.status["plan"][0] == f"delete rule {lb.name}-tcp-80"
    assert lb.status["memberSummary"] == served == "5/5"
    assert lb.is_ready()


@pytest.mark.parametrize("lost", ["loadbalancerrules", "firewallrules", "members"])
def test_plan_mode_does_not_call_ready_what_serves_no_more(
    world: World, hook: LoadBalancersHook, lost: str
) -> None:
    lb = LoadBalancer(world, mode="Apply").settle(hook)
    lb.change(mode="Plan")
    lb.settle(hook)
    [rule] = world.rules()
    if lost == "loadbalancerrules":
        world.human.done("deleteLoadBalancerRule", id=rule["id"])
    elif lost == "firewallrules":
        [firewall] = world.state()["firewallrules"]
        world.human.done("deleteFirewallRule", id=firewall["id"])
    else:
        ids = ",".join(each["spec"]["instanceID"] for each in world.nodes.values())
        world.human.done("removeFromLoadBalancerRule", id=rule["id"], virtualmachineids=ids)
    lb.wait(hook)
    assert not lb.is_ready()
    assert lb.reason() == "PlanOnly"
    assert lb.condition("Ready")["message"].startswith("It does not serve yet; ")


def test_plan_mode_asks_cloudstack_no_more_often_than_a_converged_load_balancer(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, mode="Plan").settle(hook)
    world.simulator.control.clear_calls()
    for _ in range(10):
        world.advance(10)
        lb.call(hook)
    assert world.simulator.control.counts() == {}


def test_the_deletion_of_a_service_in_plan_mode_waits_for_another_mode(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    lb.change(mode="Plan")
    lb.settle(hook)
    before = world.remains()
    lb.delete()
    lb.settle(hook)
    assert (lb.reason(), world.remains()) == ("DeletionPlanned", before)
    lb.change(mode="Apply")
    lb.settle(hook)
    assert world.remains() == NOTHING


def test_udp_that_the_provider_refuses_is_reported_and_the_other_ports_are_served(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(53, protocol="UDP"), port(53), port(54)]).settle(hook)
    assert lb.reason() == lb.reason("RulesReady") == "RulesRefused"
    assert "LB service provider cannot support this rule" in lb.condition("Ready")["message"]
    udp, tcp, other = lb.status["rules"]
    assert udp["reason"] == "LB service provider cannot support this rule"
    assert "id" not in udp
    assert "reason" not in tcp
    assert tcp["members"] == other["members"] == 5
    assert lb.status["ruleSummary"] == "2/3"
    assert lb.status["address"]["published"] is True
    assert world.firewall() == [("tcp", 53, 54, EVERYONE)]


def test_udp_is_tried_again_rarely(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world, ports=[port(53, protocol="UDP")]).settle(hook)
    for _ in range(6):
        lb.wait(hook)
    world.simulator.control.clear_calls()
    for _ in range(10):
        world.advance(29)
        lb.call(hook)
    assert world.writes().get("createLoadBalancerRule", 0) <= 1


@pytest.fixture
def udp_world() -> Iterator[World]:
    with start_simulator("udp") as simulator:
        made = World(simulator)
        yield made
        made.close()


def test_a_provider_that_can_do_udp_serves_it_beside_tcp_on_one_port(udp_world: World) -> None:
    udp_world.simulator.control.settings(mixed_ports=True)
    cloud = udp_world.open_cloud()
    hook = make_hook(udp_world, cloud)
    lb = LoadBalancer(udp_world, ports=[port(53, protocol="UDP"), port(53)]).settle(hook)
    assert lb.is_ready()
    assert sorted(rule["name"].removeprefix(lb.name) for rule in udp_world.rules()) == [
        "-tcp-53",
        "-udp-53",
    ]
    assert udp_world.firewall() == [("tcp", 53, 53, EVERYONE), ("udp", 53, 53, EVERYONE)]
    lb.change(ports=[port(53, protocol="UDP")])
    lb.settle(hook)
    assert udp_world.firewall() == [("udp", 53, 53, EVERYONE)]
    lb.delete()
    lb.settle(hook)
    assert udp_world.remains() == NOTHING
    cloud.close()


def test_where_a_port_takes_one_protocol_only_the_other_is_named(udp_world: World) -> None:
    cloud = udp_world.open_cloud()
    hook = make_hook(udp_world, cloud)
    lb = LoadBalancer(udp_world, ports=[port(53, protocol="UDP"), port(53)]).settle(hook)
    assert lb.reason() == "RulesRefused"
    assert f"{lb.name}-tcp-53: The range specified, 53-53" in lb.condition("Ready")["message"]
    assert udp_world.firewall() == [("udp", 53, 53, EVERYONE)]
    lb.change(ports=[port(53)])
    lb.settle(hook)
    assert lb.is_ready()
    assert udp_world.firewall() == [("tcp", 53, 53, EVERYONE)]
    cloud.close()


def test_in_a_project_everything_is_the_projects_from_creation_to_deletion() -> None:
    with start_simulator() as simulator:
        world = World(simulator, project="project-1")
        cloud = world.open_cloud()
        hook = make_hook(world, cloud)
        lb = LoadBalancer(world, ports=[port(80), port(443)]).settle(hook)
        assert lb.is_ready()
        assert set(lb.request()["related"][INSTANCES]) == {"project-node-1"}
        assert {each["project"] for each in (*world.addresses(), *world.rules())} == {"project-1"}
        lb.change(ports=[port(80, proxy=True)], sourceRanges=["10.0.0.0/8"])
        lb.settle(hook)
        assert lb.is_ready()
        lists = [
            call
            for call in simulator.control.calls()
            if call["command"].startswith("list")
            and call["command"] not in {"listCapabilities", "listLoadBalancerRuleInstances"}
        ]
        assert lists
        assert all(call["params"]["projectid"] == world.project_id for call in lists)
        lb.delete()
        lb.settle(hook)
        assert world.remains() == NOTHING
        assert simulator.control.ignored_parameters() == []
        cloud.close()
        world.close()
