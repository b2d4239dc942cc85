"""A load balancer whose members are on a tier of a VPC."""

from collections.abc import Iterator

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World, make_hook, port
from tests.integration.loadbalancers.vpc import (
    DENYING,
    FREE,
    TIER,
    allocate,
    create_rule,
    keep_nodes,
    ranges,
    tiers_of_rules,
    vpc_id,
    vpc_world,
)


@pytest.fixture
def world() -> Iterator[World]:
    with vpc_world() as made:
        yield made


def test_it_gets_an_address_of_the_vpc_and_rules_on_the_tier(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(443)]).settle(hook)
    assert lb.is_ready(), lb.condition("Ready")
    assert lb.is_published()
    assert lb.status["memberSummary"] == "2/2"
    assert lb.status["networkID"] == lb.status["address"]["networkID"] == world.network(TIER)
    [asked] = world.simulator.control.calls("associateIpAddress")
    assert asked["params"]["vpcid"] == vpc_id(world)
    assert "networkid" not in asked["params"]
    assert tiers_of_rules(world) == [TIER, TIER]
    assert all(
        each["params"]["openfirewall"] == "false"
        for each in world.simulator.control.calls("createLoadBalancerRule")
    )
    assert "createFirewallRule" not in world.writes()
    assert "listFirewallRules" not in world.simulator.control.counts()
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert world.remains() == NOTHING


def test_a_change_a_node_that_leaves_and_drift_are_repaired_in_place(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80)]).settle(hook)
    before = lb.status["address"]["id"]
    gone = world.nodes.pop("node-1")
    lb.change(ports=[port(80, proxy=True), port(81)], algorithm="leastconn")
    lb.settle(hook)
    assert lb.is_ready()
    assert lb.status["memberSummary"] == "1/1"
    assert [each["protocol"] for each in lb.status["rules"]] == ["tcp-proxy", "tcp"]
    assert world.writes().get("deleteLoadBalancerRule") is None
    world.nodes["node-1"] = gone
    world.human.done("deleteLoadBalancerRule", id=lb.status["rules"][0]["id"])
    lb.wait(hook)
    assert lb.is_ready()
    assert lb.status["memberSummary"] == "2/2"
    assert lb.status["address"]["id"] == before
    assert tiers_of_rules(world) == [TIER, TIER]


def test_an_address_without_rules_is_still_this_services(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    before = lb.status["address"]
    world.human.done("deleteLoadBalancerRule", id=lb.status["rules"][0]["id"])
    lb.parent.pop("status")
    lb.settle(hook)
    assert lb.is_ready()
    assert (lb.status["address"]["ip"], lb.status["address"]["networkID"]) == (
        before["ip"],
        world.network(TIER),
    )
    assert len(world.addresses()) == 1


TEN = ["10.0.0.0/8", "192.168.0.0/16"]


def test_ranges_are_in_the_rules_and_change_in_place(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world, sourceRanges=TEN).settle(hook)
    assert ranges(world) == {"80": "10.0.0.0/8 192.168.0.0/16"}
    before = lb.status["rules"][0]["id"]
    for wanted in (["10.0.0.0/8"], [*TEN, "172.16.0.0/12"], ["0.0.0.0/0"], TEN):
        lb.change(sourceRanges=wanted)
        lb.settle(hook)
        assert ranges(world) == {"80": ",".join(wanted)}
        assert lb.is_ready()
    assert lb.status["rules"][0]["id"] == before
    world.simulator.control.clear_calls()
    lb.wait(hook)
    assert world.writes() == {}


@pytest.mark.parametrize("cidrs", ["", "0.0.0.0/0", "10.0.0.0/7"])
def test_a_list_that_somebody_changed_is_right_again(
    world: World, hook: LoadBalancersHook, cidrs: str
) -> None:
    lb = LoadBalancer(world, sourceRanges=TEN).settle(hook)
    world.human.done("updateLoadBalancerRule", id=lb.status["rules"][0]["id"], cidrlist=cidrs)
    lb.wait(hook)
    assert ranges(world) == {"80": ",".join(TEN)}


def test_a_list_without_ranges_is_left_as_it_is_where_everybody_may_connect(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    world.human.done("updateLoadBalancerRule", id=lb.status["rules"][0]["id"], cidrlist="")
    world.simulator.control.clear_calls()
    lb.wait(hook)
    assert (ranges(world), world.writes()) == ({"80": ""}, {})


@pytest.mark.parametrize(
    ("before", "after"),
    [(TEN, ["10.0.0.0/8"]), (["10.0.0.0/8"], TEN), (TEN, ["172.16.0.0/12"])],
    ids=["narrower", "wider", "others"],
)
def test_where_a_list_cannot_change_another_rule_takes_its_place(
    before: list[str], after: list[str]
) -> None:
    """CloudStack has no two rules of one port: this port is shut in between, never too open."""
    with vpc_world(api_version="4.20.1.0") as world:
        cloud = world.open_cloud()
        hook = make_hook(world, cloud)
        lb = LoadBalancer(world, sourceRanges=before, ports=[port(80), port(81)]).settle(hook)
        world.simulator.control.clear_calls()
        lb.change(sourceRanges=after)
        lb.settle(hook)
        assert ranges(world) == dict.fromkeys(("80", "81"), " ".join(after))
        assert (lb.is_ready(), lb.status["memberSummary"]) == (True, "2/2")
        assert "updateLoadBalancerRule" not in world.writes()
        cloud.close()


def test_udp_is_refused_in_cloudstacks_words_and_tcp_served(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(53, protocol="UDP")]).settle(hook)
    assert lb.reason() == "RulesRefused"
    assert "LB service provider cannot support this rule" in lb.condition("Ready")["message"]
    assert [each.get("members") for each in lb.status["rules"]] == [2, None]


def test_a_role_that_may_not_list_items_is_told_and_what_serves_goes_on(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    world.simulator.control.fault("listNetworkACLs", "error", code=432, times=None)
    lb.change(ports=[port(80), port(81)])
    lb.settle(hook)
    ready = lb.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("Unknown", "CloudStackRefused")
    assert "listNetworkACLs" in ready["message"]
    assert len(world.rules()) == 2
    world.simulator.control.clear_faults()
    lb.wait(hook)
    assert lb.is_ready()
    assert len(world.rules()) == 2


def test_plan_mode_names_the_vpc_and_changes_nothing(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world, mode="Plan").settle(hook)
    assert lb.status["plan"][0] == f"associate a free address with VPC {vpc_id(world)}"
    assert world.writes() == {}


def test_an_address_of_the_vpc_that_the_service_names_is_used_and_stays(
    world: World, hook: LoadBalancersHook
) -> None:
    allocate(world)
    lb = LoadBalancer(world, address=FREE).settle(hook)
    assert lb.is_ready()
    lb.delete()
    lb.settle(hook)
    assert world.remains() == {**NOTHING, "addresses": [FREE]}


def test_an_address_with_rules_of_another_tier_is_refused(
    world: World, hook: LoadBalancersHook
) -> None:
    create_rule(world, allocate(world), DENYING, 8080)
    lb = LoadBalancer(world, address=FREE).settle(hook)
    ready = lb.condition("Ready")
    assert ready["reason"] == "AddressElsewhere"
    assert f"{FREE} belongs to tier {world.network(DENYING)}" in ready["message"]
    assert f"the members to network {world.network(TIER)}" in ready["message"]
    assert tiers_of_rules(world) == [DENYING]
    assert set(world.writes()) == {"associateIpAddress", "createLoadBalancerRule"}


def test_an_address_with_a_rule_of_the_same_tier_is_used_beside_it(
    world: World, hook: LoadBalancersHook
) -> None:
    create_rule(world, allocate(world), TIER, 8080)
    lb = LoadBalancer(world, address=FREE).settle(hook)
    assert lb.is_ready()
    assert tiers_of_rules(world) == [TIER, TIER]


@pytest.mark.parametrize("where", ["isolated network", "source NAT"])
def test_an_address_of_something_else_is_refused(
    world: World, hook: LoadBalancersHook, where: str
) -> None:
    ip, reason = FREE, "AddressElsewhere"
    if where == "isolated network":
        # The first address of a network without VMs would become its source NAT.
        world.human.done("associateIpAddress", ipaddress=ip, networkid=world.network("net-1"))
    else:
        found = world.human.list("listPublicIpAddresses", "publicipaddress", vpcid=vpc_id(world))
        [ip] = [each["ipaddress"] for each in found if each["issourcenat"]]
        reason = "AddressIsSourceNAT"
    lb = LoadBalancer(world, address=ip).settle(hook)
    assert lb.reason() == reason, lb.condition("Ready")
    assert world.rules() == []


def test_an_address_of_the_vpc_is_refused_to_an_isolated_network() -> None:
    with vpc_world("net-1") as world:
        cloud = world.open_cloud()
        allocate(world)
        lb = LoadBalancer(world, address=FREE).settle(make_hook(world, cloud))
        assert lb.reason() == "AddressElsewhere"
        assert f"belongs to VPC {vpc_id(world)}" in lb.condition("Ready")["message"]
        cloud.close()


def move_nodes(world: World, tier: str) -> None:
    """Let the VMs on another tier be the nodes."""
    world.nodes.clear()
    other = World(world.simulator)
    keep_nodes(other, tier)
    world.nodes.update(other.nodes)
    other.close()


def test_services_of_two_tiers_share_no_address(world: World, hook: LoadBalancersHook) -> None:
    share = {"sharedAddress": "front"}
    first = LoadBalancer(world, "first", **share).settle(hook)
    beside = LoadBalancer(world, "beside", ports=[port(81)], **share).settle(hook)
    move_nodes(world, DENYING)
    second = LoadBalancer(world, "second", ports=[port(82)], **share).settle(hook)
    assert (first.is_ready(), beside.is_ready()) == (True, True)
    assert beside.status["address"]["ip"] == first.status["address"]["ip"]
    assert second.reason() == "AddressElsewhere", second.condition("Ready")
    assert f"belongs to tier {world.network(TIER)}" in second.condition("Ready")["message"]
    assert tiers_of_rules(world) == [TIER, TIER]
    assert len(world.addresses()) == 1


def test_services_of_two_tiers_have_addresses_of_their_own(
    world: World, hook: LoadBalancersHook
) -> None:
    first = LoadBalancer(world, "first").settle(hook)
    move_nodes(world, DENYING)
    second = LoadBalancer(world, "second").settle(hook)
    third = LoadBalancer(world, "third", address=first.status["address"]["ip"]).settle(hook)
    assert (first.is_ready(), second.is_ready()) == (True, True)
    assert sorted(tiers_of_rules(world)) == [TIER, DENYING]
    assert second.status["networkID"] == world.network(DENYING)
    assert third.reason() == "AddressInUse"


def test_no_rule_is_created_where_it_would_come_to_be_on_another_tier(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    address_id = lb.status["address"]["id"]
    world.human.done("deleteLoadBalancerRule", id=lb.status["rules"][0]["id"])
    theirs = create_rule(world, address_id, DENYING, 8080)
    world.simulator.control.clear_calls()
    lb.wait(hook)
    assert lb.reason() == "RulesRefused"
    assert f"rule theirs of tier {world.network(DENYING)}" in lb.condition("Ready")["message"]
    assert world.writes() == {"deleteNetworkACL": 1}
    world.human.done("deleteLoadBalancerRule", id=theirs)
    lb.wait(hook)
    assert lb.is_ready()
    assert tiers_of_rules(world) == [TIER]


def forward_to_other_tier(world: World, address_id: str) -> str:
    """Tie an address to another tier by a port forwarding rule, which no list of ours shows."""
    vm = next(each for each in world.state()["virtualmachines"] if each["name"] == "node-3")
    made = world.human.done(
        "createPortForwardingRule",
        ipaddressid=address_id,
        protocol="tcp",
        publicport="2222",
        privateport="22",
        virtualmachineid=vm["id"],
        networkid=world.network(DENYING),
    )
    return str(made["portforwardingrule"]["id"])


def test_a_rule_that_comes_to_be_on_another_tier_is_deleted_again(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    world.human.done("deleteLoadBalancerRule", id=lb.status["rules"][0]["id"])
    theirs = forward_to_other_tier(world, lb.status["address"]["id"])
    lb.wait(hook)
    assert lb.reason() == "RulesRefused"
    assert (
        f"on tier {world.network(DENYING)} instead of {world.network(TIER)}"
        in lb.condition("Ready")["message"]
    )
    assert world.rules() == []
    world.human.done("deletePortForwardingRule", id=theirs)
    lb.wait(hook)
    assert lb.is_ready()
    assert tiers_of_rules(world) == [TIER]


def test_a_rule_that_a_call_left_on_another_tier_is_replaced(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(81)]).settle(hook)
    address_id, names = lb.status["address"]["id"], [each["name"] for each in lb.status["rules"]]
    for rule in lb.status["rules"]:
        world.human.done("deleteLoadBalancerRule", id=rule["id"])
    create_rule(world, address_id, DENYING, 81, names[1])
    lb.wait(hook)
    assert lb.is_ready(), lb.condition("Ready")
    assert tiers_of_rules(world) == [TIER, TIER]
    assert lb.status["memberSummary"] == "2/2"


def test_a_client_stays_with_its_member_by_a_policy(world: World, hook: LoadBalancersHook) -> None:
    sticky = {"stickiness": {"method": "SourceBased", "parameters": {"expire": "3h"}}}
    lb = LoadBalancer(world, ports=[port(80) | sticky, port(443)]).settle(hook)
    assert lb.is_ready(), lb.condition("Ready")
    found = {each["publicport"]: each["stickiness"] for each in world.rules()}
    assert [each["params"] for each in found[80]] == [{"expire": "3h"}]
    assert found[443] == []
    lb.change(ports=[port(80), port(443) | sticky])
    lb.settle(hook)
    found = {each["publicport"]: each["stickiness"] for each in world.rules()}
    assert found[80] == []
    assert [each["params"] for each in found[443]] == [{"expire": "3h"}]
    lb.delete()
    lb.settle(hook)
    assert world.remains() == NOTHING


def test_a_forged_network_in_the_status_moves_nothing_to_another_tier(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(22)], sourceRanges=["10.0.0.0/8"]).settle(hook)
    before = world.items()
    lb.parent["status"]["address"]["networkID"] = world.network("tier-2")
    lb.parent["status"].pop("checkedFor")
    for _ in range(4):
        lb.accept(lb.call(hook))
    assert tiers_of_rules(world) == [TIER]
    assert world.items() == before
    lb.settle(hook)
    assert lb.is_ready(), lb.condition("Ready")
    assert lb.status["address"]["networkID"] == world.network(TIER)


def test_an_address_that_was_inherited_brings_nothing_onto_a_tier_without_nodes(
    world: World, hook: LoadBalancersHook
) -> None:
    first = LoadBalancer(world, ports=[port(53, protocol="UDP")]).settle(hook)
    assert tiers_of_rules(world) == []
    before = world.items()
    del world.cluster.objects[first._path]
    second = LoadBalancer(
        world,
        uid="0c7a4d52-96a3-4b8e-8f5d-3e1b6a9c2d08",
        ports=[port(22)],
        network=world.network("tier-2"),
    )
    world.cluster.objects[second.service_path]["metadata"]["uid"] = second.service_uid
    for _ in range(6):
        second.accept(second.call(hook))
    assert second.reason() == "NetworkWithoutNodes"
    assert tiers_of_rules(world) == []
    assert world.items() == before
