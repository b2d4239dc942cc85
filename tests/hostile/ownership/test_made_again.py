"""A Service is deleted and made again under its name: what waits for it, and for how long."""

import pytest

from hooks.cloudstack import Cloud
from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.names import TAG_SERVICE_UID
from tests.hostile.ownership.stage import (
    ABANDON,
    HELD,
    PORTS,
    PREFIX,
    Tap,
    call_for,
    fresh_world,
    holdings,
    ip_of,
    new_uid,
    settled,
    tapped,
    told,
)
from tests.hostile.ownership.test_takeovers import check_is_wholly, without_lease
from tests.integration.loadbalancers.crashes import die_after
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, make_hook
from tests.integration.loadbalancers.faults import end_stuck_jobs


def again(original: LoadBalancer) -> LoadBalancer:
    """Make the Service again under another UID, while the load balancer of the first goes."""
    original.delete()
    return LoadBalancer(original.world, uid=new_uid("web"), ports=PORTS)


def test_a_service_made_again_before_the_first_is_taken_down_inherits(
    original: LoadBalancer, hook: LoadBalancersHook
) -> None:
    world, ip = original.world, ip_of(original)
    lb = settled(again(original), hook)
    assert lb.is_ready()
    before = holdings(world, ip_of(lb))
    call_for(original, hook, 900)
    assert original.is_finalized()
    assert holdings(world, ip_of(lb)) == before
    assert [each["ipaddress"] for each in world.addresses()] == [ip_of(lb)]
    assert ip_of(lb) == ip
    assert lb.wait(hook).is_ready()


def test_a_service_made_again_after_the_first_is_taken_down_has_one_address(
    original: LoadBalancer, hook: LoadBalancersHook
) -> None:
    original.delete()
    call_for(original, hook, 900)
    assert original.is_finalized()
    lb = settled(LoadBalancer(original.world, uid=new_uid("web"), ports=PORTS), hook)
    assert lb.is_ready()
    assert [each["ipaddress"] for each in original.world.addresses()] == [ip_of(lb)]


def test_the_first_stays_until_the_new_one_has_taken_over(
    original: LoadBalancer, hook: LoadBalancersHook
) -> None:
    """`kubectl replace --force`, or a Service from a backup: its deletion comes first here."""
    world, ip = original.world, ip_of(original)
    before = holdings(world, ip)
    lb = again(original)
    call_for(original, hook, 5)
    assert original.reason() == "AwaitingTakeover"
    assert ip in original.condition("Ready")["message"]
    assert holdings(world, ip) == before
    settled(lb, hook)
    assert ip_of(lb) == ip
    call_for(original, hook, 900)
    assert original.is_finalized()
    check_is_wholly(lb, "c-1", before)
    lb.delete()
    lb.settle(hook)
    assert world.remains() == NOTHING


def test_rules_do_not_wait_for_a_new_one_that_takes_nothing_over(
    original: LoadBalancer, hook: LoadBalancersHook
) -> None:
    """It is refused, and may have given the node ports back; the address is still its own."""
    world, ip = original.world, ip_of(original)
    lb = again(original)
    lb.change(invalid=[{"field": "f", "message": "m"}])
    call_for(original, hook, 300)
    assert original.reason() == "AwaitingTakeover"
    assert (world.rules(), world.firewall()) == ([], [])
    assert [each["ipaddress"] for each in world.addresses()] == [ip]
    lb.change(invalid=[])
    settled(lb, hook)
    assert (lb.is_ready(), ip_of(lb)) == (True, ip)
    call_for(original, hook, 900)
    assert original.is_finalized()


@pytest.mark.parametrize(
    ("metadata", "spec"),
    [
        pytest.param({"annotations": {PREFIX + "address": HELD}}, {}, id="another address"),
        pytest.param({}, {"loadBalancerIP": HELD}, id="another address in the spec"),
        pytest.param({"annotations": {PREFIX + "network": "n-2"}}, {}, id="another network"),
        pytest.param({"annotations": {PREFIX + "disabled": "true"}}, {}, id="disabled"),
        pytest.param({"deletionTimestamp": "2027-01-15T08:00:00Z"}, {}, id="going itself"),
        pytest.param({}, {"type": "ClusterIP"}, id="no load balancer"),
        pytest.param({}, {"loadBalancerClass": "example.com/other"}, id="another controller's"),
    ],
)
def test_the_first_goes_with_what_the_new_one_does_not_ask_for(
    original: LoadBalancer, hook: LoadBalancersHook, metadata: Json, spec: Json
) -> None:
    lb = again(original)
    service = original.world.cluster.objects[lb.service_path]
    service["metadata"] |= metadata
    service["spec"] |= spec
    call_for(original, hook, 900)
    assert original.is_finalized()
    assert original.world.remains() == NOTHING


def test_the_first_goes_if_services_without_a_class_are_not_ours_any_more(
    original: LoadBalancer, cloud: Cloud
) -> None:
    again(original)
    hook = make_hook(original.world, cloud, default_load_balancer_class=False)
    call_for(original, hook, 900)
    assert original.world.remains() == NOTHING


def test_the_first_goes_if_the_new_one_has_an_address_of_its_own(
    original: LoadBalancer, hook: LoadBalancersHook
) -> None:
    world = original.world
    service = world.cluster.objects[original.service_path]
    lb = LoadBalancer(world, uid=new_uid("web"), ports=PORTS, address=HELD)
    settled(lb, hook)
    lb.change(address="")
    original.delete(service_too=False)
    assert service["metadata"]["uid"] == original.service_uid
    call_for(original, hook, 900)
    assert original.is_finalized()
    assert [each["ipaddress"] for each in world.addresses()] == [HELD]
    assert lb.wait(hook).is_ready()


@pytest.mark.parametrize("first", ["waits", "is abandoned"])
def test_a_new_one_that_names_another_address_half_way_leaves_nothing_on_the_first(
    first: str,
) -> None:
    for last in range(9):
        with fresh_world() as (world, hook):
            original = LoadBalancer(world, ports=PORTS).settle(hook)
            before = holdings(world, ip_of(original))
            lb = again(original)
            if first == "is abandoned":
                original.parent["metadata"]["annotations"] = {ABANDON: "true"}
            original.call(hook)
            die_after(world, lb, [hook], last)
            end_stuck_jobs(world)
            world.advance(1)
            if lb.service_uid in [each["tags"].get(TAG_SERVICE_UID) for each in world.addresses()]:
                continue  # it has the address, and a live Service keeps its own
            lb.change(address=HELD)
            notes = {PREFIX + "address": HELD}
            world.cluster.objects[lb.service_path]["metadata"]["annotations"] = notes
            with tapped(world, Tap()) as successor:
                assert settled(lb, successor).is_ready(), last
                call_for(original, successor, 900)
            assert ip_of(lb) == HELD
            if first == "waits":
                assert [each["ipaddress"] for each in world.addresses()] == [HELD], last
            else:
                assert without_lease(world, before) == before, last
            assert original.is_finalized()
            lb.delete()
            lb.settle(hook)
            assert first == "is abandoned" or world.remains() == NOTHING


@pytest.mark.parametrize("quota", [True, False], ids=["a full quota", "no quota"])
def test_the_first_does_not_wait_for_a_new_one_whose_nodes_are_elsewhere(
    original: LoadBalancer, hook: LoadBalancersHook, *, quota: bool
) -> None:
    """The new one needs an address on another network, and a full quota has none until then."""
    world = original.world
    if quota:
        account = world.simulator.user.account
        used = sum(each.account is account for each in world.simulator.world.addresses)
        account.limits["public_ip"] = used
    elsewhere = world.network("net-2")
    for node in world.nodes.values():
        node["observed"]["networks"][0] |= {"id": elsewhere}
    lb = again(original)
    for _ in range(12):
        lb.call(hook)
        original.call(hook)
        world.advance(max(lb.next_look(), 0 if original.is_finalized() else original.next_look()))
    assert original.is_finalized()
    assert settled(lb, hook).is_ready()
    assert lb.status["networkID"] == elsewhere
    assert [each["ipaddress"] for each in world.addresses()] == [ip_of(lb)]


def test_an_address_that_the_new_one_names_waits_and_says_what_keeps_it(
    original: LoadBalancer, hook: LoadBalancersHook
) -> None:
    world, ip = original.world, ip_of(original)
    for node in world.nodes.values():
        node["observed"]["networks"][0] |= {"id": world.network("net-2")}
    original.delete()
    lb = LoadBalancer(world, uid=new_uid("web"), ports=PORTS, address=ip)
    notes = {PREFIX + "address": ip}
    world.cluster.objects[lb.service_path]["metadata"]["annotations"] = notes
    lb.settle(hook)
    assert lb.reason() == "AddressElsewhere"
    call_for(original, hook, 300)
    assert original.reason() == "AwaitingTakeover"
    assert lb.condition("Ready")["message"] in original.condition("Ready")["message"]
    assert [each["ipaddress"] for each in world.addresses()] == [ip]


@pytest.mark.parametrize("object_too", [True, False], ids=["with its object", "before that"])
def test_a_new_one_that_is_abandoned_before_it_has_taken_over_leaves_everything(
    original: LoadBalancer, hook: LoadBalancersHook, *, object_too: bool
) -> None:
    world, ip = original.world, ip_of(original)
    before = holdings(world, ip)
    lb = again(original)
    world.cluster.objects[lb.service_path]["metadata"]["annotations"] = {ABANDON: "true"}
    lb.parent["metadata"]["annotations"] = {ABANDON: "true"}
    call_for(original, hook, 300)
    assert original.reason() == "LeftToNewService"
    assert ABANDON in original.condition("Ready")["message"]
    assert holdings(world, ip) == before
    lb.delete()
    if object_too:
        call_for(lb, hook, 900)
        assert lb.is_finalized()
    call_for(original, hook, 900)
    assert original.is_finalized()
    assert holdings(world, ip) == before
    assert f"AbandonedLoadBalancer: The load balancer was let go of: address {ip}" in told(world)


@pytest.mark.parametrize("then", ["it is taken back", "another address", "no load balancer"])
def test_what_a_new_one_abandons_that_has_no_claim_to_it_goes(
    original: LoadBalancer, hook: LoadBalancersHook, then: str
) -> None:
    lb = again(original)
    service = original.world.cluster.objects[lb.service_path]
    service["metadata"]["annotations"] = {ABANDON: "true"}
    if then == "it is taken back":
        original.call(hook)
        service["metadata"]["annotations"] = {}
        call_for(original, hook, 60)
        assert original.reason() == "AwaitingTakeover"
        del original.world.cluster.objects[lb.service_path]
    elif then == "another address":
        service["metadata"]["annotations"][PREFIX + "address"] = HELD
    else:
        service["spec"]["type"] = "ClusterIP"
    call_for(original, hook, 900)
    assert original.is_finalized()
    assert original.world.remains() == NOTHING


def test_the_first_is_not_taken_down_in_the_moment_between_the_two(
    original: LoadBalancer, cloud: Cloud
) -> None:
    world, made = original.world, list[LoadBalancer]()

    def pause(seconds: float) -> None:
        assert seconds > 0
        if not made:
            made.append(LoadBalancer(world, uid=new_uid("web"), ports=PORTS))

    original.delete()
    before = holdings(world, ip_of(original))
    original.call(make_hook(world, cloud, pause=pause))
    assert original.reason() == "AwaitingTakeover"
    assert holdings(world, ip_of(original)) == before


def test_nothing_is_left_if_the_new_one_goes_before_it_has_taken_over() -> None:
    for last in range(9):
        with fresh_world() as (world, hook):
            original = LoadBalancer(world, ports=PORTS).settle(hook)
            lb = again(original)
            original.call(hook)
            if last:
                die_after(world, lb, [hook], last - 1)
            lb.delete()
            for each in (lb, original):
                call_for(each, hook, 900)
                assert each.is_finalized()
            ip = original.status["address"]["ip"]
            is_told = f"AddressKept: Address {ip}" in told(world)
            assert world.remains() == NOTHING or is_told, last


@pytest.mark.parametrize("turn", range(6))
def test_both_at_once_come_to_one_address_that_serves_the_new_one(
    original: LoadBalancer, hook: LoadBalancersHook, turn: int
) -> None:
    """The new one is called so many times before the old one goes on, a call each in turn."""
    lb = again(original)
    for _ in range(turn):
        lb.call(hook)
    for _ in range(10):
        if not original.is_finalized():
            original.call(hook)
        lb.call(hook)
        original.world.advance(2)
    call_for(original, hook, 900)
    settled(lb, hook)
    assert original.is_finalized()
    assert lb.is_ready()
    assert [each["ipaddress"] for each in original.world.addresses()] == [ip_of(lb)]
    lb.delete()
    lb.settle(hook)
    assert original.world.remains() == NOTHING
