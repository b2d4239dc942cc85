"""A clock that is set, in the middle of anything, deletes no node and keeps none for good."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from hooks.cloudstack import Cloud
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.times import timestamp
from hooks.nodes import facts
from hooks.nodes.context import INSTANCES_PATH
from hooks.nodes.hook import NodesHook
from hooks.nodes.request import INSTANCES
from simulator.server import Simulator
from tests.hooks import dependencies
from tests.integration.nodes.clocks import ProcessClocks
from tests.memory_kube import MemoryKube

HOUR = 3600.0
GRACE, HOLD = 60.0, 600.0
#: Seconds between two calls for each node: each finds a new snapshot.
ROUND = 20.0
NODES = [f"node-{number:05}" for number in range(1, 11)]


class Fleet:
    """Ten nodes that are not Ready; the VMs of the last ones are missing.

    Attributes:
        instances: as the last answers have them.
        deleted: the names of the nodes that were deleted.
    """

    def __init__(self, simulator: Simulator, *, missing: int) -> None:
        machines = {vm["name"]: vm["id"] for vm in simulator.control.state()["virtualmachines"]}
        for number, name in enumerate(NODES[len(NODES) - missing :]):
            machines[name] = f"00000000-0000-4000-8000-{number:012}"
        account = simulator.user.account
        seen = {"owner": f"account {account.domain.id}/{account.name}"}
        self.instances: dict[str, Json] = {
            name: {"metadata": {"name": name}, "observed": seen} for name in NODES
        }
        self.kube = MemoryKube()
        for name in NODES:
            self.kube.objects[f"{facts.NODES_PATH}/{name}"] = {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": "1"},
                "spec": {"providerID": f"external-cloudstack://{machines[name]}"},
                "status": {"conditions": [{"type": "Ready", "status": "False"}]},
            }

    @property
    def deleted(self) -> list[str]:
        return [name for name in NODES if f"{facts.NODES_PATH}/{name}" not in self.kube.objects]

    def hook(self, cloud: Cloud, clocks: ProcessClocks) -> NodesHook:
        """Start a process."""
        return NodesHook(dependencies(self.kube, cloud=lambda: cloud, clock=clocks.epoch))

    def call(self, *hooks: NodesHook) -> None:
        """Call for each node that there is, as Metacontroller does; hooks take turns."""
        for number, name in enumerate(NODES):
            node = self.kube.objects.get(f"{facts.NODES_PATH}/{name}")
            if node is None:
                continue
            known = {name: self.instances[name]}
            request: Json = {"object": node, "attachments": {INSTANCES: known}}
            answer = hooks[number % len(hooks)].sync(request, Deadline(8))
            response: Any = answer.response
            [self.instances[name]] = response["attachments"]
            self.kube.objects[f"{INSTANCES_PATH}/{name}"] = self.instances[name]


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
