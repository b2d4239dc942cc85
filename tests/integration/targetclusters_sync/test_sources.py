"""Sources read from a real API server: metadata first, the whole when new, refusals by name."""

import json

import pytest
from kubernetes.client import Configuration

from hooks.http.bounded_json import Json
from hooks.kube.client import METADATA, METADATA_LIST, ApiServer
from hooks.targetclusters.sources.reading import READ_SINGLY
from hooks.targetclusters.sync.plan.model import DesiredSet
from tests.integration.targetclusters_sync.worlds import KUBECONFIG, World, manifest
from tests.kubes import Watched

SYNC = "targetcluster.example.com/sync"


def names(desired: DesiredSet) -> list[str]:
    return [one.body["metadata"]["name"] for one in desired.objects]


def reads(world: World) -> list[tuple[str, str]]:
    """Return what was read of the sources: the verb, and whether it was metadata alone."""
    kinds = {METADATA: "metadata", METADATA_LIST: "metadata"}
    found = [
        (call.verb, kinds.get(call.accept, "whole"))
        for call in world.own_kube.calls
        if "continue" not in (call.params or {})
        if not call.path.endswith((f"/namespaces/{world.namespace}", "/targetclusters"))
    ]
    world.own_kube.calls.clear()
    return found


def test_a_named_source_is_read_whole_only_when_it_is_new_or_changed(world: World) -> None:
    world.policy = {"sources": [{"kind": "ConfigMap", "name": "app"}]}
    world.source("app", {"a": "1"}, label="")
    world.gather()
    assert reads(world) == [("get", "metadata"), ("get", "whole")]
    assert world.gather().objects[0].body["data"] == {"a": "1"}
    assert reads(world) == [("get", "metadata")]
    world.source("app", {"a": "2"}, label="")
    assert world.gather().objects[0].body["data"] == {"a": "2"}
    assert reads(world) == [("get", "metadata"), ("get", "whole")]


def test_selected_sources_are_listed_by_metadata_and_new_ones_read_as_cheaply_as_can_be(
    world: World,
) -> None:
    world.policy = {"sources": [{"kind": "ConfigMap", "selector": {"matchLabels": {SYNC: "true"}}}]}
    for number in range(120):
        world.source(f"app-{number:03}", {"n": str(number)})
    assert len(world.gather().objects) == 120
    assert reads(world) == [("list", "metadata"), ("list", "whole")]
    world.gather()
    assert reads(world) == [("list", "metadata")]
    for number in range(READ_SINGLY):
        world.source(f"app-{number:03}", {"n": "changed"})
    changed = [one for one in world.gather().objects if one.body["data"] == {"n": "changed"}]
    assert len(changed) == READ_SINGLY
    assert reads(world) == [("list", "metadata")] + [("get", "whole")] * READ_SINGLY
    world.unsource("app-119")
    assert len(world.gather().objects) == 119
    assert reads(world) == [("list", "metadata")]


def test_objects_keep_their_order_whichever_of_them_are_new(world: World) -> None:
    for name in ("a", "b", "c"):
        world.source(name, {"n": "1"})
    before = world.gather()
    world.source("a", {"n": "2"})
    assert names(world.gather()) == names(before) == ["a", "b", "c"]
    world.forget()
    assert names(world.gather()) == ["a", "b", "c"]


def test_an_object_that_two_sources_select_is_one(world: World) -> None:
    selector = {"matchLabels": {SYNC: "true"}}
    world.policy = {
        "sources": [
            {"kind": "ConfigMap", "name": "app"},
            {"kind": "ConfigMap", "selector": selector},
            {"kind": "ConfigMap", "name": "app", "targetName": "copy"},
        ]
    }
    world.source("app", {"a": "b"})
    assert names(world.gather()) == ["app", "copy"]


def test_the_kubeconfig_is_never_a_source_however_it_is_selected(world: World) -> None:
    world.source(KUBECONFIG, {"kubeconfig": "secret"}, kind="Secret")
    for sources in (None, [{"kind": "Secret", "name": KUBECONFIG}]):
        world.policy = {"sources": sources}
        desired = world.gather()
        assert desired.objects == ()
        assert [str(problem) for problem in desired.problems] == [
            f"Secret/{KUBECONFIG}: holds the kubeconfig of a TargetCluster and is never synced"
        ]
    assert ("get", "whole") not in reads(world)


@pytest.mark.parametrize("named", ["by name", "by label"])
def test_the_kubeconfig_of_another_target_cluster_is_never_a_source(
    world: World, named: str
) -> None:
    version, kind = "targetcluster.example.com/v1alpha1", "TargetCluster"
    metadata = {"name": "production", "namespace": world.namespace}
    spec = {"kubeconfigSecret": "production-kubeconfig", "suspend": True}
    clusters = world.own.api.resource(version, "targetclusters")
    clusters.create({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})
    world.source("production-kubeconfig", {"kubeconfig": "secret"}, kind="Secret")
    if named == "by name":
        world.policy = {"sources": [{"kind": "Secret", "name": "production-kubeconfig"}]}
    desired = world.gather()
    assert desired.objects == ()
    assert [str(problem) for problem in desired.problems] == [
        "Secret/production-kubeconfig: holds the kubeconfig of a TargetCluster and is never synced"
    ]
    assert ("get", "whole") not in reads(world)
    clusters.delete("production", world.namespace)


def test_an_inventory_is_never_a_source(world: World) -> None:
    version, kind = "targetcluster.example.com/v1alpha1", "TargetCluster"
    metadata = {"name": "web", "namespace": world.namespace}
    clusters = world.own.api.resource(version, "targetclusters")
    made = clusters.create(
        {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": {"suspend": True}}
    )
    owner = {"apiVersion": version, "kind": kind, "name": "web", "uid": made["metadata"]["uid"]}
    world.source("web-inventory", {"entries.jsonl": ""})
    patch = {"metadata": {"ownerReferences": [owner]}}
    world.own.api.resource("v1", "configmaps").patch("web-inventory", patch, world.namespace)
    desired = world.gather()
    assert (desired.objects, desired.problems) == ((), ())
    world.policy = {"sources": [{"kind": "ConfigMap", "name": "web-inventory"}]}
    assert "is an inventory of the operator" in str(world.gather().problems[0])
    clusters.delete("web", world.namespace)


def test_a_source_of_another_namespace_is_refused_by_name_and_not_read(world: World) -> None:
    source = {"kind": "Secret", "name": "app", "namespace": "kube-system"}
    world.policy = {"sources": [source]}
    desired = world.gather()
    assert [str(problem) for problem in desired.problems] == [
        "resourceSyncPolicy.sources[0].namespace: must be the TargetCluster's own; leave it out"
    ]
    assert not desired.has_all_sources
    assert reads(world) == []


def test_a_source_that_is_named_and_not_there_is_named(world: World) -> None:
    world.policy = {"sources": [{"kind": "Secret", "name": "app"}]}
    desired = world.gather()
    assert [str(problem) for problem in desired.problems] == ["Secret/app: does not exist"]
    assert desired.empty_sources == ("Secret/app",)
    assert desired.has_all_sources
    assert desired.failed_sources == frozenset()


def test_manifests_are_read_from_secrets_too_and_are_confidential(world: World) -> None:
    world.policy = {"sources": [{"kind": "Secret", "name": "app", "as": "Manifests"}]}
    world.source("app", {"x.json": json.dumps(manifest("a"))}, kind="Secret", label="")
    desired = world.gather()
    assert names(desired) == ["a"]
    assert desired.objects[0].is_confidential


def test_a_source_that_may_not_be_read_keeps_what_came_from_it(world: World) -> None:
    world.source("app", {"a": "b"}, label="")
    anonymous = Configuration(host=world.own.url)
    anonymous.ssl_ca_cert = str(world.own.ca)
    world.own_kube = Watched(ApiServer.of(anonymous))
    world.policy = {"sources": [{"kind": "ConfigMap", "name": "app"}]}
    desired = world.gather()
    assert desired.failed_sources == {"ConfigMap/app"}
    assert not desired.has_all_sources
    assert "cannot be read" in str(desired.problems[0])
    assert "(403)" in str(desired.problems[0])


@pytest.mark.parametrize("sources", [None, [{"kind": "ConfigMap", "name": "app"}]])
def test_an_api_server_out_of_reach_is_no_reason_to_prune(
    world: World, sources: list[Json] | None
) -> None:
    world.policy = {"sources": sources}
    world.own_kube = Watched(ApiServer.of(Configuration(host="http://127.0.0.1:9")))
    desired = world.gather()
    assert desired.objects == ()
    assert not desired.has_all_sources
    assert desired.problems


def test_a_source_that_was_emptied_is_known_as_empty(world: World) -> None:
    world.policy = {"sources": [{"kind": "ConfigMap", "name": "app", "as": "Manifests"}]}
    world.source("app", {"a.json": json.dumps(manifest("a"))}, label="")
    assert world.gather().empty_sources == ()
    world.source("app", {"a.yaml": "# nothing"}, label="")
    assert world.gather().empty_sources == ("ConfigMap/app",)
