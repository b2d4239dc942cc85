"""S3: what a rebuilt cluster takes over, and what a Service that is made again inherits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import pytest

from hooks import names
from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from tests.hostile.ownership.stage import (
    HELD,
    PORTS,
    Place,
    Tenant,
    add,
    call_for,
    cluster,
    fresh_world,
    holdings,
    ip_of,
    new_uid,
    settled,
)
from tests.integration.loadbalancers.crashes import die_after
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World, make_hook

#: What a takeover may call, besides lists: everything stays what and where it is.
IN_PLACE = {"createTags", "deleteTags", "updateLoadBalancerRule"}


def rebuilt(world: World, cluster_id: str) -> LoadBalancer:
    """Make the Service of a rebuilt cluster, which takes over from c-1 or is c-1."""
    taking: Json = {} if cluster_id == "c-1" else {"takeoverFrom": "c-1"}
    return LoadBalancer(world, uid=new_uid("web"), ports=PORTS, **taking)


def ids(held: Json) -> list[str]:
    return sorted(str(each["id"]) for kind in held.values() for each in kind)


def check_is_wholly(lb: LoadBalancer, cluster_id: str, before: Json) -> None:
    """Check that everything is what it was, with the names and the mark of the new Service."""
    [address] = before["addresses"]
    after = holdings(lb.world, address["ipaddress"])
    assert lb.is_ready()
    assert ip_of(lb) == address["ipaddress"]
    assert ids(after) == ids(before)
    assert [each["ipaddress"] for each in lb.world.addresses()] == [address["ipaddress"]]
    assert {rule["name"] for rule in after["loadbalancerrules"]} == {
        f"{lb.name}-tcp-80",
        f"{lb.name}-tcp-443",
    }
    mark = {
        names.TAG_CLUSTER: cluster_id,
        names.TAG_NAMESPACE: "default",
        names.TAG_SERVICE: "web",
        names.TAG_SERVICE_UID: lb.service_uid,
    }
    for kind in ("loadbalancerrules", "firewallrules"):
        assert [each["tags"] for each in after[kind]] == [mark] * len(before[kind])
    origin = address["tags"][names.TAG_ORIGIN]
    assert after["addresses"][0]["tags"] == {**mark, names.TAG_ORIGIN: origin}


@contextmanager
def rebuilding(
    cluster_id: str, **spec: Any
) -> Iterator[tuple[LoadBalancer, Json, Callable[[], LoadBalancersHook], Place]]:
    """Make c-1 with a load balancer, and a rebuilt cluster that is about to take it over."""
    with fresh_world() as (world, hook), cluster(world, cluster_id) as (new, elsewhere):
        original = LoadBalancer(world, ports=PORTS, **spec).settle(hook)
        before = holdings(world, ip_of(original))
        lb = rebuilt(new, cluster_id)
        clouds = []

        def new_hook() -> LoadBalancersHook:
            clouds.append(new.open_cloud())
            return make_hook(new, clouds[-1])

        world.simulator.control.clear_calls()
        yield lb, before, new_hook, (new, elsewhere)
        for cloud in clouds:
            cloud.close()


@pytest.mark.parametrize("cluster_id", ["c-2", "c-1"], ids=["takeover", "same cluster"])
def test_a_rebuilt_cluster_takes_address_and_rules_over_in_place(cluster_id: str) -> None:
    with rebuilding(cluster_id) as (lb, before, _, (world, hook)):
        settled(lb, hook)
        check_is_wholly(lb, cluster_id, before)
        assert set(world.writes()) <= IN_PLACE
        lb.delete()
        lb.settle(hook)
        assert world.remains() == NOTHING


@pytest.mark.parametrize("cluster_id", ["c-2", "c-1"], ids=["takeover", "same cluster"])
def test_a_takeover_goes_on_where_a_call_died(cluster_id: str) -> None:
    with rebuilding(cluster_id) as (lb, _, _, (world, hook)):
        settled(lb, hook)
        writes = sum(world.writes().values())
        assert writes >= 3
    for last in range(writes):
        with rebuilding(cluster_id) as (lb, before, new_hook, (world, hook)):
            assert die_after(world, lb, [hook], last), f"no write came after {last}"
            successor = new_hook()
            settled(lb, successor)
            for _ in range(5):  # a lease that was left goes at a later check
                lb.wait(successor)
            check_is_wholly(lb, cluster_id, before)
            assert set(world.writes()) <= IN_PLACE


@pytest.mark.parametrize("cluster_id", ["c-2", "c-1"], ids=["takeover", "same cluster"])
def test_a_takeover_that_died_and_whose_service_is_deleted_then_leaves_no_half(
    cluster_id: str,
) -> None:
    """Either everything is ours, and goes, or all of it is again what it was."""
    left = set()
    for last in range(12):
        with rebuilding(cluster_id) as (lb, before, new_hook, (world, hook)):
            die_after(world, lb, [hook], last)
            world.advance(2)  # the dead call's job ends
            lb.delete()
            call_for(lb, new_hook(), 900)
            assert lb.is_finalized()
            is_gone = world.remains() == NOTHING
            assert is_gone or without_lease(world, before) == before, last
            left.add(is_gone)
    assert left == {True, False}


def without_lease(world: World, before: Json) -> Json:
    """Return what is on the address of before, without the lease of a call that died."""
    found = holdings(world, before["addresses"][0]["ipaddress"])
    for each in found["addresses"]:
        each["tags"].pop(names.TAG_LEASE, None)
    return found


def test_a_cluster_that_lives_has_what_was_taken_from_it_half_again() -> None:
    with fresh_world() as (world, hook), cluster(world, "c-2") as (new, elsewhere):
        original = LoadBalancer(world, ports=PORTS).settle(hook)
        before = holdings(world, ip_of(original))
        lb = rebuilt(new, "c-2")
        kind = {"resourcetype": "PublicIpAddress"}
        world.simulator.control.fault("deleteTags", "stop-after", when=kind, executed=True)
        lb.call(elsewhere, seconds=3.0)
        assert world.simulator.control.armed.stopped
        world.simulator.control.clear_faults()
        assert without_lease(world, before) != before
        assert original.wait(hook).is_ready()
        [address] = holdings(world, ip_of(original))["addresses"]
        assert address["tags"].items() >= before["addresses"][0]["tags"].items()


@pytest.mark.parametrize("why", ["another address", "no takeover"])
def test_a_takeover_that_died_and_is_not_wanted_any_more_is_undone(why: str) -> None:
    undone = list[int]()
    for last in range(12):
        with rebuilding("c-2") as (lb, before, new_hook, (world, hook)):
            die_after(world, lb, [hook], last)
            lb.change(**({"address": HELD} if why == "another address" else {"takeoverFrom": ""}))
            settled(lb, new_hook())
            # Once the address had our mark, the Service has it, and changes to the other.
            was_had = "addressChange" in lb.status
            if lb.is_ready() and ip_of(lb) != before["addresses"][0]["ipaddress"] and not was_had:
                assert without_lease(world, before) == before, last
                undone.append(last)
    assert len(undone) >= 3


def test_the_cluster_that_was_thought_gone_touches_nothing_when_it_comes_back(
    original: LoadBalancer, hook: LoadBalancersHook, other: Place
) -> None:
    world, elsewhere = other
    lb = settled(rebuilt(world, "c-2"), elsewhere)
    assert ip_of(lb) == ip_of(original)
    before = holdings(world, ip_of(lb))
    original.wait(hook)
    assert original.reason() == "ForeignCluster"
    assert "c-2" in original.condition("Ready")["message"]
    assert holdings(world, ip_of(lb)) == before
    original.delete()
    call_for(original, hook, 900)
    assert original.is_finalized()
    assert holdings(world, ip_of(lb)) == before
    assert lb.wait(elsewhere).is_ready()


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"takeoverFrom": "c-3"}, id="another cluster"),
        pytest.param({"takeoverFrom": "c-1", "namespace": "evil"}, id="another namespace"),
        pytest.param({"takeoverFrom": "c-1", "name": "web-2"}, id="another name"),
        pytest.param({"takeoverFrom": ""}, id="no cluster"),
    ],
)
def test_what_the_annotation_does_not_name_is_not_taken(
    original: LoadBalancer, other: Place, how: Json
) -> None:
    world, elsewhere = other
    before = holdings(world, ip_of(original))
    lb = settled(LoadBalancer(world, uid=new_uid("web"), ports=PORTS, **how), elsewhere)
    assert lb.is_ready()
    assert ip_of(lb) != ip_of(original)
    assert holdings(world, ip_of(original)) == before
    lb.delete()
    lb.settle(elsewhere)
    assert holdings(world, ip_of(original)) == before


@pytest.mark.parametrize("wanted", ["default/web", "evil/web", "default/other"])
def test_within_one_cluster_no_takeover_takes_from_a_service_that_lives(
    original: LoadBalancer, hook: LoadBalancersHook, wanted: str
) -> None:
    """A tenant names the cluster's own id, and the victim's name where he can."""
    world = original.world
    before = holdings(world, ip_of(original))
    namespace, name = wanted.split("/")
    service = deepcopy(world.cluster.objects[original.service_path])
    lb = LoadBalancer(
        world, name, namespace=namespace, uid=new_uid("web"), ports=PORTS, takeoverFrom="c-1"
    )
    world.cluster.objects[original.service_path] = service
    lb.settle(hook)
    assert holdings(world, ip_of(original)) == before
    lb.delete(service_too=False)
    call_for(lb, hook, 900)
    assert holdings(world, ip_of(original)) == before


def test_an_address_that_the_user_had_brought_stays_the_users_after_a_takeover() -> None:
    with rebuilding("c-2", address="198.51.100.60", keepAddress=True) as (lb, before, _, place):
        world, hook = place
        address = before["addresses"][0]
        tag = {"resourcetype": "PublicIpAddress", "resourceids": address["id"]}
        world.human.done("deleteTags", **tag, **{"tags[0].key": names.TAG_ORIGIN})
        world.human.done("createTags", **tag, tags={names.TAG_ORIGIN: "user"})
        settled(lb, hook)
        assert ip_of(lb) == address["ipaddress"]
        lb.delete()
        lb.settle(hook)
        assert world.remains() == {**NOTHING, "addresses": [address["ipaddress"]]}


def test_what_a_human_added_stays_his_through_a_takeover_and_after() -> None:
    with rebuilding("c-2") as (lb, before, _, (world, hook)):
        address = before["addresses"][0]
        add(world, address["id"], "rule")
        add(world, address["id"], "port forwarding rule")
        his = [r for r in world.rules() if r["name"] == "k8s-api"]
        settled(lb, hook)
        assert ip_of(lb) == address["ipaddress"]
        assert [r for r in world.rules() if r["name"] == "k8s-api"] == his
        lb.delete()
        lb.settle(hook)
        assert world.rules() == his
        assert [each["ipaddress"] for each in world.addresses()] == [address["ipaddress"]]


def test_plan_mode_lists_a_takeover_and_makes_none() -> None:
    with rebuilding("c-2") as (lb, before, _, (world, hook)):
        lb.change(mode="Plan")
        lb.settle(hook)
        assert lb.status["plan"]
        assert world.writes() == {}
        assert holdings(world, before["addresses"][0]["ipaddress"]) == before


def test_the_annotation_becomes_the_field(world: World) -> None:
    made = Tenant(world, annotations={"takeover-from": "c-9"}).lb.parent["spec"]
    assert made["takeoverFrom"] == "c-9"


# The same name again in the same cluster
