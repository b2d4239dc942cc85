"""A clock that is set stops no drift checks, also if it was wrong when the last one was made."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hooks.cloudstack import Cloud
from hooks.kube.times import timestamp
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.plan.publication import PUBLISH_AFTER
from tests.integration.loadbalancers.driver import LoadBalancer, World, make_hook

HOUR, YEAR = 3600.0, 365 * 86400.0
STEPS = [HOUR, -HOUR, YEAR, -YEAR]
#: The longest time between two drift checks.
RESYNC = 330.0


class Stepping:
    """A world whose hook has a clock of its own, ahead of CloudStack's by so many seconds."""

    def __init__(self, world: World, cloud: Cloud) -> None:
        self.world = world
        self.ahead = 0.0
        self.hook = make_hook(world, cloud, clock=self)

    def __call__(self) -> float:
        return self.world.now + self.ahead


@pytest.fixture
def stepping(world: World, cloud: Cloud) -> Stepping:
    return Stepping(world, cloud)


def repaired_after(lb: LoadBalancer, hook: LoadBalancersHook) -> float:
    """Delete the rule; return the seconds until it is there again."""
    world = lb.world
    world.human.done("deleteLoadBalancerRule", id=world.rules()[0]["id"])
    started = world.now
    while not (world.rules() and lb.is_ready()):
        lb.call(hook)
        world.advance(min(lb.next_look(), 30.0))
        assert world.now < started + 2 * RESYNC, lb.status
    return world.now - started


@pytest.mark.parametrize("step", STEPS)
def test_drift_is_found_in_time_after_a_step(stepping: Stepping, step: float) -> None:
    lb = LoadBalancer(stepping.world).settle(stepping.hook)
    stepping.ahead = step
    assert repaired_after(lb, stepping.hook) <= RESYNC + 60
    assert lb.next_look() <= RESYNC


@pytest.mark.parametrize("ahead", [HOUR, YEAR])
def test_a_check_that_was_made_under_a_wrong_clock_is_made_again(
    stepping: Stepping, cloud: Cloud, ahead: float
) -> None:
    stepping.ahead = ahead
    lb = LoadBalancer(stepping.world).settle(stepping.hook)
    restarted = make_hook(stepping.world, cloud)
    before = timestamp(stepping.world.now)
    lb.call(restarted)
    assert lb.is_ready()
    assert before <= lb.status["lastCheckTime"] <= timestamp(stepping.world.now)
    assert lb.next_look() <= RESYNC


@pytest.mark.parametrize("ahead", [2 * HOUR, YEAR])
def test_a_next_check_far_ahead_is_not_waited_for(stepping: Stepping, ahead: float) -> None:
    lb = LoadBalancer(stepping.world).settle(stepping.hook)
    lb.parent["status"]["nextCheckTime"] = timestamp(stepping() + ahead)
    assert repaired_after(lb, stepping.hook) <= RESYNC + 60


def test_a_check_that_is_due_within_an_hour_is_waited_for(stepping: Stepping) -> None:
    lb = LoadBalancer(stepping.world).settle(stepping.hook)
    lb.parent["status"]["nextCheckTime"] = timestamp(stepping() + HOUR)
    stepping.world.simulator.control.clear_calls()
    lb.call(stepping.hook)
    assert stepping.world.simulator.control.counts() == {}


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
def test_replicas_whose_clocks_differ_do_not_check_in_turns_without_end(
    stepping: Stepping, cloud: Cloud, ahead: float
) -> None:
    world = stepping.world
    stepping.ahead = ahead
    replicas = stepping.hook, make_hook(world, cloud)
    lb = LoadBalancer(world).settle(*replicas)
    for _ in range(4):  # each may still take the other's check for one that is due
        for hook in replicas:
            lb.call(hook)
    world.simulator.control.clear_calls()
    for _ in range(10):
        for hook in replicas:
            lb.call(hook)
    assert world.simulator.control.counts() == {}
    world.advance(RESYNC + 1)
    for hook in replicas:
        lb.call(hook)
    assert world.simulator.control.counts() != {}


@contextmanager
def without_nodes(world: World) -> Iterator[None]:
    """Take the nodes out of service: no member can be assigned."""
    nodes = world.nodes
    world.nodes = {
        name: {**node, "observed": {**node["observed"], "servesLoadBalancers": False}}
        for name, node in nodes.items()
    }
    yield
    world.nodes = nodes


@pytest.mark.parametrize("ahead", [HOUR, YEAR])
def test_rules_of_the_future_keep_an_address_back_for_one_more_wait(
    stepping: Stepping, ahead: float
) -> None:
    world = stepping.world
    with without_nodes(world):
        stepping.ahead = ahead
        lb = LoadBalancer(world)
        while "rulesSince" not in lb.status:
            lb.call(stepping.hook)
        assert not lb.is_published()
        stepping.ahead = 0.0
        started = world.now
        while not lb.is_published():
            lb.call(stepping.hook)
            world.advance(min(lb.next_look(), 5.0))
            assert world.now < started + 2 * PUBLISH_AFTER + 10


@pytest.mark.parametrize("step", STEPS)
def test_a_step_ends_no_wait_for_a_running_job(stepping: Stepping, step: float) -> None:
    world = stepping.world
    lb = LoadBalancer(world)
    lb.call(stepping.hook)
    world.simulator.control.settings(job_delay=15.0)
    lb.call(stepping.hook, seconds=1.0)
    assert world.writes()["associateIpAddress"] == 1
    stepping.ahead = step
    world.simulator.control.clear_calls()
    lb.call(stepping.hook, seconds=1.0)
    counts = world.simulator.control.counts()
    assert set(counts) == {"queryAsyncJobResult"}
