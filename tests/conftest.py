"""What every test may ask for, and how many run side by side."""

import gc
import os

from hypothesis import settings

pytest_plugins = ["tests.controlplane.fixtures"]

# How long an example takes depends on who else uses the machine; it is no property of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_xdist_auto_num_workers() -> int:
    """Run two for each core: tests on real parts wait for half of their time."""
    return (os.cpu_count() or 1) * 2


def pytest_collection_finish() -> None:
    """Have the garbage collector pass over all tests, which stay: a walk takes a tenth of a run."""
    gc.collect()
    gc.freeze()
