"""A simulated CloudStack for each test of the nodes hook."""

from collections.abc import Iterator

import pytest

from hooks.cloudstack import Cloud
from simulator.server import Simulator
from tests.integration.nodes.running import open_simulated


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def cloud(simulator: Simulator) -> Iterator[Cloud]:
    opened = open_simulated(simulator)
    yield opened
    opened.close()
