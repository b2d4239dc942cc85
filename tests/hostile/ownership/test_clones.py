"""S3: a copy of a cluster beside the living one, which a former provider still serves.

The former provider tags nothing. Its rules have the same names in both clusters' specs; only the
VMs behind them tell whose they are.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.names import TAG_CLUSTER, TAG_ORIGIN
from tests.hostile.ownership.stage import OLD_FINALIZER, Tenant, call_for, cluster, holdings
from tests.integration.loadbalancers.driver import LoadBalancer, World
from tests.integration.loadbalancers.test_takeover import IP, existing, fork, leave_behind

#: How a Service of the living cluster looks in a backup, by who serves it.
BACKUPS: dict[str, dict[str, Any]] = {
    "a status": {"ingress": IP},
    "a status and the finalizer": {"ingress": IP, "finalizers": (OLD_FINALIZER,)},
    "the fork's annotations": {"annotations": {"address": IP, "id": "x", "network-id": "x"}},
    "an address asked for": {
        "loadBalancerIP": IP,
        "annotations": {"ip-associated-by-controller": "true"},
    },
}
Place = tuple[World, LoadBalancersHook]


@pytest.fixture
def clone(world: World) -> Iterator[Place]:
    """A cluster whose only node is a VM that serves nothing of the living one's."""
    with cluster(world, "c-2") as (other, hook):
        other.nodes = {"clone-1": other.nodes.popitem()[1]}
        yield other, hook


def left_for(living: World, lb: LoadBalancer, name: Any, *, members: bool = True) -> Json:
    """Make what the provider of the living cluster did for a Service; return it."""
    before = leave_behind(living, lb, name)
    if not members:
        vms = [each["spec"]["instanceID"] for each in living.nodes.values()][:4]
        rule = {"id": before.rules[80], "virtualmachineids": ",".join(vms)}
        living.human.done("removeFromLoadBalancerRule", **rule)
    living.simulator.control.clear_calls()
    return holdings(living, IP)


@pytest.mark.parametrize("name", [existing, fork], ids=["the same UID", "the same name"])
@pytest.mark.parametrize("backup", BACKUPS.values(), ids=BACKUPS)
def test_a_clone_takes_nothing_from_the_living_cluster(
    world: World, clone: Place, backup: Json, name: Any
) -> None:
    other, hook = clone
    lb = Tenant(other, namespace="default", **backup).lb
    before = left_for(world, lb, name)
    lb.settle(hook).wait(hook)
    assert lb.reason() == "AdoptionUnproven"
    assert "node-1" in lb.condition("Ready")["message"]
    assert "address" not in lb.status
    assert world.writes() == {}
    lb.delete()
    call_for(lb, hook, 900)
    assert lb.is_finalized()
    assert holdings(world, IP) == before


def test_a_clone_under_another_uid_does_not_claim_an_address_that_both_ask_for(
    world: World, clone: Place
) -> None:
    other, hook = clone
    living = LoadBalancer(world)
    before = left_for(world, living, existing)
    lb = LoadBalancer(other, uid="11111111-2222-3333-4444-555555555555", address=IP).settle(hook)
    assert lb.reason() == "AddressInUse"
    assert living.name in lb.condition("Ready")["message"]
    assert holdings(world, IP) == before


def test_a_clone_gets_another_address_if_its_service_asks_for_one(
    world: World, clone: Place
) -> None:
    other, hook = clone
    tenant = Tenant(other, namespace="default", ingress=IP)
    before = left_for(world, tenant.lb, fork)
    tenant.lb.settle(hook)
    tenant.service["spec"]["loadBalancerIP"] = "198.51.100.77"
    lb = tenant.settle(hook)
    assert lb.is_ready()
    assert lb.status["address"]["ip"] == "198.51.100.77"
    assert holdings(world, IP) == before


def test_it_waits_until_every_member_is_known_as_a_node(
    world: World, hook: LoadBalancersHook
) -> None:
    """A controller that starts learns its nodes one by one."""
    lb = Tenant(world, namespace="default", ingress=IP).lb
    before, nodes = left_for(world, lb, fork), world.nodes
    for known in range(1, 4):
        world.nodes = dict(list(nodes.items())[:known])
        lb.settle(hook)
        assert lb.reason() == "AdoptionUnproven"
        assert holdings(world, IP) == before
    world.nodes = nodes
    lb.settle(hook)
    assert lb.is_ready()
    assert lb.status["address"]["ip"] == IP
    [address] = holdings(world, IP)["addresses"]
    assert address["tags"][TAG_ORIGIN] == "controller"


@pytest.mark.parametrize("members", [True, False])
def test_a_person_who_names_the_forks_cluster_takes_over_and_the_address_stays_his(
    world: World, clone: Place, *, members: bool
) -> None:
    other, hook = clone
    tenant = Tenant(other, namespace="default", ingress=IP)
    left_for(world, tenant.lb, fork, members=members)
    tenant.lb.settle(hook)
    assert tenant.lb.reason() == "AdoptionUnproven"
    notes = tenant.service["metadata"]["annotations"]
    notes["service.beta.kubernetes.io/cloudstack-load-balancer-takeover-from"] = "kubernetes"
    lb = tenant.settle(hook)
    assert lb.is_ready()
    [rule] = world.rules()
    assert list(rule["members"]) == ["node-5.example.com"]
    [address] = holdings(world, IP)["addresses"]
    assert (address["tags"][TAG_CLUSTER], address["tags"][TAG_ORIGIN]) == ("c-2", "user")
    lb.delete()
    lb.settle(hook)
    assert [each["ipaddress"] for each in world.addresses()] == [IP]


def test_without_members_a_name_with_the_uid_serves_and_releases_nothing(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = Tenant(world, namespace="default", ingress=IP).lb
    left_for(world, lb, existing, members=False)
    lb.settle(hook)
    assert lb.is_ready()
    assert lb.status["address"]["ip"] == IP
    lb.delete()
    lb.settle(hook)
    assert [each["ipaddress"] for each in world.addresses()] == [IP]
    assert world.rules() == []
