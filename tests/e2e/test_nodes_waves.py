"""Many nodes at once: what they cost, that a crash leaves none half done, how they go."""

import time
from collections.abc import Callable

import pytest

from tests.controlplane import polling
from tests.controlplane.kwok import heartbeats
from tests.e2e.cloud import Cloud
from tests.e2e.nodes import initialised, register, set_ready
from tests.e2e.platform import Platform
from tests.e2e.waves import Meter, names_of, register_all, until_all_initialised, watching


def crash_hooks(platform: Platform) -> None:
    platform.hooks.process.kill()
    platform.hooks.start()


def crash_metacontroller(platform: Platform) -> None:
    platform.metacontroller.kill()
    platform.metacontroller.start()


def crash_api_server(platform: Platform) -> None:
    platform.plane.restart_api_server(killed=True)


@pytest.mark.parametrize("count", [10, 100, 500])
def test_a_wave_costs_two_lists_and_four_writes_a_node_whatever_its_size(
    large_platform: Callable[..., Platform], count: int
) -> None:
    platform = large_platform(vms=count, VM_CACHE_TTL="60s")
    names = names_of(count)
    with heartbeats(platform.plane):
        meter = Meter(platform)
        register_all(platform, names)
        until_all_initialised(platform, names)
        # A write is seen a moment before it is in the audit log.
        polling.until(lambda: meter.patched() >= set(names), "all are logged")
        cost = meter.read(count)
        assert set(cost.cloudstack_calls) == {"listVirtualMachines", "listAccounts"}
        assert cost.cloudstack_calls["listVirtualMachines"] <= 2
        assert cost.cloudstack_calls["listAccounts"] == 1
        assert cost.most_writes <= 4, cost.writes
        quiet = Meter(platform)
        time.sleep(5)  # long enough for heartbeats and for an echo of our own writes
        assert quiet.read(count).writes == {}
    assert platform.simulator.control.ignored_parameters() == []


@pytest.mark.parametrize("crash", [crash_hooks, crash_metacontroller, crash_api_server])
def test_a_crash_in_a_wave_leaves_no_node_half_done(
    large_platform: Callable[..., Platform], crash: Callable[[Platform], None]
) -> None:
    platform = large_platform(vms=100)
    names = names_of(100)
    with watching(platform) as seen:
        register_all(platform, names[:60])
        crash(platform)
        register_all(platform, names[60:])
        until_all_initialised(platform, names)
    assert seen.half_done == []
    assert seen.states >= 300


def test_an_autoscaler_that_removes_three_of_ten_is_held_and_then_let(
    large_platform: Callable[..., Platform],
) -> None:
    platform = large_platform(vms=10, NODE_GUARD_HOLD="6s")
    names = [f"node-{n:05}" for n in range(1, 11)]
    for name in names:
        register(platform, name)
    for name in names:
        platform.until_node(name, initialised)
    cloud = Cloud.of(platform.simulator)
    for name in names[:3]:
        cloud.destroy(name)
    for name in names[:3]:
        set_ready(platform, name, ready=False)
    for name in names[:3]:
        platform.until_event(name, "NodeDeletionHeld")
        platform.until_event(name, "DeletingNode")
        platform.until_gone(name)
    assert len(platform.nodes.list()) == 7
