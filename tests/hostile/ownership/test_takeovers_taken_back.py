"""A change onto another cluster's address that is taken back: the address goes back, too."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.plan.change import LOOK_AGAIN
from hooks.names import TAG_CLUSTER, TAG_SERVICE_UID, TAG_TAKEOVER
from tests.hostile.ownership.stage import Tenant, cluster, fresh_world, ip_of, new_uid, told
from tests.integration.loadbalancers.changing import Changing, ips
from tests.integration.loadbalancers.driver import World

#: The second port cannot be had on the address that is taken over.
PORTS = [
    {"name": "http", "port": 80, "protocol": "TCP", "nodePort": 30080},
    {"name": "tls", "port": 8443, "protocol": "TCP", "nodePort": 30443},
]
RETURNED = (
    "AddressKept: Address {} was taken over and never served here: it goes back to cluster c-2"
)


def tags_of(world: World, ip: str) -> dict[str, str]:
    [tags] = [each["tags"] for each in world.addresses() if each["ipaddress"] == ip]
    return dict(tags)


@dataclass
class Scene:
    """A Service on its own address that takes over a living cluster's, and cannot serve on it."""

    world: World
    service: Changing
    theirs: Tenant
    their_hook: LoadBalancersHook

    @property
    def taken(self) -> str:
        return ip_of(self.theirs.lb)

    def take_back(self) -> None:
        self.service.annotate("takeover-from", "")
        self.service.ask("")

    def is_theirs_again(self) -> bool:
        tags = tags_of(self.world, self.taken)
        uid = self.theirs.lb.service_uid
        marked = (tags.get(TAG_CLUSTER), tags.get(TAG_SERVICE_UID)) == ("c-2", uid)
        return marked and TAG_TAKEOVER not in tags


@pytest.fixture(params=["", "true"], ids=["plain", "keep-ip"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    keeping = {"keep-ip": request.param} if request.param else {}
    with fresh_world() as (world, hook), cluster(world, "c-2") as (elsewhere, their_hook):
        service = Changing(world, hook, **keeping)
        service.ask("", ports=PORTS)
        service.wait(60)
        uid = new_uid("theirs")
        theirs = Tenant(elsewhere, "web", namespace="default", uid=uid)
        theirs.settle(their_hook)
        world.simulator.control.fault("createLoadBalancerRule", "error", code=530, times=999)
        service.annotate("takeover-from", "c-2")
        service.ask(ip_of(theirs.lb))
        service.wait(60)
        assert tags_of(world, ip_of(theirs.lb))[TAG_CLUSTER] == "c-1"
        assert TAG_TAKEOVER in tags_of(world, ip_of(theirs.lb))
        world.simulator.control.clear_faults()
        yield Scene(world, service, theirs, their_hook)


def test_the_address_goes_back_to_its_cluster_and_serves_there(scene: Scene) -> None:
    own = scene.service.ip
    scene.world.simulator.control.fault("createLoadBalancerRule", "error", code=530, times=999)
    scene.take_back()
    scene.service.wait(6 * LOOK_AGAIN)
    assert scene.service.shown == [own]
    assert ips(scene.world) == sorted([own, scene.taken])
    assert scene.is_theirs_again()
    assert {each["address"] for each in scene.world.rules(scene.service.lb.name)} == {own}
    assert "addressChange" not in scene.service.lb.status
    assert RETURNED.format(scene.taken) in told(scene.world)
    scene.world.simulator.control.clear_faults()
    scene.theirs.lb.world.advance(400)  # its next check
    scene.theirs.settle(scene.their_hook)
    assert scene.theirs.lb.is_ready()
    assert scene.taken in {each["address"] for each in scene.world.rules(scene.theirs.lb.name)}


def test_it_goes_back_with_the_service_that_took_it(scene: Scene) -> None:
    scene.service.lb.delete()
    scene.service.lb.settle(scene.service.hook)
    assert scene.service.lb.is_finalized()
    assert scene.taken in ips(scene.world)
    assert scene.is_theirs_again()
    assert RETURNED.format(scene.taken) in told(scene.world)


def test_once_it_serves_it_is_the_services(scene: Scene) -> None:
    old, taken = scene.service.ip, scene.taken
    scene.service.wait()
    scene.service.wait()
    assert scene.service.ip == taken
    assert TAG_TAKEOVER not in tags_of(scene.world, taken)
    scene.take_back()
    scene.service.wait()
    assert scene.service.ip == taken
    assert old not in scene.service.shown
