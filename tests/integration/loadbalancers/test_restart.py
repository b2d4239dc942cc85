"""A process that starts anew leaves what is settled as it is."""

from collections.abc import Callable

import pytest

from hooks.cloudstack import Cloud
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.plan.fingerprint import VERSION, asked_for, digest, fingerprint
from hooks.loadbalancers.request import read
from tests.integration.loadbalancers.driver import LoadBalancer, World, make_hook, port
from tests.integration.loadbalancers.test_takeover import adoption, fork, leave_behind

MANY = 200
Begin = Callable[[World, LoadBalancersHook], LoadBalancer]

MEMBER_LIST = "listLoadBalancerRuleInstances"


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
    lb = LoadBalancer(world, ports=[port(80 + number) for number in range(5)])
    lb.settle(make_hook(world, cloud))
    world.nodes.pop("node-1")
    silent, *others = [rule["id"] for rule in world.rules(lb.name)]
    control = world.simulator.control
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
    assert [each["params"]["id"] for each in control.calls(MEMBER_LIST)] == [silent]
