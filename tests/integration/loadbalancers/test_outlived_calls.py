"""Changes of members whose jobs outlive their call: what the next call knows, and what it reads."""

from collections.abc import Iterator

import pytest

from hooks.cloudstack import Cloud
from hooks.cloudstack.errors import JobRunning
from hooks.loadbalancers.hook import LoadBalancersHook
from tests.integration.loadbalancers.driver import LoadBalancer, World, make_hook, start_simulator
from tests.integration.loadbalancers.test_calls import lists_of_members, members, ports


@pytest.fixture
def world() -> Iterator[World]:
    with start_simulator(job_delay=0.0) as simulator:
        made = World(simulator)
        yield made
        made.close()


@pytest.mark.parametrize("count", [1, 6])
def test_changes_of_members_that_outlive_their_call_cost_no_list_of_members(
    world: World, hook: LoadBalancersHook, count: int
) -> None:
    lb = LoadBalancer(world, ports=ports(count)).settle(hook, seconds=300)
    world.nodes.pop("node-1")
    world.simulator.control.settings(job_delay=1.5)
    assert isinstance(lb.call(hook, seconds=1.0).error, JobRunning)
    world.simulator.control.settings(job_delay=0.0)
    lb.settle(hook, seconds=300)
    assert members(world, lb) == [set(world.nodes)] * count
    assert world.writes()["removeFromLoadBalancerRule"] == count
    assert lists_of_members(world) == 0


def test_a_change_of_members_that_fails_after_its_call_is_looked_at_and_made_again(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    world.nodes.pop("node-1")
    world.simulator.control.settings(job_delay=1.5)
    world.simulator.control.fault("removeFromLoadBalancerRule", "job-failed", text="no router")
    assert isinstance(lb.call(hook, seconds=1.0).error, JobRunning)
    world.simulator.control.settings(job_delay=0.0)
    lb.settle(hook)
    assert members(world, lb) == [set(world.nodes)]
    assert lists_of_members(world) == 1


def test_what_another_replica_changed_after_a_job_outlived_its_call_is_read(
    world: World, hook: LoadBalancersHook, cloud: Cloud
) -> None:
    other = make_hook(world, cloud)
    lb = LoadBalancer(world).settle(hook)
    late = world.nodes.pop("node-1")
    world.simulator.control.settings(job_delay=1.5)
    assert isinstance(lb.call(hook, seconds=1.0).error, JobRunning)
    world.simulator.control.settings(job_delay=0.0)
    world.nodes["node-1"] = late
    lb.settle(other, seconds=300)
    assert members(world, lb) == [set(world.nodes)]
    world.nodes.pop("node-2")
    lb.settle(hook)
    assert members(world, lb) == [set(world.nodes)]
