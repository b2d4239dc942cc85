"""S2: an owner reference proves nothing; what is claimed is claimed for a Service read just now."""

from collections.abc import Callable
from typing import Any

import pytest

from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from tests.hostile.ownership.stage import HELD, hold, new_uid
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World
from tests.integration.loadbalancers.test_takeover import adoption, existing, leave_behind

CLAIMS: dict[str, dict[str, Any]] = {
    "an address of its own": {},
    "an address by hand": {"address": HELD},
    "what a former provider left": {"adopt": True},
}


def gone(lb: LoadBalancer) -> None:
    lb.world.cluster.objects.pop(lb.service_path)


def another_uid(lb: LoadBalancer) -> None:
    lb.world.cluster.objects[lb.service_path]["metadata"]["uid"] = new_uid("web")


def another_type(lb: LoadBalancer) -> None:
    lb.world.cluster.objects[lb.service_path]["spec"]["type"] = "ClusterIP"


def namespace_goes(lb: LoadBalancer) -> None:
    namespace: Json = {"metadata": {"uid": "n-1", "deletionTimestamp": "2027-01-15T08:00:00Z"}}
    lb.world.cluster.objects["/api/v1/namespaces/default"] = namespace


@pytest.mark.parametrize("happens", [gone, another_uid, another_type, namespace_goes])
@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_nothing_is_claimed_for_a_service_that_does_not_ask_for_it(
    world: World,
    hook: LoadBalancersHook,
    claim: dict[str, Any],
    happens: Callable[[LoadBalancer], None],
) -> None:
    lb = LoadBalancer(world)
    hold(world)
    leave_behind(world, lb, existing)
    lb.change(**{**claim, **({"adopt": adoption(lb)} if "adopt" in claim else {})})
    before = world.state()
    happens(lb)
    lb.settle(hook).wait(hook)
    assert lb.reason() == "ServiceNotConfirmed"
    assert f"default/web with UID {lb.service_uid}" in lb.condition("Ready")["message"]
    assert world.state() == before
    assert world.writes() == {}


def test_a_choice_is_not_associated_after_the_service_is_gone(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world)
    lb.call(hook)
    assert lb.status["address"]["chosenAt"]
    gone(lb)
    lb.settle(hook)
    assert lb.reason() == "ServiceNotConfirmed"
    assert world.remains() == NOTHING


def test_the_service_is_read_only_where_something_is_claimed(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    assert lb.service_path in world.cluster.reads
    world.cluster.reads.clear()
    world.nodes.pop("node-1")
    lb.settle(hook)
    for _ in range(3):
        lb.wait(hook)
    assert lb.is_ready()
    assert set(world.cluster.reads) <= {"/api/v1/nodes/node-1"}
