from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from tests.controlplane import metacontroller
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.hookserver import HookServer
from tests.controlplane.processes import Process
from tests.integration.controlplane.judging import Scene

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def hooks() -> Iterator[HookServer]:
    with HookServer.running() as server:
        yield server


@pytest.fixture(scope="module")
def judged(control_plane: ControlPlane) -> Iterator[Process]:
    """Run the Metacontroller that is judged, the real one or the stand-in."""
    control_plane.apply(Path(__file__).parent / "judged-crds.yaml")
    log = control_plane.folder / "judged.log"
    with metacontroller.running(control_plane.kubeconfig, log) as process:
        yield process


@pytest.fixture
def scene(control_plane: ControlPlane, hooks: HookServer, judged: Process) -> Iterator[Scene]:
    """Set a scene of its own for one test; its controller goes when the test ends."""
    with ExitStack() as stack:
        yield Scene(f"scene-{next(_NUMBERS)}", control_plane.api, hooks, stack)
        judged.check()
