"""Deletion: what is ours goes, and what is not ours stays."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hooks.cloudstack import Cloud
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import KubeRefused, KubeUnreachable
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.lanes import LaneKey, Lanes
from hooks.names import (
    ANNOTATION_ABANDON,
    CLEANUP_FINALIZER,
    EVENT_DELETED,
    EVENT_DELETING,
    EVENT_ORPHANED,
    LOAD_BALANCER_CLASS,
)
from tests.controlplane.polling import until
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World, make_hook, port


class CountedLanes(Lanes):
    """Lanes that know how often they were entered."""

    def __init__(self) -> None:
        super().__init__()
        self.entered: list[tuple[LaneKey, ...]] = []

    @contextmanager
    def held(self, keys: tuple[LaneKey, ...], deadline: Deadline) -> Iterator[None]:
        self.entered.append(keys)
        with super().held(keys, deadline):
            yield


def test_what_a_release_has_left_is_read_without_waiting_for_the_releases_of_others(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    lanes = hook._lanes = CountedLanes()
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert [[key.kind for key in keys] for keys in lanes.entered if keys] == [["network"]]


def test_a_deletion_releases_the_address_with_everything_in_one_job(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80 + n) for n in range(10)]).settle(hook)
    world.simulator.control.clear_calls()
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert world.remains() == NOTHING
    assert world.writes() == {"createTags": 1, "disassociateIpAddress": 1, "deleteTags": 1}
    assert world.cluster.reasons() == [EVENT_DELETING, EVENT_DELETED]


def tags_of_rules(world: World) -> set[str]:
    """Return the ids of rules, also of those that are gone, that CloudStack shows tags of."""
    found = world.human.list("listTags", "tag", resourcetype="LoadBalancer")
    return {str(each["resourceid"]) for each in found}


def test_tags_of_rules_go_though_cloudstack_keeps_them_longer_than_the_rules(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(81), port(82)]).settle(hook)
    ids = {each["id"] for each in lb.status["rules"]}
    assert tags_of_rules(world) == ids
    gone = lb.status["rules"][1]["id"]
    lb.change(ports=[port(80), port(82)])
    lb.settle(hook)
    until(lambda: tags_of_rules(world) == ids - {gone}, "the tags of one rule are gone")
    lb.delete()
    lb.settle(hook)
    until(lambda: not tags_of_rules(world), "all tags are gone")


def test_a_persons_tag_of_a_rule_is_left(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world).settle(hook)
    rule = lb.status["rules"][0]["id"]
    tag = {"tags[0].key": "team", "tags[0].value": "web"}
    world.human.done("createTags", resourcetype="LoadBalancer", resourceids=rule, **tag)
    lb.delete()
    lb.settle(hook)

    def keys() -> list[str]:
        found = world.human.list("listTags", "tag", resourcetype="LoadBalancer")
        return [str(each["key"]) for each in found]

    until(lambda: keys() == ["team"], "the person's tag is left alone")


def test_tags_that_cloudstack_does_not_take_off_hold_no_deletion_up(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    world.simulator.control.fault("deleteTags", "error", code=530, times=None)
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert world.remains() == NOTHING


def test_nothing_is_finalized_before_the_address_is_gone(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    world.simulator.control.fault("disassociateIpAddress", "job-never-ends")
    lb.delete()
    for _ in range(3):
        answer = lb.call(hook, seconds=1.0)
        assert answer.response.get("finalized") is False
    assert lb.reason() == "Deleting"
    assert len(world.addresses()) == 1


def still_wanted(service: Json) -> None:
    del service


def gone(service: Json) -> None:
    service.clear()


def being_deleted(service: Json) -> None:
    service["metadata"]["deletionTimestamp"] = "2026-11-22T00:00:00Z"


def cluster_ip(service: Json) -> None:
    service["spec"]["type"] = "ClusterIP"


def of_class(name: str) -> object:
    def change(service: Json) -> None:
        service["spec"]["loadBalancerClass"] = name

    return change


def disabled(service: Json) -> None:
    key = "service.beta.kubernetes.io/cloudstack-load-balancer-disabled"
    service["metadata"]["annotations"] = {key: " True"}


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        pytest.param(still_wanted, True, id="somebody deleted the object only"),
        pytest.param(of_class(LOAD_BALANCER_CLASS), True, id="our class"),
        pytest.param(being_deleted, False, id="being deleted"),
        pytest.param(cluster_ip, False, id="type ClusterIP"),
        pytest.param(of_class("other/class"), False, id="another's class"),
        pytest.param(disabled, False, id="opted out"),
    ],
)
def test_a_deletion_reads_the_service_as_it_is_now(
    world: World, hook: LoadBalancersHook, change: object, kept: bool
) -> None:
    lb = LoadBalancer(world).settle(hook)
    before = world.state()
    assert callable(change)
    change(world.cluster.objects[lb.service_path])
    world.simulator.control.clear_calls()
    lb.delete(service_too=False)
    lb.settle(hook)
    assert lb.is_finalized()
    finalizers = world.cluster.objects[lb.service_path].get("metadata", {}).get("finalizers", [])
    if kept:
        assert world.simulator.control.counts() == {}
        assert world.state() == before
        assert finalizers == [CLEANUP_FINALIZER]
    else:
        assert world.remains() == NOTHING
        assert finalizers == []


def test_a_load_balancer_is_not_finalized_before_its_service_is_held(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    metadata = world.cluster.objects[lb.service_path]["metadata"]
    metadata["finalizers"] = ["example.com/other"]
    world.cluster.refused["patch"] = KubeRefused("PATCH", 403, "forbidden")
    lb.delete(service_too=False)
    answer = lb.call(hook)
    assert answer.response.get("finalized") is False
    assert "forbidden" in lb.condition("Ready")["message"]
    world.cluster.refused.clear()
    lb.wait(hook)
    assert lb.is_finalized()
    metadata = world.cluster.objects[lb.service_path]["metadata"]
    assert metadata["finalizers"] == ["example.com/other", CLEANUP_FINALIZER]


def test_a_service_that_changes_while_it_is_to_be_held_is_read_again(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    service = world.cluster.objects[lb.service_path]

    def change() -> None:
        service["metadata"]["resourceVersion"] = "7"
        service["spec"]["type"] = "ClusterIP"

    world.cluster.before_patch = change
    lb.delete(service_too=False)
    lb.settle(hook)
    assert lb.is_finalized()
    assert "finalizers" not in service["metadata"]
    assert world.remains() == NOTHING


def test_a_load_balancer_made_for_cleanup_removes_everything(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(443)]).settle(hook)
    lb.delete(service_too=False)
    lb.settle(hook)
    assert len(world.addresses()) == 1
    del world.cluster.objects[lb.service_path]
    lb.remake()
    orphan(lb)
    lb.call(hook)
    assert world.cluster.reasons() == [EVENT_ORPHANED]
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert world.remains() == NOTHING


def test_a_namespace_may_lose_the_load_balancer_before_the_service(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    being_deleted(world.cluster.objects["/api/v1/namespaces/default"])
    lb.delete(service_too=False)
    lb.settle(hook)
    assert lb.is_finalized()
    assert world.remains() == NOTHING


def test_a_load_balancer_made_again_finds_everything_by_its_tags(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(80), port(443)]).settle(hook)
    before, ip = world.state(), lb.status["address"]["ip"]
    lb.delete(service_too=False)
    lb.settle(hook)
    lb.remake()
    world.simulator.control.clear_calls()
    lb.settle(hook)
    assert lb.is_ready()
    assert lb.status["address"]["ip"] == ip
    assert lb.status["address"]["associatedByController"] is True
    assert world.writes() == {}
    assert world.state() == before
    lb.delete()
    lb.settle(hook)
    assert world.remains() == NOTHING


def test_an_api_server_that_does_not_answer_lets_nothing_be_deleted(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    before = world.state()
    world.cluster.failure = KubeUnreachable("connection refused")
    lb.delete()
    world.simulator.control.clear_calls()
    lb.call(hook)
    assert not lb.is_finalized()
    assert world.simulator.control.counts() == {}
    assert lb.reason() == "KubernetesUnreachable"
    assert world.state() == before
    world.cluster.failure = None
    lb.wait(hook)
    assert lb.is_finalized()
    assert world.remains() == NOTHING


def test_a_deletion_before_anything_was_created_reads_little_and_ends(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world)
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert world.writes() == {}


def test_deletion_between_choice_and_association_leaves_the_address_free(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world)
    lb.call(hook)
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert world.remains() == NOTHING


def test_with_another_project_configured_nothing_counts_as_gone(
    world: World, cloud: Cloud, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    [project] = world.state()["projects"]
    world.project_id = project["id"]
    elsewhere = world.open_cloud()
    wrong = make_hook(world, elsewhere)
    lb.delete()
    lb.settle(wrong)
    assert not lb.is_finalized()
    assert lb.reason() == "NetworkNotVisible"
    assert len(world.addresses()) == 1
    lb.wait(hook)
    assert lb.is_finalized()
    assert world.remains() == NOTHING
    elsewhere.close()
    del cloud


def test_a_refusal_about_another_parameter_does_not_mean_that_the_network_is_gone(
    world: World,
) -> None:
    cloud = world.open_cloud()
    lb = LoadBalancer(world)
    text = "Invalid parameter projectid value=p-1 due to incorrect format, or it does not exist"
    world.simulator.control.fault("listNetworks", "error", code=431, text=text, times=None)
    lb.call(make_hook(world, cloud))
    assert lb.reason() == "CloudStackRefused"
    assert world.remains() == NOTHING
    cloud.close()


def test_a_network_that_is_not_visible_holds_a_deletion_until_a_person_lets_go(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    [project] = world.state()["projects"]
    world.project_id = project["id"]
    elsewhere = world.open_cloud()
    wrong = make_hook(world, elsewhere)
    lb.delete()
    lb.parent["metadata"]["deletionTimestamp"] = lb.status["lastCheckTime"]
    lb.settle(wrong)
    assert not lb.is_finalized()
    world.advance(6000)
    lb.settle(wrong)
    assert not lb.is_finalized()
    assert lb.reason() == "NetworkNotVisible"
    lb.parent["metadata"]["annotations"] = {ANNOTATION_ABANDON: "true"}
    lb.settle(wrong)
    assert lb.is_finalized()
    elsewhere.close()


def test_with_another_project_configured_a_live_load_balancer_says_why_nothing_is_done(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    [project] = world.state()["projects"]
    world.project_id = project["id"]
    elsewhere = world.open_cloud()
    before = lb.status["address"]
    lb.wait(make_hook(world, elsewhere))
    assert lb.reason() == "NetworkNotVisible"
    assert lb.status["address"] == before
    assert len(world.addresses()) == 1
    lb.wait(hook)
    assert lb.is_ready()
    elsewhere.close()


def orphan(lb: LoadBalancer) -> None:
    lb.parent["metadata"]["ownerReferences"] = []


def test_an_orphan_whose_service_is_gone_deletes_itself(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    orphan(lb)
    del world.cluster.objects[lb.service_path]
    lb.call(hook)
    path = (
        "/apis/cloudstack.targetcluster.example.com/v1alpha1/namespaces/default"
        f"/cloudstackloadbalancers/{lb.name}"
    )
    verb, where, options = world.cluster.writes[-1]
    assert (verb, where) == ("delete", path)
    assert options["preconditions"] == {"uid": lb.parent["metadata"]["uid"]}
    assert world.cluster.reasons() == [EVENT_ORPHANED]
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert world.remains() == NOTHING


def test_an_orphan_whose_service_lives_is_looked_after(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world)
    orphan(lb)
    lb.settle(hook)
    assert lb.is_ready()
    assert {verb for verb, _, _ in world.cluster.writes} == {"patch"}


def test_an_invalid_service_is_deleted_like_any_other(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    lb.change(invalid=[{"field": "spec.ports", "message": "no"}])
    lb.settle(hook)
    lb.delete()
    lb.settle(hook)
    assert world.remains() == NOTHING
