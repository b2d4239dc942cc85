"""A simulated CloudStack, a hook on it and a bystander's address for each test of ownership."""

from collections.abc import Iterator

import pytest

from hooks.cloudstack import Cloud
from hooks.loadbalancers.hook import LoadBalancersHook
from tests.integration.loadbalancers.driver import World, make_hook, start_simulator


@pytest.fixture
def world() -> Iterator[World]:
    with start_simulator() as simulator:
        made = World(simulator)
        yield made
        made.close()
        assert simulator.control.ignored_parameters() == []


@pytest.fixture
def cloud(world: World) -> Iterator[Cloud]:
    opened = world.open_cloud()
    yield opened
    opened.close()


@pytest.fixture
def hook(world: World, cloud: Cloud) -> LoadBalancersHook:
    return make_hook(world, cloud)
