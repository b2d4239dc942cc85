"""S3: a cluster's objects, restored in another one or again in the same one, with the same keys."""

from copy import deepcopy

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from tests.hostile.ownership.stage import (
    PORTS,
    Place,
    Tenant,
    call_for,
    holdings,
    ip_of,
    new_uid,
    told,
)
from tests.integration.loadbalancers.driver import LoadBalancer, World, port


def from_backup(
    original: LoadBalancer, into: World, *, with_status: bool, with_owner: bool
) -> LoadBalancer:
    """Restore a load balancer as backup tools do: as it was, under a UID of its own."""
    lb = LoadBalancer(into, uid=original.service_uid, ports=PORTS)
    if not with_owner:
        lb.parent["metadata"].pop("ownerReferences")
    if with_status:
        lb.parent["status"] = deepcopy(original.status)
    return lb


@pytest.mark.parametrize("service", ["gone", "new", "same"])
@pytest.mark.parametrize("with_owner", [False, True], ids=["no owner", "owner"])
@pytest.mark.parametrize("with_status", [False, True], ids=["no status", "status"])
def test_a_restored_object_that_goes_takes_nothing_along(
    original: LoadBalancer, other: Place, service: str, *, with_status: bool, with_owner: bool
) -> None:
    world, elsewhere = other
    before = holdings(original.world, ip_of(original))
    lb = from_backup(original, world, with_status=with_status, with_owner=with_owner)
    if service == "gone":
        world.cluster.objects.pop(lb.service_path)
    elif service == "new":
        world.cluster.objects[lb.service_path]["metadata"]["uid"] = new_uid("web")
    lb.call(elsewhere)
    assert holdings(world, ip_of(original)) == before
    lb.delete(service_too=service == "same")
    call_for(lb, elsewhere, 900)
    assert lb.is_finalized()
    assert holdings(world, ip_of(original)) == before
    if with_status:
        assert "c-1" in told(world)


@pytest.mark.parametrize("asked", [False, True], ids=["recorded", "asked for"])
def test_while_it_lives_people_are_told_whose_the_address_is(
    original: LoadBalancer, other: Place, *, asked: bool
) -> None:
    world, elsewhere = other
    before = holdings(world, ip_of(original))
    if asked:
        lb = LoadBalancer(world, uid=new_uid("web"), ports=PORTS, address=ip_of(original))
    else:
        lb = from_backup(original, world, with_status=True, with_owner=True)
    lb.settle(elsewhere).wait(elsewhere)
    assert lb.reason() == "ForeignCluster"
    message = lb.condition("Ready")["message"]
    assert ip_of(original) in message
    assert "c-1" in message
    assert "takeover-from" in message
    assert holdings(world, ip_of(original)) == before
    assert [each["ipaddress"] for each in world.addresses()] == [ip_of(original)]


def test_an_address_that_is_merely_left_in_the_services_status_is_let_go(
    original: LoadBalancer, other: Place
) -> None:
    world, elsewhere = other
    before = holdings(world, ip_of(original))
    lb = Tenant(world, namespace="default", uid=new_uid("web"), ingress=ip_of(original)).settle(
        elsewhere
    )
    assert lb.is_ready()
    assert ip_of(lb) != ip_of(original)
    assert holdings(world, ip_of(original)) == before


def test_a_clone_beside_the_living_one_has_an_address_of_its_own(
    original: LoadBalancer, hook: LoadBalancersHook, other: Place
) -> None:
    world, elsewhere = other
    before = holdings(world, ip_of(original))
    lb = LoadBalancer(world, uid=new_uid("web"), ports=PORTS).settle(elsewhere)
    assert lb.is_ready()
    assert ip_of(lb) != ip_of(original)
    lb.change(ports=[port(80), port(81)], sourceRanges=["10.0.0.0/8"])
    lb.settle(elsewhere)
    assert holdings(world, ip_of(original)) == before
    lb.delete()
    lb.settle(elsewhere)
    assert holdings(world, ip_of(original)) == before
    assert [each["ipaddress"] for each in world.addresses()] == [ip_of(original)]
    assert original.wait(hook).is_ready()


def test_a_clone_with_the_same_uid_has_an_address_of_its_own_too(
    original: LoadBalancer, other: Place
) -> None:
    """A copy of etcd keeps the UIDs; only the cluster's id tells the two apart."""
    world, elsewhere = other
    before = holdings(world, ip_of(original))
    lb = LoadBalancer(world, ports=PORTS).settle(elsewhere)
    assert lb.is_ready()
    assert ip_of(lb) != ip_of(original)
    lb.delete()
    lb.settle(elsewhere)
    assert holdings(world, ip_of(original)) == before
