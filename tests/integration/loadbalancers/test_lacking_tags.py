"""Addresses that lost a tag which cannot be written again: nobody is let in, and nothing taken."""

import pytest

from hooks.cloudstack import Cloud
from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.names import TAG_SERVICE, TAG_SERVICE_UID
from tests.integration.loadbalancers.driver import LoadBalancer, World, make_hook, port
from tests.integration.loadbalancers.test_addresses import FREE

REFUSAL = "The user is not allowed"
NARROW = ["10.0.0.0/8"]
INVALID = [{"field": "spec.ports[0].nodePort", "message": "has no node port"}]
TAGS = pytest.mark.parametrize("key", [TAG_SERVICE, TAG_SERVICE_UID])


def lose_tag(world: World, address_id: str, key: str) -> None:
    """Remove a tag from an address; from now on none can be written."""
    resource = {"resourcetype": "PublicIpAddress", "resourceids": address_id}
    world.human.done("deleteTags", **resource, **{"tags[0].key": key})
    refuse_tags(world)


def refuse_tags(world: World) -> None:
    world.simulator.control.fault("createTags", "error", code=432, text=REFUSAL, times=None)


def settle(lb: LoadBalancer, hook: LoadBalancersHook) -> None:
    """Let the hook work until nothing changes any more, and look once more."""
    lb.settle(hook)
    lb.wait(hook)


def admitted(world: World) -> tuple[list[list[str]], set[tuple[str, ...]]]:
    """Return whom each rule's list admits, and whom the firewall does."""
    return [rule["cidrlist"] for rule in world.rules()], {each[3] for each in world.firewall()}


@TAGS
def test_it_becomes_narrower_and_follows_the_nodes(
    world: World, hook: LoadBalancersHook, key: str
) -> None:
    lb = LoadBalancer(world).settle(hook)
    [address] = world.addresses()
    lose_tag(world, lb.status["address"]["id"], key)
    world.nodes.popitem()
    lb.change(sourceRanges=NARROW)
    settle(lb, hook)
    assert REFUSAL in lb.condition("Ready")["message"]
    assert admitted(world) == ([NARROW], {tuple(NARROW)})
    assert set(world.rules()[0]["members"]) == set(world.nodes)
    assert [each["ipaddress"] for each in world.addresses()] == [address["ipaddress"]]


@TAGS
def test_it_becomes_narrower_for_a_service_that_cannot_work(
    world: World, hook: LoadBalancersHook, key: str
) -> None:
    lb = LoadBalancer(world).settle(hook)
    lose_tag(world, lb.status["address"]["id"], key)
    lb.change(sourceRanges=NARROW, invalid=INVALID)
    settle(lb, hook)
    assert lb.reason() == "InvalidService"
    assert admitted(world) == ([NARROW], {tuple(NARROW)})


@pytest.mark.parametrize("is_former", [True, False], ids=["former", "serving"])
def test_the_rules_of_both_addresses_of_a_change_become_narrower(
    world: World, hook: LoadBalancersHook, is_former: bool
) -> None:
    lb = LoadBalancer(world).settle(hook)
    former = lb.status["address"]["id"]
    lb.change(address=FREE)
    lb.settle(hook)
    assert len(world.addresses()) == 2
    lose_tag(world, former if is_former else lb.status["address"]["id"], TAG_SERVICE)
    lb.change(sourceRanges=NARROW)
    world.nodes.popitem()
    settle(lb, hook)
    lists, _ = admitted(world)  # to close the former one's firewall takes a lease, which is a tag
    assert lists == [NARROW, NARROW]
    assert all(set(rule["members"]) == set(world.nodes) for rule in world.rules())


@pytest.mark.parametrize("last", ["createLoadBalancerRule", "assignToLoadBalancerRule"])
def test_an_address_that_is_asked_for_no_more_becomes_narrower_while_a_list_is_refused(
    world: World, hook: LoadBalancersHook, last: str
) -> None:
    lb = LoadBalancer(world).settle(hook)
    lb.change(address=FREE)
    lb.call(hook)
    before = lb.status
    world.simulator.control.fault(last, "stop-after", executed=True)
    lb.call(hook, 3.0)
    assert world.simulator.control.armed.stopped
    lb.parent["status"] = before
    world.simulator.control.clear_faults()
    text = "the database says no"
    world.simulator.control.fault("listPortForwardingRules", "error", text=text, times=None)
    lb.change(address="", sourceRanges=NARROW)
    world.nodes.popitem()
    settle(lb, hook)
    assert [rule["cidrlist"] for rule in world.rules()] == [NARROW, NARROW]
    assert all(set(rule["members"]) <= set(world.nodes) for rule in world.rules())
    # One that the call has not tagged any more may be a person's.
    tagged = [each for each in world.state()["firewallrules"] if each["tags"]]
    assert {tuple(each["cidrlist"]) for each in tagged} == {tuple(NARROW)}


def test_a_takeover_writes_nothing_before_it_shows(world: World, cloud: Cloud) -> None:
    old, new, hook = another_clusters(world, cloud)
    refuse_tags(world)
    before = contents(world)
    settle(new, hook)
    assert REFUSAL in new.condition("Ready")["message"]
    assert contents(world) == before
    assert {*world.writes()} == {"createTags"}
    assert old.status["address"]["ip"] == new.parent["spec"]["address"]


def test_a_refused_service_that_takes_over_writes_nothing(world: World, cloud: Cloud) -> None:
    _, new, hook = another_clusters(world, cloud)
    before = contents(world)
    new.change(invalid=INVALID)
    settle(new, hook)
    assert contents(world) == before
    assert world.writes() == {}


@pytest.mark.parametrize("invalid", [[], INVALID], ids=["served", "refused"])
def test_a_service_that_was_made_again_writes_nothing_before_its_tags(
    world: World, hook: LoadBalancersHook, invalid: list[Json]
) -> None:
    old = LoadBalancer(world, ports=[port(80), port(81)]).settle(hook)
    address = old.status["address"]["ip"]
    old.delete()
    new = LoadBalancer(
        world,
        uid="11111111-2222-3333-4444-555555555555",
        ports=[port(80, 31111)],
        address=address,
        invalid=invalid,
    )
    refuse_tags(world)
    before = contents(world)
    world.simulator.control.clear_calls()
    settle(new, hook)
    assert contents(world) == before
    assert {*world.writes()} <= {"createTags"}


def another_clusters(
    world: World, cloud: Cloud
) -> tuple[LoadBalancer, LoadBalancer, LoadBalancersHook]:
    """Serve a Service of a cluster; return it, one that is to take it over, and that one's hook."""
    one = World(world.simulator, cluster_id="one")
    two = World(world.simulator, cluster_id="two")
    old = LoadBalancer(one, ports=[port(80), port(81)]).settle(make_hook(one, cloud))
    new = LoadBalancer(
        two,
        uid="11111111-2222-3333-4444-555555555555",
        ports=[port(80, 31111)],
        address=old.status["address"]["ip"],
        takeoverFrom="one",
        sourceRanges=NARROW,
    )
    world.simulator.control.clear_calls()
    return old, new, make_hook(two, cloud)


def contents(world: World) -> list[Json]:
    """Return the rules and firewall rules that exist."""
    state = world.state()
    return [*state["loadbalancerrules"], *state["firewallrules"]]
