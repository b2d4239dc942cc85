"""Between a look at an address and a write to it, others come, and calls die."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from hooks import names
from hooks.cloudstack import Cloud
from hooks.cloudstack.models.network import PublicIpAddress
from hooks.http.deadline import Deadline
from hooks.loadbalancers.handover import Handover
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.plan.leases import lease_seconds
from hooks.loadbalancers.recorded import LONGEST_CALL
from tests.hostile.ownership.stage import (
    PORTS,
    Died,
    Tap,
    add,
    call_for,
    cluster,
    fresh_world,
    hold,
    holdings,
    ip_of,
    new_uid,
    settled,
    tapped,
)
from tests.integration.loadbalancers.contexts import make_context
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World

HOUR = 3600.0
#: More calls of CloudStack than a deletion makes.
MOST_CALLS = 40
KINDS = ("addresses", "loadbalancerrules", "firewallrules")


def marked(lb: LoadBalancer) -> set[str]:
    """Return the ids of all that has the mark of a load balancer's Service."""
    state = lb.world.state()
    return {
        str(each["id"])
        for kind in KINDS
        for each in state[kind]
        if each["tags"].get(names.TAG_SERVICE_UID) == lb.service_uid
    }


def leases(world: World) -> list[str]:
    tags = [each["tags"] for each in world.addresses()]
    return [each[names.TAG_LEASE] for each in tags if names.TAG_LEASE in each]


def once(command: str, act: Callable[[], object]) -> Callable[[int, str], None]:
    """Act at the first call of a command."""
    left = [command]

    def at(_number: int, called: str) -> None:
        if called in left:
            left.clear()
            act()

    return at


def hook_tap(hook: LoadBalancersHook) -> Tap:
    caller = hook._dependencies.cloud().client._caller
    assert isinstance(caller, Tap)
    return caller


def die() -> None:
    raise Died


def die_before_the_release(lb: LoadBalancer) -> None:
    """Let a call die that has the lease."""
    tap = Tap(before=once("disassociateIpAddress", die))
    with tapped(lb.world, tap) as dying, pytest.raises(Died):
        lb.call(dying)
    assert len(leases(lb.world)) == 1


@contextmanager
def handed_over(cluster_id: str) -> Iterator[tuple[LoadBalancer, LoadBalancer, LoadBalancersHook]]:
    """Make a load balancer that is being deleted, and the one that takes its address over."""
    with fresh_world() as (world, hook), cluster(world, cluster_id) as (new, elsewhere):
        old = LoadBalancer(world, ports=PORTS).settle(hook)
        old.delete()
        taking = {"takeoverFrom": "c-1"} if cluster_id != "c-1" else {}
        yield old, LoadBalancer(new, uid=new_uid("web"), ports=PORTS, **taking), elsewhere


@pytest.mark.parametrize("cluster_id", ["c-2", "c-1"], ids=["another cluster", "a new object"])
def test_what_is_taken_over_between_any_two_calls_of_a_deletion_stays(cluster_id: str) -> None:
    outcomes = set()
    for at in range(MOST_CALLS):
        with handed_over(cluster_id) as (old, lb, elsewhere), tapped(old.world, Tap()) as hook:
            tap = hook_tap(hook)
            taken: set[str] = set()

            def take(lb: LoadBalancer = lb, hook: LoadBalancersHook = elsewhere) -> None:
                for _ in range(3):
                    lb.call(hook)

            def before(number: int, command: str, at: int = at, taken: set[str] = taken) -> None:
                if number == at and not command.startswith("query"):
                    take()
                    taken |= marked(lb)

            tap.before = before
            old.call(hook)
            assert taken <= marked(lb), f"taken before call {at}, and deleted"
            outcomes.add(bool(taken))
            settled(lb, elsewhere)
            call_for(old, hook, 900)
            assert lb.is_ready()
            assert old.is_finalized()
            assert [each["ipaddress"] for each in lb.world.addresses()] == [ip_of(lb)]
            if tap.calls < at:
                break
    assert outcomes == {True, False}, "some came too late"


@pytest.mark.parametrize("thing", ["rule", "firewall rule", "port forwarding rule"])
def test_what_a_person_adds_after_the_first_look_keeps_the_address(
    world: World, hook: LoadBalancersHook, thing: str
) -> None:
    lb = LoadBalancer(world, ports=PORTS).settle(hook)
    address = lb.status["address"]
    tap = Tap(before=once("createTags", lambda: add(world, address["id"], thing)))
    lb.delete()
    with tapped(world, tap) as late:
        call_for(lb, late, 60)
    assert lb.is_finalized()
    held = holdings(world, address["ip"])
    assert [each["tags"] for each in held["addresses"]] == [{}]
    assert sum(len(each) for each in held.values()) == 2


@pytest.mark.parametrize("ahead", [0.0, HOUR, -HOUR], ids=["same clock", "ahead", "behind"])
def test_a_lease_of_a_call_that_died_holds_as_long_as_a_call_may_take(
    world: World, hook: LoadBalancersHook, ahead: float
) -> None:
    lb = LoadBalancer(world, ports=PORTS).settle(hook)
    lb.delete()
    die_before_the_release(lb)
    with tapped(world, Tap(), clock=lambda: world.now + ahead) as other:
        lb.call(other)
        assert lb.reason() == "DeletionRefused"
        assert leases(world)[0] in lb.condition("Ready")["message"]
        call_for(lb, other, lease_seconds(leases(world)[0]) / 2)
        assert not lb.is_finalized()
        call_for(lb, other, 600)
        assert lb.is_finalized()
    assert world.remains() == NOTHING


@pytest.mark.parametrize("ahead", [0.0, HOUR, -HOUR], ids=["same clock", "ahead", "behind"])
def test_while_one_takes_over_nobody_releases(ahead: float) -> None:
    with handed_over("c-2") as (old, lb, _), tapped(lb.world, Tap()) as elsewhere:
        now = old.world.simulator.clock.now
        with tapped(old.world, Tap(), clock=lambda: now() + ahead) as hook:
            tap = hook_tap(elsewhere)
            tap.before = once("deleteTags", lambda: old.call(hook))
            lb.call(elsewhere)
            assert old.reason() == "DeletionRefused"
            settled(lb, elsewhere)
            assert lb.is_ready()
            call_for(old, hook, 900)
            assert old.is_finalized()
            assert leases(lb.world) == []
            assert "disassociateIpAddress" not in lb.world.writes()


def test_of_two_that_replace_an_old_lease_one_goes_on(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=PORTS).settle(hook)
    lb.delete()
    die_before_the_release(lb)
    with tapped(world, Tap()) as first, tapped(world, Tap()) as second:
        lb.call(first)
        lb.call(second)
        world.advance(LONGEST_CALL + 1)
        world.simulator.control.clear_calls()
        hook_tap(first).before = once("deleteTags", lambda: lb.call(second))
        lb.call(first)
        call_for(lb, first, 900)
    assert world.writes()["disassociateIpAddress"] == 1
    assert world.remains() == NOTHING


def test_a_lease_of_a_takeover_that_died_goes_from_the_address_that_serves() -> None:
    with handed_over("c-2") as (_, lb, elsewhere):
        settled(lb, elsewhere)
        [address] = lb.world.addresses()
        tag = {"resourcetype": "PublicIpAddress", "resourceids": address["id"]}
        left = {names.TAG_LEASE: "2026-01-02T03:04:05.678Z 0123456789abcdef"}
        lb.world.human.done("createTags", **tag, tags=left)
        for _ in range(4):
            lb.wait(elsewhere)
        assert leases(lb.world) == []
        assert lb.is_ready()


def test_an_old_lease_that_is_only_removed_is_nobodys_meanwhile(world: World, cloud: Cloud) -> None:
    """Two processes may find it old at once, so neither may hand the address over by it."""
    address_id = hold(world)
    tag = {"resourcetype": "PublicIpAddress", "resourceids": address_id}
    world.human.done("createTags", **tag, tags={names.TAG_LEASE: "long ago"})
    [found] = cloud.client.list_all(PublicIpAddress, Deadline(8), id=address_id)
    handover = Handover(make_context(world, cloud))
    handover.remove_at_end(found)
    assert not handover.is_held(found)
    handover.close()
    assert leases(world) == []
