"""The Service's address: chosen, asked for, taken over, kept, refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.names import TAG_ORIGIN, TAG_SERVICE_UID
from tests.integration.loadbalancers.driver import (
    NOTHING,
    LoadBalancer,
    World,
    make_hook,
    port,
    start_simulator,
)

FREE = "198.51.100.77"


def allocate(world: World, ip: str, network: str = "net-1") -> str:
    """Acquire an address as a human does."""
    answer = world.human.done("associateIpAddress", networkid=world.network(network), ipaddress=ip)
    return str(answer["ipaddress"]["id"])


def held(world: World, ip: str) -> dict[str, object]:
    return next(each for each in world.addresses() if each["ipaddress"] == ip)


def test_the_choice_is_recorded_before_cloudstack_is_asked_for_it(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world)
    lb.call(hook)
    assert world.writes() == {}
    chosen = lb.status["address"]
    assert chosen["ip"]
    assert chosen["chosenAt"]
    assert "id" not in chosen
    lb.settle(hook)
    assert lb.status["address"]["ip"] == chosen["ip"]
    assert "chosenAt" not in lb.status["address"]
    [call] = world.simulator.control.calls("associateIpAddress")
    assert call["params"]["ipaddress"] == chosen["ip"]


def test_an_address_that_nobody_has_is_acquired_for_who_asks_for_it(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, address=FREE).settle(hook)
    assert lb.is_ready()
    assert [each["ipaddress"] for each in world.addresses()] == [FREE]
    assert lb.status["address"]["associatedByController"] is True
    lb.delete()
    lb.settle(hook)
    assert world.remains() == NOTHING


def test_an_address_that_the_user_brought_is_used_and_left(
    world: World, hook: LoadBalancersHook
) -> None:
    allocate(world, FREE)
    lb = LoadBalancer(world, address=FREE).settle(hook)
    assert lb.is_ready()
    assert lb.status["address"]["associatedByController"] is False
    assert world.rules()[0]["address"] == FREE
    lb.delete()
    lb.settle(hook)
    assert world.remains() == {**NOTHING, "addresses": [FREE]}


@pytest.mark.parametrize("goes", ["later", "at once"])
def test_an_address_that_the_service_names_later_is_the_users(
    world: World, hook: LoadBalancersHook, goes: str
) -> None:
    lb = LoadBalancer(world).settle(hook)
    ip = lb.status["address"]["ip"]
    lb.change(address=ip)
    if goes == "later":
        lb.settle(hook)
        assert lb.is_ready()
        assert lb.status["address"]["associatedByController"] is False
        assert world.cluster.reasons().count("AddressNamed") == 1
        lb.change(address="")
        lb.settle(hook)
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert world.remains() == {**NOTHING, "addresses": [ip]}
    assert "AddressKept" not in world.cluster.reasons()


def test_an_address_that_is_named_later_is_only_listed_in_plan_mode(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    ip = lb.status["address"]["ip"]
    lb.change(address=ip, mode="Plan")
    lb.settle(hook)
    assert lb.status["plan"] == [f"keep address {ip} when the Service goes"]
    assert lb.status["address"]["associatedByController"] is True
    lb.change(mode="Apply")
    lb.settle(hook)
    assert lb.status["address"]["associatedByController"] is False


def test_an_address_that_the_service_named_before_it_was_acquired_goes_with_it(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, address=FREE).settle(hook)
    lb.change(ports=[port(80), port(443)])
    lb.settle(hook)
    assert lb.status["address"]["named"] is True
    lb.delete()
    lb.settle(hook)
    assert world.remains() == NOTHING


def test_an_address_to_be_kept_stays_without_rules_firewall_rules_and_tags(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, keepAddress=True, ports=[port(80), port(443)]).settle(hook)
    ip = lb.status["address"]["ip"]
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert world.remains() == {**NOTHING, "addresses": [ip]}


def test_a_humans_rules_on_a_brought_address_stay_when_the_service_goes(
    world: World, hook: LoadBalancersHook
) -> None:
    address = allocate(world, FREE)
    lb = LoadBalancer(world, address=FREE).settle(hook)
    world.human.ok(
        "createLoadBalancerRule",
        name="human",
        algorithm="roundrobin",
        publicport=9999,
        privateport=9999,
        publicipid=address,
        networkid=world.network("net-1"),
    )
    lb.delete()
    lb.settle(hook)
    assert [rule["name"] for rule in world.rules()] == ["human"]
    assert world.firewall() == [("tcp", 9999, 9999, ("0.0.0.0/0",))]


def source_nat(world: World) -> str:
    return str(next(a["ipaddress"] for a in world.state()["addresses"] if a["sourcenat"]))


def static_nat(world: World) -> str:
    address = allocate(world, FREE)
    world.human.ok(
        "enableStaticNat",
        ipaddressid=address,
        virtualmachineid=world.nodes["node-1"]["spec"]["instanceID"],
    )
    return FREE


def elsewhere(world: World) -> str:
    allocate(world, FREE, "net-2")
    return FREE


def of_no_zone(world: World) -> str:
    del world
    return "203.0.113.1"


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        pytest.param(source_nat, "AddressIsSourceNAT", id="source NAT"),
        pytest.param(static_nat, "AddressIsStaticNAT", id="static NAT"),
        pytest.param(elsewhere, "AddressElsewhere", id="another network"),
        pytest.param(of_no_zone, "AddressNotFree", id="out of range"),
    ],
)
def test_an_address_that_cannot_be_had_is_refused_and_nothing_is_made(
    world: World, hook: LoadBalancersHook, ask: object, reason: str
) -> None:
    assert callable(ask)
    ip = ask(world)
    before = world.remains()
    lb = LoadBalancer(world, address=ip).settle(hook)
    assert lb.reason() == lb.reason("AddressReady") == reason
    assert ip in lb.condition("Ready")["message"]
    assert lb.condition("Stalled")["status"] == "True"
    assert world.remains() == before
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert world.remains() == before


def test_a_refused_address_is_tried_again_less_and_less_often(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, address="203.0.113.1").settle(hook)
    waits = []
    for _ in range(8):
        waits.append(round(float(lb.answers[-1].response["resyncAfterSeconds"])))  # type: ignore[typeddict-item]
        lb.wait(hook)
    # What a call takes is taken off the wait that it answers.
    assert all(later > earlier - 5 for earlier, later in pairwise(waits))
    assert waits[0] < 20
    assert 295 < waits[-1] <= 300


def test_two_services_cannot_have_one_address(world: World, hook: LoadBalancersHook) -> None:
    first = LoadBalancer(world, "first", address=FREE).settle(hook)
    second = LoadBalancer(world, "second", address=FREE, ports=[port(81)]).settle(hook)
    assert first.is_ready()
    assert second.reason() == "AddressInUse"
    assert "default/first" in second.condition("Ready")["message"]
    second.delete()
    second.settle(hook)
    assert len(world.rules()) == 1
    first.wait(hook)
    assert first.is_ready()


def test_a_choice_that_somebody_takes_first_is_made_again(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world)
    lb.call(hook)
    taken = lb.status["address"]["ip"]
    other = world.human
    address = other.ok("associateIpAddress", networkid=world.network("net-2"), ipaddress=taken)
    lb.settle(hook)
    assert lb.is_ready()
    assert lb.status["address"]["ip"] != taken
    assert held(world, taken)["id"] == address["id"]
    assert held(world, taken)["tags"] == {}


@contextmanager
def only_one_is_free(world: World) -> Iterator[None]:
    """Take all addresses except one out of the pool, for a while."""
    others = [
        address
        for address in world.simulator.world.addresses
        if address.state == "Free" and address.name != FREE
    ]
    for address in others:
        address.state = "Reserved"
    yield
    for address in others:
        address.state = "Free"


def test_of_two_that_chose_the_same_free_address_only_one_gets_it(world: World) -> None:
    cloud = world.open_cloud()
    hooks = [make_hook(world, cloud), make_hook(world, cloud)]
    first, second = LoadBalancer(world, "first"), LoadBalancer(world, "second")
    with only_one_is_free(world):
        first.call(hooks[0])
        second.call(hooks[1])
    assert first.status["address"]["ip"] == second.status["address"]["ip"] == FREE
    first.settle(hooks[0])
    second.settle(hooks[1])
    assert first.is_ready()
    assert second.is_ready()
    assert first.status["address"]["ip"] != second.status["address"]["ip"]
    assert len(world.addresses()) == 2
    cloud.close()


def test_after_three_choices_that_were_taken_we_choose_again(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world)
    taken = []
    for _ in range(3):
        while True:
            lb.call(hook)
            ip = lb.status["address"]["ip"]
            if ip not in taken:
                break
        taken.append(ip)
        world.human.ok("associateIpAddress", networkid=world.network("net-2"), ipaddress=ip)
    lb.settle(hook)
    assert lb.is_ready()
    calls = world.simulator.control.calls("associateIpAddress")
    ours = [call for call in calls if call["params"]["networkid"] == world.network("net-1")]
    assert ours[-1]["params"]["ipaddress"] == lb.status["address"]["ip"] not in taken
    address = held(world, lb.status["address"]["ip"])
    tags = address["tags"]
    assert isinstance(tags, dict)
    assert (tags[TAG_SERVICE_UID], tags[TAG_ORIGIN]) == (lb.service_uid, "controller")


@pytest.mark.parametrize("project", ["", "project-1"], ids=["account", "project"])
def test_a_quota_that_is_used_up_is_reported_with_used_and_limit(project: str) -> None:
    with start_simulator() as simulator:
        world = World(simulator, project=project)
        cloud = world.open_cloud()
        hook = make_hook(world, cloud)
        projects = {each.name: each.account for each in simulator.world.projects}
        owner = projects.get(project, simulator.user.account)
        used = sum(each.account is owner for each in simulator.world.addresses)
        owner.limits["public_ip"] = used
        lb = LoadBalancer(world).settle(hook)
        assert lb.reason() == "QuotaExceeded"
        message = lb.condition("Ready")["message"]
        assert message.startswith(f"{used} of {used} public addresses are used; associate address")
        assert "Maximum amount of resources" in message
        owner.limits["public_ip"] = used + 1
        lb.wait(hook)
        assert lb.is_ready()
        cloud.close()
        world.close()


def test_a_limit_that_is_unknown_is_reported_in_cloudstacks_words(
    world: World, hook: LoadBalancersHook
) -> None:
    world.simulator.user.account.limits["public_ip"] = 2
    world.simulator.control.fault("listAccounts", "error", code=432, times=None)
    lb = LoadBalancer(world).settle(hook)
    assert lb.reason() == "QuotaExceeded"
    assert lb.condition("Ready")["message"].startswith("associate address")


def test_a_zone_without_a_free_address_is_reported(world: World, hook: LoadBalancersHook) -> None:
    world.simulator.user.account.limits["public_ip"] = -1
    for address in list(world.simulator.world.addresses):
        if address.state == "Free":
            address.state = "Reserved"
    lb = LoadBalancer(world).settle(hook)
    assert lb.reason() == "AddressNotFree"
    assert "Insufficient address capacity" in lb.condition("Ready")["message"]
