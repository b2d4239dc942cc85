import itertools
from collections.abc import Callable, Iterator

import pytest

from hooks.kube.client import ApiServer
from hooks.settings.api_server import read_own_kubeconfig
from tests.controlplane.cluster import Cluster, ControlPlane
from tests.integration.targetclusters_sync.worlds import World
from tests.kubes import Watched


@pytest.fixture(scope="session")
def target(control_plane: ControlPlane) -> Iterator[Cluster]:
    """Start a second API server."""
    with control_plane.target_cluster("sync-target") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def new_world(control_plane: ControlPlane, target: Cluster) -> Callable[[], World]:
    """Return what makes worlds, each in a namespace that no other has."""
    own_kube = ApiServer.of(read_own_kubeconfig(str(control_plane.kubeconfig)))
    kube = ApiServer.of(read_own_kubeconfig(str(target.kubeconfig)))
    numbers = itertools.count(1)

    def make() -> World:
        name = f"sync-{next(numbers)}"
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        for cluster in (control_plane, target):
            cluster.api.resource("v1", "namespaces").create(namespace)
        return World(control_plane, target, name, Watched(kube), Watched(own_kube))

    return make


@pytest.fixture
def world(new_world: Callable[[], World]) -> World:
    """Return a world of the test's own."""
    return new_world()
