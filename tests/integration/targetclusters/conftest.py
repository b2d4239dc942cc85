"""Gives tests a target cluster: a second API server, and a namespace of their own on it."""

from collections.abc import Iterator

import pytest

from tests.controlplane import Cluster, ControlPlane
from tests.e2e.targets import add_node


@pytest.fixture(scope="session")
def target(control_plane: ControlPlane) -> Iterator[Cluster]:
    """Start one target cluster for all tests of a run, with a Node that is ready."""
    with control_plane.target_cluster("target") as running:
        add_node(running, "worker-1")
        yield running
