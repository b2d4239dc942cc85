"""Changes of a live Service: the result is right, and what need not change keeps its id."""

from typing import Any

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from tests.integration.loadbalancers.driver import LoadBalancer, World, port

EVERYONE = ("0.0.0.0/0",)
TEN = ["10.0.0.0/8"]


def ids(world: World) -> dict[int, str]:
    return {rule["publicport"]: rule["id"] for rule in world.rules()}


def test_a_port_added_leaves_the_others_alone(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world, ports=[port(80)]).settle(hook)
    before, firewall = ids(world), world.state()["firewallrules"]
    lb.change(ports=[port(80), port(81)])
    lb.settle(hook)
    assert lb.is_ready()
    assert ids(world)[80] == before[80]
    assert world.state()["firewallrules"][0] == firewall[0]
    assert world.firewall() == [("tcp", 80, 80, EVERYONE), ("tcp", 81, 81, EVERYONE)]


def test_a_removed_port_loses_its_rule_and_its_firewall_rule(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(81), port(82)]).settle(hook)
    before = ids(world)
    lb.change(ports=[port(80), port(82)])
    lb.settle(hook)
    assert ids(world) == {80: before[80], 82: before[82]}
    halves = ("0.0.0.0/1", "128.0.0.0/1")
    assert world.firewall() == [("tcp", 80, 80, halves), ("tcp", 82, 82, halves)]
    assert lb.is_ready()
    lb.change(ports=[port(80)])
    lb.settle(hook)
    assert world.firewall() == [("tcp", 80, 80, halves)]


def test_a_renumbered_port_has_its_new_rule_before_the_old_one_goes(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80)]).settle(hook)
    world.simulator.control.clear_calls()
    lb.change(ports=[port(8080)])
    lb.settle(hook)
    assert list(ids(world)) == [8080]
    assert world.firewall() == [("tcp", 8080, 8080, EVERYONE)]
    request = [
        call["command"]
        for call in world.simulator.control.calls()
        if call["command"] in {"createLoadBalancerRule", "deleteLoadBalancerRule"}
    ]
    assert request == ["createLoadBalancerRule", "deleteLoadBalancerRule"]


def test_another_node_port_recreates_the_rule_at_once(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80, 30080), port(81, 30081)]).settle(hook)
    before = ids(world)
    world.simulator.control.clear_calls()
    lb.change(ports=[port(80, 31080), port(81, 30081)])
    lb.settle(hook)
    assert ids(world)[81] == before[81]
    assert {rule["publicport"]: rule["privateport"] for rule in world.rules()} == {
        80: 31080,
        81: 30081,
    }
    writes = [
        call["command"]
        for call in world.simulator.control.calls()
        if not call["command"].startswith(("list", "query"))
    ]
    assert writes[:2] == ["deleteLoadBalancerRule", "createLoadBalancerRule"]
    assert lb.is_ready()


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        pytest.param(
            {"ports": [port(80)]},
            {"ports": [port(80, proxy=True)]},
            {"protocol": "tcp-proxy"},
            id="TCP to PROXY",
        ),
        pytest.param(
            {"ports": [port(80, proxy=True)]},
            {"ports": [port(80)]},
            {"protocol": "tcp"},
            id="PROXY to TCP",
        ),
        pytest.param({}, {"algorithm": "source"}, {"algorithm": "source"}, id="affinity"),
        pytest.param({}, {"sourceRanges": TEN}, {"cidrlist": TEN}, id="narrower"),
        pytest.param(
            {"sourceRanges": TEN},
            {"sourceRanges": ["0.0.0.0/0"]},
            {"cidrlist": ["0.0.0.0/0"]},
            id="wider",
        ),
        pytest.param(
            {"sourceRanges": TEN},
            {"sourceRanges": [*TEN, "192.0.2.0/24"]},
            {"cidrlist": [*TEN, "192.0.2.0/24"]},
            id="one more",
        ),
    ],
)
def test_a_rule_changes_in_place_with_its_members(
    world: World,
    hook: LoadBalancersHook,
    before: dict[str, Any],
    after: dict[str, Any],
    rule: dict[str, Any],
) -> None:
    lb = LoadBalancer(world, **before).settle(hook)
    [old] = world.rules()
    world.simulator.control.clear_calls()
    lb.change(**after)
    lb.settle(hook)
    [new] = world.rules()
    assert new["id"] == old["id"]
    assert {key: new[key] for key in rule} == rule
    assert new["name"].removeprefix(lb.name) == f"-{new['protocol']}-80"
    assert new["members"] == old["members"]
    assert lb.is_ready()
    assert "assignToLoadBalancerRule" not in world.writes()
    ranges = lb.parent["spec"].get("sourceRanges", EVERYONE)
    assert {firewall_rule[:3] for firewall_rule in world.firewall()} == {("tcp", 80, 80)}
    assert sorted(
        cidr for firewall_rule in world.firewall() for cidr in firewall_rule[3]
    ) == sorted(ranges)


def test_source_ranges_without_a_cidr_in_common_leave_no_gap_in_the_firewall(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, sourceRanges=TEN).settle(hook)
    world.simulator.control.clear_calls()
    lb.change(sourceRanges=["192.0.2.0/24"])
    lb.settle(hook)
    commands = [call["command"] for call in world.simulator.control.calls()]
    assert commands.index("createFirewallRule") < commands.index("deleteFirewallRule")


def test_many_changes_at_once(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(81), port(90)]).settle(hook)
    before = ids(world)
    lb.change(
        ports=[port(80, proxy=True), port(82), port(90, 31000)],
        sourceRanges=TEN,
        algorithm="leastconn",
    )
    lb.settle(hook)
    assert lb.is_ready()
    after = {rule["publicport"]: rule for rule in world.rules()}
    assert set(after) == {80, 82, 90}
    assert after[80]["id"] == before[80]
    assert {rule["algorithm"] for rule in after.values()} == {"leastconn"}
    assert world.firewall() == [
        ("tcp", 80, 80, tuple(TEN)),
        ("tcp", 82, 82, tuple(TEN)),
        ("tcp", 90, 90, tuple(TEN)),
    ]
    assert all(set(rule["members"]) == set(world.nodes) for rule in after.values())


def test_without_ports_only_the_address_is_kept(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world).settle(hook)
    ip = lb.status["address"]["ip"]
    lb.change(ports=[])
    lb.settle(hook)
    assert world.rules() == []
    assert world.firewall() == []
    assert [each["ipaddress"] for each in world.addresses()] == [ip]


def test_a_service_that_cannot_work_keeps_what_it_has_and_right_members(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    rules, firewall = world.rules(), world.firewall()
    invalid = [{"field": "spec.ports[0].nodePort", "message": "has no node port"}]
    lb.change(invalid=invalid, ports=[port(80), port(81)])
    world.nodes["node-1"]["observed"]["servesLoadBalancers"] = False
    lb.settle(hook)
    assert lb.reason() == "InvalidService"
    assert "spec.ports[0].nodePort" in lb.condition("Ready")["message"]
    assert world.firewall() == firewall
    assert [rule["id"] for rule in world.rules()] == [rule["id"] for rule in rules]
    lb.change(invalid=[], ports=[port(80)])
    lb.settle(hook)
    assert lb.is_ready()
    assert set(world.rules()[0]["members"]) == set(world.nodes) - {"node-1"}


def test_a_service_that_cannot_work_gives_back_what_it_has_no_more(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(8443)]).settle(hook)
    lb.change(invalid=[{"field": "f", "message": "m"}], ports=[port(80, node=31080)])
    lb.settle(hook)
    assert [(rule["publicport"], rule["privateport"]) for rule in world.rules()] == [(80, 31080)]
    assert set(world.rules()[0]["members"]) == set(world.nodes)
    assert world.firewall() == [("tcp", 80, 80, ("0.0.0.0/0",))]


def test_invalid_from_the_start_makes_nothing(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world, invalid=[{"field": "spec.ports", "message": "no"}]).settle(hook)
    assert world.writes() == {}
    assert lb.reason() == "InvalidService"
    assert "address" not in lb.status
