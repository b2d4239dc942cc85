"""A CloudStack before 4.18 keeps the tags of an address that is released: they prove nothing."""

from collections.abc import Callable, Iterator

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from tests.hostile.ownership.stage import (
    Place,
    call_for,
    hold,
    holdings,
    ip_of,
    new_uid,
    settled,
    told,
)
from tests.integration.loadbalancers.driver import (
    NOTHING,
    LoadBalancer,
    World,
    make_hook,
    start_simulator,
)


@pytest.fixture
def place() -> Iterator[Place]:
    with start_simulator(api_version="4.17") as simulator:
        world = World(simulator)
        cloud = world.open_cloud()
        yield world, make_hook(world, cloud)
        cloud.close()
        world.close()


def test_an_address_that_a_person_released_and_got_again_is_not_the_services(
    place: Place,
) -> None:
    world, hook = place
    lb = LoadBalancer(world).settle(hook)
    ip = ip_of(lb)
    world.human.done("disassociateIpAddress", id=lb.status["address"]["id"])
    world.advance(60)
    hold(world, "rule", ip=ip)
    before = holdings(world, ip)
    call_for(lb, hook, 900)
    assert f"{ip} as this Service's address any more" in told(world)
    assert lb.is_ready()
    assert ip_of(lb) != ip
    lb.delete()
    settled(lb, hook)
    assert lb.is_finalized()
    assert holdings(world, ip) == before


def test_an_address_of_a_service_that_went_is_not_that_of_one_made_again_later(
    place: Place,
) -> None:
    world, hook = place
    lb = LoadBalancer(world).settle(hook)
    ip = ip_of(lb)
    lb.delete()
    settled(lb, hook)
    world.advance(60)
    hold(world, "rule", ip=ip)
    before = holdings(world, ip)
    again = LoadBalancer(world, uid=new_uid("web"))
    call_for(again, hook, 900)
    assert again.is_ready()
    assert ip_of(again) != ip
    again.delete()
    settled(again, hook)
    assert again.is_finalized()
    assert holdings(world, ip) == before


def serve_on(lb: LoadBalancer, hook: LoadBalancersHook) -> LoadBalancer:
    """Go on as the same object."""
    del hook
    return lb


def remake(lb: LoadBalancer, hook: LoadBalancersHook) -> LoadBalancer:
    """Make the object again without a status."""
    del hook
    lb.remake()
    return lb


def remake_service(lb: LoadBalancer, hook: LoadBalancersHook) -> LoadBalancer:
    """Make the Service again, while its load balancer is deleted."""
    again = LoadBalancer(lb.world, uid=new_uid("web"))
    lb.delete(service_too=False)
    lb.call(hook)
    return again


@pytest.mark.parametrize("then", [serve_on, remake, remake_service])
def test_what_has_more_than_tags_stays_the_services_and_goes_with_it(
    place: Place, then: Callable[[LoadBalancer, LoadBalancersHook], LoadBalancer]
) -> None:
    world, hook = place
    lb = LoadBalancer(world).settle(hook)
    ip = ip_of(lb)
    found = then(lb, hook)
    for _ in range(3):
        call_for(found, hook, 310)
    assert (found.is_ready(), ip_of(found)) == (True, ip)
    found.delete()
    settled(found, hook)
    assert (found.is_finalized(), world.remains()) == (True, NOTHING)
