"""A real API server takes the Lease of a round, and lets one replica at a time have it."""

import time

import pytest

from hooks.http.deadline import Deadline
from hooks.targetclusters.access.connector import AccessError
from hooks.targetclusters.round_lease import LEFT_AFTER, RoundLease
from tests.controlplane.api import Object
from tests.controlplane.polling import until
from tests.integration.targetclusters_sync.worlds import World, manifest


def lease(world: World, holder: str, *, now: float = 0.0) -> RoundLease:
    return RoundLease(
        world.own_kube, world.namespace, "team/web", holder=holder, monotonic=lambda: now
    )


def held(world: World) -> list[Object]:
    return world.own.api.resource("coordination.k8s.io/v1", "leases").list(world.namespace)


def test_the_lease_is_there_while_it_is_held_and_nobody_else_has_it(world: World) -> None:
    now = time.time()
    with lease(world, "one").held(Deadline(30), now):
        (found,) = held(world)
        assert found["spec"]["holderIdentity"] == "one"
        assert found["spec"]["leaseDurationSeconds"] == LEFT_AFTER
        assert found["spec"]["acquireTime"].endswith("Z")
        with pytest.raises(AccessError, match="replica one writes to this cluster"):
            lease(world, "two").held(Deadline(0.5), now).__enter__()
        with lease(world, "one").held(Deadline(30), now):
            assert held(world)[0]["metadata"]["uid"] != found["metadata"]["uid"]
        with lease(world, "two").held(Deadline(30), now):
            assert held(world)[0]["spec"]["holderIdentity"] == "two"
    assert held(world) == []


def test_what_is_left_of_a_replica_is_taken_away_after_a_while(world: World) -> None:
    times = iter((0.0, 0.0, LEFT_AFTER + 1))
    dead = lease(world, "dead").held(Deadline(30), 0.0)
    dead.__enter__()
    living = RoundLease(
        world.own_kube, world.namespace, "team/web", holder="two", monotonic=lambda: next(times)
    )
    with pytest.raises(AccessError), living.held(Deadline(0.5), 0.0):
        raise AssertionError
    with living.held(Deadline(30), 0.0):
        assert held(world)[0]["spec"]["holderIdentity"] == "two"
    assert held(world) == []


def test_in_a_namespace_that_goes_a_round_runs_without(world: World) -> None:
    keeps = manifest("keeps", namespace=world.namespace, finalizers=["example.org/wait"])
    config_maps = world.own.api.resource("v1", "configmaps")
    config_maps.create(keeps)
    namespaces = world.own.api.resource("v1", "namespaces")
    namespaces.delete(world.namespace)
    until(
        lambda: namespaces.get(world.namespace)["status"]["phase"] == "Terminating",
        "the namespace is being deleted",
    )
    with lease(world, "one").held(Deadline(30), time.time()):
        assert held(world) == []
    config_maps.patch("keeps", {"metadata": {"finalizers": None}}, world.namespace)
