"""A Service that is made again, as from a backup: what the earlier one of its name left goes."""

import uuid
from collections.abc import Iterator

import pytest

from hooks.loadbalancers.plan.change import SERVES_ON
from hooks.names import TAG_SERVICE_UID
from tests.hostile.ownership.stage import Place, fresh_world, told
from tests.integration.loadbalancers.changing import WHOLE, Changing, ips
from tests.integration.loadbalancers.driver import NOTHING, World, make_hook
from tests.integration.loadbalancers.test_addresses import FREE, held
from tests.integration.loadbalancers.vpc import vpc_world

NARROW = ["10.0.0.0/8"]


@pytest.fixture(params=["network", "tier"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "network":
        with fresh_world() as made:
            yield made
        return
    with vpc_world() as world:
        cloud = world.open_cloud()
        yield world, make_hook(world, cloud)
        cloud.close()


def lose(service: Changing) -> None:
    """Let a Service and its load balancer vanish, as the objects of a lost cluster do."""
    objects = service.world.cluster.objects
    for path in [each for each in objects if each.endswith(f"/{service.lb.name}")]:
        objects.pop(path)


def before(place: Place, *, is_changing: bool) -> str:
    """Leave one address of a Service that vanished, or two; return the one that has to go."""
    service = Changing(*place)
    old = service.ip
    if is_changing:
        service.ask(FREE)
        service.until_switched()
    lose(service)
    return old


def again(place: Place, **annotations: str) -> Changing:
    uid = str(uuid.uuid4())
    world, hook = place
    return Changing(world, hook, uid=uid, ranges=NARROW, address=FREE, **annotations)


def admitted(world: World) -> set[tuple[str, ...]]:
    """Return the source ranges that rules, firewall rules and ACL items of ours admit."""
    return {
        *(tuple(each["cidrlist"]) for each in world.rules()),
        *(each[3] for each in world.firewall()),
        *(tuple(each["cidrlist"]) for each in world.items() if each["tags"]),
    }


def uids(world: World) -> set[str]:
    """Return the UIDs in the marks of everything that has one."""
    things = (*world.addresses(), *world.rules(), *world.state()["firewallrules"], *world.items())
    return {each["tags"][TAG_SERVICE_UID] for each in things if each["tags"]}


@pytest.mark.parametrize("is_changing", [True, False], ids=["in the middle", "asks for another"])
def test_a_second_address_of_the_earlier_service_follows_this_one_and_goes(
    place: Place, *, is_changing: bool
) -> None:
    world, hook = place
    old = before(place, is_changing=is_changing)
    service = again(place)
    service.wait(SERVES_ON / 2)
    assert service.shown == [FREE]
    assert ips(world) == sorted([FREE, old])
    assert service.serving == sorted([FREE, old])
    assert admitted(world) == {tuple(NARROW)}
    assert uids(world) == {service.lb.service_uid}
    assert f"AddressChanged: {old}, which an earlier Service of this name had, goes" in told(world)
    service.wait(WHOLE)
    assert service.seen == [[FREE]]
    assert ips(world) == [FREE]
    assert "addressChange" not in service.lb.status
    service.lb.delete()
    service.lb.settle(hook)
    assert world.remains() == NOTHING


def test_it_goes_with_the_service(place: Place) -> None:
    world, hook = place
    before(place, is_changing=True)
    service = again(place)
    service.wait(SERVES_ON / 2)
    service.lb.delete()
    service.lb.settle(hook)
    assert service.lb.is_finalized()
    assert world.remains() == NOTHING


def test_keep_ip_keeps_it_allocated(place: Place) -> None:
    world, _ = place
    old = before(place, is_changing=True)
    service = again(place, **{"keep-ip": "true"})
    service.wait(2 * WHOLE)
    assert ips(world) == sorted([FREE, old])
    assert held(world, old)["tags"] == {}
    assert service.serving == [FREE]


def test_it_goes_also_where_the_status_is_lost(place: Place) -> None:
    world, _ = place
    before(place, is_changing=True)
    service = again(place)
    service.wait(SERVES_ON / 2)
    service.lb.parent["status"] = {}
    service.wait(2 * WHOLE)
    assert ips(world) == [FREE]
    assert service.serving == [FREE]
