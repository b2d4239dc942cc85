"""S3: somebody removed tags. What is still proven ours goes; of what stays, an Event tells."""

from copy import deepcopy

import pytest

from hooks import names
from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.plan.ownership import ADDRESS_KEYS, MARK_KEYS
from tests.hostile.ownership.stage import call_for, cluster, holdings, ip_of, new_uid, told
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World


@pytest.fixture
def lb(world: World, hook: LoadBalancersHook) -> LoadBalancer:
    return LoadBalancer(world).settle(hook)


def untag(world: World, kind: str, resource: Json, *keys: str) -> None:
    params = {f"tags[{index}].key": key for index, key in enumerate(keys)}
    world.human.done("deleteTags", resourcetype=kind, resourceids=resource["id"], **params)


def untag_address(lb: LoadBalancer, *keys: str) -> None:
    [address] = holdings(lb.world, ip_of(lb))["addresses"]
    untag(lb.world, "PublicIpAddress", address, *keys)


def untag_rules(lb: LoadBalancer) -> None:
    held = holdings(lb.world, ip_of(lb))
    for rule in held["loadbalancerrules"]:
        untag(lb.world, "LoadBalancer", rule, *MARK_KEYS)
    for rule in held["firewallrules"]:
        untag(lb.world, "FirewallRule", rule, *MARK_KEYS)


@pytest.mark.parametrize("key", MARK_KEYS)
def test_a_deletion_restores_a_tag_of_the_address_and_leaves_only_the_address(
    lb: LoadBalancer, hook: LoadBalancersHook, key: str
) -> None:
    untag_address(lb, key)
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert lb.world.remains() == {**NOTHING, "addresses": [ip_of(lb)]}
    assert f"AddressKept: Address {ip_of(lb)} had lost tags" in told(lb.world)


@pytest.mark.parametrize("keys", [(names.TAG_ORIGIN,), ADDRESS_KEYS])
def test_without_its_origin_the_address_stays_and_nothing_of_ours_on_it(
    lb: LoadBalancer, hook: LoadBalancersHook, keys: tuple[str, ...]
) -> None:
    untag_address(lb, *keys)
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert lb.world.remains() == {**NOTHING, "addresses": [ip_of(lb)]}


@pytest.mark.parametrize("keys", [ADDRESS_KEYS, (names.TAG_CLUSTER, names.TAG_SERVICE)])
def test_what_nothing_proves_stays_and_people_are_told(
    lb: LoadBalancer, hook: LoadBalancersHook, keys: tuple[str, ...]
) -> None:
    untag_rules(lb)
    untag_address(lb, *keys)
    before = holdings(lb.world, ip_of(lb))
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert holdings(lb.world, ip_of(lb)) == before
    assert f"AddressKept: Address {ip_of(lb)}" in told(lb.world)
    assert names.EVENT_DELETED not in lb.world.cluster.reasons()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        *(
            ((key,), f"has lost tags that say whose it is ({key.split('/')[1]})")
            for key in MARK_KEYS
        ),
        (ADDRESS_KEYS, "has rule"),
    ],
)
@pytest.mark.parametrize("with_rule_tags", [True, False])
def test_without_a_status_people_are_told_what_stays(
    lb: LoadBalancer,
    hook: LoadBalancersHook,
    keys: tuple[str, ...],
    said: str,
    *,
    with_rule_tags: bool,
) -> None:
    if not with_rule_tags:
        untag_rules(lb)
    ip = ip_of(lb)
    untag_address(lb, *keys)
    before = holdings(lb.world, ip)
    del lb.parent["status"]
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert holdings(lb.world, ip) == before
    assert f"AddressKept: Address {ip} {said}" in told(lb.world)
    assert names.EVENT_DELETED not in lb.world.cluster.reasons()


def test_of_the_addresses_of_a_namesake_nothing_is_said(
    lb: LoadBalancer, hook: LoadBalancersHook
) -> None:
    namesake = LoadBalancer(lb.world, "web", namespace="other", uid=new_uid("web")).settle(hook)
    untag_address(lb, names.TAG_CLUSTER)
    del namesake.parent["status"]
    namesake.delete()
    lb.world.cluster.events.clear()
    call_for(namesake, hook, 900)
    assert namesake.is_finalized()
    assert ip_of(lb) not in told(lb.world)


def test_an_address_that_somebody_else_has_meanwhile_is_no_reason_for_an_event(
    lb: LoadBalancer, hook: LoadBalancersHook
) -> None:
    world, ip = lb.world, ip_of(lb)
    [address] = holdings(world, ip)["addresses"]
    world.human.done("disassociateIpAddress", id=address["id"])
    world.advance(60)
    world.human.done("associateIpAddress", networkid=world.network("net-1"), ipaddress=ip)
    lb.delete()
    lb.settle(hook)
    assert world.cluster.reasons()[-1] == names.EVENT_DELETED
    assert [each["ipaddress"] for each in world.addresses()] == [ip]


@pytest.mark.parametrize("with_rules", [True, False])
def test_a_copy_of_the_cluster_takes_no_address_whose_cluster_tag_is_gone(
    lb: LoadBalancer, *, with_rules: bool
) -> None:
    if not with_rules:
        untag_rules(lb)
    untag_address(lb, names.TAG_CLUSTER)
    before = holdings(lb.world, ip_of(lb))
    with cluster(lb.world, "c-2") as (other, elsewhere):
        copy = LoadBalancer(other)
        copy.parent["status"] = deepcopy(lb.status)
        for _ in range(3):
            other.advance(400)
            copy.call(elsewhere)
        assert holdings(other, ip_of(lb)) == before
        copy.parent["status"] = deepcopy(lb.status)
        copy.delete()
        call_for(copy, elsewhere, 900)
        assert holdings(other, ip_of(lb)) == before


@pytest.mark.parametrize("is_deleting", [False, True])
def test_a_forged_status_takes_no_address_that_lost_the_name_of_its_service(
    lb: LoadBalancer, hook: LoadBalancersHook, *, is_deleting: bool
) -> None:
    """Somebody who may write load balancers in `evil` knows the UID and the allocation."""
    world = lb.world
    untag_rules(lb)
    untag_address(lb, names.TAG_NAMESPACE, names.TAG_SERVICE)
    before = holdings(world, ip_of(lb))
    forged = LoadBalancer(world, "till", namespace="evil", uid=lb.service_uid)
    forged.parent["status"] = {"address": lb.status["address"]}
    if is_deleting:
        forged.delete()
    call_for(forged, hook, 900)
    assert holdings(world, ip_of(lb)) == before


def test_an_address_that_lost_its_tags_is_not_claimed_over_the_rules_of_its_service(
    lb: LoadBalancer, hook: LoadBalancersHook
) -> None:
    world = lb.world
    untag_address(lb, *ADDRESS_KEYS)
    before = holdings(world, ip_of(lb))
    taker = LoadBalancer(world, "till", namespace="evil", address=ip_of(lb)).settle(hook)
    assert taker.reason() == "AddressInUse"
    assert "default/web" in taker.condition("Ready")["message"]
    assert holdings(world, ip_of(lb)) == before
    with cluster(world, "c-2") as (other, elsewhere):
        copy = LoadBalancer(other, address=ip_of(lb)).settle(elsewhere)
        assert copy.reason() == "AddressInUse"
        assert holdings(world, ip_of(lb)) == before
    assert lb.wait(hook).is_ready()
    assert [each["ipaddress"] for each in world.addresses()] == [ip_of(lb)]
