"""What Prometheus sees of load balancers: how they are now, and nothing of those that are gone."""

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from hooks.kube.times import timestamp
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.webhook.shown import FORGET_AFTER
from tests.integration.loadbalancers.driver import LoadBalancer, World, make_hook, port

SERVICE = {"namespace": "default", "service": "web"}


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def measured(world: World, registry: CollectorRegistry) -> Iterator[LoadBalancersHook]:
    cloud = world.open_cloud()
    yield make_hook(world, cloud, registry=registry)
    cloud.close()


def gauges(registry: CollectorRegistry) -> dict[str, float]:
    """Return the gauges of load balancers by name and state."""
    return {
        " ".join([sample.name.removeprefix("cloudstack_load_balancer_"), *states]): sample.value
        for family in registry.collect()
        if family.type == "gauge"
        for sample in family.samples
        if (states := [sample.labels[key] for key in ("state",) if key in sample.labels])
        or SERVICE.items() <= sample.labels.items()
    }


def test_a_load_balancer_that_serves(
    world: World, measured: LoadBalancersHook, registry: CollectorRegistry
) -> None:
    LoadBalancer(world, ports=[port(80), port(443)]).settle(measured)
    assert gauges(registry) == {
        "ready": 1,
        "contested": 0,
        "members wanted": 5,
        "members assigned": 5,
        "ports wanted": 2,
        "ports served": 2,
    }


def test_a_load_balancer_in_plan_mode(
    world: World, measured: LoadBalancersHook, registry: CollectorRegistry
) -> None:
    lb = LoadBalancer(world, mode="Plan").settle(measured)
    shown = gauges(registry)
    assert (shown["ready"], shown["ports served"]) == (0, 0)
    assert shown["planned_changes"] == len(lb.status["plan"]) > 0


def test_one_that_is_answered_with_what_is_recorded_is_shown_after_a_restart(
    world: World, measured: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(measured)
    registry, cloud = CollectorRegistry(), world.open_cloud()
    lb.call(make_hook(world, cloud, registry=registry))
    cloud.close()
    assert gauges(registry)["ready"] == 1


def test_one_that_is_deleted_is_shown_no_longer(
    world: World, measured: LoadBalancersHook, registry: CollectorRegistry
) -> None:
    lb = LoadBalancer(world).settle(measured)
    lb.delete()
    lb.settle(measured)
    assert lb.is_finalized()
    assert gauges(registry) == {}


def test_one_whose_deletion_another_replica_answered_is_not_shown_for_ever(
    world: World, measured: LoadBalancersHook, registry: CollectorRegistry
) -> None:
    LoadBalancer(world).settle(measured)
    world.advance(FORGET_AFTER + 1)
    assert gauges(registry) == {}


def test_the_time_until_the_address_is_published_is_counted_once(
    world: World, measured: LoadBalancersHook, registry: CollectorRegistry
) -> None:
    lb = LoadBalancer(world)
    lb.parent["metadata"]["creationTimestamp"] = timestamp(world.now - 40)
    lb.settle(measured)
    lb.settle(measured, seconds=900)
    published = lb.parent["status"]
    for _ in range(3):
        lb.parent["status"] = {**published, "address": {**published["address"], "published": False}}
        lb.call(measured)
    name = "cloudstack_load_balancer_provisioning_seconds"
    assert registry.get_sample_value(f"{name}_count") == 1
    assert registry.get_sample_value(f"{name}_bucket", {"le": "30.0"}) == 0
    assert registry.get_sample_value(f"{name}_bucket", {"le": "300.0"}) == 1


def test_each_write_that_locks_something_counts_its_wait(
    world: World, measured: LoadBalancersHook, registry: CollectorRegistry
) -> None:
    LoadBalancer(world).settle(measured)
    name = "cloudstack_lane_wait_seconds_count"
    waits = [registry.get_sample_value(name, {"lane": each}) for each in ("owner", "members")]
    assert waits == [1, 1]
    assert (registry.get_sample_value(name, {"lane": "network"}) or 0) >= 3
