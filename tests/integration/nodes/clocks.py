"""The clocks of a process, which pass when a test says so."""

from collections.abc import Iterator
from contextlib import contextmanager

from hooks.cloudstack import Clocks, Cloud, CloudConfig
from simulator.server import Simulator


class ProcessClocks:
    """Two clocks: both pass, and only the clock on the wall can be set."""

    def __init__(self) -> None:
        self._seconds = 1000.0
        self._set_ahead = 0.0

    def epoch(self) -> float:
        return 1_800_000_000.0 + self._seconds + self._set_ahead

    def monotonic(self) -> float:
        return self._seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._seconds += seconds

    def step(self, seconds: float) -> None:
        """Set the clock on the wall."""
        self._set_ahead += seconds

    @contextmanager
    def cloud(self, simulator: Simulator) -> Iterator[Cloud]:
        """Open a process's view of CloudStack, whose list of VMs is used for 15 s."""
        user = simulator.user
        config = CloudConfig(simulator.url, user.api_key, user.secret_key)
        cloud = Cloud(config, clocks=Clocks(self.epoch, self.monotonic))
        try:
            yield cloud
        finally:
            cloud.close()
