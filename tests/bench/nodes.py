"""Waves of 10, 100 and 500 nodes, kept alive by kwok: seconds, calls, writes, bytes, memory."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from simulator.server import Simulator
from tests.controlplane import ControlPlane
from tests.controlplane.kwok import heartbeats
from tests.e2e.platform import running
from tests.e2e.waves import Cost, Meter, names_of, register_all, until_all_initialised

SIZES = (10, 100, 500)
#: Seconds wanted, at most, by the number of nodes.
WANTED = {100: 2.5}


COLUMNS = (
    "nodes",
    "seconds",
    "wanted",
    "hook calls a node",
    "CloudStack calls",
    "writes a node",
    "bytes a call",
    "memory",
)
HEAD = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"


def bench_nodes(plane: ControlPlane, folder: Path) -> Iterator[str]:
    """Measure each size; answer a table line by line, then how the figures grow."""
    yield HEAD
    costs = []
    for size in SIZES:
        cost = _wave(plane, folder, size)
        costs.append(cost)
        yield _row(cost)
    yield ""
    for less, more in pairwise(costs):
        yield _growth(less, more)
    yield f"writes by kind, at {costs[-1].nodes} nodes: {dict(costs[-1].writes)}"


def _row(cost: Cost) -> str:
    calls = sum(cost.cloudstack_calls.values())
    wanted = f"< {WANTED[cost.nodes]}" if cost.nodes in WANTED else ""
    return (
        f"| {cost.nodes} | {cost.seconds:.1f} | {wanted} "
        f"| {cost.hook_calls / cost.nodes:.1f} | {calls} "
        f"| {cost.writes.total() / cost.nodes:.1f} "
        f"| {cost.request_bytes / cost.hook_calls:.0f} | {cost.memory / 1e6:.0f} MB |"
    )


def _growth(less: Cost, more: Cost) -> str:
    calls = [sum(cost.cloudstack_calls.values()) for cost in (less, more)]
    return (
        f"{more.nodes / less.nodes:.0f} times the nodes: "
        f"{more.seconds / less.seconds:.1f} times the seconds, "
        f"{more.hook_calls / less.hook_calls:.1f} times the hook calls, "
        f"{calls[1] / calls[0]:.1f} times the CloudStack calls, "
        f"{more.memory / less.memory:.2f} times the memory"
    )


def _wave(plane: ControlPlane, folder: Path, size: int) -> Cost:
    names = names_of(size)
    place = folder / f"nodes-{size}"
    place.mkdir()
    with (
        Simulator(world="large", vms=size) as simulator,
        running(plane, simulator, place, VM_CACHE_TTL="15s", LOG_LEVEL="info") as platform,
        heartbeats(plane),
    ):
        meter = Meter(platform)
        register_all(platform, names)
        until_all_initialised(platform, names, within=300, every=0.1)
        return meter.read(size)
