"""Takeover: what other providers leave is taken over in place, and nothing is created again."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.names import TAG_SERVICE_UID
from tests.hostile.ownership.stage import call_for
from tests.integration.loadbalancers.changing import WHOLE
from tests.integration.loadbalancers.driver import (
    NOTHING,
    LoadBalancer,
    World,
    make_hook,
    port,
    start_simulator,
)
from tests.integration.loadbalancers.test_addresses import FREE

IP = "198.51.100.50"
EVERYONE = ("0.0.0.0/0",)


@dataclass
class Before:
    """What a former provider made."""

    address: str = ""
    rules: dict[int, str] = field(default_factory=dict)
    firewall_rules: list[str] = field(default_factory=list)


def existing(lb: LoadBalancer, public: int) -> str:
    """Name a rule as the existing provider does."""
    return f"{lb.name}-tcp-{public}"


def fork(lb: LoadBalancer, public: int) -> str:
    """Name a rule as its fork does."""
    del lb
    return f"K8s_svc_kubernetes_default_web-tcp-{public}"


def in_tree(lb: LoadBalancer, public: int) -> str:
    """Name a rule as the provider does that was part of Kubernetes."""
    return f"{lb.name}-{public}"


def leave_behind(
    world: World, lb: LoadBalancer, name: Any, *, cidr: str = "0.0.0.0/0", listed: str = ""
) -> Before:
    """Make an address with rules, members and firewall rules as another provider does."""
    before = Before()
    answer = world.human.done("associateIpAddress", networkid=world.network("net-1"), ipaddress=IP)
    before.address = answer["ipaddress"]["id"]
    members = [node["spec"]["instanceID"] for node in world.nodes.values()][:4]
    for each in lb.parent["spec"]["ports"]:
        public = each["publicPort"]
        rule = world.human.done(
            "createLoadBalancerRule",
            name=name(lb, public),
            algorithm="roundrobin",
            publicport=public,
            privateport=each["nodePort"],
            protocol="tcp",
            publicipid=before.address,
            networkid=world.network("net-1"),
            openfirewall=False,
            **({"cidrlist": listed} if listed else {}),
        )
        before.rules[public] = rule["loadbalancer"]["id"]
        world.human.done(
            "assignToLoadBalancerRule", id=before.rules[public], virtualmachineids=members
        )
        firewall_rule = world.human.done(
            "createFirewallRule",
            ipaddressid=before.address,
            protocol="tcp",
            startport=public,
            endport=public,
            cidrlist=cidr,
        )
        before.firewall_rules.append(firewall_rule["firewallrule"]["id"])
    world.simulator.control.clear_calls()
    return before


def adoption(lb: LoadBalancer, *, associated: bool = True) -> Json:
    ports = [each["publicPort"] for each in lb.parent["spec"]["ports"]]
    return {
        "address": IP,
        "associatedByController": associated,
        "names": [make(lb, public) for public in ports for make in (existing, fork, in_tree)],
    }


def ids(world: World) -> dict[int, str]:
    return {rule["publicport"]: rule["id"] for rule in world.rules()}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(existing, id="existing provider"),
        pytest.param(fork, id="its fork"),
        pytest.param(in_tree, id="in-tree provider"),
    ],
)
def test_rules_address_and_firewall_rules_are_adopted_renamed_and_tagged(
    world: World, hook: LoadBalancersHook, name: Any
) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(443)])
    before = leave_behind(world, lb, name)
    lb.change(adopt=adoption(lb))
    lb.settle(hook)
    assert lb.is_ready()
    assert lb.status["address"]["ip"] == IP
    assert ids(world) == before.rules
    assert {rule["name"] for rule in world.rules()} == {existing(lb, 80), existing(lb, 443)}
    assert [each["id"] for each in world.state()["firewallrules"]] == before.firewall_rules
    for kind in ("loadbalancerrules", "firewallrules"):
        assert all(each["tags"][TAG_SERVICE_UID] == lb.service_uid for each in world.state()[kind])
    assert set(world.writes()) <= {
        "createTags",
        "updateLoadBalancerRule",
        "assignToLoadBalancerRule",
    }
    assert all(set(rule["members"]) == set(world.nodes) for rule in world.rules())
    lb.delete()
    lb.settle(hook)
    assert world.remains() == NOTHING


@pytest.mark.parametrize("name", [existing, fork, in_tree])
def test_a_port_that_was_dropped_while_no_provider_ran_goes(
    world: World, hook: LoadBalancersHook, name: Any
) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(8080)])
    before = leave_behind(world, lb, name)
    lb.change(ports=[port(80)])
    lb.change(adopt=adoption(lb))
    lb.settle(hook)
    assert lb.is_ready()
    assert ids(world) == {80: before.rules[80]}
    assert world.firewall() == [("tcp", 80, 80, ("0.0.0.0/0",))]
    assert lb.status["address"]["associatedByController"] is True
    lb.delete()
    lb.settle(hook)
    assert world.remains() == NOTHING


def test_an_address_that_the_user_had_brought_to_the_old_provider_stays(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world)
    leave_behind(world, lb, existing)
    lb.change(adopt=adoption(lb, associated=False), address=IP)
    lb.settle(hook)
    assert lb.is_ready()
    assert lb.status["address"]["associatedByController"] is False
    lb.delete()
    lb.settle(hook)
    assert world.remains() == {**NOTHING, "addresses": [IP]}


def test_an_address_that_was_asked_for_and_associated_by_the_old_provider_goes(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world)
    leave_behind(world, lb, existing)
    lb.change(adopt=adoption(lb, associated=True), address=IP)
    lb.settle(hook)
    assert lb.status["address"]["associatedByController"] is True
    lb.delete()
    lb.settle(hook)
    assert world.remains() == NOTHING


def test_firewall_rules_that_the_old_provider_left_too_wide_are_closed(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, sourceRanges=["10.0.0.0/8"])
    before = leave_behind(world, lb, existing)
    lb.change(adopt=adoption(lb))
    lb.settle(hook)
    assert lb.is_ready()
    assert ids(world) == before.rules
    assert world.firewall() == [("tcp", 80, 80, ("10.0.0.0/8",))]


def test_tcp_becomes_proxy_on_the_way_without_a_new_rule(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80, proxy=True)])
    before = leave_behind(world, lb, existing)
    lb.change(adopt={**adoption(lb), "names": [existing(lb, 80), f"{lb.name}-tcp-proxy-80"]})
    lb.settle(hook)
    assert ids(world) == before.rules
    assert world.rules()[0]["protocol"] == "tcp-proxy"
    assert lb.is_ready()


def test_a_port_that_the_service_dropped_meanwhile_goes(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(81)])
    leave_behind(world, lb, existing)
    lb.change(adopt=adoption(lb), ports=[port(80)])
    lb.settle(hook)
    assert set(ids(world)) == {80}
    assert world.firewall() == [("tcp", 80, 80, EVERYONE)]


def test_an_address_where_others_have_rules_and_we_have_none_is_left_to_them(
    world: World, hook: LoadBalancersHook
) -> None:
    stranger = LoadBalancer(world, "stranger", ports=[port(9000)])
    leave_behind(world, stranger, existing)
    lb = LoadBalancer(world)
    lb.change(adopt=adoption(lb))
    lb.settle(hook)
    assert lb.is_ready()
    assert lb.status["address"]["ip"] != IP
    [theirs] = [rule for rule in world.rules() if rule["address"] == IP]
    assert theirs["tags"] == {}


def test_an_address_that_cloudstack_does_not_know_is_nothing_to_adopt(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, adopt={"address": "10.9.9.9", "names": []}).settle(hook)
    assert lb.is_ready()


def test_an_address_left_without_rules_proves_nothing_and_is_left(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world)
    before = leave_behind(world, lb, existing)
    world.human.done("deleteLoadBalancerRule", id=before.rules[80])
    lb.change(adopt=adoption(lb))
    lb.settle(hook)
    assert lb.is_ready()
    assert lb.status["address"]["ip"] != IP
    [left] = [each for each in world.addresses() if each["ipaddress"] == IP]
    assert left["tags"] == {}


def test_the_rule_of_another_service_of_a_similar_name_is_not_ours(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world)
    before = leave_behind(world, lb, existing)
    other = world.human.ok(
        "createLoadBalancerRule",
        name=f"{existing(lb, 80)}0",
        algorithm="roundrobin",
        publicport=8080,
        privateport=30001,
        publicipid=before.address,
        networkid=world.network("net-1"),
        openfirewall=False,
    )
    longer = world.human.ok(
        "createLoadBalancerRule",
        name=f"x{existing(lb, 80)}",
        algorithm="roundrobin",
        publicport=8081,
        privateport=30002,
        publicipid=before.address,
        networkid=world.network("net-1"),
        openfirewall=False,
    )
    lb.change(adopt=adoption(lb))
    lb.settle(hook)
    theirs = {rule["id"]: rule for rule in world.rules()}[longer["id"]]
    assert theirs["tags"] == {}
    assert other["id"] not in ids(world).values()


def test_on_a_server_that_cannot_change_lists_a_rule_with_a_wrong_list_is_created_again() -> None:
    with start_simulator(api_version="4.20") as simulator:
        world = World(simulator)
        cloud = world.open_cloud()
        hook = make_hook(world, cloud)
        lb = LoadBalancer(world, sourceRanges=["10.0.0.0/8", "192.0.2.0/24"])
        before = leave_behind(world, lb, existing, cidr="10.0.0.0/8", listed="10.0.0.0/8")
        lb.change(adopt=adoption(lb))
        lb.settle(hook)
        assert lb.is_ready()
        [rule] = world.rules()
        assert rule["id"] != before.rules[80]
        assert rule["cidrlist"] == []
        assert world.firewall() == [
            ("tcp", 80, 80, ("10.0.0.0/8",)),
            ("tcp", 80, 80, ("192.0.2.0/24",)),
        ]
        cloud.close()
        world.close()


def test_plan_mode_shows_the_takeover_before_it_is_made(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, mode="Plan")
    leave_behind(world, lb, fork)
    before = world.state()
    lb.change(adopt=adoption(lb))
    lb.settle(hook)
    assert lb.status["plan"] == [
        "tag firewall rule 80/tcp",
        f"tag rule {fork(lb, 80)}",
        f"tag address {IP}",
        f"change rule {fork(lb, 80)}: name {existing(lb, 80)}",
        f"assign node-5.example.com to rule {fork(lb, 80)}",
    ]
    assert world.state() == before


def test_a_provider_that_still_runs_and_undoes_the_takeover_is_noticed_within_minutes(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world)
    before = leave_behind(world, lb, fork)
    lb.change(adopt=adoption(lb))
    lb.settle(hook)
    taken_over = world.now
    for _ in range(4):
        world.human.done("updateLoadBalancerRule", id=before.rules[80], name=fork(lb, 80))
        lb.wait(hook)
    assert lb.reason() == "Contested"
    assert "Is another cloud provider running?" in lb.condition("Ready")["message"]
    assert world.now - taken_over < 180


def test_a_former_address_that_is_lost_is_told(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world)
    lb.change(adopt=adoption(lb))
    lb.settle(hook)
    assert lb.is_ready()
    [lost] = [each for each in world.cluster.events if each.reason == "AddressLost"]
    assert lost.message == (
        f"{IP}, which the Service showed, is not its address in CloudStack. "
        f"{lb.status['address']['ip']} is being acquired"
    )


def test_another_address_that_is_asked_for_takes_the_place_of_the_old_one_once_it_serves(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80)])
    leave_behind(world, lb, existing)
    lb.change(adopt=adoption(lb), address=FREE)
    lb.settle(hook)
    assert {rule["address"] for rule in world.rules()} == {IP, FREE}
    assert all(rule["tags"][TAG_SERVICE_UID] == lb.service_uid for rule in world.rules())
    call_for(lb, hook, WHOLE)
    assert lb.is_ready()
    assert [each["ipaddress"] for each in world.addresses()] == [FREE]
    reasons = world.cluster.reasons()
    assert "AddressLost" not in reasons
    assert "AddressChanged" in reasons


@pytest.mark.parametrize("steps", range(4))
def test_a_deletion_on_the_way_from_the_old_address_to_another_one_takes_both(
    world: World, hook: LoadBalancersHook, steps: int
) -> None:
    lb = LoadBalancer(world, ports=[port(80)])
    leave_behind(world, lb, existing)
    lb.change(adopt=adoption(lb), address=FREE)
    for _ in range(steps):
        lb.call(hook)
    lb.delete()
    lb.settle(hook)
    remains = world.remains()
    assert remains["addresses"] == ([] if steps else [IP])
    assert remains["tags"] == []


def test_an_address_that_is_not_taken_over_is_named_where_another_one_is_asked_for(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80)])
    before = leave_behind(world, lb, existing)
    world.nodes.pop("node-1")
    lb.change(adopt=adoption(lb), address=FREE)
    lb.settle(hook)
    assert lb.status["address"]["ip"] == FREE
    assert before.rules[80] in {rule["id"] for rule in world.rules() if not rule["tags"]}
    [told] = [each.message for each in world.cluster.events if each.reason == "AddressLost"]
    assert f"{IP}, which the Service showed, is not taken over" in told
    assert "members that are no nodes of this cluster: node-1" in told
