"""Fields of `ignoreDifferences`, which stay as the target has them."""

import json
from typing import Any

import pytest

from hooks.http.bounded_json import Json
from hooks.names import ANNOTATION_REPLACE
from tests.integration.targetclusters_sync.worlds import World, manifest, result

IGNORED = [
    {
        "group": "apps",
        "kind": "Deployment",
        "jsonPointers": ["/spec/replicas", "/spec/template/spec/containers/0/image"],
    },
    {"kind": "ConfigMap", "jsonPointers": ["/data/theirs", "/metadata/annotations/team~1note"]},
]


def deployment(label: str, *, replicas: int | None = 2) -> Json:
    spec: Json = {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "nginx:1"}]},
        },
    }
    spec |= {} if replicas is None else {"replicas": replicas}
    metadata = {"name": "web", "labels": {"version": label}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def put(world: World, body: Json) -> None:
    world.source("bundle", {"one.json": json.dumps(body)}, label="")


@pytest.fixture(params=["Correct", "Report"])
def ignoring(world: World, request: pytest.FixtureRequest) -> World:
    world.policy = {
        "sources": [{"kind": "ConfigMap", "name": "bundle", "as": "Manifests"}],
        "driftPolicy": request.param,
        "ignoreDifferences": IGNORED,
    }
    return world


def scale(world: World, replicas: int) -> None:
    patch = {"spec": {"replicas": replicas}}
    world.target.api.resource("apps/v1", "deployments").patch("web", patch, world.namespace)


def replicas(world: World) -> int:
    found = world.on_target("web", "deployments", "apps/v1")
    assert found is not None
    count: int = found["spec"]["replicas"]
    return count


def test_a_new_object_has_them_from_its_source_and_a_change_stays(ignoring: World) -> None:
    put(ignoring, deployment("1"))
    assert ignoring.settle().synced
    assert replicas(ignoring) == 2
    scale(ignoring, 7)
    ignoring.kube.calls.clear()
    report = ignoring.round()
    assert report.counts == {"unchanged": 1}
    assert ignoring.kube.writes == []
    assert replicas(ignoring) == 7


def test_a_change_of_the_source_leaves_them_even_if_they_are_ours_alone(ignoring: World) -> None:
    put(ignoring, deployment("1"))
    ignoring.settle()
    put(ignoring, deployment("2", replicas=None))
    assert ignoring.settle().synced
    assert replicas(ignoring) == 2
    scale(ignoring, 7)
    put(ignoring, deployment("3", replicas=4))
    assert ignoring.settle().synced
    assert replicas(ignoring) == 7
    found = ignoring.on_target("web", "deployments", "apps/v1")
    assert found is not None
    assert found["metadata"]["labels"]["version"] == "3"


def test_what_is_beside_them_is_corrected_and_named(world: World) -> None:
    world.policy = {
        "sources": [{"kind": "ConfigMap", "name": "bundle", "as": "Manifests"}],
        "ignoreDifferences": IGNORED,
    }
    put(world, manifest("app", {"ours": "1", "theirs": "1"}, annotations={"team/note": "a"}))
    world.settle()
    edit = {
        "data": {"ours": "2", "theirs": "2"},
        "metadata": {"annotations": {"team/note": "b"}},
    }
    world.target.api.resource("v1", "configmaps").patch("app", edit, world.namespace)
    report = world.round()
    assert result(report, "app").fields == ("data.ours",)
    assert world.data("app") == {"ours": "1", "theirs": "2"}
    found = world.on_target("app")
    assert found is not None
    assert found["metadata"]["annotations"]["team/note"] == "b"
    gone = {"data": {"theirs": None}}
    world.target.api.resource("v1", "configmaps").patch("app", gone, world.namespace)
    assert world.round().counts == {"unchanged": 1}
    assert world.data("app") == {"ours": "1"}


def test_a_field_of_a_named_item_is_left(ignoring: World) -> None:
    put(ignoring, deployment("1"))
    ignoring.settle()
    deployments = ignoring.target.api.resource("apps/v1", "deployments")
    live = deployments.get("web", ignoring.namespace)
    containers: list[Any] = live["spec"]["template"]["spec"]["containers"]
    containers[0]["image"] = "nginx:2"
    containers.insert(0, {"name": "injected", "image": "proxy:1"})
    deployments.update(live)
    put(ignoring, deployment("2"))
    ignoring.settle()
    live = deployments.get("web", ignoring.namespace)
    found = {one["name"]: one["image"] for one in live["spec"]["template"]["spec"]["containers"]}
    assert found["web"] == "nginx:2"


def test_an_object_that_is_replaced_keeps_them(world: World) -> None:
    world.policy = {
        "sources": [{"kind": "ConfigMap", "name": "bundle", "as": "Manifests"}],
        "ignoreDifferences": IGNORED,
    }
    marked = {ANNOTATION_REPLACE: "true"}
    first = manifest("app", {"ours": "1", "theirs": "1"}, annotations=marked)
    put(world, first)
    world.settle()
    edit = {"data": {"theirs": "2"}, "immutable": True}
    world.target.api.resource("v1", "configmaps").patch("app", edit, world.namespace)
    put(world, manifest("app", {"ours": "2"}, annotations=marked))
    assert world.settle().synced
    assert world.data("app") == {"ours": "2", "theirs": "2"}
