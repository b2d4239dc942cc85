"""Items in the network ACL list of a tier: by difference, ours alone, and nothing left."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.plan.schedule import CONTESTED, MAX_REPAIRS
from hooks.names import EVENT_CONTESTED, TAG_SERVICE_UID
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World, make_hook, port
from tests.integration.loadbalancers.vpc import (
    DENYING,
    LIST,
    LISTLESS,
    give_list,
    list_id,
    ranges,
    vpc_world,
)

TEN = ["10.0.0.0/8", "192.168.0.0/16"]
EVERYONE = ["0.0.0.0/0"]


@pytest.fixture
def world() -> Iterator[World]:
    with vpc_world() as made:
        yield made


def ours(world: World) -> list[Json]:
    """Return the items with tags or a reason, which are ours alone."""
    return [each for each in world.items() if each["tags"] or each["reason"]]


def theirs(world: World) -> list[Json]:
    return [each for each in world.items() if not (each["tags"] or each["reason"])]


def opened(world: World) -> list[tuple[str, int, int, list[str], str]]:
    """Return what the items of ours open, and in which list."""
    return sorted(
        (each["protocol"], each["startport"], each["endport"], each["cidrlist"], each["list"])
        for each in ours(world)
    )


def add_item(world: World, **fields: Any) -> str:
    """Add an item as a person does; return its id."""
    asked = {"aclid": list_id(world), "protocol": "tcp", "traffictype": "Ingress", **fields}
    return str(world.human.done("createNetworkACL", **asked)["networkacl"]["id"])


def test_ports_and_ranges_are_admitted_by_tagged_items_that_go_before_the_address(
    world: World, hook: LoadBalancersHook
) -> None:
    before = theirs(world)
    lb = LoadBalancer(
        world, ports=[port(80), port(81), port(443, proxy=True)], sourceRanges=TEN
    ).settle(hook)
    assert lb.is_ready(), lb.condition("Ready")
    assert opened(world) == [("tcp", 80, 81, TEN, LIST), ("tcp", 443, 443, TEN, LIST)]
    for each in ours(world):
        assert each["tags"] == world.rules()[0]["tags"]
        assert each["reason"].startswith("Service default/web, seal ")
        assert (each["action"], each["traffictype"]) == ("Allow", "Ingress")
    assert lb.reason("FirewallReady") == "FirewallOpen"
    world.simulator.control.clear_calls()
    lb.wait(hook)
    assert world.writes() == {}
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert world.remains() == NOTHING
    assert theirs(world) == before
    calls = [each["command"] for each in world.simulator.control.calls()]
    assert max(i for i, each in enumerate(calls) if each == "deleteNetworkACL") < calls.index(
        "disassociateIpAddress"
    )


def test_ranges_and_ports_change_in_place(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world).settle(hook)
    [before] = ours(world)
    for wanted in (["10.0.0.0/8"], TEN, EVERYONE, TEN):
        lb.change(sourceRanges=wanted)
        lb.settle(hook)
        [now] = ours(world)
        assert now["cidrlist"] == wanted
        assert (now["id"], now["number"], now["tags"]) == (
            before["id"],
            before["number"],
            before["tags"],
        )
        assert lb.is_ready()
    lb.change(ports=[port(80), port(81)])
    lb.settle(hook)
    lb.change(ports=[port(81), port(443)])
    lb.settle(hook)
    assert opened(world) == [("tcp", 81, 81, TEN, LIST), ("tcp", 443, 443, TEN, LIST)]
    assert before["id"] in {each["id"] for each in ours(world)}
    lb.change(sourceRanges=[])
    lb.settle(hook)
    assert ours(world) == []


def test_narrowing_waits_for_no_item_that_is_being_added(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80)]).settle(hook)
    lb.change(ports=[port(80), port(8443)], sourceRanges=["10.0.0.0/8"])
    world.simulator.control.fault("createNetworkACL", "job-never-ends", times=None)
    lb.call(hook, seconds=1.5)
    assert ranges(world)["80"] == "10.0.0.0/8"
    assert opened(world)[0] == ("tcp", 80, 80, ["10.0.0.0/8"], LIST)


@pytest.mark.parametrize(
    "drift",
    [
        {"cidrlist": "0.0.0.0/0"},
        {"startport": 1, "endport": 1024},
        {"protocol": "udp"},
        {"action": "Deny"},
        {"traffictype": "Egress"},
        {"number": 9999},
        {"reason": "mine now"},
    ],
    ids=lambda value: next(iter(value)),
)
def test_what_somebody_changed_is_right_again(
    world: World, hook: LoadBalancersHook, drift: dict[str, object]
) -> None:
    add_item(world, number=5000, protocol="all", action="Deny")
    lb = LoadBalancer(world, sourceRanges=TEN).settle(hook)
    world.human.done("updateNetworkACLItem", id=ours(world)[0]["id"], **drift)
    lb.wait(hook)
    assert lb.is_ready(), lb.condition("Ready")
    assert opened(world) == [("tcp", 80, 80, TEN, LIST)]
    [now] = ours(world)
    assert (now["action"], now["traffictype"]) == ("Allow", "Ingress")
    assert now["number"] < 5000
    lb.wait(hook)
    assert ours(world) == [now]


def test_what_somebody_deleted_or_untagged_is_back(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world).settle(hook)
    [before] = ours(world)
    world.human.done("deleteNetworkACL", id=before["id"])
    lb.wait(hook)
    [after] = ours(world)
    assert {**after, "id": before["id"]} == before
    assert "RepairedLoadBalancer" in world.cluster.reasons()
    world.human.done("deleteTags", resourcetype="NetworkACL", resourceids=after["id"])
    lb.wait(hook)
    assert ours(world) == [after], "the seal shows whose it is"


def test_an_untagged_item_whose_reason_is_copied_is_a_persons(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    [own] = ours(world)
    copied = add_item(world, startport=80, endport=80, number=2000, reason=own["reason"])
    lb.wait(hook)
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert [each["id"] for each in ours(world)] == [copied]


def test_the_default_list_that_allows_everything_needs_no_items(
    world: World, hook: LoadBalancersHook
) -> None:
    give_list(world, "default_allow")
    lb = LoadBalancer(world, sourceRanges=TEN).settle(hook)
    assert (lb.is_ready(), lb.reason("FirewallReady")) == (True, "FirewallOpen")
    message = lb.condition("FirewallReady")["message"]
    assert "0-65535/all for 0.0.0.0/0; the lists of the rules do not" in message
    assert "createNetworkACL" not in world.writes()


@pytest.mark.parametrize("tier", [DENYING, LISTLESS])
def test_a_tier_whose_list_takes_no_items_says_what_to_do(tier: str) -> None:
    with vpc_world(tier) as world:
        cloud = world.open_cloud()
        hook = make_hook(world, cloud)
        lb = LoadBalancer(world).settle(hook)
        ready = lb.condition("Ready")
        assert (ready["status"], ready["reason"]) == ("True", "DeniedByList")
        assert f"replaceNetworkACLList aclid=… networkid={world.network(tier)}" in ready["message"]
        assert world.cluster.reasons().count("DeniedByList") == 1
        assert "createNetworkACL" not in world.simulator.control.counts()
        give_list(world, tier=tier)
        lb.wait(hook)
        assert (lb.is_ready(), lb.reason()) == (True, "Serving")
        assert opened(world) == [("tcp", 80, 80, EVERYONE, "acl-new")]
        lb.delete()
        lb.settle(hook)
        assert world.remains() == NOTHING
        cloud.close()


def test_a_list_that_is_replaced_while_in_use_gets_the_items_and_the_one_before_is_cleared(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(443)]).settle(hook)
    give_list(world)
    lb.wait(hook)
    assert opened(world) == [
        ("tcp", 80, 80, EVERYONE, "acl-new"),
        ("tcp", 443, 443, EVERYONE, "acl-new"),
    ]
    give_list(world, "default_deny")
    lb.wait(hook)
    assert ours(world) == []
    give_list(world, LIST)
    lb.wait(hook)
    assert lb.is_ready()
    give_list(world, "default_allow")
    lb.delete()
    lb.settle(hook)
    assert world.remains() == NOTHING


@pytest.mark.parametrize("times", [1, 3])
def test_a_number_that_somebody_takes_in_the_same_moment_is_not_used_twice(
    world: World, hook: LoadBalancersHook, times: int
) -> None:
    text = f"ACL item with number 1 already exists in ACL: {list_id(world)}"
    world.simulator.control.fault("createNetworkACL", "error", code=431, text=text, times=times)
    lb = LoadBalancer(world).settle(hook)
    assert lb.is_ready(), lb.condition("Ready")
    asked = [each["params"]["number"] for each in world.simulator.control.calls("createNetworkACL")]
    assert len(asked) == len(set(asked)) == times + 1


def test_a_number_that_is_taken_when_an_item_moves_is_not_used_twice(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    add_item(world, number=9, protocol="all", action="Deny")
    if ours(world)[0]["number"] < 9:
        world.human.done("updateNetworkACLItem", id=ours(world)[0]["id"], number=500)
    text = "ACL item with number 1 already exists in ACL: x"
    world.simulator.control.fault("updateNetworkACLItem", "job-failed", code=431, text=text)
    lb.wait(hook)
    assert lb.is_ready(), lb.condition("Ready")
    assert ours(world)[0]["number"] < 9


def test_services_of_one_list_that_come_at_once_have_items_of_their_own(
    world: World, hook: LoadBalancersHook
) -> None:
    before = theirs(world)
    balancers = [
        LoadBalancer(world, f"s{number}", ports=[port(80 + number)]) for number in range(12)
    ]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda lb: lb.settle(hook, seconds=60), balancers))
    assert all(lb.is_ready() for lb in balancers)
    assert [start for _, start, *_ in opened(world)] == [80 + number for number in range(12)]
    assert len({each["number"] for each in world.items() if each["list"] == LIST}) == 12 + 2
    for lb in balancers[:6]:
        lb.delete()
        lb.settle(hook)
    assert [start for _, start, *_ in opened(world)] == [80 + number for number in range(6, 12)]
    assert theirs(world) == before


def test_a_service_of_another_cluster_with_the_same_uid_keeps_its_items(
    world: World, hook: LoadBalancersHook
) -> None:
    other = World(world.simulator, cluster_id="c-2")
    other.nodes = world.nodes
    cloud = other.open_cloud()
    foreign = LoadBalancer(other).settle(make_hook(other, cloud))
    lb = LoadBalancer(world).settle(hook)
    assert len(ours(world)) == 2
    lb.delete()
    lb.settle(hook)
    [left] = ours(world)
    assert left["tags"][TAG_SERVICE_UID] == foreign.service_uid
    foreign.wait(make_hook(other, cloud))
    assert (foreign.is_ready(), ours(world)) == (True, [left])
    cloud.close()
    other.close()


def test_an_item_that_cannot_be_deleted_keeps_the_object_and_not_the_address(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    world.simulator.control.fault("deleteNetworkACL", "error", code=530, text="no way", times=None)
    lb.delete()
    lb.settle(hook)
    assert not lb.is_finalized()
    assert (lb.reason(), world.addresses()) == ("DeletionRefused", [])
    assert "no way" in lb.condition("Ready")["message"]
    world.simulator.control.clear_faults()
    lb.wait(hook)
    assert lb.is_finalized()
    assert world.remains() == NOTHING


def test_abandoning_leaves_the_items(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world).settle(hook)
    before = world.remains()
    annotation = "service.beta.kubernetes.io/cloudstack-load-balancer-abandon"
    lb.parent["metadata"]["annotations"] = {annotation: "true"}
    lb.delete()
    lb.settle(hook)
    assert (lb.is_finalized(), world.remains()) == (True, before)


def test_plan_mode_lists_items_and_a_deletion_waits(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world, sourceRanges=TEN, mode="Plan").settle(hook)
    [planned] = [each for each in lb.status["plan"] if "ACL item" in each]
    assert planned.endswith(f"to {LIST}: 80/tcp for 10.0.0.0/8, 192.168.0.0/16")
    lb.change(mode="Apply")
    lb.settle(hook)
    lb.change(mode="Plan")
    lb.settle(hook)
    lb.delete()
    lb.settle(hook)
    assert lb.reason() == "DeletionPlanned"
    assert lb.status["plan"][0].startswith("remove ACL item ")
    assert len(ours(world)) == 1


def test_a_network_that_is_no_tier_is_never_asked_for_items() -> None:
    with vpc_world("net-1") as world:
        cloud = world.open_cloud()
        hook = make_hook(world, cloud)
        lb = LoadBalancer(world).settle(hook)
        lb.wait(hook)
        lb.delete()
        lb.settle(hook)
        assert lb.is_finalized()
        assert "listNetworkACLs" not in world.simulator.control.counts()
        cloud.close()


@pytest.mark.parametrize("kind", ["error", "job-failed"])
def test_an_item_whose_tags_are_refused_is_deleted_again_and_tried_later(
    world: World, hook: LoadBalancersHook, kind: str
) -> None:
    when = {"resourcetype": "NetworkACL"}
    text = "no more tags"
    world.simulator.control.fault("createTags", kind, code=530, text=text, when=when)
    lb = LoadBalancer(world).settle(hook)
    assert lb.reason() == "FirewallRefused"
    assert text in lb.condition("Ready")["message"]
    assert ours(world) == []
    lb.wait(hook)
    assert lb.is_ready()
    assert len(ours(world)) == 1


def test_whoever_deletes_our_items_again_and_again_is_told_while_it_serves(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80)]).settle(hook)
    for _ in range(MAX_REPAIRS + 1):
        for each in world.items():
            if each["tags"]:
                world.human.done("deleteNetworkACL", id=each["id"])
        lb.wait(hook)
    assert world.cluster.reasons().count(EVENT_CONTESTED) == 1
    ready = lb.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("True", "DeniedByList")
    assert "undone the same repairs 3 times" in ready["message"]
    assert not lb.condition("Stalled")
    assert lb.next_look() > CONTESTED.first / 2
    lb.change(sourceRanges=["10.0.0.0/8"])
    lb.settle(hook)
    assert set(ranges(world).values()) == {"10.0.0.0/8"}
