"""An address that carries what others made is never released whole: only ours goes from it."""

from typing import Any

import pytest

from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.names import CLOUDSTACK_GROUP, TAG_ORIGIN
from tests.hostile.ownership.stage import (
    HELD,
    Died,
    Tap,
    add,
    call_for,
    hold,
    holdings,
    ip_of,
    settled,
    tapped,
    told,
)
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World, port
from tests.integration.loadbalancers.faults import end_stuck_jobs
from tests.integration.loadbalancers.test_takeover import (
    IP,
    adoption,
    existing,
    fork,
    in_tree,
    leave_behind,
)

#: What a human adds, and how it is named in what people are told.
FOREIGN = {
    "rule": "k8s-api",
    "firewall rule": "6443",
    "port forwarding rule": "2222",
    "tag": "example.com/purpose",
}


def foreign(held: Json, *made: str) -> Json:
    """Return what has these ids, of what is on an address."""
    kinds = ("loadbalancerrules", "firewallrules", "portforwardingrules")
    return {kind: [each for each in held[kind] if each["id"] in made] for kind in kinds}


def check_only_ours_is_gone(world: World, ip: str, before: Json, made: str, name: str) -> None:
    """Check that an address stands with just what a human made, and that people are told."""
    after = holdings(world, ip)
    assert {kind: after[kind] for kind in foreign(after)} == foreign(before, made)
    [address], [was] = after["addresses"], before["addresses"]
    theirs = {k: v for k, v in was["tags"].items() if not k.startswith(CLOUDSTACK_GROUP)}
    assert address["tags"] == theirs
    assert ip in told(world)
    assert name in told(world)


@pytest.mark.parametrize(("thing", "name"), FOREIGN.items(), ids=FOREIGN)
def test_what_a_human_adds_to_an_address_that_we_allocated_keeps_it(
    world: World, hook: LoadBalancersHook, thing: str, name: str
) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(443)]).settle(hook)
    address = lb.status["address"]
    assert holdings(world, address["ip"])["addresses"][0]["tags"][TAG_ORIGIN] == "controller"
    made = add(world, address["id"], thing)
    before = holdings(world, address["ip"])
    lb.wait(hook)
    assert foreign(holdings(world, address["ip"]), made) == foreign(before, made)
    lb.delete()
    world.cluster.events.clear()
    lb.settle(hook)
    assert lb.is_finalized()
    check_only_ours_is_gone(world, address["ip"], before, made, name)


@pytest.mark.parametrize("thing", FOREIGN)
def test_the_condition_says_what_keeps_the_address(
    world: World, hook: LoadBalancersHook, thing: str
) -> None:
    """It is read while the deletion of our own rule takes its time."""
    lb = LoadBalancer(world).settle(hook)
    address = lb.status["address"]
    add(world, address["id"], thing)
    world.simulator.control.fault("deleteLoadBalancerRule", "job-never-ends")
    lb.delete()
    lb.call(hook, seconds=1.5)
    assert not lb.is_finalized()
    said = " ".join(each["message"] for each in lb.status["conditions"])
    assert address["ip"] in said
    assert FOREIGN[thing] in said
    end_stuck_jobs(world)
    lb.settle(hook)
    assert [each["ipaddress"] for each in world.addresses()] == [address["ip"]]


@pytest.mark.parametrize("nat", ["source NAT", "static NAT"])
@pytest.mark.parametrize("ports", [[], [port(80)]], ids=["no rule", "a rule"])
def test_an_address_that_came_to_serve_a_nat_stays(
    world: World, hook: LoadBalancersHook, nat: str, ports: list[Json]
) -> None:
    """CloudStack lets a network move its source NAT to another address of its own."""
    lb = LoadBalancer(world, ports=ports).settle(hook)
    [found] = [each for each in world.simulator.world.addresses if each.name == ip_of(lb)]
    if nat == "source NAT":
        found.source_nat = True
    else:
        found.vm = next(iter(world.simulator.world.vms))
    lb.delete()
    world.simulator.control.fault("deleteTags", "job-never-ends")
    lb.call(hook, seconds=1.5)
    assert nat in " ".join(each["message"] for each in lb.status["conditions"])
    end_stuck_jobs(world)
    lb.settle(hook)
    assert lb.is_finalized()
    after = holdings(world, found.name)
    assert [each["tags"] for each in after["addresses"]] == [{}]
    assert (after["loadbalancerrules"], after["firewallrules"]) == ([], [])
    assert f"AddressKept: Address {found.name} is not released" in told(world)
    assert nat in told(world)
    assert "disassociateIpAddress" not in world.writes()


@pytest.mark.parametrize("kept", ["brought", "kept"])
def test_an_address_that_stays_as_asked_is_nothing_to_warn_of(
    world: World, hook: LoadBalancersHook, kept: str
) -> None:
    brought = hold(world)
    lb = LoadBalancer(world, **({"address": HELD} if kept == "brought" else {"keepAddress": True}))
    lb.settle(hook)
    add(world, lb.status["address"]["id"], "rule")
    assert (lb.status["address"]["id"] == brought) is (kept == "brought")
    lb.delete()
    world.cluster.events.clear()
    lb.settle(hook)
    assert lb.is_finalized()
    assert [str(each) for each in world.cluster.events if each.type != "Normal"] == []


def open_by_hand(world: World, address: str, **fields: object) -> Json:
    """Open port 80 to everybody, as we would; return what CloudStack has then."""
    where = {"ipaddressid": address, "protocol": "tcp", "startport": 80, "endport": 80}
    made = world.human.done("createFirewallRule", **where, **fields)["firewallrule"]["id"]
    return next(each for each in world.state()["firewallrules"] if each["id"] == made)


@pytest.mark.parametrize("asked", ["address", "adopt"])
def test_a_persons_firewall_rule_on_the_persons_address_serves_and_stays(
    world: World, hook: LoadBalancersHook, asked: str
) -> None:
    lb = LoadBalancer(world)
    if asked == "address":
        address = hold(world)
        lb.change(address=HELD)
    else:
        address = leave_behind(world, lb, existing).address
        add(world, address, "tag")  # so that the address is not the provider's
        lb.change(adopt=adoption(lb) | {"names": []}, address=IP)
        [left] = world.state()["firewallrules"]
        world.human.done("deleteFirewallRule", id=left["id"])
    theirs = open_by_hand(world, address)
    lb.settle(hook)
    assert lb.is_ready()
    assert world.state()["firewallrules"] == [theirs]
    lb.change(ports=[port(80), port(81)])
    lb.settle(hook)
    assert theirs in world.state()["firewallrules"]
    assert len(world.state()["firewallrules"]) == 2
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert world.state()["firewallrules"] == [theirs]


@pytest.mark.parametrize("job", ["done", "never ends"])
def test_a_firewall_rule_of_ours_on_a_persons_address_has_its_tags_from_the_start(
    world: World, hook: LoadBalancersHook, job: str
) -> None:
    hold(world)
    lb = LoadBalancer(world, address=HELD)
    if job == "never ends":
        world.simulator.control.fault("createFirewallRule", "job-never-ends")
    while not world.state()["firewallrules"]:
        lb.call(hook, seconds=2.0)
    [made] = world.state()["firewallrules"]
    assert lb.service_uid in made["tags"].values()
    end_stuck_jobs(world)
    lb.delete()
    lb.settle(hook)
    assert world.state()["firewallrules"] == []


def test_a_firewall_rule_on_a_persons_address_that_cannot_be_tagged_goes_again(
    world: World, hook: LoadBalancersHook
) -> None:
    hold(world)
    lb = LoadBalancer(world, address=HELD)
    world.simulator.control.fault(
        "createTags", code=530, when={"resourcetype": "FirewallRule"}, times=None
    )
    lb.settle(hook)
    assert lb.reason() == "FirewallRefused"
    assert world.state()["firewallrules"] == []
    world.simulator.control.clear_faults()
    lb.wait(hook)
    assert lb.is_ready()


@pytest.mark.parametrize("code", [432, 531])
def test_what_may_not_be_listed_may_be_there_and_keeps_the_address(
    world: World, hook: LoadBalancersHook, code: int
) -> None:
    lb = LoadBalancer(world).settle(hook)
    address = lb.status["address"]
    made = add(world, address["id"], "port forwarding rule")
    before = holdings(world, address["ip"])
    world.simulator.control.fault("listPortForwardingRules", code=code, times=None)
    lb.delete()
    world.cluster.events.clear()
    lb.settle(hook)
    assert lb.is_finalized()
    check_only_ours_is_gone(world, address["ip"], before, made, "listPortForwardingRules")


def test_what_may_be_hidden_on_the_address_of_a_call_that_died_keeps_it_from_being_claimed(
    world: World,
) -> None:
    lb = LoadBalancer(world)

    def die(_number: int, command: str) -> None:
        if command == "createTags":
            raise Died

    with tapped(world, Tap(before=die)) as dying:
        lb.call(dying)
        with pytest.raises(Died):
            lb.call(dying)
    [acquired] = world.addresses()
    world.simulator.control.fault("listPortForwardingRules", code=432, times=None)
    with tapped(world, Tap()) as hook:
        for _ in range(3):
            call_for(lb, hook, 7 * 3600)
            assert lb.reason("AddressReady") == "AddressNotProven"
            assert [each["tags"] for each in world.addresses()] == [{}]
        world.simulator.control.clear_faults()
        settled(lb, hook)
        assert lb.is_ready()
    assert [each["id"] for each in world.addresses()] == [acquired["id"]]


def test_once_the_human_has_removed_his_things_the_address_goes_whole(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    made = add(world, lb.status["address"]["id"], "port forwarding rule")
    lb.wait(hook)
    world.human.done("deletePortForwardingRule", id=made)
    lb.delete()
    world.simulator.control.clear_calls()
    lb.settle(hook)
    assert world.remains() == NOTHING
    assert world.writes() == {"createTags": 1, "disassociateIpAddress": 1, "deleteTags": 1}


@pytest.mark.parametrize("asked", ["", IP], ids=["left in the status", "asked for"])
@pytest.mark.parametrize("naming", [existing, fork, in_tree])
@pytest.mark.parametrize("thing", FOREIGN)
def test_beside_rules_of_a_former_provider(
    world: World, hook: LoadBalancersHook, asked: str, naming: Any, thing: str
) -> None:
    """The provider's rules are ours, the other thing is not, whatever the annotations say."""
    lb = LoadBalancer(world, ports=[port(80), port(443)])
    former = leave_behind(world, lb, naming)
    made = add(world, former.address, thing)
    before = holdings(world, IP)
    lb.change(adopt=adoption(lb), address=asked)
    lb.settle(hook)
    assert foreign(holdings(world, IP), made) == foreign(before, made)
    assert holdings(world, IP)["addresses"][0]["tags"].get(TAG_ORIGIN) != "controller"
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    after = holdings(world, IP)
    assert foreign(after, made) == foreign(before, made)
    assert after["addresses"][0]["tags"] == before["addresses"][0]["tags"]
    assert "AddressKept" not in told(world)  # a person allocated it, so nobody expects it to go


@pytest.mark.parametrize("naming", [existing, fork, in_tree])
def test_beside_a_tag_of_somebody_an_address_of_a_former_provider_is_the_users(
    world: World, hook: LoadBalancersHook, naming: Any
) -> None:
    lb = LoadBalancer(world)
    former = leave_behind(world, lb, naming)
    add(world, former.address, "tag")
    tags = holdings(world, IP)["addresses"][0]["tags"]
    lb.change(adopt=adoption(lb), address=IP)
    lb.settle(hook)
    lb.delete()
    lb.settle(hook)
    after = holdings(world, IP)
    assert [each["tags"] for each in after["addresses"]] == [tags]
    assert after["loadbalancerrules"] == []


@pytest.mark.parametrize("naming", [existing, fork, in_tree])
def test_without_anybody_else_it_goes_whole(
    world: World, hook: LoadBalancersHook, naming: Any
) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(443)])
    leave_behind(world, lb, naming)
    lb.change(adopt=adoption(lb))
    lb.settle(hook)
    assert holdings(world, IP)["addresses"][0]["tags"][TAG_ORIGIN] == "controller"
    lb.delete()
    lb.settle(hook)
    assert world.remains() == NOTHING


@pytest.mark.parametrize("keys", [1, 2, 3, 4])
def test_some_of_our_tags_are_not_enough_to_release(
    world: World, hook: LoadBalancersHook, keys: int
) -> None:
    """Somebody removed tags while the hooks did not look; the deletion is the first look."""
    lb = LoadBalancer(world).settle(hook)
    address = lb.status["address"]
    tags = holdings(world, address["ip"])["addresses"][0]["tags"]
    gone = sorted(key for key in tags if key != TAG_ORIGIN)[:keys]
    for key in gone:
        world.human.done(
            "deleteTags",
            resourcetype="PublicIpAddress",
            resourceids=address["id"],
            **{"tags[0].key": key},
        )
    lb.delete()
    lb.settle(hook)
    assert [each["ipaddress"] for each in world.addresses()] == [address["ip"]]


@pytest.mark.parametrize("origin", ["user", "", "Controller"])
def test_the_origin_is_read_in_cloudstack_and_never_in_the_status(
    world: World, hook: LoadBalancersHook, origin: str
) -> None:
    lb = LoadBalancer(world).settle(hook)
    address = lb.status["address"]
    assert address["associatedByController"] is True
    tag = {"resourcetype": "PublicIpAddress", "resourceids": address["id"]}
    world.human.done("deleteTags", **tag, **{"tags[0].key": TAG_ORIGIN})
    if origin:
        world.human.done("createTags", **tag, tags={TAG_ORIGIN: origin})
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert [each["ipaddress"] for each in world.addresses()] == [address["ip"]]
    assert world.rules() == []
