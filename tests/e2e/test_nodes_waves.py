"""Many nodes at once: what they cost, and that a crash at any moment leaves none half done."""

import time
from collections.abc import Callable

import pytest

from tests.controlplane.kwok import heartbeats
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
        until_all_initialised(platform, names, within=90)
        cost = meter.read(count)
        assert set(cost.cloudstack_calls) == {"listVirtualMachines"}
        assert cost.cloudstack_calls["listVirtualMachines"] <= 2
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
        until_all_initialised(platform, names, within=90)
    assert seen.half_done == []
    assert seen.states >= 300
