"""An internal load balancer on a VPC tier: made, changed, repaired, planned, deleted."""

from collections.abc import Iterator

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from tests.integration.loadbalancers.driver import World, make_hook, port
from tests.integration.loadbalancers.internal import (
    FREE,
    OTHER,
    TIER,
    await_nothing,
    balancers,
    create,
    internal,
    internal_world,
    ports,
    sources,
)
from tests.integration.loadbalancers.vpc import keep_nodes, vpc_world


@pytest.fixture
def world() -> Iterator[World]:
    with internal_world() as made:
        yield made


def test_each_port_is_one_on_the_same_address_and_all_go_with_the_service(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = internal(world, ports=[port(80), port(443)]).settle(hook)
    assert lb.is_ready(), lb.condition("Ready")
    assert lb.is_published()
    [ip] = sources(world)
    assert lb.status["address"]["ip"] == lb.status["address"]["id"] == ip
    assert lb.status["address"]["networkID"] == world.network(TIER)
    assert (lb.status["memberSummary"], lb.status["ruleSummary"]) == ("2/2", "2/2")
    assert ports(world) == {80: 30080, 443: 30443}
    assert all(set(each["members"]) == {"node-6", "node-7"} for each in balancers(world))
    assert all(each["tags"] for each in balancers(world))
    assert set(world.writes()) == {
        "createLoadBalancer", "createTags", "assignToLoadBalancerRule",
    }  # fmt: skip
    world.simulator.control.clear_calls()
    lb.wait(hook)
    assert world.writes() == {}
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    await_nothing(world)


def test_it_gets_the_address_that_it_asks_for(world: World, hook: LoadBalancersHook) -> None:
    lb = internal(world, address=FREE).settle(hook)
    assert (lb.is_ready(), sources(world)) == (True, {FREE})
    assert lb.status["address"]["named"]


def test_ports_nodes_and_algorithm_change_and_the_address_stays(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = internal(world, ports=[port(80), port(81)]).settle(hook)
    [ip] = sources(world)
    ids = {each["publicport"]: each["id"] for each in balancers(world)}
    world.nodes.pop("node-7")
    lb.change(ports=[port(80), port(81, 31000), port(82)])
    lb.settle(hook)
    assert ports(world) == {80: 30080, 81: 31000, 82: 30082}
    assert (sources(world), lb.status["memberSummary"]) == ({ip}, "1/1")
    assert ids[80] in {each["id"] for each in balancers(world)}
    lb.change(ports=[port(82)], algorithm="leastconn")
    lb.settle(hook)
    assert (ports(world), sources(world)) == ({82: 30082}, {ip})
    assert [each["algorithm"] for each in balancers(world)] == ["leastconn"]
    assert "updateLoadBalancerRule" not in world.writes()
    assert lb.is_ready()


@pytest.mark.parametrize("many", [1, 2])
def test_what_somebody_deletes_comes_back_on_the_same_address(
    world: World, hook: LoadBalancersHook, many: int
) -> None:
    lb = internal(world, ports=[port(80), port(81)]).settle(hook)
    before = sources(world)
    for each in balancers(world)[:many]:
        world.human.done("deleteLoadBalancer", id=each["id"])
    lb.wait(hook)
    assert (ports(world), sources(world)) == ({80: 30080, 81: 30081}, before)
    assert (lb.is_ready(), lb.is_published()) == (True, True)
    assert "RepairedLoadBalancer" in world.cluster.reasons()


def test_the_address_of_before_is_given_up_once_somebody_else_has_it(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = internal(world).settle(hook)
    [ip] = sources(world)
    world.human.done("deleteLoadBalancer", id=balancers(world)[0]["id"])
    create(world, 80, ip)
    lb.wait(hook)
    assert lb.is_ready()
    own = [each for each in balancers(world) if each["tags"]]
    new = lb.status["address"]["ip"]
    assert [each["address"] for each in own] == [new] != [ip]
    assert len(balancers(world)) == 2
    lb.wait(hook)
    [lost] = [each for each in world.cluster.events if each.reason == "AddressLost"]
    assert lost.message.startswith(f"{ip} is not this Service's internal address any more")
    assert new in lost.message


def test_an_algorithm_and_members_that_somebody_changed_are_right_again(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = internal(world).settle(hook)
    [found] = balancers(world)
    world.human.failed("updateLoadBalancerRule", 530, id=found["id"], algorithm="source")
    gone = world.nodes["node-6"]["spec"]["instanceID"]
    lb.wait(hook)
    [found] = balancers(world)
    assert (found["algorithm"], set(found["members"])) == ("roundrobin", {"node-6", "node-7"})
    world.human.done("removeFromLoadBalancerRule", id=found["id"], virtualmachineids=gone)
    lb.wait(hook)
    for _ in range(20):
        if set(balancers(world)[0]["members"]) == {"node-6", "node-7"}:
            break
        lb.wait(hook)
    assert set(balancers(world)[0]["members"]) == {"node-6", "node-7"}


def test_tags_that_somebody_removed_are_there_again(world: World, hook: LoadBalancersHook) -> None:
    lb = internal(world).settle(hook)
    [found] = balancers(world)
    world.human.done("deleteTags", resourcetype="LoadBalancer", resourceids=found["id"])
    assert balancers(world)[0]["tags"] == {}
    lb.wait(hook)
    [again] = balancers(world)
    assert (again["id"], again["tags"]) == (found["id"], found["tags"])


def test_a_lost_status_finds_the_address_again(world: World, hook: LoadBalancersHook) -> None:
    lb = internal(world, ports=[port(80), port(81)]).settle(hook)
    before = sources(world), [each["id"] for each in balancers(world)]
    lb.parent.pop("status")
    lb.settle(hook)
    assert (sources(world), [each["id"] for each in balancers(world)]) == before
    assert lb.is_ready()


def test_plan_mode_lists_everything_and_does_nothing(world: World, hook: LoadBalancersHook) -> None:
    lb = internal(world, ports=[port(80), port(81)], mode="Plan").settle(hook)
    creations = [each for each in lb.status["plan"] if each.startswith("create internal load")]
    assert len(creations) == 2
    assert (world.writes(), balancers(world)) == ({}, [])
    assert not lb.is_published()
    lb.change(mode="Apply")
    lb.settle(hook)
    assert lb.is_ready()
    lb.change(mode="Plan", ports=[port(80)], algorithm="source")
    lb.settle(hook)
    assert ports(world) == {80: 30080, 81: 30081}
    lb.delete()
    lb.settle(hook)
    assert not lb.is_finalized()
    assert [each for each in lb.status["plan"] if each.startswith("delete rule")]
    assert len(balancers(world)) == 2


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ("10.30.4.1", "AddressNotFree"),
        ("10.30.9.9", "AddressRefused"),
        (FREE, "AddressInUse"),
    ],
    ids=["the gateway's", "outside of the tier", "another's"],
)
def test_an_address_that_cannot_be_had_is_refused_with_the_reason(
    world: World, hook: LoadBalancersHook, asked: str, reason: str
) -> None:
    create(world, 8080, FREE)
    lb = internal(world, address=asked).settle(hook)
    assert (lb.reason(), len(balancers(world))) == (reason, 1)
    assert asked in lb.condition("Ready")["message"]
    lb.change(address=OTHER)
    lb.settle(hook)
    assert lb.is_ready()


def test_an_address_that_somebody_else_has_is_not_shown_until_it_is_free_again(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = internal(world, address=FREE).settle(hook)
    for each in balancers(world):
        world.human.done("deleteLoadBalancer", id=each["id"])
    theirs = create(world, 8080, FREE)
    lb.wait(hook)
    assert lb.reason() == "AddressInUse"
    assert not lb.is_published()
    assert lb.status["withdrawnAddress"] == FREE
    [told] = [each.message for each in world.cluster.events if each.reason == "AddressWithdrawn"]
    assert told == (
        f"{FREE} has internal load balancer theirs, which is not this Service's, in CloudStack: "
        "this Service does not show it any more"
    )
    world.human.done("deleteLoadBalancer", id=theirs)
    lb.wait(hook)
    assert lb.is_ready()
    assert lb.is_published()
    assert "withdrawnAddress" not in lb.status
    assert world.cluster.reasons().count("AddressRegained") == 1


def test_what_others_have_on_the_address_stays(world: World, hook: LoadBalancersHook) -> None:
    lb = internal(world, ports=[port(80), port(81)]).settle(hook)
    [ip] = sources(world)
    theirs = create(world, 82, ip)
    lb.change(ports=[port(80), port(82)])
    lb.settle(hook)
    assert lb.reason() == "RulesRefused"
    assert "port 82 is taken by rule theirs" in lb.condition("RulesReady")["message"]
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert [each["id"] for each in balancers(world)] == [theirs]


def test_a_balancer_of_the_same_name_in_a_clone_of_the_cluster_is_not_ours(
    world: World, hook: LoadBalancersHook
) -> None:
    """The clone has the Service's UID, and so the first part of the name, but not the seal."""
    lb = internal(world).settle(hook)
    [own] = balancers(world)
    clone = World(world.simulator, cluster_id="c-2")
    keep_nodes(clone, TIER)
    cloud = clone.open_cloud()
    other = internal(clone).settle(make_hook(clone, cloud))
    assert other.is_ready()
    assert len(sources(world)) == 2
    world.human.done("deleteTags", resourcetype="LoadBalancer", resourceids=own["id"])
    other.delete()
    other.settle(make_hook(clone, cloud))
    assert [each["id"] for each in balancers(world)] == [own["id"]]
    lb.wait(hook)
    assert lb.is_ready()
    cloud.close()
    clone.close()


def test_a_copied_name_proves_nothing_at_another_port(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = internal(world).settle(hook)
    [own] = balancers(world)
    copied = create(world, 81, FREE, name=own["name"])
    lb.wait(hook)
    lb.delete()
    lb.settle(hook)
    assert [each["id"] for each in balancers(world)] == [copied]
    assert lb.is_finalized()
    kept = [each for each in world.cluster.events if each.reason == "AddressKept"]
    assert own["name"] in kept[0].message


def test_a_service_that_admits_nobody_gets_none_and_loses_what_it_had(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = internal(world, sourceRanges=[]).settle(hook)
    assert (lb.reason(), balancers(world)) == ("NothingToServe", [])
    assert "clients on the tier always can" in lb.condition("Ready")["message"]
    lb.change(sourceRanges=["0.0.0.0/0"])
    lb.settle(hook)
    assert lb.is_ready()
    lb.change(sourceRanges=[])
    lb.settle(hook)
    assert (lb.is_ready(), balancers(world)) == (False, [])


@pytest.mark.parametrize(
    ("tier", "is_internal", "words"),
    [
        ("tier-1", True, "have the scheme Public alone"),
        ("net-1", True, "is no tier of a VPC"),
        (TIER, False, 'internal: "true"'),
    ],
)
def test_a_network_of_the_other_kind_is_refused_with_what_would_be_right(
    tier: str, is_internal: bool, words: str
) -> None:
    with vpc_world(tier) as world:
        cloud = world.open_cloud()
        lb = internal(world)
        lb.change(internal=is_internal)
        lb.settle(make_hook(world, cloud))
        assert lb.reason() == "NetworkNotServed"
        assert words in lb.condition("Ready")["message"]
        assert world.writes() == {}
        cloud.close()


def test_of_several_networks_the_one_with_internal_load_balancing_is_chosen(
    world: World, hook: LoadBalancersHook
) -> None:
    other = world.network("tier-1")
    for node in world.nodes.values():
        node["observed"]["networks"].insert(
            0, {"id": other, "default": True, "addresses": ["10.30.1.9"]}
        )
        node["observed"]["networks"][1]["default"] = False
    lb = internal(world).settle(hook)
    assert lb.is_ready()
    assert lb.status["networkID"] == world.network(TIER)


def test_cookies_and_session_affinity_are_policies_of_it(
    world: World, hook: LoadBalancersHook
) -> None:
    sticky = {"method": "SourceBased", "parameters": {"expire": "10800s"}}
    lb = internal(world, ports=[{**port(80), "stickiness": sticky}], algorithm="source")
    lb.settle(hook)
    [found] = balancers(world)
    assert [each["methodname"] for each in found["stickiness"]] == ["SourceBased"]
    lb.change(ports=[port(80)], algorithm="roundrobin")
    lb.settle(hook)
    assert balancers(world)[0]["stickiness"] == []
    assert lb.is_ready()
    lb.delete()
    lb.settle(hook)
    await_nothing(world)


def test_local_traffic_has_the_nodes_with_an_endpoint_as_members(
    world: World, hook: LoadBalancersHook
) -> None:
    world.place("node-6")
    lb = internal(world, externalTrafficPolicy="Local").settle(hook)
    assert set(balancers(world)[0]["members"]) == {"node-6"}
    assert lb.is_published()


def test_the_object_that_is_made_again_finds_what_is_there(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = internal(world).settle(hook)
    before = [each["id"] for each in balancers(world)]
    lb.delete(service_too=False)
    lb.settle(hook)
    assert lb.is_finalized()
    lb.remake()
    lb.settle(hook)
    assert [each["id"] for each in balancers(world)] == before
    assert lb.is_ready()


def test_a_deletion_of_an_object_that_does_not_say_so_any_more_takes_it_down(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = internal(world).settle(hook)
    lb.change(internal=False)
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    await_nothing(world)
