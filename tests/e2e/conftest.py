"""Gives tests a platform of their own: a fresh CloudStack, fresh hooks, a fresh Metacontroller."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from simulator.server import Simulator
from tests.controlplane import ControlPlane
from tests.e2e.platform import Platform, running


@pytest.fixture(scope="module")
def operator(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """Run everything, one for each file."""
    folder = tmp_path_factory.mktemp("operator")
    with Simulator() as simulator, running(control_plane, simulator, folder) as platform:
        yield platform


@pytest.fixture
def platform(operator: Platform) -> Iterator[Platform]:
    """Give everything a new small world: five VMs, of which node-5 has an FQDN."""
    with Simulator() as simulator:
        operator.move(simulator)
        yield operator
        operator.clear()


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
