"""S4: a status is worth nothing without our tags, and a seal only for what it was made for."""

from copy import deepcopy
from typing import Any

import pytest

from hooks.http.bounded_json import Json
from hooks.kube.times import timestamp
from hooks.loadbalancers.hook import LoadBalancersHook
from simulator.clock import Clock
from simulator.server import Simulator
from tests.hostile.ownership.stage import HELD, add, call_for, hold, holdings, marked, new_uid
from tests.integration.loadbalancers.driver import (
    DAY,
    LoadBalancer,
    World,
    make_hook,
)
from tests.integration.loadbalancers.test_time import recorded


def claimed(world: World, address: str, **fields: Any) -> Json:
    """Write a status that claims the address that somebody holds."""
    recorded = {
        "ip": HELD,
        "id": address,
        "networkID": world.network("net-1"),
        "associatedByController": True,
        "published": True,
        **fields,
    }
    return {"address": {key: each for key, each in recorded.items() if each is not None}}


STATUSES: dict[str, Any] = {
    "recorded": lambda _: {},
    "recorded with its allocation": lambda world: {
        "allocatedAt": world.human.list("listPublicIpAddresses", "publicipaddress", ipaddress=HELD)[
            0
        ]["allocated"].replace("+0000", "Z")
    },
    "chosen": lambda world: {
        "id": None,
        "networkID": None,
        "associatedByController": None,
        "chosenAt": timestamp(world.now - 10),
        "tries": 0,
    },
    "recorded and chosen": lambda world: {"chosenAt": timestamp(world.now - 10), "tries": 0},
    "left to CloudStack": lambda world: {
        "ip": "",
        "id": None,
        "networkID": None,
        "associatedByController": None,
        "chosenAt": timestamp(world.now - 10),
        "tries": 3,
    },
}
SEALS = {"no seal": None, "a forged seal": "AAAAAAAAAAAAAAAAAAAAAA", "another text": "x"}


@pytest.mark.parametrize("seal", SEALS.values(), ids=SEALS)
@pytest.mark.parametrize("is_living", [False, True], ids=["deleted at once", "living first"])
@pytest.mark.parametrize("forge", STATUSES.values(), ids=STATUSES)
def test_a_forged_status_neither_tags_nor_releases_an_address(
    world: World, hook: LoadBalancersHook, forge: Any, seal: str | None, *, is_living: bool
) -> None:
    address = hold(world)
    before = holdings(world, HELD)
    lb = LoadBalancer(world, namespace="evil")
    lb.parent["status"] = claimed(world, address, **{**forge(world), "seal": seal})
    if is_living:
        for _ in range(12):
            lb.call(hook)
            assert holdings(world, HELD) == before
            world.advance(2)
    lb.delete()
    call_for(lb, hook, 900)
    assert lb.is_finalized()
    assert holdings(world, HELD) == before
    assert [each["ipaddress"] for each in world.addresses()] == [HELD]


def chosen_by(world: World, hook: LoadBalancersHook, name: str, **how: Any) -> LoadBalancer:
    """Return a load balancer that has chosen the address HELD, and nothing else."""
    lb = LoadBalancer(world, name, address=HELD, **how)
    lb.call(hook)
    assert lb.status["address"]["ip"] == HELD
    assert "id" not in lb.status["address"]
    return lb


@pytest.mark.parametrize("is_living", [False, True], ids=["deleted at once", "living first"])
@pytest.mark.parametrize(
    "thief",
    [
        pytest.param({"namespace": "evil"}, id="another namespace"),
        pytest.param({"name": "thief"}, id="another name"),
        pytest.param({"uid": new_uid("web")}, id="another UID"),
    ],
)
def test_the_seal_of_another_service_is_worth_nothing(
    world: World, hook: LoadBalancersHook, thief: Json, *, is_living: bool
) -> None:
    sealed = chosen_by(world, hook, "web").status
    hold(world)
    before = holdings(world, HELD)
    lb = LoadBalancer(world, **thief)
    lb.parent["status"] = deepcopy(sealed)
    if is_living:
        for _ in range(12):
            lb.call(hook)
            assert holdings(world, HELD) == before
            world.advance(2)
    lb.delete()
    call_for(lb, hook, 900)
    assert lb.is_finalized()
    assert holdings(world, HELD) == before


def test_the_seal_of_another_clusters_service_is_worth_nothing(
    world: World, hook: LoadBalancersHook
) -> None:
    sealed = chosen_by(world, hook, "web").status
    hold(world)
    before = holdings(world, HELD)
    other = World(world.simulator, cluster_id="c-2")
    cloud = other.open_cloud()
    lb = LoadBalancer(other)
    lb.parent["status"] = deepcopy(sealed)
    elsewhere = make_hook(other, cloud)
    for _ in range(8):
        lb.call(elsewhere)
        assert holdings(world, HELD) == before
        world.advance(2)
    lb.delete()
    call_for(lb, elsewhere, 900)
    assert holdings(world, HELD) == before
    cloud.close()
    other.close()


@pytest.mark.parametrize("changed", ["ip", "chosenAt"])
def test_a_seal_holds_for_the_address_and_the_time_that_it_was_made_for(
    world: World, hook: LoadBalancersHook, changed: str
) -> None:
    lb = LoadBalancer(world)
    lb.call(hook)
    status = deepcopy(lb.status)
    ip = HELD if changed == "ip" else status["address"]["ip"]
    hold(world, ip=ip)
    before = holdings(world, ip)
    status["address"][changed] = ip if changed == "ip" else timestamp(world.now + 5)
    lb.parent["status"] = status
    for _ in range(8):
        lb.call(hook)
        assert holdings(world, ip) == before
        world.advance(2)
    assert lb.status["address"]["ip"] != ip
    lb.delete()
    call_for(lb, hook, 900)
    assert holdings(world, ip) == before


def test_a_seal_is_worth_nothing_after_a_day() -> None:
    clock = Clock(lambda: Clock().now() - 5 * DAY)
    with Simulator("small", job_delay=0.005, clock=clock) as simulator:
        world = World(simulator)
        cloud = world.open_cloud()
        hook = make_hook(world, cloud)
        lb = LoadBalancer(world)
        lb.call(hook)
        ip = lb.status["address"]["ip"]
        world.advance(DAY + 3600)
        hold(world, ip=ip)
        before = holdings(world, ip)
        lb.settle(hook)
        assert lb.is_ready()
        assert lb.status["address"]["ip"] != ip
        assert holdings(world, ip) == before
        cloud.close()
        world.close()


def test_a_choice_of_yesterday_is_made_again_before_it_is_associated() -> None:
    clock = Clock(lambda: Clock().now() - 5 * DAY)
    with Simulator("small", job_delay=0.005, clock=clock) as simulator:
        world = World(simulator)
        cloud = world.open_cloud()
        hook = make_hook(world, cloud)
        lb = LoadBalancer(world)
        lb.call(hook)
        old = lb.status["address"]["chosenAt"]
        world.advance(DAY + 3600)
        lb.call(hook)
        assert world.writes() == {}
        assert lb.status["address"]["chosenAt"] > old
        lb.settle(hook)
        assert lb.is_ready()
        assert len(marked(world, lb.service_uid)) == len(world.addresses()) == 1
        cloud.close()
        world.close()


@pytest.mark.parametrize(
    "thing", ["rule", "firewall rule", "port forwarding rule", "tag", "static NAT"]
)
def test_a_right_seal_is_worth_nothing_on_an_address_that_is_in_use(
    world: World, hook: LoadBalancersHook, thing: str
) -> None:
    """Somebody took the chosen address by hand and uses it before we could associate it."""
    lb = LoadBalancer(world)
    lb.call(hook)
    ip = lb.status["address"]["ip"]
    address = hold(world, ip=ip)
    add(world, address, thing)
    before = holdings(world, ip)
    lb.settle(hook)
    assert lb.is_ready()
    assert lb.status["address"]["ip"] != ip
    assert holdings(world, ip) == before
    lb.delete()
    lb.settle(hook)
    assert holdings(world, ip) == before
    assert [each["ipaddress"] for each in world.addresses()] == [ip]


def test_an_address_that_somebody_takes_between_our_look_and_our_call_is_his(world: World) -> None:
    """It was free when the call first looked, so the refusal (533) is about somebody else."""
    taken: list[str] = []

    def take(command: str, params: dict[str, object]) -> None:
        if command == "associateIpAddress" and not taken:
            taken.append(str(params["ipaddress"]))
            hold(world, ip=taken[0])

    with recorded(world, change=take) as (hook, _):
        lb = LoadBalancer(world).settle(hook)
        [ip] = taken
        assert lb.is_ready()
        assert lb.status["address"]["ip"] != ip
        [his] = holdings(world, ip)["addresses"]
        assert his["tags"] == {}
        lb.delete()
        lb.settle(hook)
        assert [each["ipaddress"] for each in world.addresses()] == [ip]
