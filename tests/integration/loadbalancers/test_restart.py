"""A process that starts again leaves what is settled as it is."""

from collections.abc import Callable

import pytest

from hooks.cloudstack import Cloud
from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.plan.fingerprint import VERSION, asked_for, digest, fingerprint
from hooks.loadbalancers.request import read
from tests.integration.loadbalancers.driver import LoadBalancer, World, make_hook, port
from tests.integration.loadbalancers.test_takeover import adoption, fork, leave_behind

MANY = 200
Begin = Callable[[World, LoadBalancersHook], LoadBalancer]

MEMBER_LIST = "listLoadBalancerRuleInstances"


def ports(count: int) -> list[Json]:
    return [port(80 + number) for number in range(count)]


def lists(world: World) -> int:
    return world.simulator.control.counts().get(MEMBER_LIST, 0)


def are_all_members(world: World, *balancers: LoadBalancer) -> bool:
    """Tell whether every rule has all nodes, and nobody else."""
    rules = [rule for lb in balancers for rule in world.rules(lb.name)]
    return bool(rules) and all(set(rule["members"]) == set(world.nodes) for rule in rules)


def made(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    return LoadBalancer(world, "first").settle(hook)


def taken_over(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    lb = LoadBalancer(world, "first", ports=[port(80), port(443)])
    leave_behind(world, lb, fork)
    lb.change(adopt=adoption(lb))
    return lb.settle(hook).wait(hook)


@pytest.mark.parametrize("begin", [made, taken_over])
def test_a_new_process_asks_cloudstack_nothing_about_200_that_are_settled(
    world: World, hook: LoadBalancersHook, cloud: Cloud, begin: Begin
) -> None:
    first = begin(world, hook)
    others = [
        LoadBalancer(world, f"s{n}", ports=first.parent["spec"]["ports"]) for n in range(MANY)
    ]
    for lb in others:
        lb.parent["status"] = {
            **first.status,
            "checkedFor": fingerprint(read(lb.request())),
            "observedGeneration": lb.parent["metadata"]["generation"],
        }
    world.simulator.control.clear_calls()
    restarted = make_hook(world, cloud)
    for lb in (first, *others):
        before = lb.status
        lb.call(restarted)
        assert lb.status == before
    assert world.simulator.control.counts() == {}


@pytest.mark.parametrize("version", [VERSION, VERSION - 1], ids=["the same", "another version"])
def test_a_new_process_checks_each_when_it_is_due_and_reads_members_by_their_share(
    world: World, hook: LoadBalancersHook, cloud: Cloud, version: int
) -> None:
    """Else an upgrade would have the members of all listed at once."""
    balancers = [LoadBalancer(world, f"s{number}").settle(hook) for number in range(10)]
    for lb in balancers:
        lb.parent["status"]["checkedFor"] = digest(asked_for(read(lb.request())), version)
    control = world.simulator.control
    control.clear_calls()
    restarted = make_hook(world, cloud, drift_share=1e-6)
    for lb in balancers:
        lb.call(restarted)
    assert control.counts() == {}
    world.advance(400)
    for lb in balancers:
        lb.settle(restarted)
        assert lb.status["checkedFor"] == fingerprint(read(lb.request()))
    assert control.counts()["listLoadBalancerRules"] == len(balancers)
    assert control.counts()[MEMBER_LIST] == 1
    assert world.writes() == {}
    assert world.cluster.events == []
    world.nodes.pop("node-1")
    control.clear_calls()
    for lb in balancers:
        lb.settle(restarted)
    assert MEMBER_LIST not in control.counts()
    assert all(set(rule["members"]) == set(world.nodes) for rule in world.rules())


def test_a_call_that_read_some_members_is_followed_by_one_that_reads_the_others(
    world: World, cloud: Cloud
) -> None:
    """The status tells nothing here, as after a call that ended in the middle of its work.

    A list ends the call where the rule has no mark: its members may tell whose it is.
    """
    lb = LoadBalancer(world, ports=ports(5))
    lb.settle(make_hook(world, cloud))
    lb.parent["status"].pop("checkedFor")
    world.nodes.pop("node-1")
    *others, silent = [rule["id"] for rule in world.rules(lb.name)]
    control = world.simulator.control
    world.human.done("deleteTags", resourceids=silent, resourcetype="LoadBalancer")
    control.fault(MEMBER_LIST, "html", when={"id": silent}, times=100)
    control.clear_calls()
    hook = make_hook(world, cloud)
    lb.call(hook)
    assert lb.reason() == "CloudStackUnreachable"
    assert {each["params"]["id"] for each in control.calls(MEMBER_LIST)} == {silent, *others}
    control.clear_faults()
    control.clear_calls()
    lb.wait(hook)
    assert lb.is_ready()
    assert {each["params"]["id"] for each in control.calls(MEMBER_LIST)} == {silent}


@pytest.mark.parametrize("moves", ["leaves", "joins"])
def test_a_new_process_in_the_middle_of_a_wave_lists_the_members_of_one_rule_for_all(
    world: World, hook: LoadBalancersHook, cloud: Cloud, moves: str
) -> None:
    """Whoever they are, the fingerprints of the others say that they have the same."""
    joining = world.nodes.pop("node-1")
    balancers = [LoadBalancer(world, f"s{n}", ports=ports(3)).settle(hook) for n in range(8)]
    if moves == "leaves":
        world.nodes.pop("node-2")
    else:
        world.nodes["node-1"] = joining
    world.simulator.control.clear_calls()
    restarted = make_hook(world, cloud)
    for lb in balancers:
        lb.settle(restarted)
    assert lists(world) == 1
    assert sum(world.writes().values()) == len(balancers) * 3
    assert are_all_members(world, *balancers)
    world.nodes.pop("node-3")
    for lb in balancers:
        lb.settle(restarted)
    assert lists(world) == 1
    assert are_all_members(world, *balancers)


def test_replicas_that_take_turns_in_a_wave_list_one_rule_a_turn_at_most(
    world: World, hook: LoadBalancersHook, cloud: Cloud
) -> None:
    lb = LoadBalancer(world, ports=ports(5)).settle(hook)
    hooks = [make_hook(world, cloud), hook]
    world.simulator.control.clear_calls()
    turns, nodes = 6, dict(world.nodes)
    for turn in range(turns):
        first, *others = sorted(nodes)
        world.nodes.clear()
        world.nodes.update({name: nodes[name] for name in ([first] if turn % 2 else others)})
        world.advance(2)
        lb.settle(hooks[turn % 2])
        assert are_all_members(world, lb)
    assert lists(world) <= turns


def test_members_that_the_status_does_not_tell_are_listed_for_each_load_balancer_by_one_rule(
    world: World, hook: LoadBalancersHook, cloud: Cloud
) -> None:
    """Each has endpoints on other nodes, which all move while no process runs."""
    names = sorted(world.nodes)
    where = [names[n : n + 2] for n in range(3)]
    balancers = []
    for number, nodes in enumerate(where):
        world.place(*nodes)
        lb = LoadBalancer(world, f"s{number}", ports=ports(4), externalTrafficPolicy="Local")
        balancers.append(lb.settle(hook))
    restarted = make_hook(world, cloud)
    world.simulator.control.clear_calls()
    for lb, nodes in zip(balancers, where, strict=True):
        world.place(*nodes[1:], names[4])
        lb.settle(restarted)
        assert [set(rule["members"]) for rule in world.rules(lb.name)] == [{nodes[1], names[4]}] * 4
    assert lists(world) <= len(balancers)


def test_a_rule_that_somebody_changed_is_not_taken_for_the_others(
    world: World, hook: LoadBalancersHook, cloud: Cloud
) -> None:
    lb = LoadBalancer(world, ports=ports(3)).settle(hook)
    changed = lb.status["rules"][0]["id"]
    gone = world.nodes["node-1"]["spec"]["instanceID"]
    world.human.done("removeFromLoadBalancerRule", id=changed, virtualmachineids=gone)
    world.nodes.pop("node-2")
    restarted = make_hook(world, cloud)
    world.simulator.control.clear_calls()
    lb.settle(restarted)
    assert lb.is_ready()
    assert are_all_members(world, lb)
    assert lists(world) == 3
    assert world.writes() == {"assignToLoadBalancerRule": 1, "removeFromLoadBalancerRule": 3}


def test_a_call_that_died_while_it_changed_members_is_finished_by_another_process(
    world: World, hook: LoadBalancersHook, cloud: Cloud
) -> None:
    """Its status is as before: some rules have the members that were wanted then, others not."""
    world.place("node-1", "node-2")
    lb = LoadBalancer(world, ports=ports(3), externalTrafficPolicy="Local").settle(hook)
    before = lb.status
    joining, leaving = (world.nodes[name]["spec"]["instanceID"] for name in ("node-3", "node-1"))
    world.place("node-2", "node-3")
    first = lb.status["rules"][0]["id"]
    world.human.done("assignToLoadBalancerRule", id=first, virtualmachineids=joining)
    world.human.done("removeFromLoadBalancerRule", id=first, virtualmachineids=leaving)
    assert lb.status == before
    lb.settle(make_hook(world, cloud, drift_share=1e-6))
    assert lb.is_ready()
    assert [set(rule["members"]) for rule in world.rules(lb.name)] == [{"node-2", "node-3"}] * 3


@pytest.mark.parametrize("moves", ["leaves", "joins"])
def test_a_node_that_moved_in_an_outage_moves_after_it_whatever_process_answers_then(
    world: World, hook: LoadBalancersHook, cloud: Cloud, moves: str
) -> None:
    """A check that failed keeps the conditions of the one before, and is of another request."""
    joining = world.nodes.pop("node-1")
    balancers = [LoadBalancer(world, f"s{n}", ports=ports(2)).settle(hook) for n in range(3)]
    if moves == "leaves":
        world.nodes.pop("node-2")
    else:
        world.nodes["node-1"] = joining
    world.simulator.control.fault("*", "html", times=None)
    for lb in balancers:
        lb.call(hook)
        assert lb.reason() == "CloudStackUnreachable"
    world.simulator.control.clear_faults()
    restarted = make_hook(world, cloud, drift_share=1e-6)
    for lb in balancers:
        lb.wait(restarted)
    assert are_all_members(world, *balancers)


def test_members_that_were_to_be_removed_in_an_outage_are_removed_by_another_process(
    world: World, hook: LoadBalancersHook, cloud: Cloud
) -> None:
    balancers = [LoadBalancer(world, f"s{n}", ports=ports(2)).settle(hook) for n in range(3)]
    world.nodes.pop("node-1")
    world.simulator.control.fault("removeFromLoadBalancerRule", "html", times=None)
    for lb in balancers:
        lb.call(hook)
    assert not any(lb.is_ready() for lb in balancers)
    world.simulator.control.clear_faults()
    restarted = make_hook(world, cloud, drift_share=1e-6)
    for lb in balancers:
        lb.wait(restarted)
    assert are_all_members(world, *balancers)
