"""S4: a status is worth nothing without our tags, a record only for what it was sealed for."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from hooks.http.bounded_json import Json
from hooks.kube.times import moment, timestamp
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.names import ANNOTATION_ACQUIRING
from simulator.clock import Clock
from simulator.server import Simulator
from tests.hostile.ownership.stage import (
    HELD,
    Died,
    Tap,
    add,
    call_for,
    cluster,
    hold,
    holdings,
    marked,
    new_uid,
    tapped,
)
from tests.integration.loadbalancers.driver import DAY, LoadBalancer, World
from tests.integration.loadbalancers.test_addresses import FREE
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
RECORDS = {
    "no record": None,
    "no seal": "{ip} {now}",
    "a forged seal": "{ip} {now} AAAAAAAAAAAAAAAAAAAAAA",
    "another text": "x",
}


def annotate(lb: LoadBalancer, text: str | None) -> None:
    """Write a record by hand; None for none."""
    if text is not None:
        lb.parent["metadata"]["annotations"] = {ANNOTATION_ACQUIRING: text}


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
@pytest.mark.parametrize("is_living", [False, True], ids=["deleted at once", "living first"])
@pytest.mark.parametrize("forge", STATUSES.values(), ids=STATUSES)
def test_a_forged_status_neither_tags_nor_releases_an_address(
    world: World, hook: LoadBalancersHook, forge: Any, record: str | None, *, is_living: bool
) -> None:
    address = hold(world)
    before = holdings(world, HELD)
    lb = LoadBalancer(world, namespace="evil")
    lb.parent["status"] = claimed(world, address, **forge(world))
    annotate(lb, record and record.format(ip=HELD, now=moment(world.now)))
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


def record_of(world: World, name: str, ip: str = HELD) -> str:
    """Return the record of a call that died before CloudStack was asked for an address."""

    def die(_number: int, command: str) -> None:
        if command == "associateIpAddress":
            raise Died

    lb = LoadBalancer(world, name, address=ip)
    with tapped(world, Tap(die)) as hook:
        lb.call(hook)
        with suppress(Died):
            lb.call(hook)
    text = str(lb.parent["metadata"]["annotations"][ANNOTATION_ACQUIRING])
    assert text.startswith(f"{ip} ")
    assert world.writes() == {}
    return text


def check_untouched(lb: LoadBalancer, hook: LoadBalancersHook, ip: str, *, is_living: bool) -> None:
    """Check that a load balancer leaves an address alone, in its life and when it goes."""
    before = holdings(lb.world, ip)
    if is_living:
        for _ in range(8):
            lb.call(hook)
            assert holdings(lb.world, ip) == before
            lb.world.advance(2)
    lb.delete()
    call_for(lb, hook, 900)
    assert lb.is_finalized()
    assert holdings(lb.world, ip) == before


@pytest.mark.parametrize("is_living", [False, True], ids=["deleted at once", "living first"])
@pytest.mark.parametrize(
    "thief",
    [
        pytest.param({"namespace": "evil"}, id="another namespace"),
        pytest.param({"name": "thief"}, id="another name"),
        pytest.param({"uid": new_uid("web")}, id="another UID"),
    ],
)
def test_the_record_of_another_service_is_worth_nothing(
    world: World, hook: LoadBalancersHook, thief: Json, *, is_living: bool
) -> None:
    text = record_of(world, "web")
    hold(world)
    lb = LoadBalancer(world, **thief)
    annotate(lb, text)
    check_untouched(lb, hook, HELD, is_living=is_living)


def test_the_record_of_another_clusters_service_is_worth_nothing(world: World) -> None:
    text = record_of(world, "web")
    hold(world)
    with cluster(world, "c-2") as (other, elsewhere):
        lb = LoadBalancer(other)
        annotate(lb, text)
        check_untouched(lb, elsewhere, HELD, is_living=True)


@pytest.mark.parametrize("word", [0, 1], ids=["address", "time"])
def test_a_seal_holds_for_the_address_and_the_time_that_it_was_made_for(
    world: World, hook: LoadBalancersHook, word: int
) -> None:
    ip = FREE if word else HELD
    words = record_of(world, "web", FREE).split(" ")
    words[word] = (ip, moment(world.now + 5))[word]
    hold(world, ip=ip)
    lb = LoadBalancer(world)
    annotate(lb, " ".join(words))
    check_untouched(lb, hook, ip, is_living=True)


def test_a_choice_that_somebody_allocates_before_we_call_is_his(
    world: World, hook: LoadBalancersHook
) -> None:
    """Nobody uses the address, and it has no tags: nothing but the missing record tells."""
    lb = LoadBalancer(world)
    lb.call(hook)
    ip = lb.status["address"]["ip"]
    hold(world, ip=ip)
    check_untouched(lb, hook, ip, is_living=True)
    assert lb.status["address"]["ip"] != ip


@pytest.mark.parametrize("code", [431, 530, 531, 533, 535])
def test_a_choice_that_cloudstack_refused_is_his_who_gets_it_later(
    world: World, hook: LoadBalancersHook, code: int
) -> None:
    lb = LoadBalancer(world)
    lb.call(hook)
    ip = lb.status["address"]["ip"]
    world.simulator.control.fault("associateIpAddress", "error", code=code, times=1)
    lb.call(hook)
    assert ANNOTATION_ACQUIRING not in lb.parent["metadata"].get("annotations", {})
    hold(world, ip=ip)
    check_untouched(lb, hook, ip, is_living=True)


@pytest.fixture
def late_world() -> Iterator[World]:
    """A CloudStack whose clock is some days late, so that days may pass."""
    clock = Clock(lambda: Clock().now() - 5 * DAY)
    with Simulator("small", job_delay=0.005, clock=clock) as simulator:
        made = World(simulator)
        yield made
        made.close()


def test_tags_that_are_refused_for_days_cost_no_address(late_world: World) -> None:
    world, lb = late_world, LoadBalancer(late_world)
    world.simulator.control.fault("createTags", "error", code=530, times=None)
    with tapped(world, Tap()) as hook:
        for _ in range(36):
            lb.call(hook)
            world.advance(7200)
        assert [each["ipaddress"] for each in world.addresses()] == []
        world.simulator.control.clear_faults()
        call_for(lb, hook, 900)
        assert lb.is_ready()
        assert marked(world, lb.service_uid) == [each["ipaddress"] for each in world.addresses()]


def test_what_a_call_left_without_tags_is_claimed_however_long_they_are_refused(
    late_world: World,
) -> None:
    world, lb = late_world, LoadBalancer(late_world)

    def die(_number: int, command: str) -> None:
        if command == "associateIpAddress":
            raise Died

    with tapped(world, Tap(after=die)) as hook:
        lb.call(hook)
        with suppress(Died):
            lb.call(hook)
    [ip] = [each["ipaddress"] for each in world.addresses()]
    world.simulator.control.fault("createTags", "error", code=530, times=None)
    with tapped(world, Tap()) as hook:
        for _ in range(36):
            lb.call(hook)
            world.advance(7200)
        assert [each["ipaddress"] for each in world.addresses()] == [ip]
        world.simulator.control.clear_faults()
        call_for(lb, hook, 900)
        assert lb.is_ready()
    assert lb.status["address"]["ip"] == ip
    assert marked(world, lb.service_uid) == [ip]


@pytest.mark.parametrize(
    "thing", ["rule", "firewall rule", "port forwarding rule", "tag", "static NAT"]
)
def test_a_right_record_is_worth_nothing_on_an_address_that_is_in_use(
    world: World, hook: LoadBalancersHook, thing: str
) -> None:
    """Somebody took the address by hand and uses it, after our call died."""
    text = record_of(world, "web")
    ip = HELD
    lb = LoadBalancer(world)
    annotate(lb, text)
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
