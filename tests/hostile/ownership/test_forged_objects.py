"""S2: the spec of a CloudStackLoadBalancer proves nothing of whose something is."""

from copy import deepcopy
from typing import Any

import pytest

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.times import timestamp
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.names import CLEANUP_FINALIZER
from hooks.services.hook import ServicesHook
from tests.hooks import dependencies
from tests.hostile.ownership.stage import HELD, call_for, hold, holdings
from tests.integration.loadbalancers.driver import (
    NOTHING,
    LoadBalancer,
    World,
    port,
)
from tests.unit.services import objects


def forged(victim: LoadBalancer, *, named: str = "absent", **spec: Any) -> LoadBalancer:
    """Make a load balancer in `evil` that nobody owns and that names a victim's UID."""
    lb = LoadBalancer(victim.world, named, namespace="evil", uid=victim.service_uid, **spec)
    lb.world.cluster.objects.pop(lb.service_path)
    lb.rename("forged", "evil")
    lb.parent["metadata"].pop("ownerReferences")
    return lb


def names_of(lb: LoadBalancer) -> list[str]:
    return [f"{lb.name}-tcp-80", f"{lb.name}-80", f"K8s_svc_kubernetes_default_{lb.name}-tcp-80"]


FORGERIES: dict[str, Any] = {
    "the UID": lambda _: {},
    "the UID and the name": lambda _: {"named": "web"},
    "the names of the rules": lambda victim: {
        "loadBalancerName": victim.name,
        "adopt": {
            "address": victim.status["address"]["ip"],
            "associatedByController": True,
            "names": names_of(victim),
        },
    },
    "the address": lambda victim: {"address": victim.status["address"]["ip"], "named": "web"},
    "the namespace": lambda victim: {
        "service": {"name": "web", "uid": victim.service_uid, "namespace": "default"}
    },
}


@pytest.mark.parametrize("with_status", [False, True], ids=["no status", "the victim's status"])
@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_load_balancer_of_nobody_takes_nothing_from_a_victim(
    world: World, hook: LoadBalancersHook, forge: Any, *, with_status: bool
) -> None:
    victim = LoadBalancer(world, ports=[port(80), port(443)]).settle(hook)
    ip = victim.status["address"]["ip"]
    before = holdings(world, ip)
    lb = forged(victim, **forge(victim))
    if with_status:
        lb.parent["status"] = deepcopy(victim.status)
    lb.call(hook)
    assert holdings(world, ip) == before
    lb.delete()
    call_for(lb, hook, 900)
    assert lb.is_finalized()
    assert holdings(world, ip) == before
    assert victim.wait(hook).is_ready()
    assert holdings(world, ip) == before


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_one_that_claims_the_victim_as_its_owner_neither(
    world: World, hook: LoadBalancersHook, forge: Any
) -> None:
    """Garbage collection will delete it; until then it lives and asks for other ports."""
    victim = LoadBalancer(world, ports=[port(80), port(443)]).settle(hook)
    ip = victim.status["address"]["ip"]
    before = holdings(world, ip)
    lb = forged(victim, **{**forge(victim), "ports": [port(81)]})
    lb.parent["metadata"]["ownerReferences"] = deepcopy(
        victim.parent["metadata"]["ownerReferences"]
    )
    for _ in range(8):
        lb.call(hook)
        world.advance(2)
        assert holdings(world, ip) == before
    lb.delete()
    call_for(lb, hook, 900)
    assert holdings(world, ip) == before
    assert [each["ipaddress"] for each in world.addresses()] == [ip]
    assert victim.wait(hook).is_ready()


@pytest.mark.parametrize("with_tag", [False, True])
def test_names_of_a_rule_by_hand_are_no_claim(
    world: World, hook: LoadBalancersHook, *, with_tag: bool
) -> None:
    hold(world, "rule", "firewall rule", *(["tag"] if with_tag else []))
    before = holdings(world, HELD)
    lb = LoadBalancer(
        world,
        namespace="evil",
        address=HELD,
        adopt={"address": HELD, "associatedByController": True, "names": ["k8s-api"]},
    )
    lb.settle(hook)
    assert before["loadbalancerrules"][0] in holdings(world, HELD)["loadbalancerrules"]
    lb.delete()
    lb.settle(hook)
    assert holdings(world, HELD) == before


def test_a_rule_that_is_named_as_another_load_balancer_names_its_own_is_no_claim(
    world: World, hook: LoadBalancersHook
) -> None:
    """`loadBalancerName` counts only where it is derived from the Service's own UID."""
    address = hold(world)
    stranger = LoadBalancer(world, "stranger")
    rule = world.human.done(
        "createLoadBalancerRule",
        name=f"{stranger.name}-tcp-8443",
        algorithm="roundrobin",
        publicport=8443,
        privateport=30443,
        publicipid=address,
        openfirewall=False,
    )["loadbalancer"]
    before = holdings(world, HELD)
    lb = LoadBalancer(
        world,
        namespace="evil",
        loadBalancerName=stranger.name,
        adopt={"address": HELD, "associatedByController": True, "names": [rule["name"]]},
        address=HELD,
    )
    lb.settle(hook)
    lb.delete()
    lb.settle(hook)
    assert holdings(world, HELD) == before


def cleanup(lb: LoadBalancer, *, namespace: str = "default", place: str = "kube-system") -> None:
    """Turn a load balancer into the one that cleans up after its Service, in another place."""
    lb.parent["metadata"].pop("ownerReferences", None)
    lb.rename(f"{lb.name}-cleanup", place)
    lb.parent.pop("status", None)
    lb.change(service={**lb.parent["spec"]["service"], "namespace": namespace})


def test_what_we_make_in_kube_system_cleans_up_after_a_service_that_is_gone(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    world.cluster.objects.pop(lb.service_path)
    cleanup(lb)
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert world.remains() == NOTHING


@pytest.mark.parametrize("is_gone", [True, False])
def test_one_of_an_earlier_version_finds_the_namespace_in_the_tags(
    world: World, hook: LoadBalancersHook, *, is_gone: bool
) -> None:
    """It is in flight during the upgrade, and names no namespace."""
    lb = LoadBalancer(world).settle(hook)
    before = holdings(world, lb.status["address"]["ip"])
    cleanup(lb)
    del lb.parent["spec"]["service"]["namespace"]
    if is_gone:
        world.cluster.objects.pop(lb.service_path)
    lb.call(hook)
    assert ("delete" in {verb for verb, _, _ in world.cluster.writes}) is is_gone
    lb.delete(service_too=False)
    call_for(lb, hook, 900)
    assert lb.is_finalized()
    if is_gone:
        assert world.remains() == NOTHING
    else:
        assert holdings(world, before["addresses"][0]["ipaddress"]) == before


@pytest.mark.parametrize("place", ["kube-system", "evil"])
def test_one_without_a_namespace_takes_nothing_of_another_name_or_from_another_place(
    world: World, hook: LoadBalancersHook, place: str
) -> None:
    victim = LoadBalancer(world).settle(hook)
    ip = victim.status["address"]["ip"]
    before = holdings(world, ip)
    world.cluster.objects.pop(victim.service_path)
    lb = LoadBalancer(world, "till" if place == "kube-system" else "web", uid=victim.service_uid)
    world.cluster.objects.pop(lb.service_path)
    cleanup(lb, place=place)
    del lb.parent["spec"]["service"]["namespace"]
    lb.delete()
    call_for(lb, hook, 900)
    assert holdings(world, ip) == before


def test_it_touches_nothing_of_a_service_that_lives(world: World, hook: LoadBalancersHook) -> None:
    victim = LoadBalancer(world).settle(hook)
    ip = victim.status["address"]["ip"]
    before = holdings(world, ip)
    theirs = victim.parent
    lb = LoadBalancer(world)
    cleanup(lb)
    victim.parent = theirs
    lb.delete(service_too=False)
    call_for(lb, hook, 900)
    assert holdings(world, ip) == before
    assert victim.wait(hook).is_ready()


@pytest.mark.parametrize("place", ["evil", "default-2", "kube-public"])
def test_the_namespace_of_the_service_counts_in_kube_system_alone(
    world: World, hook: LoadBalancersHook, place: str
) -> None:
    """The Service is gone, so only the mark protects what it left: another one will want it."""
    lb = LoadBalancer(world).settle(hook)
    ip = lb.status["address"]["ip"]
    before = holdings(world, ip)
    world.cluster.objects.pop(lb.service_path)
    cleanup(lb, place=place)
    lb.delete()
    call_for(lb, hook, 900)
    assert lb.is_finalized()
    assert holdings(world, ip) == before


def test_the_services_hook_writes_the_namespace_of_the_service_it_cleans_up_after(
    world: World,
) -> None:
    hook = ServicesHook(
        dependencies(world.cluster, record=world.cluster.record, clock=lambda: world.now)
    )
    metadata: Json = {
        "uid": objects.UID,
        "deletionTimestamp": timestamp(world.now),
        "finalizers": [CLEANUP_FINALIZER],
    }
    service = objects.service(metadata=metadata, status=objects.ours())
    world.cluster.objects["/api/v1/namespaces/default/services/web"] = service
    hook.sync(objects.request(service), Deadline(8))
    [made] = [body for verb, _, body in world.cluster.writes if verb == "create"]
    assert made["metadata"]["namespace"] == "kube-system"
    assert made["spec"]["service"] == {
        "name": "web",
        "uid": objects.UID,
        "namespace": "default",
    }


def test_our_finalizer_gets_no_address_for_a_service_of_another_provider(
    world: World, hook: LoadBalancersHook
) -> None:
    """Without a default class, the hooks serve no Service that names none."""
    lb = LoadBalancer(world)
    metadata: Json = {"uid": lb.service_uid, "finalizers": [CLEANUP_FINALIZER]}
    service = objects.service(metadata=metadata)
    world.cluster.objects[lb.service_path] = service
    services = ServicesHook(
        dependencies(world.cluster, clock=lambda: world.now, default_load_balancer_class=False)
    )
    services.sync(objects.request(service), Deadline(8))
    [made] = [body for verb, _, body in world.cluster.writes if verb == "create"]
    lb.change(**made["spec"])
    cleanup(lb, place="default")
    call_for(lb, hook, 900)
    assert world.remains() == NOTHING
