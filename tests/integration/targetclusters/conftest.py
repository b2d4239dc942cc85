"""Gives tests a target cluster: a second API server, and a namespace of their own on it."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.controlplane import Cluster, ControlPlane
from tests.e2e.targets import add_node
from tests.integration.targetclusters.stage import Stage, staged

STAGES = count()


@pytest.fixture(scope="session")
def target(control_plane: ControlPlane) -> Iterator[Cluster]:
    """Start one target cluster for all tests of a run, with a Node that is ready."""
    with control_plane.target_cluster("target") as running:
        add_node(running, "worker-1")
        yield running


@pytest.fixture
def stage(target: Cluster) -> Iterator[Stage]:
    """Set a stage in a namespace of the test's own."""
    with staged(target, f"stage-{next(STAGES)}") as made:
        yield made
