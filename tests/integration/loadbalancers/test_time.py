"""A lane for each network, four assignments at once, and an answer in time in any case."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest

from hooks.cloudstack import Client, Clocks
from hooks.cloudstack.client import Caller
from hooks.cloudstack.errors import JobRunning
from hooks.cloudstack.models.jobs import Job
from hooks.loadbalancers.actions import perform
from hooks.loadbalancers.context import RunningJobs
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.lanes import LANE_TIMEOUT, NetworkBusy
from hooks.loadbalancers.plan.actions import Associate
from hooks.names import EVENT_REPAIRED
from hooks.webhook.reconcile import CONTINUE_AFTER
from tests.controlplane.polling import PATIENCE
from tests.integration.loadbalancers.contexts import make_context
from tests.integration.loadbalancers.driver import (
    LoadBalancer,
    World,
    make_hook,
    port,
    start_simulator,
)

#: Writes that lock rows of the network.
LOCKING = {
    "associateIpAddress",
    "disassociateIpAddress",
    "createLoadBalancerRule",
    "deleteLoadBalancerRule",
    "createFirewallRule",
    "deleteFirewallRule",
}


class Recorder:
    """Passes calls on and records who made which, and when; `change` may alter them."""

    def __init__(
        self,
        inner: Caller,
        change: Callable[[str, dict[str, object]], None] = lambda _command, _params: None,
    ) -> None:
        self.inner = inner
        self.change = change
        self.calls: list[tuple[int, str, float]] = []
        self._lock = threading.Lock()

    def send(self, command: str, params: Mapping[str, object], seconds: float) -> dict[str, Any]:
        with self._lock:
            self.calls.append((threading.get_ident(), command, time.monotonic()))
        altered = dict(params)
        self.change(command, altered)
        return self.inner.send(command, altered, seconds)


def holding() -> tuple[threading.Event, Callable[[str, dict[str, object]], None]]:
    """Make a change for a Recorder that holds each `associateIpAddress` until the event is set."""
    go_on = threading.Event()

    def hold(command: str, _params: dict[str, object]) -> None:
        if command == "associateIpAddress":
            assert go_on.wait(PATIENCE)

    return go_on, hold


@contextmanager
def recorded(world: World, **how: Any) -> Iterator[tuple[LoadBalancersHook, Recorder]]:
    """Make a hook whose calls of CloudStack are recorded."""
    cloud = world.open_cloud()
    recorder = Recorder(cloud.client._caller, **how)
    cloud.client = Client(recorder, clocks=Clocks(pause=lambda s: time.sleep(s / 10)))
    yield make_hook(world, cloud), recorder
    cloud.close()


def test_writes_of_one_network_never_overlap_however_many_calls_come_at_once() -> None:
    with start_simulator() as simulator:
        simulator.control.settings(job_delay=0.05)
        world = World(simulator)
        balancers = [LoadBalancer(world, f"s{number}", ports=[port(80)]) for number in range(8)]
        with recorded(world) as (hook, _):
            for lb in balancers:
                lb.call(hook)

            def work(lb: LoadBalancer) -> None:
                give_up = time.monotonic() + PATIENCE
                while not lb.is_ready() and time.monotonic() < give_up:
                    lb.call(hook)

            with ThreadPoolExecutor(8) as pool:
                list(pool.map(work, balancers))
        assert all(lb.is_ready() for lb in balancers)
        locking = [call for call in simulator.control.calls() if call["command"] in LOCKING]
        assert len(locking) == 24
        assert all(before["due"] <= after["time"] for before, after in pairwise(locking))
        # Calls take turns: none keeps the network until all of its own is done.
        firsts = [
            index for index, each in enumerate(locking) if each["command"] == "associateIpAddress"
        ]
        assert firsts != list(range(0, 24, 3))
        assert len({lb.status["address"]["ip"] for lb in balancers}) == 8
        world.close()


def test_a_call_does_not_wait_long_for_a_busy_network_and_writes_nothing(world: World) -> None:
    go_on, hold = holding()
    with recorded(world, change=hold) as (hook, recorder):
        first, second = LoadBalancer(world, "first"), LoadBalancer(world, "second")
        first.call(hook)
        second.call(hook)
        holder = threading.Thread(target=lambda: first.call(hook, seconds=PATIENCE))
        holder.start()
        until(lambda: "associateIpAddress" in [command for _, command, _ in recorder.calls])
        answer = second.call(hook)  # returns although the first one still has the network
        assert world.writes() == {}
        go_on.set()
        assert [type(each) for each in answer.actions] == [Associate]  # tried, and not begun
        assert answer.response["resyncAfterSeconds"] == CONTINUE_AFTER  # type: ignore[typeddict-item]
        assert "another call is changing network" in second.condition("Reconciling")["message"]
        holder.join()
        second.settle(hook)
        assert second.is_ready()


def test_a_drift_check_reads_a_busy_network_without_waiting(world: World) -> None:
    go_on, hold = holding()
    with recorded(world, change=hold) as (hook, recorder):
        go_on.set()
        quiet = LoadBalancer(world, "quiet").settle(hook)
        busy = LoadBalancer(world, "busy")
        busy.call(hook)
        go_on.clear()
        holder = threading.Thread(target=lambda: busy.call(hook, seconds=PATIENCE))
        before = len(recorder.calls)
        world.advance(400)
        holder.start()
        until(
            lambda: "associateIpAddress" in [command for _, command, _ in recorder.calls[before:]]
        )
        assert quiet.call(hook).error is None
        go_on.set()
        assert quiet.is_ready()
        holder.join()


@contextmanager
def busy_network(world: World, hook: LoadBalancersHook) -> Iterator[None]:
    """Have another load balancer's call change the network."""
    world.simulator.control.clear_calls()
    world.simulator.control.fault("associateIpAddress", "slow", seconds=LANE_TIMEOUT + 1.0)
    busy = LoadBalancer(world, "busy")
    busy.call(hook)
    holder = threading.Thread(target=lambda: busy.call(hook))
    holder.start()
    until(lambda: bool(world.simulator.control.calls("associateIpAddress")))
    yield
    holder.join()
    world.simulator.control.clear_faults()


def test_drift_found_on_a_busy_network_is_repaired_and_announced_later(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    before = lb.status
    [rule] = world.rules(lb.name)
    world.human.done("deleteLoadBalancerRule", id=rule["id"])
    world.advance(400)
    with busy_network(world, hook):
        assert isinstance(lb.call(hook).error, NetworkBusy)
    assert lb.status == before
    assert world.cluster.reasons() == []
    assert lb.settle(hook).is_ready()
    assert len(world.rules(lb.name)) == 1
    assert world.cluster.reasons() == [EVENT_REPAIRED]


def test_drift_that_takes_more_than_one_call_is_announced_once(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    [rule] = world.rules(lb.name)
    world.human.done("deleteLoadBalancerRule", id=rule["id"])
    world.advance(400)
    world.simulator.control.settings(job_delay=1.5)
    answer = lb.call(hook, seconds=1.0)
    assert isinstance(answer.error, JobRunning)
    assert lb.next_look() == CONTINUE_AFTER, "the job goes on meanwhile"
    world.simulator.control.settings(job_delay=0.005)
    assert lb.settle(hook).is_ready()
    assert len(world.rules(lb.name)) == 1
    assert world.cluster.reasons() == [EVENT_REPAIRED]


def test_assignments_run_four_at_once_and_no_more() -> None:
    with start_simulator() as simulator:
        simulator.control.settings(job_delay=0.25)
        world = World(simulator)
        with recorded(world) as (hook, recorder):
            LoadBalancer(world, ports=[port(80 + number) for number in range(8)]).settle(
                hook, seconds=20
            )
        starts = [when for _, command, when in recorder.calls if command.startswith("assign")]
        running = [sum(start - 0.25 < other <= start for other in starts) for start in starts]
        assert len(starts) == 8
        assert 2 <= max(running) <= 4
        world.close()


def test_a_node_that_joins_many_load_balancers_joins_four_at_once_and_no_more() -> None:
    with start_simulator() as simulator:
        world = World(simulator)
        late = world.nodes.pop("node-1")
        balancers = [LoadBalancer(world, f"s{number}") for number in range(8)]
        with recorded(world) as (hook, recorder):
            for lb in balancers:
                lb.settle(hook)
            simulator.control.settings(job_delay=0.25)
            recorder.calls.clear()
            world.nodes["node-1"] = late

            def join(lb: LoadBalancer) -> None:
                give_up = time.monotonic() + PATIENCE
                while not lb.is_ready() or lb.status["memberSummary"] != "5/5":
                    assert time.monotonic() < give_up
                    lb.call(hook)

            with ThreadPoolExecutor(8) as pool:
                list(pool.map(join, balancers))
        starts = [when for _, command, when in recorder.calls if command.startswith("assign")]
        running = [sum(start - 0.25 < other <= start for other in starts) for start in starts]
        assert len(starts) == 8
        assert 2 <= max(running) <= 4
        assert not LOCKING & {command for _, command, _ in recorder.calls}
        world.close()


def test_a_call_that_runs_out_of_time_answers_and_the_next_one_asks_nothing_twice() -> None:
    with start_simulator() as simulator:
        world = World(simulator)
        with recorded(world) as (hook, _):
            lb = LoadBalancer(world, ports=[port(80 + number) for number in range(6)])
            lb.call(hook)
            simulator.control.settings(job_delay=0.6)
            for _ in range(100):
                before = world.writes().get("createLoadBalancerRule", 0)
                lb.call(hook, seconds=1.5)
                made = world.writes().get("createLoadBalancerRule", 0) - before
                assert made <= 3  # each takes 0.6 s
                if lb.is_ready():
                    break
                assert lb.condition("Reconciling")["status"] == "True"
                assert lb.condition("Ready")["status"] == "False"
            assert lb.is_ready()
            writes = world.writes()
            del writes["createTags"]
            calls = simulator.control.calls("createTags")
            tagged = ",".join(each["params"]["resourceids"] for each in calls).split(",")
            assert len(tagged) == len(set(tagged)) == 1 + 6 + 1
            assert writes == {
                "associateIpAddress": 1,
                "createLoadBalancerRule": 6,
                "assignToLoadBalancerRule": 6,
                "createFirewallRule": 1,
            }
            lb.delete()
            for _ in range(100):
                lb.call(hook, seconds=1.5)
                if lb.is_finalized():
                    break
            assert lb.is_finalized()
            assert world.writes()["disassociateIpAddress"] == 1
        world.close()


def test_the_next_call_waits_for_the_address_even_if_its_tags_took_too_long(world: World) -> None:
    cloud, jobs = world.open_cloud(), RunningJobs()
    context = make_context(world, cloud, seconds=0.5, jobs=jobs)
    world.simulator.control.fault("createTags", "job-never-ends")
    with pytest.raises(JobRunning):
        perform(Associate("", world.network("net-1"), (("a", "b"),)), context)
    waited_for: list[Job] = []
    jobs.wait("u-1", lambda job, _: waited_for.append(job), context.deadline, now=world.monotonic())
    assert [job.command for job in waited_for] == ["createTags", "associateIpAddress"]
    cloud.close()


def test_an_action_that_cloudstack_accepts_without_effect_is_not_repeated_for_ever(
    world: World,
) -> None:
    def forget(command: str, params: dict[str, object]) -> None:
        if command == "updateLoadBalancerRule":
            params["algorithm"] = "roundrobin"

    with recorded(world, change=forget) as (hook, _):
        lb = LoadBalancer(world).settle(hook)
        lb.change(algorithm="source")
        lb.settle(hook)
        assert "it has no effect" in lb.condition("Ready")["message"]
        assert lb.condition("Stalled")["status"] == "True"
        world.simulator.control.clear_calls()
        for _ in range(10):
            world.advance(1)
            lb.call(hook)
        assert world.writes() == {}


def test_what_comes_on_an_address_while_its_release_waits_keeps_it(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    address = lb.status["address"]
    with busy_network(world, hook):
        lb.delete()
        waiting = threading.Thread(target=lambda: lb.call(hook))
        waiting.start()
        time.sleep(0.2)
        world.human.done(
            "createLoadBalancerRule",
            name="mine",
            algorithm="roundrobin",
            publicport=8080,
            privateport=8080,
            publicipid=address["id"],
        )
    waiting.join()
    for _ in range(3):
        world.advance(5)
        if not lb.is_finalized():
            lb.call(hook)
    assert [rule["name"] for rule in world.rules() if rule["addressid"] == address["id"]] == [
        "mine"
    ]


def until(reached: Callable[[], bool], *, seconds: float = PATIENCE) -> None:
    give_up = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < give_up, "it never came"
        time.sleep(0.01)
