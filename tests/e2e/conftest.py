"""Gives tests a platform of their own: a fresh CloudStack, fresh hooks, a fresh Metacontroller."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from simulator.server import Simulator
from tests.controlplane import ControlPlane
from tests.e2e.platform import Platform, running


@pytest.fixture
def platform(control_plane: ControlPlane, tmp_path: Path) -> Iterator[Platform]:
    """Run everything on the small world: five VMs, of which node-5 has an FQDN."""
    with Simulator() as simulator, running(control_plane, simulator, tmp_path) as platform:
        yield platform


@pytest.fixture
def large_platform(
    control_plane: ControlPlane, tmp_path: Path
) -> Iterator[Callable[..., Platform]]:
    """Return what runs everything on a world made to size: `large_platform(vms=100)`."""
    with ExitStack() as stack:

        def make(vms: int, **settings: str) -> Platform:
            simulator = stack.enter_context(Simulator(world="large", vms=vms))
            return stack.enter_context(running(control_plane, simulator, tmp_path, **settings))

        yield make
