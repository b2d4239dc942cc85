"""S1: what a tenant writes on a Service proves nothing of whose an address is."""

from typing import Any

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.names import TAG_ORIGIN
from tests.hostile.ownership.stage import (
    HELD,
    OLD_FINALIZER,
    THINGS,
    Tenant,
    add,
    hold,
    holdings,
)
from tests.integration.loadbalancers.driver import World

CLAIMS: dict[str, dict[str, Any]] = {
    "address and id": {"annotations": {"address": HELD, "id": "x"}},
    "address and associated": {
        "annotations": {"address": HELD, "ip-associated-by-controller": "true"}
    },
    "loadBalancerIP and id": {"annotations": {"id": "x"}, "loadBalancerIP": HELD},
    "loadBalancerIP and associated": {
        "annotations": {"ip-associated-by-controller": "true"},
        "loadBalancerIP": HELD,
    },
    "a status left on it": {"ingress": HELD},
    "a status and the old finalizer": {"ingress": HELD, "finalizers": (OLD_FINALIZER,)},
    "everything": {
        "annotations": {
            "address": HELD,
            "id": "x",
            "network-id": "x",
            "ip-associated-by-controller": "true",
        },
        "ingress": HELD,
        "finalizers": (OLD_FINALIZER,),
    },
}
PRESENT = {
    "the whole API server": THINGS,
    **{thing: (thing,) for thing in THINGS},
    "static NAT": ("static NAT",),
    "nothing": (),
}


@pytest.mark.parametrize("things", PRESENT.values(), ids=PRESENT)
@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_an_address_by_hand_is_neither_released_nor_changed(
    world: World, hook: LoadBalancersHook, claim: dict[str, Any], things: tuple[str, ...]
) -> None:
    hold(world, *things)
    before = holdings(world, HELD)
    lb = Tenant(world, **claim).settle(hook)
    living = holdings(world, HELD)
    for kind in ("loadbalancerrules", "firewallrules", "portforwardingrules"):
        for each in before[kind]:
            assert each in living[kind]
    assert living["addresses"][0]["tags"].items() >= before["addresses"][0]["tags"].items()
    assert living["addresses"][0]["tags"].get(TAG_ORIGIN) != "controller"
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert holdings(world, HELD) == before
    assert [each["ipaddress"] for each in world.addresses()] == [HELD]


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_deleted_before_it_was_ever_served(
    world: World, hook: LoadBalancersHook, claim: dict[str, Any]
) -> None:
    hold(world, *THINGS)
    before = holdings(world, HELD)
    lb = Tenant(world, **claim).lb
    lb.call(hook)
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert holdings(world, HELD) == before


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_a_port_that_a_human_serves_stays_his(
    world: World, hook: LoadBalancersHook, claim: dict[str, Any]
) -> None:
    hold(world, *THINGS)
    before = holdings(world, HELD)
    ports = [{"name": "api", "port": 6443, "protocol": "TCP", "nodePort": 30443}]
    ports += [{"name": "ssh", "port": 2222, "protocol": "TCP", "nodePort": 30022}]
    tenant = Tenant(world, ports=ports, **claim)
    lb = tenant.settle(hook)
    living = holdings(world, HELD)
    assert living["loadbalancerrules"] == before["loadbalancerrules"]
    assert living["portforwardingrules"] == before["portforwardingrules"]
    for each in before["firewallrules"]:
        assert each in living["firewallrules"]
    lb.delete()
    lb.settle(hook)
    assert holdings(world, HELD) == before


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_another_services_address_is_neither_released_nor_changed(
    world: World, hook: LoadBalancersHook, claim: dict[str, Any]
) -> None:
    """The victim's address is where the claims say; it is put there by its own Service."""
    victim = Tenant(world, "victim", namespace="default", annotations={"address": HELD})
    victim.settle(hook)
    before = holdings(world, HELD)
    assert before["addresses"][0]["tags"][TAG_ORIGIN] == "controller"
    lb = Tenant(world, **claim).settle(hook)
    assert holdings(world, HELD) == before
    lb.delete()
    lb.settle(hook)
    assert holdings(world, HELD) == before
    assert victim.lb.wait(hook).is_ready()


def test_a_cluster_service_of_the_former_provider_is_not_taken_by_a_name_of_its_form(
    world: World, hook: LoadBalancersHook
) -> None:
    """A rule of `default/web` by the fork is not that of `evil/web`, whatever `adopt` names."""
    address = hold(world, "tag")
    fork = world.human.done(
        "createLoadBalancerRule",
        name="K8s_svc_kubernetes_default_web-tcp-80",
        algorithm="roundrobin",
        publicport=80,
        privateport=30080,
        publicipid=address,
        openfirewall=False,
    )["loadbalancer"]
    add(world, address, "rule")
    before = holdings(world, HELD)
    tenant = Tenant(world, **CLAIMS["everything"])
    adopt = {**tenant.lb.parent["spec"]["adopt"], "names": [fork["name"], "k8s-api"]}
    tenant.lb.change(adopt=adopt)
    tenant.lb.settle(hook)
    for each in before["loadbalancerrules"]:
        assert each in holdings(world, HELD)["loadbalancerrules"]
    tenant.lb.delete()
    tenant.lb.settle(hook)
    assert holdings(world, HELD) == before
