"""On a VPC tier: a Service that is made again, changes its address, is in a project, or shares."""

from collections.abc import Iterator

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from simulator.server import Simulator
from tests.integration.loadbalancers.changing import Changing
from tests.integration.loadbalancers.driver import (
    NOTHING,
    LoadBalancer,
    World,
    make_hook,
    start_simulator,
)
from tests.integration.loadbalancers.vpc import (
    DENYING,
    FREE,
    TIER,
    create_rule,
    keep_nodes,
    tiers_of_rules,
    vpc_id,
    vpc_world,
)


@pytest.fixture
def world() -> Iterator[World]:
    with vpc_world() as made:
        yield made


@pytest.mark.parametrize("has_rules", [True, False], ids=["with rules", "without rules"])
def test_a_service_that_is_made_again_takes_its_address_over(
    world: World, hook: LoadBalancersHook, *, has_rules: bool
) -> None:
    original = LoadBalancer(world).settle(hook)
    ip, rule = original.status["address"]["ip"], original.status["rules"][0]["id"]
    if not has_rules:
        world.human.done("deleteLoadBalancerRule", id=rule)
    original.delete()
    again = LoadBalancer(world, uid="5e3f0f6e-5d5c-4c6a-8d3e-0f1a2b3c4d5e").settle(hook)
    assert again.is_ready(), again.condition("Ready")
    assert again.status["address"]["ip"] == ip
    assert (again.status["rules"][0]["id"] == rule) is has_rules
    original.settle(hook)
    assert original.is_finalized()
    assert again.wait(hook).is_ready()
    assert tiers_of_rules(world) == [TIER]


def test_a_service_that_is_made_again_on_another_tier_gets_another_address(
    world: World, hook: LoadBalancersHook
) -> None:
    original = LoadBalancer(world).settle(hook)
    ip = original.status["address"]["ip"]
    original.delete()
    world.nodes.clear()
    with_others = World(world.simulator)
    keep_nodes(with_others, DENYING)
    world.nodes.update(with_others.nodes)
    with_others.close()
    again = LoadBalancer(world, uid="5e3f0f6e-5d5c-4c6a-8d3e-0f1a2b3c4d5e")
    again.settle(hook)
    original.settle(hook)
    again.wait(hook)
    assert original.is_finalized()
    assert again.is_ready(), again.condition("Ready")
    assert again.status["networkID"] == world.network(DENYING)
    assert again.status["address"]["ip"] != ip
    assert tiers_of_rules(world) == [DENYING]
    assert len(world.addresses()) == 1


def test_the_address_of_a_live_service_changes_within_the_vpc(
    world: World, hook: LoadBalancersHook
) -> None:
    service = Changing(world, hook)
    old = service.ip
    service.ask(FREE)
    service.wait()
    assert service.seen == [[old], [FREE, old], [FREE]]
    assert service.lb.is_ready()
    assert {each["params"].get("vpcid") for each in associations(world.simulator)} == {
        vpc_id(world)
    }
    assert set(tiers_of_rules(world)) == {TIER}
    service.lb.delete()
    service.lb.settle(hook)
    assert world.remains()["rules"] == NOTHING["rules"]


def associations(simulator: Simulator) -> list[dict[str, dict[str, str]]]:
    return simulator.control.calls("associateIpAddress")


def test_everything_of_a_project_is_in_its_vpc() -> None:
    with start_simulator("vpc") as simulator:
        world = World(simulator, project="project-1")
        cloud = world.open_cloud()
        hook = make_hook(world, cloud)
        lb = LoadBalancer(world, sourceRanges=["10.0.0.0/8"]).settle(hook)
        assert lb.is_ready(), lb.condition("Ready")
        [address] = world.addresses()
        [rule] = world.rules(lb.name)
        assert (address["project"], rule["project"]) == ("project-1", "project-1")
        assert rule["network"] == world.network("project-tier")
        assert rule["cidrlist"] == ["10.0.0.0/8"]
        lb.delete()
        lb.settle(hook)
        assert lb.is_finalized()
        assert world.remains() == NOTHING
        assert simulator.control.ignored_parameters() == []
        cloud.close()
        world.close()


@pytest.mark.parametrize("thing", ["rule", "port forwarding rule", "tag"])
def test_what_people_add_keeps_the_address_and_nothing_of_ours(
    world: World, hook: LoadBalancersHook, thing: str
) -> None:
    lb = LoadBalancer(world).settle(hook)
    address_id, ip = lb.status["address"]["id"], lb.status["address"]["ip"]
    if thing == "rule":
        create_rule(world, address_id, TIER, 8080)
    elif thing == "tag":
        tag = {"tags[0].key": "team", "tags[0].value": "web"}
        world.human.done(
            "createTags", resourcetype="PublicIpAddress", resourceids=address_id, **tag
        )
    else:
        world.human.done(
            "createPortForwardingRule",
            ipaddressid=address_id,
            protocol="tcp",
            publicport="2222",
            privateport="22",
            virtualmachineid=world.nodes["node-1"]["spec"]["instanceID"],
            networkid=world.network(TIER),
        )
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert "AddressKept" in world.cluster.reasons()
    left = world.remains()
    assert left["addresses"] == [ip]
    assert left["rules"] == (["theirs"] if thing == "rule" else [])
    assert left["tags"] == ([{"team": "web"}] if thing == "tag" else [])
    assert left["items"] == []


def test_a_deletion_finds_everything_though_the_tier_does_not_show_and_waits_for_it(
    world: World,
) -> None:
    cloud = world.open_cloud()
    lb = LoadBalancer(world).settle(make_hook(world, cloud))
    cloud.close()
    tier = world.network(TIER)
    text = f"Invalid parameter id value={tier} due to incorrect long value format, or not exist"
    world.simulator.control.fault("listNetworks", "error", code=431, text=text, times=None)
    lb.delete()
    cloud = world.open_cloud()
    hook = make_hook(world, cloud)
    lb.settle(hook)
    assert world.remains() == NOTHING
    assert lb.reason() == "NetworkNotVisible"
    world.simulator.control.clear_faults()
    lb.wait(hook)
    assert lb.is_finalized()
    cloud.close()
