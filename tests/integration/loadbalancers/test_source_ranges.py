"""Who may connect: whatever happens, nobody is let in that the Service does not name."""

from typing import Any

import pytest

from hooks.cloudstack import Cloud
from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from tests.controlplane.polling import until
from tests.integration.loadbalancers.driver import (
    LoadBalancer,
    World,
    make_hook,
    port,
    start_simulator,
)
from tests.integration.loadbalancers.vpc import vpc_world

INVALID = [{"field": "spec.ports[0].nodePort", "message": "has no node port"}]


@pytest.mark.parametrize("ranges", [["10.0.0.0/8"], []], ids=["fewer", "nobody"])
def test_a_service_that_cannot_work_lets_in_nobody_whom_it_does_not_name(
    world: World, hook: LoadBalancersHook, ranges: list[str]
) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(81)]).settle(hook)
    before = [rule["id"] for rule in world.rules()]
    world.human.done("deleteLoadBalancerRule", id=before[1])
    lb.change(invalid=INVALID, sourceRanges=ranges)
    lb.settle(hook)
    assert lb.reason() == "InvalidService"
    assert world.firewall() == [("tcp", 80, 80, (each,)) for each in ranges]
    assert [rule["id"] for rule in world.rules()] == before[:1]  # the other is drift, and waits
    assert set(world.rules()[0]["members"]) == set(world.nodes)
    lb.change(invalid=[], sourceRanges=["0.0.0.0/0"])
    lb.settle(hook)
    assert lb.is_ready()
    assert len(world.rules()) == 2


def test_a_service_that_cannot_work_lets_in_nobody_new(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, sourceRanges=["10.0.0.0/8"]).settle(hook)
    rules, firewall = world.rules(), world.firewall()
    lb.change(invalid=INVALID, sourceRanges=["0.0.0.0/0"])
    lb.settle(hook)
    assert (world.rules(), world.firewall()) == (rules, firewall)


@pytest.mark.parametrize(
    "ports",
    [
        {"protocol": "tcp", "startport": 1, "endport": 1024},
        {"protocol": "tcp"},
        {"protocol": "all"},
    ],
    ids=["a range", "all ports", "all protocols"],
)
def test_where_nobody_may_connect_a_firewall_rule_of_others_leads_nowhere(
    world: World, hook: LoadBalancersHook, ports: Json
) -> None:
    lb = LoadBalancer(world).settle(hook)
    [address] = world.addresses()
    where = {"ipaddressid": address["id"], "cidrlist": "192.0.2.0/24"}
    theirs = world.human.done("createFirewallRule", **where, **ports)
    lb.change(sourceRanges=[])
    lb.settle(hook)
    assert world.rules() == []
    assert [each["id"] for each in world.state()["firewallrules"]] == [theirs["firewallrule"]["id"]]
    assert "firewall rules of others open 80/tcp" in lb.condition("Ready")["message"]

    world.human.done("deleteFirewallRule", id=theirs["firewallrule"]["id"])
    lb.wait(hook)
    assert lb.is_ready()
    assert len(world.rules()) == 1
    assert world.firewall() == []


@pytest.mark.parametrize("protocol", ["tcp", "all"])
def test_a_rule_of_a_person_for_all_ports_serves_and_is_said_to_admit_more(
    world: World, hook: LoadBalancersHook, protocol: str
) -> None:
    lb = LoadBalancer(world, ports=[]).settle(hook)
    [address] = world.addresses()
    where = {"ipaddressid": address["id"], "protocol": protocol}
    world.human.done("createFirewallRule", **where)
    before = world.state()["firewallrules"]
    lb.change(ports=[port(80)], sourceRanges=["10.0.0.0/8"])
    lb.settle(hook)
    assert lb.is_ready()
    assert world.state()["firewallrules"] == before
    message = lb.condition("FirewallReady")["message"]
    assert f"0-65535/{protocol} for 0.0.0.0/0; the lists of the rules do not" in message


def test_without_lists_of_rules_that_change_people_are_told_of_whoever_may_connect() -> None:
    with start_simulator(api_version="4.20") as simulator:
        world = World(simulator)
        cloud = world.open_cloud()
        hook = make_hook(world, cloud)
        lb = LoadBalancer(world, sourceRanges=["10.0.0.0/8"]).settle(hook)
        [address] = world.addresses()
        where = {"ipaddressid": address["id"], "protocol": "tcp"}
        theirs = world.human.done("createFirewallRule", **where)["firewallrule"]
        lb.wait(hook).wait(hook)
        assert (lb.is_ready(), lb.reason()) == (True, "OpenedByOthers")
        assert "0-65535/tcp for 0.0.0.0/0" in lb.condition("Ready")["message"]
        assert world.cluster.reasons().count("OpenedByOthers") == 1
        world.human.done("deleteFirewallRule", id=theirs["id"])
        lb.wait(hook)
        assert (lb.is_ready(), lb.reason()) == (True, "Serving")
        cloud.close()
        world.close()


@pytest.mark.parametrize("version", ["4.20", "4.22"])
@pytest.mark.parametrize(
    "command", ["createLoadBalancerRule", "createFirewallRule", "updateLoadBalancerRule"]
)
def test_whoever_is_not_admitted_any_more_is_shut_out_though_a_job_never_ends(
    version: str, command: str
) -> None:
    with start_simulator(api_version=version) as simulator:
        world = World(simulator)
        cloud = world.open_cloud()
        hook = make_hook(world, cloud)
        lb = LoadBalancer(world).settle(hook)
        simulator.control.fault(command, "job-never-ends", times=None)
        lb.change(ports=[port(80), port(81)], sourceRanges=["10.0.0.0/8"], algorithm="source")
        for _ in range(3):
            lb.call(hook, seconds=1.0)
            world.advance(lb.next_look() + 31)
        assert ("tcp", 80, 80, ("0.0.0.0/0",)) not in world.firewall()
        assert all(cidrs == ("10.0.0.0/8",) for *_, cidrs in world.firewall())
        simulator.control.clear_faults()
        for _ in range(3):
            lb.wait(hook)
        assert lb.is_ready()
        assert world.firewall() == [("tcp", 80, 81, ("10.0.0.0/8",))]
        cloud.close()
        world.close()


@pytest.mark.parametrize(
    ("command", "key"),
    [
        pytest.param("listLoadBalancerRuleInstances", "id", id="members"),
        pytest.param("listLBStickinessPolicies", "lbruleid", id="policies"),
    ],
)
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"kind": "error", "code": 530}, id="530"),
        pytest.param({"kind": "error", "code": 431}, id="431"),
        pytest.param({"kind": "timeout", "seconds": 0.05}, id="dropped"),
        pytest.param({"kind": "timeout", "seconds": 600}, id="never answered"),
        pytest.param({"kind": "html", "code": 504}, id="a gateway's error"),
    ],
)
def test_a_list_of_one_rule_that_fails_for_good_stops_nothing_else(
    world: World, cloud: Cloud, command: str, key: str, fault: dict[str, Any]
) -> None:
    ports = [port(each) | {"stickiness": {"method": "LbCookie"}} for each in (80, 81)]
    lb = LoadBalancer(world, ports=ports).settle(make_hook(world, cloud))
    unread, other = world.rules()
    when, text = {key: unread["id"]}, "more than one NIC"
    world.simulator.control.fault(command, times=None, text=text, when=when, **fault)
    new = make_hook(world, cloud)
    world.nodes.pop("node-2")
    lb.change(sourceRanges=["10.0.0.0/8"])

    def is_narrow() -> bool:
        lb.wait(new)
        shown = {each[3] for each in world.firewall()}
        return shown == {("10.0.0.0/8",)} and not lb.condition("Reconciling")

    until(is_narrow, "what one list has nothing to do with is done")
    assert all(each["cidrlist"] == ["10.0.0.0/8"] for each in world.rules())
    members = {each["id"]: set(each["members"]) for each in world.rules()}
    assert members[other["id"]] == set(world.nodes)
    ready = lb.condition("Ready")
    if command == "listLoadBalancerRuleInstances":
        assert members[unread["id"]] == {*world.nodes, "node-2"}
        assert (ready["status"], ready["reason"]) == ("Unknown", "CloudStackRefused")
        assert unread["name"] in lb.condition("MembersReady")["message"]
    assert (text if fault["kind"] == "error" else command) in ready["message"]
    world.simulator.control.clear_faults()
    lb.wait(new)
    lb.settle(new)
    assert lb.is_ready()
    assert all(set(each["members"]) == set(world.nodes) for each in world.rules())


def test_more_ranges_than_a_rule_takes_are_admitted_by_the_firewall_alone(
    world: World, hook: LoadBalancersHook
) -> None:
    apart = [f"10.{each}.0.0/24" for each in range(61)]
    lb = LoadBalancer(world, sourceRanges=apart[:60]).settle(hook)
    assert sorted(world.rules()[0]["cidrlist"]) == sorted(apart[:60])
    lb.change(sourceRanges=apart)
    lb.settle(hook)
    assert lb.is_ready()
    assert world.rules()[0]["cidrlist"] == ["0.0.0.0/0"]
    assert {cidr for each in world.firewall() for cidr in each[3]} == set(apart)
    lb.change(sourceRanges=[f"10.0.{each}.0/24" for each in range(64)])
    lb.settle(hook)
    assert world.rules()[0]["cidrlist"] == ["10.0.0.0/18"]


@pytest.mark.parametrize("version", ["4.20", "4.22"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(["0.0.0.0/0"], 60, id="everybody"),
        pytest.param(["10.0.0.0/24", "192.0.2.0/24"], 60, id="one who is not admitted any more"),
        pytest.param(["10.0.0.0/24", "10.2.0.0/24"], 2, id="fewer"),
    ],
)
def test_a_rule_on_a_tier_admits_nobody_else_while_the_ranges_are_too_many(
    version: str, before: list[str], after: int
) -> None:
    apart = [f"10.{each}.0.0/24" for each in range(61)]
    with vpc_world(api_version=version) as world:
        cloud = world.open_cloud()
        hook = make_hook(world, cloud)
        lb = LoadBalancer(world, sourceRanges=before).settle(hook)
        lb.change(sourceRanges=apart)
        lb.settle(hook)
        is_gone = version == "4.20" and after == 60  # a list cannot change there
        assert len(world.rules()) == (0 if is_gone else 1)
        for rule in world.rules():
            assert set(rule["cidrlist"]) <= set(apart)
            assert len(rule["cidrlist"]) == after
            assert set(rule["members"]) == set(world.nodes)
        assert lb.reason() == "RulesRefused"
        assert "admits some of them, and nobody else" in lb.condition("Ready")["message"]
        writes = world.writes()
        lb.wait(hook)
        assert world.writes() == writes
        lb.change(sourceRanges=apart[:60])
        lb.settle(hook)
        assert lb.is_ready()
        cloud.close()


def test_more_ranges_than_a_rule_takes_are_refused_on_a_tier() -> None:
    with vpc_world() as world:
        cloud = world.open_cloud()
        hook = make_hook(world, cloud)
        lb = LoadBalancer(world, sourceRanges=[f"10.{each}.0.0/24" for each in range(61)])
        lb.settle(hook)
        assert lb.reason() == "RulesRefused"
        assert "write at most 60 ranges" in lb.condition("Ready")["message"]
        assert world.rules() == []
        cloud.close()
