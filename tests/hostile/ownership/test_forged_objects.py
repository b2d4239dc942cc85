"""S2 and S4: what stands in a CloudStackLoadBalancer proves nothing of whose something is."""

from copy import deepcopy
from typing import Any

import pytest

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.times import timestamp
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.names import CLEANUP_FINALIZER
from hooks.services.hook import ServicesHook
from simulator.clock import Clock
from simulator.server import Simulator
from tests.hooks import dependencies
from tests.hostile.ownership.stage import HELD, add, call_for, hold, holdings, marked, new_uid
from tests.integration.loadbalancers.driver import (
    DAY,
    NOTHING,
    LoadBalancer,
    World,
    make_hook,
    port,
)
from tests.integration.loadbalancers.test_time import recorded
from tests.unit.services import objects


def forged(victim: LoadBalancer, *, named: str = "absent", **spec: Any) -> LoadBalancer:
    """Make a load balancer in `evil` that nobody owns and that names a victim's UID."""
    lb = LoadBalancer(victim.world, named, namespace="evil", uid=victim.service_uid, **spec)
    lb.world.cluster.objects.pop(lb.service_path)
    lb.parent["metadata"]["name"] = "forged"
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
    metadata = lb.parent["metadata"]
    metadata.pop("ownerReferences", None)
    metadata |= {"name": f"{lb.name}-cleanup", "namespace": place}
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


def test_it_touches_nothing_of_a_service_that_lives(world: World, hook: LoadBalancersHook) -> None:
    victim = LoadBalancer(world).settle(hook)
    ip = victim.status["address"]["ip"]
    before = holdings(world, ip)
    lb = LoadBalancer(world)
    cleanup(lb)
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


# S4: statuses


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
SEALS = {"no seal": None, "a forged seal": "AAAAAAAAAAAAAAAAAAAAAA", "another text": "x"}


@pytest.mark.parametrize("seal", SEALS.values(), ids=SEALS)
@pytest.mark.parametrize("is_living", [False, True], ids=["deleted at once", "living first"])
@pytest.mark.parametrize("forge", STATUSES.values(), ids=STATUSES)
def test_a_forged_status_neither_tags_nor_releases_an_address(
    world: World, hook: LoadBalancersHook, forge: Any, seal: str | None, *, is_living: bool
) -> None:
    address = hold(world)
    before = holdings(world, HELD)
    lb = LoadBalancer(world, namespace="evil")
    lb.parent["status"] = claimed(world, address, **{**forge(world), "seal": seal})
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


def chosen_by(world: World, hook: LoadBalancersHook, name: str, **how: Any) -> LoadBalancer:
    """Return a load balancer that has chosen the address HELD, and nothing else."""
    lb = LoadBalancer(world, name, address=HELD, **how)
    lb.call(hook)
    assert lb.status["address"]["ip"] == HELD
    assert "id" not in lb.status["address"]
    return lb


@pytest.mark.parametrize("is_living", [False, True], ids=["deleted at once", "living first"])
@pytest.mark.parametrize(
    "thief",
    [
        pytest.param({"namespace": "evil"}, id="another namespace"),
        pytest.param({"name": "thief"}, id="another name"),
        pytest.param({"uid": new_uid("web")}, id="another UID"),
    ],
)
def test_the_seal_of_another_service_is_worth_nothing(
    world: World, hook: LoadBalancersHook, thief: Json, *, is_living: bool
) -> None:
    sealed = chosen_by(world, hook, "web").status
    hold(world)
    before = holdings(world, HELD)
    lb = LoadBalancer(world, **thief)
    lb.parent["status"] = deepcopy(sealed)
    if is_living:
        for _ in range(12):
            lb.call(hook)
            assert holdings(world, HELD) == before
            world.advance(2)
    lb.delete()
    call_for(lb, hook, 900)
    assert lb.is_finalized()
    assert holdings(world, HELD) == before


def test_the_seal_of_another_clusters_service_is_worth_nothing(
    world: World, hook: LoadBalancersHook
) -> None:
    sealed = chosen_by(world, hook, "web").status
    hold(world)
    before = holdings(world, HELD)
    other = World(world.simulator, cluster_id="c-2")
    cloud = other.open_cloud()
    lb = LoadBalancer(other)
    lb.parent["status"] = deepcopy(sealed)
    elsewhere = make_hook(other, cloud)
    for _ in range(8):
        lb.call(elsewhere)
        assert holdings(world, HELD) == before
        world.advance(2)
    lb.delete()
    call_for(lb, elsewhere, 900)
    assert holdings(world, HELD) == before
    cloud.close()
    other.close()


@pytest.mark.parametrize("changed", ["ip", "chosenAt"])
def test_a_seal_holds_for_the_address_and_the_time_that_it_was_made_for(
    world: World, hook: LoadBalancersHook, changed: str
) -> None:
    lb = LoadBalancer(world)
    lb.call(hook)
    status = deepcopy(lb.status)
    ip = HELD if changed == "ip" else status["address"]["ip"]
    hold(world, ip=ip)
    before = holdings(world, ip)
    status["address"][changed] = ip if changed == "ip" else timestamp(world.now + 5)
    lb.parent["status"] = status
    for _ in range(8):
        lb.call(hook)
        assert holdings(world, ip) == before
        world.advance(2)
    assert lb.status["address"]["ip"] != ip
    lb.delete()
    call_for(lb, hook, 900)
    assert holdings(world, ip) == before


def test_a_seal_is_worth_nothing_after_a_day() -> None:
    clock = Clock(lambda: Clock().now() - 5 * DAY)
    with Simulator("small", job_delay=0.005, clock=clock) as simulator:
        world = World(simulator)
        cloud = world.open_cloud()
        hook = make_hook(world, cloud)
        lb = LoadBalancer(world)
        lb.call(hook)
        ip = lb.status["address"]["ip"]
        world.advance(DAY + 3600)
        hold(world, ip=ip)
        before = holdings(world, ip)
        lb.settle(hook)
        assert lb.is_ready()
        assert lb.status["address"]["ip"] != ip
        assert holdings(world, ip) == before
        cloud.close()
        world.close()


def test_a_choice_of_yesterday_is_made_again_before_it_is_associated() -> None:
    clock = Clock(lambda: Clock().now() - 5 * DAY)
    with Simulator("small", job_delay=0.005, clock=clock) as simulator:
        world = World(simulator)
        cloud = world.open_cloud()
        hook = make_hook(world, cloud)
        lb = LoadBalancer(world)
        lb.call(hook)
        old = lb.status["address"]["chosenAt"]
        world.advance(DAY + 3600)
        lb.call(hook)
        assert world.writes() == {}
        assert lb.status["address"]["chosenAt"] > old
        lb.settle(hook)
        assert lb.is_ready()
        assert len(marked(world, lb.service_uid)) == len(world.addresses()) == 1
        cloud.close()
        world.close()


@pytest.mark.parametrize(
    "thing", ["rule", "firewall rule", "port forwarding rule", "tag", "static NAT"]
)
def test_a_right_seal_is_worth_nothing_on_an_address_that_is_in_use(
    world: World, hook: LoadBalancersHook, thing: str
) -> None:
    """Somebody took the chosen address by hand and uses it before we could associate it."""
    lb = LoadBalancer(world)
    lb.call(hook)
    ip = lb.status["address"]["ip"]
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
