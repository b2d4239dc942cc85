"""Whose an object on a real target is, and what follows for objects of others."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs

from hooks.names import ANNOTATION_OWNER, ANNOTATION_TAKEOVER, FIELD_MANAGER, LABEL_MEMBER_OF
from hooks.targetclusters.sync.plan.inventory import Inventory, InventoryEntry
from tests.integration.targetclusters_sync.worlds import World, manifest, result

BUNDLE = {"sources": [{"kind": "ConfigMap", "name": "bundle", "as": "Manifests"}]}


def other_hub(world: World) -> World:
    """Return a TargetCluster of the same name, of another hub, for the same target."""
    return World(
        world.own, world.target, world.namespace, world.kube, world.own_kube, hub="other-hub"
    )


def patch(world: World, name: str, body: dict[str, Any]) -> None:
    world.target.api.resource("v1", "configmaps").patch(name, body, world.namespace)


def test_two_hubs_with_one_name_conflict_and_delete_nothing_of_each_other(world: World) -> None:
    other = other_hub(world)
    world.source("app", {"whose": "first"})
    assert world.settle().synced
    world.source("app", {"whose": "second"})
    other.policy = {"conflictPolicy": "Overwrite"}
    report = other.settle()
    told = f"belongs to hub/{world.namespace}/web; it is left alone"
    assert [(one.outcome, one.message) for one in report.results] == [("conflict", told)]
    world.unsource("app")
    assert result(other.settle(), "app").is_gone
    assert other.delete().complete
    assert world.data("app") == {"whose": "first"}
    world.settle()
    assert world.data("app") is None


def test_an_object_of_another_kind_with_copied_marks_is_somebody_elses(world: World) -> None:
    """Operators copy all labels and annotations of an object to what they make for it."""
    world.source("bundle", {"app.json": json.dumps(manifest("app", {"a": "b"}))}, label="")
    world.policy = BUNDLE
    world.settle()
    marked = (world.on_target("app") or {})["metadata"]
    copied = {key: marked[key] for key in ("name", "namespace", "labels", "annotations")}
    secrets = world.target.api.resource("v1", "secrets")
    theirs = {"apiVersion": "v1", "kind": "Secret", "metadata": copied, "data": {"p": "dGhlaXJz"}}
    secrets.create(theirs)
    ours = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "app"}}
    texts = {"app.json": json.dumps(manifest("app")), "secret.json": json.dumps(ours)}
    world.source("bundle", texts, label="")
    report = world.settle()
    outcomes = {one.entry.kind: one.outcome for one in report.results}
    assert outcomes == {"ConfigMap": "unchanged", "Secret": "conflict"}
    assert report.unlisted == ()
    world.source("bundle", {"app.json": json.dumps(manifest("app"))}, label="")
    world.settle()
    assert (secrets.find("app", world.namespace) or {})["data"] == {"p": "dGhlaXJz"}


def test_what_an_earlier_build_applied_is_ours_whatever_the_inventory_knows(world: World) -> None:
    """Its mark names no kind; the process died before the inventory had the object's UID."""
    world.source("app", {"a": "1"})
    world.settle()
    former = world.owner.mark(f"{world.namespace}/app")
    body = manifest("app", {"a": "1"}, annotations={ANNOTATION_OWNER: former})
    body["metadata"]["labels"] = {LABEL_MEMBER_OF: world.owner.member}
    world.target.kubectl(
        *("apply", "--server-side", f"--field-manager={FIELD_MANAGER}", "-n", world.namespace),
        *("-f", "-"),
        stdin=json.dumps(body),
    )
    entries = world.recorded.by_key.values()
    world.recorded = Inventory().with_entries(structs.replace(one, uid="") for one in entries)
    world.source("app", {"a": "2"})
    assert world.settle().synced
    assert world.data("app") == {"a": "2"}
    marked = (world.on_target("app") or {})["metadata"]["annotations"][ANNOTATION_OWNER]
    assert marked == world.owner.mark(f"ConfigMap/{world.namespace}/app")


@pytest.mark.parametrize(
    "manager", ["kubectl", "helm", "argocd-controller", "kustomize-controller"]
)
def test_a_field_of_a_tool_that_leaves_the_source_leaves_the_object(
    world: World, manager: str
) -> None:
    body = json.dumps(manifest("app", {"keep": "1", "leaves": "2"}, namespace=world.namespace))
    world.target.kubectl(
        *("apply", "--server-side", f"--field-manager={manager}", "-f", "-"), stdin=body
    )
    world.policy = {"conflictPolicy": "Overwrite"}
    world.source("app", {"keep": "1", "leaves": "2"})
    assert result(world.settle(), "app").message in ("", "existed before us and is taken over")
    world.source("app", {"keep": "1"})
    world.settle()
    assert world.data("app") == {"keep": "1"}


def test_another_owners_object_moves_where_its_source_names_the_former_owner(world: World) -> None:
    other = other_hub(world)
    world.source("app", {"whose": "first"})
    world.settle()
    former = f"hub/{world.namespace}/web"
    body = manifest("app", {"whose": "second"}, annotations={ANNOTATION_TAKEOVER: former})
    world.source("bundle", {"app.json": json.dumps(body)}, label="")
    other.policy = {**BUNDLE, "conflictPolicy": "Overwrite"}
    assert other.settle().synced
    assert world.data("app") == {"whose": "second"}
    report = world.settle()
    message = f"belongs to other-hub/{world.namespace}/web; it is left alone"
    assert result(report, "app").message == message
    world.unsource("app")
    world.settle()
    assert world.delete().complete
    assert world.data("app") == {"whose": "second"}


def test_two_target_clusters_of_one_hub_do_not_overwrite_each_other(
    world: World, new_world: Callable[[], World]
) -> None:
    other = new_world()
    for one in (world, other):
        one.policy = {"conflictPolicy": "Overwrite", "targetNamespace": "shared"}
        one.source("app", {"whose": one.namespace})
    assert world.settle().synced
    for _ in range(2):
        owner = f"hub/{world.namespace}/web"
        message = f"belongs to {owner}; it is left alone"
        assert result(other.settle(), "app").message == message
        assert world.settle().counts == {"unchanged": 1}
    world.delete()


def test_copies_of_our_objects_with_all_their_marks_are_left_alone(world: World) -> None:
    world.source("app", {"n": "1"})
    world.settle()
    found = world.on_target("app")
    assert found is not None
    configmaps = world.target.api.resource("v1", "configmaps")
    marks = {key: found["metadata"][key] for key in ("labels", "annotations")}
    configmaps.create(manifest("copy", {"n": "1"}, namespace=world.namespace, **marks))
    configmaps.create(manifest("wanted", {"n": "1"}, namespace=world.namespace, **marks))
    world.source("wanted", {"n": "2"})
    report = world.settle()
    assert result(report, "wanted").message == "existed before us; it is left alone"
    world.unsource("app")
    world.unsource("wanted")
    world.settle()
    assert world.names() == {"copy", "wanted"}
    assert world.delete().complete
    assert world.names() == {"copy", "wanted"}


def test_an_entry_that_somebody_wrote_into_the_inventory_deletes_nothing_of_others(
    world: World,
) -> None:
    """Also an older inventory, whose object was deleted and made again by somebody else."""
    configmaps = world.target.api.resource("v1", "configmaps")
    configmaps.create(manifest("theirs", {"n": "1"}, namespace=world.namespace))
    for uid in ("", "of-a-former-object"):
        entry = InventoryEntry("v1", "ConfigMap", world.namespace, "theirs", uid, "ConfigMap/x")
        world.recorded = Inventory().with_entries([entry])
        assert result(world.settle(), "theirs").message == "existed before us; it is left alone"
        world.recorded = Inventory().with_entries([entry])
        assert world.delete().complete
    assert world.data("theirs") == {"n": "1"}


def test_a_source_on_its_own_target_is_never_taken_over(world: World) -> None:
    """The hub as its own target."""
    world.source("app", {"n": "1"})
    world.target, world.kube = world.own, world.own_kube
    world.policy = {"conflictPolicy": "Overwrite"}
    report = world.settle()
    assert result(report, "app").message == "is itself a source; it is left alone"
    found = world.on_target("app")
    assert found is not None
    assert LABEL_MEMBER_OF not in found["metadata"]["labels"]
    world.source("app", {"n": "1"}, label="")
    world.settle()
    assert world.delete().complete
    assert world.data("app") == {"n": "1"}


def test_a_renamed_object_is_there_before_the_old_one_goes(world: World) -> None:
    world.policy = BUNDLE
    old, new = (json.dumps(manifest(f"settings-{number}", {"n": "1"})) for number in range(2))
    world.source("bundle", {"x.json": old}, label="")
    world.settle()
    world.source("bundle", {"x.json": new}, label="")
    report = world.round()
    assert result(report, "settings-0").message == (
        "is kept until all that ConfigMap/bundle wants is on the target"
    )
    assert world.names() == {"settings-0"}
    world.settle()
    assert world.names() == {"settings-1"}


def test_an_object_whose_new_name_is_refused_stays(world: World) -> None:
    world.policy = BUNDLE
    world.source("bundle", {"x.json": json.dumps(manifest("settings-0"))}, label="")
    world.settle()
    bad = {**manifest("settings-1"), "data": {"n": 5}}
    world.source("bundle", {"x.json": json.dumps(bad)}, label="")
    world.settle()
    world.round()
    assert world.names() == {"settings-0"}


def test_an_object_that_is_now_wanted_under_another_group_is_not_pruned(world: World) -> None:
    about = {"kind": "Namespace", "name": world.namespace, "namespace": world.namespace}
    same = {
        "kind": "Event",
        "metadata": {"name": "e"},
        "reason": "Tested",
        "type": "Normal",
        "action": "Test",
        "eventTime": "2026-11-29T01:00:00.000000Z",
        "reportingInstance": "test-1",
    }
    who = "example.org/test"

    def event(version: str) -> str:
        old = {"involvedObject": about, "reportingComponent": who}
        new = {"regarding": about, "reportingController": who}
        return json.dumps({"apiVersion": version, **same, **(old if version == "v1" else new)})

    world.policy = BUNDLE
    world.source("bundle", {"e.json": event("v1")}, label="")
    assert world.settle().synced
    found = world.on_target("e", "events")
    assert found is not None
    world.source("bundle", {"e.json": event("events.k8s.io/v1")}, label="")
    report = world.settle()
    left = world.on_target("e", "events")
    assert left is not None
    assert report.synced, report.results
    assert left["metadata"]["uid"] == found["metadata"]["uid"]
    assert {key.group for key in world.recorded.by_key} == {"events.k8s.io"}


def test_a_field_that_leaves_the_source_leaves_what_kubectl_applied_before(world: World) -> None:
    configmaps = world.target.api.resource("v1", "configmaps")
    body = manifest("app", {"a": "theirs", "b": "theirs"}, namespace=world.namespace)
    configmaps.create(body)
    found = configmaps.get("app", world.namespace)
    fields = found["metadata"]["managedFields"]
    (entry,) = fields
    fields = [{**entry, "manager": "kubectl-client-side-apply", "operation": "Update"}]
    last = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    patch(world, "app", {"metadata": {"managedFields": fields, "annotations": last}})
    world.policy = {"conflictPolicy": "Overwrite"}
    world.source("app", {"a": "ours", "b": "ours"})
    assert world.settle().synced
    world.source("app", {"a": "ours"})
    assert world.settle().synced
    assert world.data("app") == {"a": "ours"}
    found = configmaps.get("app", world.namespace)
    managers = {one["manager"] for one in found["metadata"]["managedFields"]}
    assert "kubectl-client-side-apply" not in managers
    assert FIELD_MANAGER in managers
    assert set(found["metadata"]["annotations"]) >= {ANNOTATION_OWNER}
    assert not set(last) & set(found["metadata"]["annotations"])


@pytest.mark.parametrize("owner", ["helm", "argo-cd"])
def test_an_object_that_is_handed_over_is_written_to_no_more(world: World, owner: str) -> None:
    world.policy = {"conflictPolicy": "Overwrite"}
    world.source("app", {"n": "1"})
    world.settle()
    patch(world, "app", {"metadata": {"annotations": {ANNOTATION_OWNER: owner}}})
    patch(world, "app", {"data": {"n": "theirs"}})
    world.source("app", {"n": "2"})
    message = f"belongs to {owner}; it is left alone"
    assert result(world.settle(), "app").message == message
    world.unsource("app")
    assert world.settle().synced
    assert world.data("app") == {"n": "theirs"}
    assert world.recorded.by_key == {}


def test_a_namespace_that_the_operator_created_may_be_described_later(world: World) -> None:
    name = f"{world.namespace}-made"
    body = manifest("app", {"a": "b"}, namespace=name)
    world.policy = BUNDLE
    world.source("bundle", {"app.json": json.dumps(body)}, label="")
    assert world.settle().synced
    described = {"name": name, "labels": {"team": "shop"}}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": described}
    texts = {"app.json": json.dumps(body), "namespace.json": json.dumps(namespace)}
    world.source("bundle", texts, label="")
    other = other_hub(world)
    other.policy = BUNDLE
    assert result(other.settle(), name).message == "existed before us; it is left alone"
    report = world.settle()
    assert report.synced, report.results
    found = world.target.api.resource("v1", "namespaces").get(name)
    assert found["metadata"]["labels"]["team"] == "shop"
