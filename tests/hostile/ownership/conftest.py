"""The same world and hook as for the tests of load balancers, and two clusters on it."""

from collections.abc import Iterator

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from tests.hostile.ownership.stage import PORTS, Place, cluster
from tests.integration.loadbalancers.conftest import cloud, hook, world
from tests.integration.loadbalancers.driver import LoadBalancer, World

__all__ = ["cloud", "hook", "original", "other", "world"]


@pytest.fixture
def original(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    """A load balancer of the first cluster, c-1, that serves."""
    return LoadBalancer(world, ports=PORTS).settle(hook)


@pytest.fixture
def other(world: World) -> Iterator[Place]:
    """The second cluster, c-2."""
    with cluster(world, "c-2") as place:
        yield place
