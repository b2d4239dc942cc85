"""X6: the hooks' clock is another than CloudStack's, and may step at any moment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from tests.hostile.ownership.stage import Died, Tap, hold, holdings, marked, tapped
from tests.integration.loadbalancers.driver import (
    NOTHING,
    LoadBalancer,
    World,
    port,
    start_simulator,
)

MINUTES, HOUR = 600.0, 3600.0
STEPS = [MINUTES, HOUR, -MINUTES, -HOUR]
#: Addresses that somebody allocated by hand, one of them just now, on the Service's network.
BY_HAND = ("198.51.100.150", "198.51.100.151")


@dataclass
class Clocked:
    """A world whose hooks have a clock of their own.

    Attributes:
        ahead: seconds that the hooks' clock is ahead of CloudStack's.
    """

    world: World
    ahead: float = 0.0
    tap: Tap = field(default_factory=Tap)

    def now(self) -> float:
        return self.world.now + self.ahead

    @contextmanager
    def hook(self) -> Iterator[LoadBalancersHook]:
        """Start a process."""
        self.tap = Tap(self.tap.before, self.tap.after)
        with tapped(self.world, self.tap, clock=self.now) as hook:
            yield hook


@pytest.fixture
def clocked() -> Iterator[Clocked]:
    """A world with addresses by hand; they are as they were at the end."""
    with start_simulator() as simulator:
        world = World(simulator)
        simulator.control.settings(job_delay=0.0)
        for ip in BY_HAND:
            hold(world, ip=ip)
        before = holdings(world, *BY_HAND)
        yield Clocked(world)
        assert holdings(world, *BY_HAND) == before
        world.close()


def serve(lb: LoadBalancer, hook: LoadBalancersHook) -> None:
    """Call until the Service is served; check that it has one address, and nobody another."""
    until = lb.world.now + 3 * HOUR
    while not lb.is_ready() and lb.world.now < until:
        lb.call(hook)
        lb.world.advance(max(1.0, min(lb.next_look(), MINUTES)))
    assert lb.is_ready(), lb.condition("Ready")
    check_one_address(lb)


def check_one_address(lb: LoadBalancer) -> None:
    ours = [each["ipaddress"] for each in lb.world.addresses() if each["ipaddress"] not in BY_HAND]
    assert ours == marked(lb.world, lb.service_uid) == [lb.status["address"]["ip"]]


def take_down(lb: LoadBalancer, hook: LoadBalancersHook) -> None:
    """Delete it, and call until it is finalized; check that nothing is left."""
    lb.delete()
    until = lb.world.now + 3 * HOUR
    while not lb.is_finalized() and lb.world.now < until:
        lb.call(hook)
        lb.world.advance(max(1.0, min(lb.next_look(), MINUTES)))
    assert lb.is_finalized(), lb.condition("Ready")
    remains = lb.world.remains()
    assert remains["addresses"] == list(BY_HAND)
    assert {**remains, "addresses": []} == NOTHING


def numbers(clocked: Clocked, work: Callable[[LoadBalancersHook], None]) -> int:
    """Return how many calls of CloudStack some work takes."""
    with clocked.hook() as hook:
        work(hook)
        return clocked.tap.calls


def some(step: float, calls: int) -> range:
    """Return the numbers of the calls to try: all with an hour, each third with ten minutes."""
    return range(int(abs(step) != HOUR), calls, 1 if abs(step) == HOUR else 3)


@pytest.mark.parametrize("late", [False, True], ids=["", "with late statuses"])
@pytest.mark.parametrize("ahead", STEPS)
def test_a_clock_that_differs_leaks_and_doubles_nothing(
    clocked: Clocked, ahead: float, *, late: bool
) -> None:
    clocked.ahead = ahead
    with clocked.hook() as hook:
        lb = LoadBalancer(clocked.world, ports=[port(80), port(443)])
        lb.late = late
        for _ in range(6):
            lb.call(hook)
        lb.late = False
        serve(lb, hook)
        assert len(clocked.world.simulator.control.calls("associateIpAddress")) == 1
        take_down(lb, hook)


@pytest.mark.parametrize("ahead", STEPS)
def test_a_clock_that_differs_and_a_death_after_each_call(clocked: Clocked, ahead: float) -> None:
    clocked.ahead = ahead
    for last in some(ahead, numbers(clocked, lambda hook: run(clocked, "counted", hook))):
        die_and_go_on(clocked, last, 0.0)


def run(clocked: Clocked, name: str, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(clocked.world, name)
    serve(lb, hook)
    take_down(lb, hook)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_before_each_call_of_a_creation_and_a_deletion(
    clocked: Clocked, step: float
) -> None:
    calls = numbers(clocked, lambda hook: run(clocked, "counted", hook))
    assert calls > 10
    for last in some(step, calls + 1):
        clocked.ahead = 0.0

        def move(number: int, _command: str, last: int = last) -> None:
            if number == last:
                clocked.ahead += step

        clocked.tap.before = move
        with clocked.hook() as hook:
            run(clocked, f"step-{last}", hook)


@pytest.mark.parametrize("step", STEPS)
def test_a_death_after_each_call_and_another_clock_at_the_next_start(
    clocked: Clocked, step: float
) -> None:
    for last in some(step, numbers(clocked, lambda hook: run(clocked, "counted", hook))):
        clocked.ahead = 0.0
        die_and_go_on(clocked, last, step)


def die_and_go_on(clocked: Clocked, last: int, step: float) -> None:
    """Let the process die after one call of CloudStack, in the making or in the end."""

    def die(number: int, _command: str) -> None:
        if number == last:
            raise Died

    lb = LoadBalancer(clocked.world, f"dies-{last}")
    clocked.tap.after = die
    try:
        with clocked.hook() as hook:
            serve(lb, hook)
            take_down(lb, hook)
    except Died:
        clocked.tap.after = lambda _number, _command: None
    clocked.ahead += step
    with clocked.hook() as hook:
        if "deletionTimestamp" not in lb.parent["metadata"]:
            serve(lb, hook)
        take_down(lb, hook)


@pytest.mark.parametrize("ahead", STEPS)
def test_when_the_tags_cannot_be_written_the_same_address_is_tried_again(
    clocked: Clocked, ahead: float
) -> None:
    """Our own association is undone, and none is chosen again."""
    clocked.ahead = ahead
    clocked.world.simulator.control.fault("createTags", "error", code=530, times=4)
    with clocked.hook() as hook:
        lb = LoadBalancer(clocked.world)
        serve(lb, hook)
        calls = clocked.world.simulator.control.calls("associateIpAddress")
        assert {call["params"]["ipaddress"] for call in calls} == {lb.status["address"]["ip"]}
        assert clocked.world.writes()["disassociateIpAddress"] == len(calls) - 1 == 4
        take_down(lb, hook)


@pytest.mark.parametrize("ahead", STEPS)
def test_an_address_that_is_allocated_by_hand_while_we_choose_is_never_ours(
    clocked: Clocked, ahead: float
) -> None:
    """The clocks say of it whatever they like: it is not the one that was chosen."""
    clocked.ahead = ahead
    world = clocked.world
    with clocked.hook() as hook:
        lb = LoadBalancer(world)
        lb.call(hook)
        ip = "198.51.100.152"
        assert lb.status["address"]["ip"] != ip
        hold(world, ip=ip)
        lb.settle(hook)
        assert lb.status["address"]["ip"] != ip
        [his] = holdings(world, ip)["addresses"]
        assert his["tags"] == {}
