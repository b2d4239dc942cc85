"""A Service never goes on showing an address that CloudStack shows to be somebody else's."""

import uuid

from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from tests.hostile.ownership.stage import Tenant, cluster, fresh_world, hold, ip_of
from tests.integration.loadbalancers.driver import World


def ingress(tenant: Tenant) -> list[Json]:
    return list(tenant.service["status"]["loadBalancer"].get("ingress") or [])


def shown_while(tenant: Tenant, hook: LoadBalancersHook, seconds: float) -> list[list[Json]]:
    """Let both hooks work for a while, and return what the Service showed, without repetitions."""
    shown = [ingress(tenant)]
    until = tenant.world.now + seconds
    while tenant.world.now < until:
        tenant.lb.call(hook)
        tenant.refresh()
        if ingress(tenant) != shown[-1]:
            shown.append(ingress(tenant))
        tenant.world.advance(max(1.0, min(30.0, tenant.lb.next_look())))
    return shown


def lose(world: World, tenant: Tenant) -> str:
    """Release the Service's address by hand, and let a person acquire and use it."""
    ip = ip_of(tenant.lb)
    world.human.done("disassociateIpAddress", id=tenant.lb.status["address"]["id"])
    world.advance(2)
    hold(world, "rule", ip=ip)
    return ip


def told_of(world: World) -> list[str]:
    return [each.message for each in world.cluster.events if each.reason == "AddressWithdrawn"]


def test_an_address_that_a_person_got_is_not_shown_while_no_other_can_be_acquired() -> None:
    with fresh_world() as (world, hook):
        tenant = Tenant(world)
        tenant.settle(hook)
        tenant.refresh()
        before = ingress(tenant)
        ip = lose(world, tenant)
        text = "Maximum number of resources of type public_ip has been exceeded"
        world.simulator.control.fault(
            "associateIpAddress", "error", code=535, text=text, times=None
        )
        assert shown_while(tenant, hook, 1500) == [before, []]
        assert tenant.lb.reason() == "QuotaExceeded"
        assert len(told_of(world)) == 1
        world.simulator.control.clear_faults()
        _, after = shown_while(tenant, hook, 900)
        assert [each["ip"] for each in after] == [ip_of(tenant.lb)] != [ip]
        assert "withdrawnAddress" not in tenant.lb.status
        assert len(told_of(world)) == 1


def test_an_address_that_another_cluster_took_over_is_not_shown_any_more() -> None:
    with fresh_world() as (world, hook), cluster(world, "c-2") as (other, elsewhere):
        tenant = Tenant(world)
        tenant.settle(hook)
        tenant.refresh()
        before = ingress(tenant)
        taker = Tenant(other, uid=str(uuid.uuid4()), annotations={"takeover-from": "c-1"})
        for _ in range(3):
            taker.settle(elsewhere)
            world.advance(5)
        assert taker.lb.is_ready()
        assert ip_of(taker.lb) == ip_of(tenant.lb)
        assert shown_while(tenant, hook, 900) == [before, []]
        assert tenant.lb.reason() == "ForeignCluster"
        assert tenant.lb.status["address"]["published"] is False
        [message] = told_of(world)
        assert "belongs to Service evil/web of cluster c-2" in message


def test_an_address_stays_shown_while_cloudstack_does_not_answer() -> None:
    with fresh_world() as (world, hook):
        tenant = Tenant(world)
        tenant.settle(hook)
        tenant.refresh()
        before = ingress(tenant)
        lose(world, tenant)
        world.simulator.control.fault("listPublicIpAddresses", "error", code=530, times=None)
        assert shown_while(tenant, hook, 900) == [before]
        assert not told_of(world)
