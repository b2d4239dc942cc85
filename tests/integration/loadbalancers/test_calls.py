"""How often CloudStack is called, and what a memory that is wrong leads to."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from hooks.cloudstack import Cloud
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.memory import ANSWER_SECONDS
from hooks.loadbalancers.plan.change import SERVES_ON, SHOWN_TOGETHER
from tests.integration.loadbalancers.driver import (
    DAY,
    LoadBalancer,
    World,
    make_hook,
    port,
    start_simulator,
)

MEMBERS = "listLoadBalancerRuleInstances"
POLL = "queryAsyncJobResult"


@pytest.fixture
def world() -> Iterator[World]:
    """A world whose jobs have ended when they are first asked about: so calls can be counted."""
    with start_simulator(job_delay=0.0) as simulator:
        made = World(simulator)
        yield made
        made.close()


def reads(world: World) -> int:
    return sum(
        count
        for command, count in world.simulator.control.counts().items()
        if command.startswith("list")
    )


def polls(world: World) -> int:
    return world.simulator.control.counts().get(POLL, 0)


def lists_of_members(world: World) -> int:
    return world.simulator.control.counts().get(MEMBERS, 0)


def members(world: World, lb: LoadBalancer) -> list[set[str]]:
    return [set(rule["members"]) for rule in world.rules(lb.name)]


def settle(hook: LoadBalancersHook, lb: LoadBalancer) -> None:
    lb.settle(hook, seconds=300)


def ports(count: int) -> list[dict[str, object]]:
    return [port(80 + number) for number in range(count)]


@pytest.mark.parametrize("count", [1, 3, 10])
def test_what_a_load_balancer_with_so_many_ports_costs(
    world: World, hook: LoadBalancersHook, count: int
) -> None:
    LoadBalancer(world, "first").settle(hook)
    world.simulator.control.clear_calls()
    lb = LoadBalancer(world, ports=ports(count)).settle(hook, seconds=300)
    assert lb.is_ready()
    assert sum(world.writes().values()) == 4 + 2 * count + 1
    assert reads(world) == 8
    assert polls(world) == 2 + 2 * count
    assert lists_of_members(world) == 0


@pytest.mark.parametrize("count", [1, 10])
def test_what_the_end_of_a_load_balancer_with_so_many_ports_costs(
    world: World, hook: LoadBalancersHook, count: int
) -> None:
    """Its address is listed by number and by tags before and after, by its id with the lease."""
    lb = LoadBalancer(world, ports=ports(count)).settle(hook, seconds=300)
    world.simulator.control.clear_calls()
    lb.delete()
    lb.settle(hook)
    counts = world.simulator.control.counts()
    assert counts.pop(POLL) == 2
    assert counts == {
        "createTags": 1,
        "disassociateIpAddress": 1,
        "deleteTags": 1,
        "listPublicIpAddresses": 5,
        "listLoadBalancerRules": 2,
        "listFirewallRules": 2,
        "listPortForwardingRules": 2,
    }


def test_tags_that_do_not_show_in_time_are_asked_about_and_written_once(
    world: World, hook: LoadBalancersHook
) -> None:
    world.simulator.control.settings(job_delay=1.0)
    lb = LoadBalancer(world, ports=ports(2)).settle(hook, seconds=30)
    assert lb.is_ready()
    tagged = world.simulator.control.calls("createTags")
    assert len(tagged) == 3
    asked = {call["params"]["jobid"] for call in world.simulator.control.calls(POLL)}
    assert {call["job"] for call in tagged} <= asked


@pytest.mark.parametrize("kind", ["LoadBalancer", "FirewallRule"])
def test_tags_that_are_refused_later_are_told_of_and_written_again(
    world: World, hook: LoadBalancersHook, kind: str
) -> None:
    world.simulator.control.fault(
        "createTags", "job-failed", text="no more tags", when={"resourcetype": kind}
    )
    lb = LoadBalancer(world).settle(hook)
    assert not lb.is_ready()
    assert "no more tags" in lb.condition("Ready")["message"]
    lb.wait(hook)
    assert lb.is_ready()
    assert all(each["tags"] for each in world.state()["firewallrules"] + world.rules())


@pytest.mark.parametrize("count", [1, 3, 10])
def test_a_node_that_leaves_or_joins_costs_no_list_of_members_however_many_rules(
    world: World, hook: LoadBalancersHook, count: int
) -> None:
    lb = LoadBalancer(world, ports=ports(count)).settle(hook, seconds=300)
    world.simulator.control.clear_calls()
    node = world.nodes.pop("node-1")
    lb.settle(hook, seconds=300)
    assert world.writes() == {"removeFromLoadBalancerRule": count}
    assert members(world, lb) == [set(world.nodes)] * count
    world.nodes["node-1"] = node
    lb.settle(hook, seconds=300)
    assert world.writes()["assignToLoadBalancerRule"] == count
    assert members(world, lb) == [set(world.nodes)] * count
    assert lists_of_members(world) == 0
    assert reads(world) == 10


def test_a_member_that_somebody_added_meanwhile_costs_a_refusal_and_a_look(
    world: World, hook: LoadBalancersHook
) -> None:
    node = world.nodes.pop("node-1")
    lb = LoadBalancer(world).settle(hook)
    [rule] = world.rules(lb.name)
    world.human.done(
        "assignToLoadBalancerRule",
        id=rule["id"],
        virtualmachineids=node["spec"]["instanceID"],
    )
    world.simulator.control.clear_calls()
    world.nodes["node-1"] = node
    lb.call(hook)
    assert lb.is_ready()
    assert members(world, lb) == [set(world.nodes)]
    assert world.writes() == {"assignToLoadBalancerRule": 1}
    assert lists_of_members(world) == 1


def test_a_member_that_somebody_removed_meanwhile_is_back_after_the_next_check(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    [rule] = world.rules(lb.name)
    gone = world.nodes["node-1"]["spec"]["instanceID"]
    world.human.done("removeFromLoadBalancerRule", id=rule["id"], virtualmachineids=gone)
    world.nodes.pop("node-2")
    lb.settle(hook)
    lb.wait(hook)
    assert members(world, lb) == [set(world.nodes)]


def test_members_whose_turn_it_is_not_are_read_later_and_everything_else_at_every_check(
    world: World, cloud: Cloud
) -> None:
    hook = make_hook(world, cloud, drift_share=1e-6)
    lb = LoadBalancer(world).settle(hook)
    lb.wait(hook)
    [rule] = world.rules(lb.name)
    gone = world.nodes["node-1"]["spec"]["instanceID"]
    world.human.done("removeFromLoadBalancerRule", id=rule["id"], virtualmachineids=gone)
    world.human.done("deleteFirewallRule", id=world.state()["firewallrules"][0]["id"])
    world.simulator.control.clear_calls()
    lb.wait(hook)
    assert lists_of_members(world) == 0
    assert len(world.firewall()) == 1
    assert members(world, lb) == [set(world.nodes) - {"node-1"}]
    world.advance(DAY / 2)
    lb.settle(hook)
    assert members(world, lb) == [set(world.nodes)]


def test_a_rule_that_lost_all_its_members_has_them_again_at_the_next_check(
    world: World, cloud: Cloud
) -> None:
    hook = make_hook(world, cloud, drift_share=1e-6)
    lb = LoadBalancer(world).settle(hook)
    lb.wait(hook)
    [rule] = world.rules(lb.name)
    everyone = [each["spec"]["instanceID"] for each in world.nodes.values()]
    world.human.done(
        "removeFromLoadBalancerRule", id=rule["id"], virtualmachineids=",".join(everyone)
    )
    lb.wait(hook)
    assert members(world, lb) == [set(world.nodes)]


def test_what_another_replica_did_is_read(
    world: World, hook: LoadBalancersHook, cloud: Cloud
) -> None:
    other = make_hook(world, cloud)
    lb = LoadBalancer(world).settle(hook)
    late = world.nodes.pop("node-1")
    lb.settle(other)
    world.nodes["node-1"] = late
    world.nodes.pop("node-2")
    lb.settle(other)
    world.nodes.pop("node-3")
    lb.settle(hook)
    assert members(world, lb) == [set(world.nodes)]


def test_a_rule_that_somebody_deleted_meanwhile_is_made_again_with_its_members(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=ports(2)).settle(hook)
    world.human.done("deleteLoadBalancerRule", id=world.rules(lb.name)[0]["id"])
    world.nodes.pop("node-1")
    lb.settle(hook)
    assert members(world, lb) == [set(world.nodes)] * 2


def test_a_call_that_worked_reads_rules_and_firewall_once_at_its_end(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world)
    lb.call(hook)
    lb.call(hook)
    assert lb.is_ready()
    counts = world.simulator.control.counts()
    assert counts["listLoadBalancerRules"] == counts["listFirewallRules"] == 1


def test_services_that_choose_at_the_same_time_choose_different_addresses(
    world: World, hook: LoadBalancersHook
) -> None:
    balancers = [LoadBalancer(world, f"s{number}") for number in range(40)]
    for lb in balancers:
        lb.call(hook)
    assert len({lb.status["address"]["ip"] for lb in balancers}) == 40
    free = world.simulator.control.calls("listPublicIpAddresses")
    assert all(
        int(call["params"]["pagesize"]) == 10
        for call in free
        if call["params"].get("state") == "Free"
    )


def test_a_choice_that_metacontroller_does_not_show_yet_is_made_again_without_a_read(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world)
    lb.call(hook)
    chosen = lb.status["address"]["ip"]
    lb.parent.pop("status")
    world.simulator.control.clear_calls()
    lb.call(hook)
    assert lb.status["address"]["ip"] == chosen
    asked = world.simulator.control.calls("listPublicIpAddresses")
    assert [call for call in asked if call["params"].get("state") == "Free"] == []


def test_a_status_that_metacontroller_does_not_show_yet_costs_nothing(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world)
    lb.call(hook)
    shown = lb.status
    lb.call(hook)
    answered = lb.status
    assert lb.is_ready()
    world.simulator.control.clear_calls()
    lb.parent["status"] = shown
    lb.call(hook)
    assert lb.status == answered
    assert world.simulator.control.counts() == {}
    lb.parent["status"] = shown
    world.advance(ANSWER_SECONDS)
    lb.call(hook)
    assert lb.is_ready()
    assert reads(world) > 0, "it may be somebody else's by now"


def test_a_status_that_is_not_shown_yet_hides_no_change(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world)
    lb.call(hook)
    shown = lb.status
    lb.call(hook)
    lb.parent["status"] = shown
    lb.change(ports=ports(2))
    lb.call(hook)
    assert len(world.rules(lb.name)) == 2


def test_calls_do_not_grow_with_the_number_of_members() -> None:
    """A call more or less comes from polls, which are not counted."""
    counted = []
    for vms in (5, 100, 300):
        with start_simulator("large", job_delay=0.0, vms=vms) as simulator:
            world = World(simulator)
            cloud = world.open_cloud()
            hook = make_hook(world, cloud)
            lb = LoadBalancer(world, ports=ports(3)).settle(hook, seconds=300)
            world.nodes.pop("node-00001")
            lb.settle(hook, seconds=300)
            assert members(world, lb) == [set(world.nodes)] * 3
            counts = simulator.control.counts()
            counts.pop("queryAsyncJobResult")
            counted.append(counts)
            cloud.close()
            world.close()
    assert counted[0] == counted[1] == counted[2]
    assert MEMBERS not in counted[0]


def test_calls_of_a_load_balancer_do_not_grow_with_the_number_that_are_made_at_once() -> None:
    each = []
    for many in (1, 10, 40, 100):
        with start_simulator("large", job_delay=0.0, vms=5) as simulator:
            world = World(simulator)
            cloud = world.open_cloud()
            hook = make_hook(world, cloud)
            LoadBalancer(world, "first").settle(hook)
            simulator.control.clear_calls()
            balancers = [LoadBalancer(world, f"s{number}") for number in range(many)]
            with ThreadPoolExecutor(10) as pool:
                list(pool.map(partial(settle, hook), balancers))
            assert all(lb.is_ready() for lb in balancers)
            assert sum(world.writes().values()) == 7 * many
            each.append(reads(world) / many)
            cloud.close()
            world.close()
    assert max(each) <= 8.5


def test_what_a_change_of_address_costs(world: World, hook: LoadBalancersHook) -> None:
    """The new address costs what a first one does, and the end of the old one a lease more."""
    lb = LoadBalancer(world).settle(hook)
    world.simulator.control.clear_calls()
    lb.change(address="198.51.100.77")
    lb.settle(hook)
    assert world.writes() == {
        "associateIpAddress": 1,
        "createTags": 3,
        "createLoadBalancerRule": 1,
        "assignToLoadBalancerRule": 1,
        "createFirewallRule": 1,
    }
    for seconds in (SHOWN_TOGETHER, SERVES_ON):
        world.simulator.control.clear_calls()
        world.advance(seconds + 1)
        lb.settle(hook)
    assert "addressChange" not in lb.status
    assert world.writes() == {"createTags": 1, "disassociateIpAddress": 1, "deleteTags": 1}
    [call] = world.simulator.control.calls("deleteTags")
    assert call["params"]["resourcetype"] == "LoadBalancer", "tags of rules outlive their rules"
    world.simulator.control.clear_calls()
    lb.wait(hook)
    counts = world.simulator.control.counts()
    assert counts["listPublicIpAddresses"] == 1, "as before the change"
    assert "listPortForwardingRules" not in counts
