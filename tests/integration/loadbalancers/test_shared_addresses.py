"""Several Services of one namespace on one address: joining, leaving, and what each keeps."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.names import (
    TAG_CLUSTER,
    TAG_NAMESPACE,
    TAG_ORIGIN,
    TAG_SERVICE_UID,
    TAG_SHARE,
    TAG_USER_PREFIX,
)
from tests.hostile.ownership.stage import cluster
from tests.integration.loadbalancers.driver import (
    NOTHING,
    LoadBalancer,
    World,
    make_hook,
    port,
    start_simulator,
)

#: An address that a person allocated.
BROUGHT = "198.51.100.150"


def sharing(world: World, name: str, *ports: int, **spec: Any) -> LoadBalancer:
    """Make a Service on the shared address `front`, unless another is given."""
    wanted = {"ports": [port(each) for each in ports or (80,)], "sharedAddress": "front", **spec}
    return LoadBalancer(world, name, **wanted)


def users(world: World, ip: str) -> set[str]:
    """Return the names of the Services that use an address, by its tags."""
    [tags] = [each["tags"] for each in world.addresses() if each["ipaddress"] == ip]
    return {text for key, text in tags.items() if key.startswith(TAG_USER_PREFIX)}


def ips(world: World) -> list[str]:
    return [each["ipaddress"] for each in world.addresses()]


def ip_of(lb: LoadBalancer) -> str:
    return str(lb.status["address"]["ip"])


def ports_of(world: World, lb: LoadBalancer) -> list[int]:
    return sorted(int(each["publicport"]) for each in world.rules(lb.name))


def hold(world: World, ip: str = BROUGHT) -> str:
    """Allocate an address by hand; return its id."""
    network = world.network("net-1")
    answer = world.human.done("associateIpAddress", networkid=network, ipaddress=ip)
    return str(answer["ipaddress"]["id"])


def delete(lb: LoadBalancer, *hooks: LoadBalancersHook) -> None:
    lb.delete()
    lb.settle(*hooks)
    assert lb.is_finalized()


def test_services_of_a_share_have_one_address_and_each_its_own_rules(
    world: World, hook: LoadBalancersHook
) -> None:
    web = sharing(world, "web", 80, sourceRanges=["10.0.0.0/8"]).settle(hook)
    mail = sharing(world, "mail", 81, 25, sourceRanges=["192.0.2.0/24"]).settle(hook)
    assert web.is_ready()
    assert mail.is_ready()
    assert ips(world) == [ip_of(web)] == [ip_of(mail)]
    [address] = world.addresses()
    assert address["tags"] == {
        TAG_CLUSTER: "c-1",
        TAG_NAMESPACE: "default",
        TAG_SHARE: "front",
        TAG_ORIGIN: "controller",
        TAG_USER_PREFIX + web.service_uid: "web",
        TAG_USER_PREFIX + mail.service_uid: "mail",
    }
    assert {each["tags"][TAG_SERVICE_UID] for each in world.rules(mail.name)} == {mail.service_uid}
    assert (ports_of(world, web), ports_of(world, mail)) == ([80], [25, 81])
    # Contiguous ports of two Services are two firewall rules, each for its own sources.
    assert world.firewall() == [
        ("tcp", 25, 25, ("192.0.2.0/24",)),
        ("tcp", 80, 80, ("10.0.0.0/8",)),
        ("tcp", 81, 81, ("192.0.2.0/24",)),
    ]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)], ids=str)
def test_services_leave_in_any_order_and_the_last_one_releases_the_address(
    world: World, hook: LoadBalancersHook, order: tuple[int, ...]
) -> None:
    lbs = [sharing(world, f"s{each}", 80 + each).settle(hook) for each in range(3)]
    ip = ip_of(lbs[0])
    for number, left in zip(order, (2, 1, 0), strict=True):
        delete(lbs[number], hook)
        assert ips(world) == ([ip] if left else [])
        assert len(world.rules()) == len(world.firewall()) == left
        for each in lbs:
            if not each.is_finalized():
                assert each.wait(hook).is_ready()
                assert ip_of(each) == ip
    assert world.remains() == NOTHING


def test_services_that_leave_at_once_take_turns_and_none_is_refused(
    world: World, hook: LoadBalancersHook
) -> None:
    lbs = [sharing(world, f"s{each}", 80 + each).settle(hook) for each in range(6)]
    for lb in lbs:
        lb.delete()
    world.simulator.control.clear_calls()
    with ThreadPoolExecutor(len(lbs)) as pool:
        list(pool.map(lambda lb: lb.call(hook, seconds=60.0), lbs))
    assert "SyncLoadBalancerFailed" not in world.cluster.reasons()
    for lb in lbs:
        assert lb.reason() != "DeletionRefused"
        if not lb.is_finalized():
            lb.settle(hook)
        assert lb.is_finalized()
    assert world.remains() == NOTHING


def test_two_services_that_come_at_once_choose_the_same_address(
    world: World, hook: LoadBalancersHook
) -> None:
    web, mail = sharing(world, "web", 80), sharing(world, "mail", 25)
    for _ in range(20):
        web.call(hook)
        mail.call(hook)
    assert web.is_ready()
    assert mail.is_ready()
    assert ip_of(web) == ip_of(mail)
    assert ips(world) == [ip_of(web)]
    assert world.simulator.control.counts()["associateIpAddress"] == 1


def test_of_two_addresses_of_a_share_one_is_left_for_the_other_and_released(
    world: World, hook: LoadBalancersHook
) -> None:
    web, mail = sharing(world, "web", 80).settle(hook), sharing(world, "mail", 25)
    mail.change(sharedAddress="back")
    mail.settle(hook)
    later = ip_of(mail)
    # As if mail had acquired an address for the same share at the same time.
    [second] = [each["id"] for each in world.addresses() if each["ipaddress"] == later]
    human = world.human
    human.done(
        "deleteTags", resourcetype="PublicIpAddress", resourceids=second, tags={TAG_SHARE: "back"}
    )
    human.done(
        "createTags", resourcetype="PublicIpAddress", resourceids=second, tags={TAG_SHARE: "front"}
    )
    mail.change(sharedAddress="front")
    for _ in range(4):
        mail.settle(hook)
        mail.wait(hook)
        web.wait(hook)
    assert web.is_ready()
    assert mail.is_ready()
    assert ip_of(web) == ip_of(mail) != later
    assert ips(world) == [ip_of(web)]


def test_a_port_that_another_service_has_is_refused_until_it_is_free(
    world: World, hook: LoadBalancersHook
) -> None:
    web = sharing(world, "web", 80).settle(hook)
    mail = sharing(world, "mail", 80, 25).settle(hook)
    assert web.is_ready()
    assert not mail.is_ready()
    [rule] = world.rules(web.name)
    refusal = f"port 80 is taken by rule {rule['name']} of Service default/web"
    assert refusal in mail.condition("RulesReady")["message"]
    assert ports_of(world, mail) == [25]
    assert web.wait(hook).is_ready()
    web.change(ports=[port(443)])
    web.settle(hook)
    assert mail.wait(hook).is_ready()
    assert ports_of(world, mail) == [25, 80]
    assert ports_of(world, web) == [443]


@pytest.mark.parametrize("place", ["another namespace", "another cluster"])
def test_the_same_name_elsewhere_is_another_share(
    world: World, hook: LoadBalancersHook, place: str
) -> None:
    web = sharing(world, "web", 80).settle(hook)
    if place == "another namespace":
        other = sharing(world, "other", 81, namespace="evil").settle(hook)
    else:
        with cluster(world, "c-2") as (elsewhere, theirs):
            other = sharing(elsewhere, "other", 81).settle(theirs)
    assert other.is_ready()
    assert ip_of(other) != ip_of(web)
    assert users(world, ip_of(web)) == {"web"}
    before = [each for each in world.state()["addresses"] if each["ipaddress"] == ip_of(web)]
    if place == "another namespace":
        delete(other, hook)
    assert before == [
        each for each in world.state()["addresses"] if each["ipaddress"] == ip_of(web)
    ]


def test_a_service_that_was_made_again_takes_its_place_in_the_share(
    world: World, hook: LoadBalancersHook
) -> None:
    old = sharing(world, "web", 80).settle(hook)
    mail = sharing(world, "mail", 25).settle(hook)
    [rule] = world.rules(old.name)
    old.delete()
    new = sharing(world, "web", 80, uid=str(uuid.uuid4()))
    world.cluster.objects[new.service_path]["metadata"]["annotations"] = {
        "service.beta.kubernetes.io/cloudstack-load-balancer-shared-address": "front"
    }
    old.settle(hook)
    assert old.reason() == "AwaitingTakeover"
    new.settle(hook)
    assert new.is_ready()
    [kept] = world.rules(new.name)
    assert kept["id"] == rule["id"]
    old.wait(hook)
    assert old.is_finalized()
    assert users(world, ip_of(new)) == {"web", "mail"}
    assert mail.wait(hook).is_ready()
    delete(new, hook)
    delete(mail, hook)
    assert world.remains() == NOTHING


@pytest.mark.parametrize("before", ["", "front"])
@pytest.mark.parametrize("after", ["", "back"])
def test_a_live_service_keeps_its_address_when_it_asks_for_another_share(
    world: World, hook: LoadBalancersHook, before: str, after: str
) -> None:
    if not (before or after):
        return
    lb = sharing(world, "web", 80, sharedAddress=before).settle(hook)
    ip = ip_of(lb)
    lb.change(sharedAddress=after)
    lb.settle(hook)
    assert lb.condition("AddressReady")["reason"] == "SharedAddressChangeNotServed"
    assert "delete the Service and create it again" in lb.condition("Ready")["message"]
    assert ips(world) == [ip]
    assert ports_of(world, lb) == [80]
    lb.change(sharedAddress=before)
    assert lb.settle(hook).is_ready()
    lb.change(sharedAddress=after)
    delete(lb, hook)
    assert world.remains() == NOTHING


def test_an_address_that_one_keeps_stays_when_the_last_one_goes(
    world: World, hook: LoadBalancersHook
) -> None:
    web = sharing(world, "web", 80, keepAddress=True).settle(hook)
    mail = sharing(world, "mail", 25).settle(hook)
    ip = ip_of(web)
    delete(web, hook)
    delete(mail, hook)
    assert world.remains() == {**NOTHING, "addresses": [ip]}


def test_services_that_name_one_address_share_it_and_it_stays(
    world: World, hook: LoadBalancersHook
) -> None:
    hold(world)
    web = sharing(world, "web", 80, address=BROUGHT).settle(hook)
    mail = sharing(world, "mail", 81, address=BROUGHT).settle(hook)
    other = sharing(world, "other", 82).settle(hook)
    for each in (web, mail, other):
        assert each.is_ready()
        assert ip_of(each) == BROUGHT
    late = sharing(world, "late", 83, address="198.51.100.151").settle(hook)
    assert late.condition("AddressReady")["reason"] == "SharedAddressDiffers"
    # The same is said to one that is there already, and it serves on.
    other.change(address="198.51.100.151")
    other.settle(hook)
    assert other.condition("AddressReady")["reason"] == "SharedAddressDiffers"
    assert ip_of(other) == BROUGHT
    other.change(address="")
    assert other.settle(hook).is_ready()
    message = late.condition("AddressReady")["message"]
    assert message.startswith(f"Shared address front is {BROUGHT}, used by mail, other, web, and")
    for each in (late, mail, web, other):
        delete(each, hook)
    assert world.remains() == {**NOTHING, "addresses": [BROUGHT]}


def test_a_port_that_the_server_gives_to_one_transport_names_who_has_it() -> None:
    with start_simulator("udp") as simulator:
        world = World(simulator)
        hook = make_hook(world, world.open_cloud())
        dns = [port(53), port(53, protocol="UDP")]
        first, second = (
            sharing(world, name, ports=[wanted]).settle(hook)
            for name, wanted in zip(("tcp", "udp"), dns, strict=True)
        )
        assert first.is_ready()
        message = second.condition("RulesReady")["message"]
        assert "conflicts with rule" in message
        assert f"port 53 is taken by rule {first.name}-tcp-53 of Service default/tcp" in message
        world.close()


@pytest.mark.parametrize("thing", ["rule", "tag"])
def test_the_last_one_leaves_an_address_that_a_person_uses(
    world: World, hook: LoadBalancersHook, thing: str
) -> None:
    web = sharing(world, "web", 80).settle(hook)
    mail = sharing(world, "mail", 25).settle(hook)
    [address] = world.addresses()
    if thing == "rule":
        world.human.done(
            "createLoadBalancerRule",
            name="k8s-api",
            algorithm="roundrobin",
            publicport=6443,
            privateport=6443,
            publicipid=address["id"],
            openfirewall=False,
        )
    else:
        tags = {"example.com/purpose": "the API server"}
        world.human.done(
            "createTags", resourcetype="PublicIpAddress", resourceids=address["id"], tags=tags
        )
    delete(web, hook)
    delete(mail, hook)
    assert ips(world) == [address["ipaddress"]]
    assert [each["name"] for each in world.rules()] == (["k8s-api"] if thing == "rule" else [])
    [left] = world.addresses()
    assert left["tags"] == ({} if thing == "rule" else {"example.com/purpose": "the API server"})


def test_plan_mode_lists_that_a_service_joins_and_changes_nothing(
    world: World, hook: LoadBalancersHook
) -> None:
    web = sharing(world, "web", 80).settle(hook)
    before = world.remains()
    mail = sharing(world, "mail", 25, mode="Plan").settle(hook)
    assert f"join shared address front, {ip_of(web)}" in mail.status["plan"]
    assert world.remains() == before


def test_a_tag_of_a_user_that_somebody_removed_is_written_again(
    world: World, hook: LoadBalancersHook
) -> None:
    web = sharing(world, "web", 80).settle(hook)
    mail = sharing(world, "mail", 25).settle(hook)
    [address] = world.addresses()
    for key in (TAG_USER_PREFIX + mail.service_uid, TAG_SHARE):
        world.human.done(
            "deleteTags",
            resourcetype="PublicIpAddress",
            resourceids=address["id"],
            tags={key: address["tags"][key]},
        )
        assert mail.wait(hook).is_ready()
        assert web.wait(hook).is_ready()
        [now] = world.addresses()
        assert now["tags"] == address["tags"]


def test_a_service_costs_no_more_on_a_shared_address_than_on_its_own() -> None:
    """Jobs have ended when they are first asked about, so calls can be counted."""
    with start_simulator(job_delay=0.0) as simulator, ExitStack() as stack:
        world = World(simulator)
        stack.callback(world.close)
        stack.callback((cloud := world.open_cloud()).close)
        hook = make_hook(world, cloud)

        def calls(lb: LoadBalancer) -> int:
            simulator.control.clear_calls()
            assert lb.settle(hook, seconds=300).is_ready()
            return sum(simulator.control.counts().values())

        sharing(world, "first", 79).settle(hook)
        own = LoadBalancer(world, "own")
        extra = sharing(world, "extra", 81)
        assert calls(own) == 19
        assert calls(extra) == 18
        assert world.writes().keys().isdisjoint({"associateIpAddress", "deleteTags"})
        world.advance(400)
        checks = calls(own), calls(extra)
        assert checks[1] <= checks[0]
