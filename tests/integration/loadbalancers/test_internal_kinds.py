"""Nodes on public and internal tiers: a Service keeps what it has, of whichever kind, on any."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from simulator.loading import FOLDER
from tests.integration.loadbalancers.driver import (
    LoadBalancer,
    World,
    instance_of,
    make_hook,
    port,
    start_simulator,
)
from tests.integration.loadbalancers.internal import (
    TIER,
    await_nothing,
    balancers,
    internal,
    sources,
)
from tests.integration.loadbalancers.vpc import keep_nodes

_SECOND = "tier-internal-2"
_MORE = f"""  - name: {_SECOND}
    vpc: vpc-1
    acl: acl-internal
    cidr: 10.30.5.0/24
    offering: DefaultIsolatedNetworkOfferingForVpcNetworksWithInternalLB

virtualmachines:
  - {{name: node-8, offering: Small Instance, networks: [{_SECOND}]}}
  - {{name: node-9, offering: Small Instance, networks: [{_SECOND}]}}
  - {{name: node-10, offering: Small Instance, networks: [{_SECOND}]}}
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Make a world whose nodes are on a public tier and on an internal one, and some elsewhere."""
    path = tmp_path / "both.yaml"
    text = (FOLDER / "vpc.yaml").read_text()
    text = text.replace("networks: [tier-internal]", "networks: [tier-1, tier-internal]")
    path.write_text(text.replace("virtualmachines:\n", _MORE))
    with start_simulator(str(path)) as simulator:
        made = World(simulator)
        keep_nodes(made, TIER)
        yield made
        made.close()


def die_after(world: World, lb: LoadBalancer, hook: LoadBalancersHook, writes: int) -> None:
    """Let a call die after some writes and one more, and its answer be lost."""
    before = lb.parent.get("status")
    world.simulator.control.fault("*", "stop-after", skip=writes, executed=True)
    lb.call(hook, seconds=3.0)
    assert world.simulator.control.armed.stopped
    lb.parent.pop("status", None)
    if before:
        lb.parent["status"] = before
    world.simulator.control.clear_faults()


@pytest.fixture
def after(world: World) -> Iterator[LoadBalancersHook]:
    """Make the hook of the process that comes after one that died."""
    cloud = world.open_cloud()
    yield make_hook(world, cloud)
    cloud.close()


def remade(lb: LoadBalancer, hook: LoadBalancersHook, **spec: object) -> LoadBalancer:
    """Let a person delete the object, and the services hook make it again."""
    lb.delete(service_too=False)
    lb.settle(hook)
    lb.remake()
    lb.change(**spec)
    return lb.settle(hook)


def test_a_service_without_a_public_address_becomes_internal_and_gets_one(
    world: World, hook: LoadBalancersHook
) -> None:
    text = "Maximum number of resources of type 'public_ip' exceeded"
    world.simulator.control.fault("associateIpAddress", "error", code=535, text=text, times=None)
    lb = LoadBalancer(world).settle(hook)
    assert lb.condition("AddressReady")["reason"] == "QuotaExceeded"
    lb.change(internal=True)
    lb.settle(hook)
    assert lb.is_ready(), lb.condition("Ready")
    assert sources(world) == {lb.status["address"]["ip"]}
    lb.delete()
    lb.settle(hook)
    await_nothing(world)


@pytest.mark.parametrize("writes", [0, 1])
def test_a_public_address_of_a_call_that_died_is_kept_by_a_service_that_is_internal_now(
    world: World, hook: LoadBalancersHook, after: LoadBalancersHook, writes: int
) -> None:
    lb = LoadBalancer(world)
    lb.call(hook)
    die_after(world, lb, hook, writes)
    lb.change(internal=True)
    lb.settle(after)
    for _ in range(3):
        lb.wait(after)
    [address] = world.addresses()
    assert (lb.status["address"]["id"], balancers(world)) == (address["id"], [])
    lb.delete()
    lb.settle(after)
    assert lb.is_finalized()
    await_nothing(world)


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_an_internal_one_of_a_call_that_died_is_kept_by_a_service_that_is_public_now(
    world: World, hook: LoadBalancersHook, after: LoadBalancersHook, writes: int
) -> None:
    lb = internal(world)
    die_after(world, lb, hook, writes)
    [ip] = sources(world)
    lb.change(internal=False)
    lb.settle(after)
    assert (lb.status["address"]["ip"], lb.status["address"]["id"]) == (ip, ip)
    assert world.addresses() == []
    lb.change(internal=True)
    lb.settle(after)
    assert (lb.is_ready(), sources(world)) == (True, {ip})
    lb.delete()
    lb.settle(after)
    await_nothing(world)


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_one_of_a_call_that_died_goes_with_a_service_that_is_deleted_then(
    world: World, hook: LoadBalancersHook, after: LoadBalancersHook, writes: int
) -> None:
    lb = internal(world)
    die_after(world, lb, hook, writes)
    lb.delete()
    lb.settle(after)
    assert lb.is_finalized()
    await_nothing(world)


def test_an_object_that_is_made_again_finds_its_load_balancers_on_another_tier(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = internal(world).settle(hook)
    [ip] = sources(world)
    vms = world.state()["virtualmachines"]
    more = [each for each in vms if each["name"] in ("node-8", "node-9", "node-10")]
    world.nodes |= {each["name"]: instance_of(each) for each in more}
    remade(lb, hook)
    lb.wait(hook)
    assert (lb.status["address"]["ip"], sources(world)) == (ip, {ip})
    assert lb.status["address"]["networkID"] == world.network(TIER)
    assert lb.condition("Ready")["reason"] == "MembersElsewhere"


def test_an_object_that_is_made_again_with_the_other_kind_keeps_the_address_that_it_had(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80)]).settle(hook)
    [address] = world.addresses()
    remade(lb, hook, internal=True)
    assert (lb.status["address"]["id"], balancers(world)) == (address["id"], [])
    other = internal(world, "other", ports=[port(81)]).settle(hook)
    [ip] = sources(world)
    remade(other, hook, internal=False)
    assert (other.status["address"]["id"], len(world.addresses())) == (ip, 1)
    for each in (lb, other):
        each.delete()
        each.settle(hook)
    await_nothing(world)


@pytest.fixture
def unlisted(world: World) -> World:
    """Let CloudStack refuse the list of internal load balancers for good."""
    text = "no such table"
    world.simulator.control.fault("listLoadBalancers", "error", code=530, text=text, times=None)
    return world


def test_a_public_service_is_made_while_internal_ones_are_not_listed(
    unlisted: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(unlisted).settle(hook)
    assert lb.is_ready()
    assert len(unlisted.rules()) == 1


def test_a_public_service_that_lost_its_status_becomes_narrower_all_the_same(
    world: World, hook: LoadBalancersHook, request: pytest.FixtureRequest
) -> None:
    lb = LoadBalancer(world).settle(hook)
    request.getfixturevalue("unlisted")
    lb.parent.pop("status")
    lb.change(sourceRanges=["10.0.0.0/8"])
    lb.settle(hook)
    assert lb.is_ready()
    assert [rule["cidrlist"] for rule in world.rules()] == [["10.0.0.0/8"]]


def test_a_public_service_whose_address_was_released_gets_another_one(
    world: World, hook: LoadBalancersHook, request: pytest.FixtureRequest
) -> None:
    lb = LoadBalancer(world).settle(hook)
    request.getfixturevalue("unlisted")
    world.human.done("disassociateIpAddress", id=lb.status["address"]["id"])
    world.advance(lb.next_look() + 1)
    lb.settle(hook)
    assert lb.is_ready()
    assert len(world.rules()) == 1


def test_a_public_service_is_taken_down_and_ends_when_internal_ones_are_listed_again(
    world: World, hook: LoadBalancersHook, request: pytest.FixtureRequest
) -> None:
    lb = LoadBalancer(world).settle(hook)
    request.getfixturevalue("unlisted")
    lb.delete()
    for _ in range(4):
        lb.call(hook)
        world.advance(60)
    assert not lb.is_finalized()
    assert "no such table" in lb.condition("Ready")["message"]
    assert (world.rules(), world.addresses()) == ([], [])
    world.simulator.control.clear_faults()
    world.advance(lb.next_look() + 1)
    lb.settle(hook)
    assert lb.is_finalized()
