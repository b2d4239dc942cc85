"""Drift: what somebody changes in CloudStack is repaired at the next check, and announced."""

from collections.abc import Callable
from typing import Any

import pytest

from hooks.cloudstack import Cloud
from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.names import EVENT_CONTESTED, EVENT_REPAIRED, TAG_ORIGIN, TAG_ORIGIN_USER
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World, make_hook, port

EVERYONE = ("0.0.0.0/0",)


def delete_rule(world: World) -> None:
    world.human.done("deleteLoadBalancerRule", id=world.rules()[0]["id"])


def remove_member(world: World) -> None:
    world.human.done(
        "removeFromLoadBalancerRule",
        id=world.rules()[0]["id"],
        virtualmachineids=world.nodes["node-1"]["spec"]["instanceID"],
    )


def change(**what: str) -> Callable[[World], None]:
    def do(world: World) -> None:
        world.human.done("updateLoadBalancerRule", id=world.rules()[0]["id"], **what)

    return do


def delete_firewall(world: World) -> None:
    world.human.done("deleteFirewallRule", id=world.state()["firewallrules"][0]["id"])


def untag(kind: str, things: str) -> Callable[[World], None]:
    def do(world: World) -> None:
        thing = next(each for each in world.state()[things] if each["tags"])
        world.human.done("deleteTags", resourcetype=kind, resourceids=thing["id"])

    return do


def comparable(world: World) -> Json:
    """Return everything that belongs to the load balancer, without ids."""
    state = world.state()
    hidden = ("id", "addressid")
    return {
        kind: sorted(
            (
                {key: value for key, value in each.items() if key not in hidden}
                for each in state[kind]
            ),
            key=str,
        )
        for kind in ("addresses", "loadbalancerrules", "firewallrules")
    }


DRIFTS = [
    pytest.param(delete_rule, "create rule", id="rule deleted"),
    pytest.param(remove_member, "assign node-1", id="member removed"),
    pytest.param(change(cidrlist="10.0.0.0/8"), "cidrs 0.0.0.0/0", id="CIDR changed"),
    pytest.param(change(algorithm="source"), "algorithm roundrobin", id="algorithm changed"),
    pytest.param(change(name="mine"), "change rule mine", id="renamed"),
    pytest.param(change(protocol="tcp-proxy"), "protocol tcp", id="protocol changed"),
    pytest.param(delete_firewall, "open firewall port 80", id="firewall rule deleted"),
    pytest.param(untag("LoadBalancer", "loadbalancerrules"), "tag rule", id="rule untagged"),
    pytest.param(
        untag("FirewallRule", "firewallrules"), "tag firewall rule", id="firewall untagged"
    ),
]


@pytest.mark.parametrize(("drift", "expected"), DRIFTS)
def test_drift_is_repaired_at_the_next_check_and_an_event_names_it(
    world: World, hook: LoadBalancersHook, drift: Callable[[World], None], expected: str
) -> None:
    lb = LoadBalancer(world).settle(hook)
    right = comparable(world)
    drift(world)
    assert comparable(world) != right
    lb.wait(hook)
    assert lb.is_ready()
    assert comparable(world) == right
    [event] = world.cluster.events
    assert event.reason == EVENT_REPAIRED
    assert expected in event.message
    assert event.regarding.kind == "Service"
    world.simulator.control.clear_calls()
    lb.wait(hook)
    assert world.writes() == {}


def test_an_address_that_lost_all_its_tags_gets_them_back_and_counts_as_the_users(
    world: World, hook: LoadBalancersHook
) -> None:
    """Only its tag said that we allocated it."""
    lb = LoadBalancer(world).settle(hook)
    right = comparable(world)
    untag("PublicIpAddress", "addresses")(world)
    lb.wait(hook)
    assert lb.is_ready()
    [event] = world.cluster.events
    assert (event.reason, "tag address" in event.message) == (EVENT_REPAIRED, True)
    [tagged] = [each for each in right["addresses"] if each["tags"]]
    tagged["tags"][TAG_ORIGIN] = TAG_ORIGIN_USER
    assert comparable(world) == right
    ip = lb.status["address"]["ip"]
    lb.delete()
    lb.settle(hook)
    assert world.remains() == {**NOTHING, "addresses": [ip]}


def test_an_address_released_behind_our_back_is_taken_again(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    right = comparable(world)
    ip = lb.status["address"]["ip"]
    world.human.done("disassociateIpAddress", id=lb.status["address"]["id"])
    lb.wait(hook)
    assert lb.is_ready()
    assert lb.status["address"]["ip"] == ip
    assert lb.status["address"]["published"] is True
    assert comparable(world) == right
    [lost] = [each for each in world.cluster.events if each.reason == "AddressLost"]
    assert (lost.type, lost.regarding.kind) == ("Warning", "Service")
    assert lost.message == (
        f"CloudStack does not show {ip} as this Service's address any more: somebody released it, "
        f"or removed its tags. {ip} is being acquired"
    )
    assert world.cluster.reasons().count("AddressRegained") == 1


def test_an_address_released_and_taken_by_somebody_is_replaced(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    ip = lb.status["address"]["ip"]
    world.human.done("disassociateIpAddress", id=lb.status["address"]["id"])
    world.advance(2)
    world.human.done("associateIpAddress", networkid=world.network("net-1"), ipaddress=ip)
    lb.wait(hook)
    assert lb.is_ready()
    assert lb.status["address"]["ip"] != ip
    [lost] = [each for each in world.cluster.events if each.reason == "AddressLost"]
    assert lost.message.endswith(f"{lb.status['address']['ip']} is being acquired")
    assert "AddressRegained" not in world.cluster.reasons()
    [taken] = [each for each in world.addresses() if each["ipaddress"] == ip]
    assert taken["tags"] == {}
    lb.delete()
    lb.settle(hook)
    assert [each["ipaddress"] for each in world.addresses()] == [ip]


def human_rule(world: World, lb: LoadBalancer) -> str:
    answer = world.human.ok(
        "createLoadBalancerRule",
        name="human",
        algorithm="roundrobin",
        publicport=9999,
        privateport=9999,
        publicipid=lb.status["address"]["id"],
        networkid=world.network("net-1"),
        openfirewall=False,
    )
    return str(answer["id"])


def human_firewall_rules(world: World, address: str) -> list[str]:
    """Open the firewall at ports that we do not open, that we open to others, and around them."""
    return [
        world.human.done(
            "createFirewallRule",
            ipaddressid=address,
            protocol="tcp",
            startport=start,
            endport=end,
            cidrlist=cidr,
        )["firewallrule"]["id"]
        for start, end, cidr in (
            (9999, 9999, "0.0.0.0/0"),
            (80, 80, "203.0.113.0/24"),
            (8000, 9000, "198.51.100.0/24"),
        )
    ]


def test_a_humans_rules_on_the_address_stay_through_everything(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(81)]).settle(hook)
    address = lb.status["address"]["id"]
    rule = human_rule(world, lb)
    firewall_rules = human_firewall_rules(world, address)
    world.human.done(
        "assignToLoadBalancerRule",
        id=rule,
        virtualmachineids=world.nodes["node-1"]["spec"]["instanceID"],
    )

    def theirs() -> Json:
        state = world.state()
        return {
            "rules": [each for each in state["loadbalancerrules"] if each["id"] == rule],
            "firewall_rules": [
                each for each in state["firewallrules"] if each["id"] in firewall_rules
            ],
        }

    before = theirs()
    assert len(before["firewall_rules"]) == 3
    steps: list[dict[str, Any]] = [
        {"ports": [port(80)]},
        {"sourceRanges": ["10.0.0.0/8"]},
        {"ports": [port(80, proxy=True), port(8080)], "sourceRanges": ["0.0.0.0/0"]},
        {"ports": [port(80, 31999)]},
        {"sourceRanges": []},
        {"sourceRanges": ["0.0.0.0/0"]},
        {"ports": []},
    ]
    for step in steps:
        lb.change(**step)
        lb.settle(hook)
        assert theirs() == before
    world.nodes.pop("node-1")
    lb.wait(hook)
    assert theirs() == before


def test_a_humans_rule_on_a_wanted_port_is_named_and_the_other_ports_are_served(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    human_rule(world, lb)
    lb.change(ports=[port(80), port(9999), port(443)])
    lb.settle(hook)
    assert lb.reason() == "RulesRefused"
    assert "port 9999 is taken by rule human" in lb.condition("Ready")["message"]
    assert {rule["publicport"] for rule in world.rules(lb.name)} == {80, 443}
    assert lb.status["ruleSummary"] == "2/3"
    assert world.firewall() == [("tcp", 80, 80, EVERYONE), ("tcp", 443, 443, EVERYONE)]


def test_drift_that_comes_back_again_and_again_is_left_alone_and_reported(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    for _ in range(3):
        change(algorithm="leastconn")(world)
        lb.wait(hook)
        assert world.rules()[0]["algorithm"] == "roundrobin"
    change(algorithm="leastconn")(world)
    lb.wait(hook)
    assert world.rules()[0]["algorithm"] == "leastconn"
    assert lb.reason() == "Contested"
    assert lb.condition("Stalled")["status"] == "True"
    assert world.cluster.reasons() == [EVENT_REPAIRED] * 3 + [EVENT_CONTESTED]
    assert world.cluster.events[-1].type == "Warning"
    world.simulator.control.clear_calls()
    world.advance(1800)
    lb.settle(hook)
    assert world.simulator.control.counts() == {}
    lb.wait(hook)
    assert lb.is_ready()
    assert world.rules()[0]["algorithm"] == "roundrobin"


def test_a_repair_is_checked_soon_and_then_less_and_less_often(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world)
    lb.parent["metadata"]["uid"] = "lb-1"  # the spread of the checks hangs on it
    lb.settle(hook)
    change(algorithm="leastconn")(world)
    waits = [lb.wait(hook).next_look() for _ in range(6)]
    regular = waits[-1]
    assert 270 <= regular <= 330
    assert waits == pytest.approx([30, 60, 120, 240, regular, regular], abs=1)


def test_drift_that_comes_back_at_once_is_noticed_within_two_minutes(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    change(algorithm="leastconn")(world)
    lb.wait(hook)
    noticed = world.now
    while lb.reason() != "Contested":
        change(algorithm="leastconn")(world)
        lb.wait(hook)
    assert world.now - noticed < 120


def test_drift_that_comes_back_less_often_than_it_is_checked_is_noticed_as_well(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    for _ in range(4):
        change(algorithm="leastconn")(world)
        lb.wait(hook)
        if lb.reason() != "Contested":
            lb.wait(hook)
    assert lb.reason() == "Contested"


def test_a_regular_check_without_drift_resets_the_count(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    for _ in range(6):
        change(algorithm="leastconn")(world)
        lb.wait(hook)
        assert lb.is_ready()
        while "repeatedDrift" in lb.status:
            lb.wait(hook)
    assert EVENT_CONTESTED not in world.cluster.reasons()


def test_another_cluster_id_makes_everything_another_clusters(world: World, cloud: Cloud) -> None:
    lb = LoadBalancer(world).settle(make_hook(world, cloud, cluster_id="one"))
    before = world.state()
    world.simulator.control.clear_calls()
    hook = make_hook(world, cloud, cluster_id="another")
    lb.wait(hook)
    assert lb.reason() == "ForeignCluster"
    assert world.writes() == {}
    assert world.state() == before
    lb.change(takeoverFrom="one")
    lb.settle(hook)
    assert lb.is_ready()
    lb.delete()
    lb.settle(hook)
    assert world.remains() == NOTHING
