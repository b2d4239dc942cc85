"""Namespaces, CRDs and their objects in one go, on a real target."""

import json

import pytest

from hooks.http.bounded_json import Json
from hooks.targetclusters.sync.engine import HOLD_SECONDS
from tests.controlplane import polling
from tests.integration.targetclusters_sync.worlds import World, manifest, result


def crd(group: str) -> Json:
    properties = {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": properties}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": "Widget", "plural": "widgets"},
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def widget(group: str, size: object = 1) -> Json:
    body = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}}
    return {**body, "spec": {"size": size}}


def bundle(world: World, *objects: Json) -> None:
    world.policy["sources"] = [{"kind": "ConfigMap", "name": "bundle", "as": "Manifests"}]
    data = {f"{number}.yaml": json.dumps(body) for number, body in enumerate(objects)}
    world.source("bundle", data)


def test_everything_is_there_after_the_round_that_follows_the_first(world: World) -> None:
    group = f"{world.namespace}.example.org"
    team = f"{world.namespace}-team"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": team}}
    bundle(world, widget(group), manifest("app", namespace=team), namespace, crd(group))
    assert world.round().counts == {"skipped": 4}
    report = world.round()
    assert [(r.entry.name, r.outcome) for r in report.results] == [
        (team, "applied"),
        (f"widgets.{group}", "applied"),
        ("app", "applied"),
        ("w", "applied"),
    ]
    assert report.synced
    assert world.round().counts == {"unchanged": 4}


def test_everything_goes_again_the_other_way_round(world: World) -> None:
    group = f"{world.namespace}.example.org"
    bundle(world, widget(group), crd(group), manifest("app"))
    world.settle()
    bundle(world, manifest("app"))
    gone = ("pruned", "deleting")
    pruned = [r.entry.name for r in world.round().results if r.outcome in gone]
    assert pruned == ["w", f"widgets.{group}"]
    assert world.settle().counts["unchanged"] == 1
    assert world.target.api.resource("v1", "configmaps").find("app", world.namespace)


def deployment(name: str) -> Json:
    template = {"metadata": {"labels": {"a": name}}}
    spec = {"template": {**template, "spec": {"containers": [{"name": "c", "image": "i"}]}}}
    spec["selector"] = {"matchLabels": {"a": name}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


@pytest.mark.parametrize("prefix", ["acid", "zeta"])
@pytest.mark.parametrize("goes", ["with its TargetCluster", "from its source"])
def test_a_controller_stays_until_the_objects_that_it_finalizes_are_gone(
    world: World, prefix: str, goes: str
) -> None:
    group = f"{prefix}.{world.namespace}.example.org"
    body = widget(group)
    body["metadata"]["finalizers"] = ["operator/cleanup"]
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "operator"}}
    bundle(world, crd(group), body, deployment("operator"), account)
    assert world.settle().synced
    bundle(world, manifest("other"))
    step = world.delete if goes == "with its TargetCluster" else world.round
    step()
    report = step()
    assert {r.entry.name: r.outcome for r in report.results if r.entry.name != "other"} == {
        "w": "deleting",
        "operator": "skipped",
        f"widgets.{group}": "skipped",
    }
    assert "held by finalizer operator/cleanup; what is" in result(report, "w").message
    assert result(report, f"widgets.{group}").message.startswith("waits until Widget.")
    assert not report.synced
    assert world.on_target("operator", "deployments", "apps/v1")
    patch = {"metadata": {"finalizers": None}}
    world.target.api.resource(f"{group}/v1", "widgets").patch("w", patch, world.namespace)
    step()
    assert world.on_target("operator", "deployments", "apps/v1") is None
    assert world.on_target("operator", "serviceaccounts") is None


def test_what_does_not_go_holds_back_the_rest_for_minutes_only(world: World) -> None:
    held = manifest("app", finalizers=["example.org/never"])
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "last"}}
    bundle(world, account, held)
    assert world.settle().synced
    world.policy["sources"] = [{"kind": "ConfigMap", "name": "none"}]
    assert result(world.round(), "last").outcome == "skipped"
    world.clock += HOLD_SECONDS
    assert result(world.round(), "last").outcome == "pruned"
    world.target.api.resource("v1", "configmaps").patch(
        "app", {"metadata": {"finalizers": None}}, world.namespace
    )
    assert result(world.round(), "app").outcome == "pruned"


def test_what_a_target_does_not_serve_for_a_while_stays_recorded(world: World) -> None:
    """Its CRD is there, so its objects are too."""
    group = f"{world.namespace}.example.org"
    definitions = world.target.api.resource("apiextensions.k8s.io/v1", "customresourcedefinitions")
    definitions.create(crd(group))
    bundle(world, widget(group), manifest("app"))
    polling.until(lambda: world.settle().synced, "the kind is served")

    def serve(*, served: bool) -> None:
        patch = [{"op": "replace", "path": "/spec/versions/0/served", "value": served}]
        world.target.kubectl(
            *("patch", "crd", f"widgets.{group}", "--type=json", "-p", json.dumps(patch))
        )
        polling.until(lambda: is_served(world, group) is served, "the target takes it up")
        world.forget()

    serve(served=False)
    bundle(world, manifest("app"))
    report = world.settle()
    found = result(report, "w")
    told = "is not deleted: the target does not serve its kind now; it stays recorded"
    assert (found.outcome, found.message, report.synced) == ("failed", told, False)
    assert found.entry.key in world.recorded.by_key
    assert {key.name for key in world.delete().inventory.by_key} == {"w", "app"}
    serve(served=True)

    def is_pruned() -> bool:
        return found.entry.key not in world.round().inventory.by_key

    polling.until(is_pruned, "the storage of the kind is initialised again")
    assert world.on_target("w", "widgets", f"{group}/v1") is None
    definitions.delete(f"widgets.{group}")


@pytest.mark.parametrize("goes", ["with its TargetCluster", "from its source"])
def test_a_crd_with_objects_of_others_stays_and_is_named(world: World, goes: str) -> None:
    group = f"{world.namespace}.example.org"
    bundle(world, crd(group), widget(group), manifest("other"))
    assert world.settle().synced
    widgets = world.target.api.resource(f"{group}/v1", "widgets")
    theirs = widget(group)
    theirs["metadata"] = {"name": "theirs", "namespace": world.namespace}
    widgets.create(theirs)
    owner = {"apiVersion": f"{group}/v1", "kind": "Widget", "name": "w", "uid": "x"}
    owned = {**theirs, "metadata": {**theirs["metadata"], "name": "a", "ownerReferences": [owner]}}
    widgets.create(owned)
    bundle(world, manifest("other"))
    step = world.delete if goes == "with its TargetCluster" else world.round
    report = step()
    told = "is not deleted: objects that are not ours would go with it, such as Widget"
    assert result(report, "w").outcome == "pruned"
    assert result(report, f"widgets.{group}").message == f"{told} {world.namespace}/theirs"
    assert not report.synced
    assert world.on_target("theirs", "widgets", f"{group}/v1")
    widgets.delete("theirs", world.namespace)
    assert result(step(), f"widgets.{group}").outcome in ("pruned", "deleting")


def is_served(world: World, group: str) -> bool:
    groups = json.loads(world.target.kubectl("get", "--raw", "/apis"))["groups"]
    return group in {one["name"] for one in groups}


def test_an_object_without_its_crd_is_named_and_stops_no_other(world: World) -> None:
    group = f"{world.namespace}.example.org"
    bundle(world, widget(group), manifest("app"))
    report = world.settle()
    assert result(report, "w").outcome == "failed"
    assert result(report, "w").message == f"the target serves no Widget of {group}/v1"
    assert result(report, "app").outcome == "applied"
    bundle(world, widget(group), manifest("app"), crd(group))
    assert world.settle().synced


def test_an_object_whose_crd_is_refused_says_so(world: World) -> None:
    group = f"{world.namespace}.example.org"
    bad = crd(group)
    bad["spec"]["scope"] = "Everywhere"
    bundle(world, widget(group), bad)
    report = world.settle()
    assert 'spec.scope: Unsupported value: "Everywhere"' in result(report, crd_name(group)).message
    assert result(report, "w").message == "its CustomResourceDefinition is not on the target"


def test_an_object_that_its_schema_refuses_is_named_with_the_field(world: World) -> None:
    group = f"{world.namespace}.example.org"
    bundle(world, widget(group, size="large"), crd(group))
    report = world.settle()
    assert result(report, "w").outcome == "failed"
    assert "spec.size" in result(report, "w").message


def test_a_crd_that_is_deleted_on_the_target_comes_back_with_its_objects(world: World) -> None:
    group = f"{world.namespace}.example.org"
    bundle(world, widget(group), crd(group))
    world.settle()
    crds = world.target.api.resource(
        "apiextensions.k8s.io/v1", "customresourcedefinitions", namespaced=False
    )
    crds.delete(crd_name(group))

    def back() -> bool:
        world.clock += 60
        return world.round().counts == {"unchanged": 2}

    polling.until(back, "the CRD and its object are back")
    assert world.target.api.resource(f"{group}/v1", "widgets").get("w", world.namespace)


def crd_name(group: str) -> str:
    return f"widgets.{group}"


def test_the_namespace_that_everything_goes_to_may_be_a_manifest(world: World) -> None:
    home = f"{world.namespace}-home"
    world.policy["targetNamespace"] = home
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": home}}
    bundle(world, manifest("app"), namespace)
    assert world.settle().synced
    assert {key.namespace for key in world.ours()} == {home}
    assert world.round().counts == {"unchanged": 2}


def test_a_namespace_that_is_described_and_refused_is_not_made_otherwise(world: World) -> None:
    team = f"{world.namespace}-team"
    metadata = {"name": team, "labels": {"bad": "not a label"}}
    bad = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    bundle(world, bad, manifest("app", namespace=team))
    report = world.settle()
    assert "metadata.labels" in result(report, team).message
    assert result(report, "app").message == f'namespaces "{team}" not found'
    assert world.target.api.resource("v1", "namespaces").find(team) is None
