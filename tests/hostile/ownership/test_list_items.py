"""Whose an item of a tier's network ACL list is, which is on no address and in a list of many."""

from collections.abc import Iterator

import pytest

from hooks.cloudstack import Cloud
from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.names import TAG_CLUSTER, TAG_NAMESPACE, TAG_SERVICE, TAG_SERVICE_UID
from tests.hostile.ownership.stage import PORTS, Place, call_for, cluster, new_uid, settled
from tests.integration.loadbalancers.crashes import die_after
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World, make_hook
from tests.integration.loadbalancers.vpc import TIER, give_list, keep_nodes, list_id, vpc_world


@pytest.fixture
def world() -> Iterator[World]:
    with vpc_world() as made:
        yield made


@pytest.fixture
def other(world: World) -> Iterator[Place]:
    """The second cluster, c-2, on the same tier."""
    with cluster(world, "c-2") as place:
        keep_nodes(place[0], TIER)
        yield place


def marked(world: World) -> list[Json]:
    return [each for each in world.items() if each["tags"]]


def uids(world: World) -> list[str]:
    return [each["tags"][TAG_SERVICE_UID] for each in marked(world)]


def mark(cluster_id: str, uid: str, name: str = "web") -> dict[str, str]:
    return {
        TAG_CLUSTER: cluster_id,
        TAG_NAMESPACE: "default",
        TAG_SERVICE: name,
        TAG_SERVICE_UID: uid,
    }


def add_item(world: World, number: int, tags: dict[str, str], port: int = 80) -> str:
    """Add an item, as anybody with the account can, with any tags; return its id."""
    made = world.human.done(
        "createNetworkACL",
        aclid=list_id(world),
        number=number,
        protocol="tcp",
        startport=port,
        endport=port,
        traffictype="Ingress",
    )["networkacl"]
    world.human.done("createTags", resourcetype="NetworkACL", resourceids=made["id"], tags=tags)
    return str(made["id"])


def test_a_rebuilt_cluster_takes_the_items_over_with_the_address(
    original: LoadBalancer, other: Place
) -> None:
    world, hook = other
    before = marked(world)
    lb = settled(LoadBalancer(world, uid=new_uid("web"), ports=PORTS, takeoverFrom="c-1"), hook)
    assert lb.is_ready(), lb.condition("Ready")
    after = marked(world)
    assert [each["id"] for each in after] == [each["id"] for each in before]
    assert [each["tags"] for each in after] == [mark("c-2", lb.service_uid)] * len(before)
    lb.delete()
    lb.settle(hook)
    assert world.remains() == NOTHING
    assert original.status["address"]["ip"]


@pytest.mark.parametrize("last", range(14))
def test_a_takeover_that_dies_after_any_write_comes_to_the_same_end(
    original: LoadBalancer, other: Place, last: int
) -> None:
    world, hook = other
    before = [each["id"] for each in marked(world)]
    lb = LoadBalancer(world, uid=new_uid("web"), ports=PORTS, takeoverFrom="c-1")
    die_after(world, lb, [hook], last)
    settled(lb, hook)
    lb.wait(hook)
    assert lb.is_ready(), lb.condition("Ready")
    assert [each["id"] for each in marked(world)] == before
    assert uids(world) == [lb.service_uid] * len(before)
    assert original.service_uid not in uids(world)


def test_items_of_a_cluster_to_take_over_from_stay_its_own_without_its_address(
    original: LoadBalancer, other: Place
) -> None:
    """The other cluster still serves: naming it takes nothing but what comes with an address."""
    world, hook = other
    before = marked(world)
    held = LoadBalancer(world, uid=new_uid("web"), ports=PORTS).settle(hook)
    own = [each for each in marked(world) if each not in before]
    held.change(takeoverFrom="c-1")
    held.settle(hook).wait(hook)
    assert [each for each in marked(world) if each not in own] == before
    held.delete()
    held.settle(hook)
    assert marked(world) == before
    assert original.is_ready()


def test_a_service_that_is_made_again_takes_its_items_over(
    original: LoadBalancer, hook: LoadBalancersHook
) -> None:
    world, before = original.world, marked(original.world)
    original.delete()
    lb = LoadBalancer(world, uid=new_uid("web"), ports=PORTS)
    call_for(original, hook, 5)
    assert original.reason() == "AwaitingTakeover"
    assert marked(world) == before
    settled(lb, hook)
    call_for(original, hook, 900)
    assert original.is_finalized()
    assert [each["id"] for each in marked(world)] == [each["id"] for each in before]
    assert uids(world) == [lb.service_uid] * len(before)
    lb.delete()
    lb.settle(hook)
    assert world.remains() == NOTHING


@pytest.mark.parametrize(
    "tags",
    [
        pytest.param({TAG_SERVICE_UID: "UID"}, id="the UID alone"),
        pytest.param({TAG_SERVICE: "web", TAG_NAMESPACE: "default"}, id="the name alone"),
        pytest.param(mark("c-2", "UID"), id="another cluster's"),
        pytest.param(mark("c-1", "UID", "till"), id="another Service's"),
        pytest.param(mark("c-1", "another"), id="another UID's"),
    ],
)
def test_an_item_without_our_whole_mark_is_not_touched(
    original: LoadBalancer, hook: LoadBalancersHook, tags: dict[str, str]
) -> None:
    world, uid = original.world, original.service_uid
    tags = {key: uid if text == "UID" else text for key, text in tags.items()}
    theirs = add_item(world, 3000, tags, port=8080)
    [before] = [each for each in world.items() if each["id"] == theirs]
    original.wait(hook)
    give_list(world)
    original.wait(hook)
    original.change(sourceRanges=["10.0.0.0/8"])
    original.settle(hook)
    assert [each for each in world.items() if each["id"] == theirs] == [before]
    if tags == mark("c-1", "another"):
        return  # what a Service of our name left goes with the last of its name
    original.delete()
    original.settle(hook)
    assert original.is_finalized()
    assert [each for each in world.items() if each["tags"]] == [before]


def test_a_tenant_who_writes_our_tags_on_his_own_item_loses_only_that(
    original: LoadBalancer, hook: LoadBalancersHook
) -> None:
    """Who may write tags may also delete: the item goes, and nothing else."""
    world = original.world
    people = [each for each in world.items() if not each["tags"]]
    add_item(world, 3000, mark("c-1", original.service_uid), port=8080)
    original.wait(hook)
    assert len(marked(world)) == len(PORTS)
    assert [each for each in world.items() if not each["tags"]] == people


def test_a_replaced_key_unseals_an_item_that_lost_its_tags_so_it_stays_a_persons(
    original: LoadBalancer, hook: LoadBalancersHook, cloud: Cloud
) -> None:
    del cloud, hook
    world = original.world
    left = marked(world)[0]
    world.human.done("deleteTags", resourcetype="NetworkACL", resourceids=left["id"])
    world.simulator.user.secret_key = "replaced"
    opened = world.open_cloud()
    new = make_hook(world, opened)
    original.wait(new)
    assert left["id"] not in {each["id"] for each in marked(world)}
    original.delete()
    original.settle(new)
    assert original.is_finalized()
    assert [each["id"] for each in world.items() if each["reason"]] == [left["id"]]
    opened.close()
