"""Several Services on one address of a VPC: on one tier, with rules and items of their own."""

import uuid
from collections.abc import Iterator

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.names import TAG_SERVICE_UID
from tests.integration.loadbalancers.driver import NOTHING, World
from tests.integration.loadbalancers.test_shared_addresses import ip_of, ips, sharing, users
from tests.integration.loadbalancers.vpc import DENYING, TIER, keep_nodes, tiers_of_rules, vpc_world


@pytest.fixture
def world() -> Iterator[World]:
    with vpc_world() as made:
        yield made


def test_services_share_an_address_of_the_vpc_and_the_last_one_releases_it(
    world: World, hook: LoadBalancersHook
) -> None:
    web = sharing(world, "web", 80, sourceRanges=["10.0.0.0/8"]).settle(hook)
    mail = sharing(world, "mail", 81).settle(hook)
    assert web.is_ready(), web.condition("Ready")
    assert mail.is_ready(), mail.condition("Ready")
    assert ips(world) == [ip_of(web)] == [ip_of(mail)]
    assert users(world, ip_of(web)) == {"web", "mail"}
    assert tiers_of_rules(world) == [TIER, TIER]
    assert web.wait(hook).is_ready()
    assert mail.wait(hook).is_ready()
    before = items(world)
    web.delete()
    web.settle(hook)
    assert web.is_finalized()
    assert users(world, ip_of(mail)) == {"mail"}
    assert mail.wait(hook).is_ready()
    assert items(world) == before != []
    mail.delete()
    mail.settle(hook)
    assert mail.is_finalized()
    assert world.remains() == NOTHING


def test_a_service_of_a_share_that_is_made_again_narrows_what_it_left_open(
    world: World, hook: LoadBalancersHook
) -> None:
    web = sharing(world, "web", 80).settle(hook)
    mail = sharing(world, "mail", 81).settle(hook)
    world.cluster.objects.pop(web.service_path)
    again = sharing(world, "web", 80, uid=str(uuid.uuid4()), sourceRanges=["10.0.0.0/8"])
    again.settle(hook)
    assert again.is_ready(), again.condition("Ready")
    opened = {
        (each["tags"][TAG_SERVICE_UID], each["startport"], tuple(each["cidrlist"]))
        for each in world.items()
        if each["tags"]
    }
    wanted = {
        (again.service_uid, "80", ("10.0.0.0/8",)),
        (mail.service_uid, "81", ("0.0.0.0/0",)),
    }
    assert {(uid, str(port), ranges) for uid, port, ranges in opened} == wanted
    assert users(world, ip_of(again)) == {"web", "mail"}
    for each in (again, mail):
        each.delete()
        each.settle(hook)
    assert world.remains() == NOTHING


def test_a_service_with_members_on_another_tier_is_refused_until_the_address_is_free(
    world: World, hook: LoadBalancersHook
) -> None:
    web = sharing(world, "web", 80).settle(hook)
    before = web.status
    nodes, world.nodes = world.nodes, dict(all_nodes(world))
    keep_nodes(world, DENYING)
    other = sharing(world, "other", 81, network=world.network(DENYING)).settle(hook)
    assert not other.is_ready()
    assert other.condition("Ready")["message"]
    assert tiers_of_rules(world) == [TIER]
    world.nodes = nodes
    assert web.wait(hook).is_ready()
    assert web.status["address"] == before["address"]
    for each in (other, web):
        each.delete()
        each.settle(hook)
        assert each.is_finalized()
    assert world.remains() == NOTHING


def items(world: World) -> list[dict[str, object]]:
    """Return the items of the tier's list that the Service `mail` has."""
    return [each for each in world.items() if "mail" in each["tags"].values()]


def all_nodes(world: World) -> dict[str, dict[str, object]]:
    """Return the VMs of all tiers as nodes."""
    again = World(world.simulator)
    try:
        return again.nodes
    finally:
        again.close()
