"""A clock that is set, in the middle of anything, deletes no node and keeps none for good."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from hooks.kube.times import timestamp
from simulator.server import Simulator
from tests.integration.nodes.clocks import ProcessClocks
from tests.integration.nodes.fleets import Fleet

HOUR = 3600.0
GRACE, HOLD = 60.0, 600.0
#: Seconds between two calls for each node: each finds a new snapshot.
ROUND = 20.0
NODES = [f"node-{number:05}" for number in range(1, 11)]


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(world="large", vms=len(NODES)) as running:
        yield running


@contextmanager
def process(
    simulator: Simulator, fleet: Fleet, clocks: ProcessClocks
) -> Iterator[Callable[[], None]]:
    """Start a process; yield what makes one round of calls."""
    with clocks.cloud(simulator) as cloud:
        hook = fleet.hook(cloud, clocks)

        def calls() -> None:
            fleet.call(hook)
            clocks.advance(ROUND)

        yield calls


def test_an_hour_ahead_passes_no_guard_and_the_process_itself_must_see_ten_minutes_pass(
    simulator: Simulator,
) -> None:
    fleet, clocks = Fleet(simulator, missing=8), ProcessClocks()
    with process(simulator, fleet, clocks) as calls:
        for _ in range(6):
            calls()
        clocks.step(HOUR)
        for _ in range(6):
            calls()
        assert fleet.deleted == []
        while clocks.monotonic() < 1000 + HOLD:
            calls()
        assert fleet.deleted == []
        calls()
        assert fleet.deleted == NODES[2:]


@pytest.mark.parametrize("step", [HOUR, -HOUR])
@pytest.mark.parametrize("before", range(4))
def test_a_step_costs_a_missing_vms_node_no_grace_and_keeps_it_no_longer(
    simulator: Simulator, step: float, before: int
) -> None:
    fleet, clocks = Fleet(simulator, missing=1), ProcessClocks()
    with process(simulator, fleet, clocks) as calls:
        for number in range(3):
            if number == before:
                clocks.step(step)
            calls()
            assert fleet.deleted == []
        if before == 3:
            clocks.step(step)
        calls()
    assert fleet.deleted == NODES[-1:]


@pytest.mark.parametrize("since", [-10 * HOUR, 0.0, 10 * HOUR])
def test_a_new_process_believes_no_record_and_waits_once_more(
    simulator: Simulator, since: float
) -> None:
    fleet, clocks = Fleet(simulator, missing=8), ProcessClocks()
    with process(simulator, fleet, clocks) as calls:
        for _ in range(20):
            calls()
    record = {"snapshots": 99, "nodeReady": False}
    for name in NODES[2:]:
        times = dict.fromkeys(("since", "lastSnapshot"), timestamp(clocks.epoch() + since))
        fleet.instances[name]["observed"]["missing"] = record | times
    restarted = clocks.monotonic()
    with process(simulator, fleet, clocks) as calls:
        while clocks.monotonic() < restarted + HOLD:
            calls()
        assert fleet.deleted == []
        calls()
        assert fleet.deleted == NODES[2:]


def test_what_another_replica_found_meanwhile_is_counted_from_the_start(
    simulator: Simulator,
) -> None:
    fleet, clocks = Fleet(simulator, missing=1), ProcessClocks()
    name = NODES[-1]
    with process(simulator, fleet, clocks) as calls:
        for _ in range(3):
            calls()
        del fleet.instances[name]["observed"]["missing"]  # as the other one does
        clocks.advance(HOUR)
        for _ in range(3):
            calls()
            assert fleet.deleted == []
        calls()
    assert fleet.deleted == [name]


def test_two_replicas_with_clocks_that_differ_by_an_hour_write_one_record(
    simulator: Simulator,
) -> None:
    fleet, ahead, behind = Fleet(simulator, missing=8), ProcessClocks(), ProcessClocks()
    ahead.step(HOUR)
    with ahead.cloud(simulator) as one, behind.cloud(simulator) as other:
        replicas = fleet.hook(one, ahead), fleet.hook(other, behind)
        fleet.call(*replicas)
        fleet.call(*reversed(replicas))
        before = dict(fleet.instances)
        for turn in range(4):
            fleet.call(*(replicas if turn % 2 else reversed(replicas)))
        assert fleet.instances == before
    assert fleet.deleted == []
