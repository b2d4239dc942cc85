"""Annotations on an object in a source that decide about it alone, on a real target."""

import ipaddress
import json
from typing import Any

import pytest

from hooks.http.bounded_json import Json
from hooks.kube.client import KubeUnreachable
from hooks.names import (
    ANNOTATION_DRIFT,
    ANNOTATION_OWNER,
    ANNOTATION_PRUNE,
    ANNOTATION_REPLACE,
)
from tests.integration.targetclusters_sync.worlds import World, manifest, result
from tests.kubes import Call, Watched

REPLACE = {ANNOTATION_REPLACE: "true"}


def bundle(world: World, *objects: Json, kind: str = "ConfigMap") -> None:
    world.policy["sources"] = [{"kind": kind, "name": "bundle", "as": "Manifests"}]
    world.policy["allowEmpty"] = True
    texts = {f"{number}.json": json.dumps(body) for number, body in enumerate(objects)}
    world.source("bundle", texts, kind=kind, label="")


def fixed(color: str, **annotations: str) -> Json:
    """Write a ConfigMap whose data no API server changes."""
    return {**manifest("fixed", {"color": color}, annotations=annotations), "immutable": True}


def uid(world: World, name: str = "fixed") -> str:
    found = world.on_target(name)
    assert found is not None
    return str(found["metadata"]["uid"])


def test_what_is_not_to_be_pruned_stays_and_the_inventory_remembers_it(world: World) -> None:
    bundle(world, manifest("kept", annotations={ANNOTATION_PRUNE: "false"}), manifest("old"))
    world.settle()
    world.forget()
    bundle(world)
    report = world.settle()
    assert report.synced
    assert result(report, "old").outcome == "pruned"
    assert result(report, "kept").message.endswith('prune: "false" keeps it')
    assert world.names() == {"kept"}
    assert {key.name for key in world.recorded.by_key} == {"kept"}
    assert ANNOTATION_PRUNE not in json.dumps(world.on_target("kept"))
    assert world.delete().complete
    assert world.names() == set()


def test_what_was_not_to_be_pruned_goes_once_its_source_no_longer_says_so(world: World) -> None:
    bundle(world, manifest("kept", annotations={ANNOTATION_PRUNE: "false"}))
    world.settle()
    bundle(world, manifest("kept"))
    world.settle()
    bundle(world)
    world.settle()
    assert world.names() == set()


def test_an_immutable_object_is_replaced_only_where_its_source_says_so(world: World) -> None:
    bundle(world, fixed("red"))
    world.settle()
    before = uid(world)
    bundle(world, fixed("blue"))
    report = world.settle()
    assert result(report, "fixed").outcome == "failed"
    assert "immutable" in result(report, "fixed").message
    bundle(world, fixed("blue", **REPLACE))
    world.clock += 1000
    report = world.settle()
    assert report.synced
    assert result(report, "fixed").message == "is replaced: the target refuses to change it"
    assert world.data("fixed") == {"color": "blue"}
    assert uid(world) != before
    assert {entry.uid for entry in world.recorded.by_key.values()} == {uid(world)}
    assert world.round().counts == {"unchanged": 1}


def test_nothing_is_deleted_for_one_that_the_target_refuses_too(world: World) -> None:
    bundle(world, fixed("red", **REPLACE))
    world.settle()
    before = uid(world)
    bad: Any = fixed("blue", **REPLACE)
    bad["data"]["not a key"] = "x"
    bundle(world, bad)
    report = world.settle()
    assert result(report, "fixed").outcome == "failed"
    assert result(report, "fixed").message.startswith(
        "is not replaced: the target refuses the new one too: "
    )
    assert "not a key" in result(report, "fixed").message
    assert uid(world) == before


@pytest.mark.parametrize("mark", ["hub-2/fleet/web", None], ids=["another owner's", "none"])
def test_what_does_not_carry_our_mark_is_never_replaced(world: World, mark: str | None) -> None:
    world.policy = {"conflictPolicy": "Overwrite"}
    bundle(world, fixed("red", **REPLACE))
    world.settle()
    before = uid(world)
    configmaps = world.target.api.resource("v1", "configmaps")
    marked = {"metadata": {"annotations": {ANNOTATION_OWNER: mark}}}
    configmaps.patch("fixed", marked, world.namespace)
    bundle(world, fixed("blue", **REPLACE))
    assert result(world.settle(), "fixed").outcome in ("conflict", "failed")
    assert uid(world) == before


def test_a_finalizer_is_waited_for_before_an_object_is_made_again(world: World) -> None:
    bundle(world, fixed("red", **REPLACE))
    world.settle()
    configmaps = world.target.api.resource("v1", "configmaps")
    held = {"metadata": {"finalizers": ["example.org/wait"]}}
    configmaps.patch("fixed", held, world.namespace)
    bundle(world, fixed("blue", **REPLACE))
    report = world.settle()
    assert result(report, "fixed").message.endswith(", to be replaced")
    assert report.resume_after is not None
    configmaps.patch("fixed", {"metadata": {"finalizers": None}}, world.namespace)
    world.settle()
    assert world.data("fixed") == {"color": "blue"}


def test_a_death_between_the_deletion_and_the_creation_loses_nothing(world: World) -> None:
    world.policy = {"driftPolicy": "Report"}
    bundle(world, fixed("red", **REPLACE))
    world.settle()
    bundle(world, fixed("blue", **REPLACE))

    def die(call: Call) -> None:
        if any(each.verb == "delete" for each in dying.calls[:-1]):
            raise KubeUnreachable(f"{call.verb} {call.path}")

    dying = Watched(world.kube.kube, before=die)
    world.round(kube=dying)
    assert world.on_target("fixed") is None
    world.forget()
    assert world.settle().synced
    assert world.data("fixed") == {"color": "blue"}


def test_drift_of_one_object_is_reported_while_that_of_others_is_corrected(world: World) -> None:
    bundle(world, manifest("a", {"n": "1"}, annotations={ANNOTATION_DRIFT: "Report"}))
    world.source("b", {"n": "1"}, label="")
    world.policy["sources"].append({"kind": "ConfigMap", "name": "b"})
    world.settle()
    for name in ("a", "b"):
        edit = {"data": {"n": "2"}}
        world.target.api.resource("v1", "configmaps").patch(name, edit, world.namespace)
    report = world.round()
    assert result(report, "a").outcome == "drifted"
    assert result(report, "a").fields == ("data.n",)
    assert result(report, "b").outcome == "applied"
    assert (world.data("a"), world.data("b")) == ({"n": "2"}, {"n": "1"})


def test_a_wrong_value_is_named_and_its_source_is_not_pruned(world: World) -> None:
    bundle(world, manifest("app"))
    world.settle()
    bundle(world, manifest("app", annotations={ANNOTATION_PRUNE: "no"}))
    report = world.settle()
    (problem,) = map(str, report.problems)
    assert problem == (
        "ConfigMap/bundle, key 0.json, document 1: ConfigMap app, "
        f"metadata.annotations[\"{ANNOTATION_PRUNE}\"]: is 'no', must be true or false"
    )
    assert world.names() == {"app"}


@pytest.mark.parametrize("free", [True, False])
def test_a_service_with_a_node_port_of_its_own_is_replaced(world: World, free: bool) -> None:
    """The trial under another name cannot have the port that the Service itself has taken."""

    def service(name: str, port: int, **spec: Any) -> Json:
        ports = [{"port": 80, "nodePort": port}]
        metadata = {"name": name, "annotations": REPLACE}
        spec = {"type": "NodePort", "selector": {"a": "b"}, "ports": ports, **spec}
        return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}

    services = world.target.api.resource("v1", "services")
    bundle(world, service("svc", 31987), service("other", 31988))
    assert world.settle().synced
    found = services.get("svc", world.namespace)
    address = ipaddress.ip_address(found["spec"]["clusterIP"])
    listed = world.target.api.resource("v1", "services").list()
    used = {one["spec"].get("clusterIP") for one in listed}
    moved = next(str(one) for n in range(50, 99) if str(one := address + n) not in used)
    changed = service("svc", 31987 if free else 31988, clusterIP=moved)
    bundle(world, changed, service("other", 31988))
    report = world.settle()
    now = services.get("svc", world.namespace)
    assert (now["metadata"]["uid"] != found["metadata"]["uid"]) is free
    assert report.synced is free
    bundle(world)
    world.settle()
