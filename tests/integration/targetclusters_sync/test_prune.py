"""What is no longer wanted on a real target."""

import pytest

from hooks.http.bounded_json import Json
from hooks.names import ANNOTATION_OWNER, LABEL_MEMBER_OF
from hooks.targetclusters.sync.plan.inventory import Inventory, InventoryEntry
from tests.integration.targetclusters_sync.worlds import World, manifest, result
from tests.kubes import Call, Watched


def patch(world: World, name: str, body: Json) -> None:
    world.target.api.resource("v1", "configmaps").patch(name, body, world.namespace)


def test_is_deleted_and_leaves_the_inventory(world: World) -> None:
    world.source("app", {"a": "b"})
    world.source("old", {"a": "b"})
    world.settle()
    world.unsource("old")
    report = world.round()
    assert result(report, "old").outcome == "pruned"
    assert report.synced
    assert world.names() == {"app"}
    assert "old" not in {key.name for key in report.inventory.by_key}
    assert world.round().inventory == report.inventory


def test_stays_where_pruning_is_off_and_goes_once_it_is_on(world: World) -> None:
    world.source("old", {"a": "b"})
    world.settle()
    world.unsource("old")
    world.policy = {"prune": False}
    report = world.settle()
    assert result(report, "old").message == "is no longer wanted; pruning is off"
    assert world.names() == {"old"}
    world.policy = {}
    world.settle()
    assert world.names() == set()


def test_stays_where_somebody_gave_it_another_owner(world: World) -> None:
    world.source("old", {"a": "b"})
    world.settle()
    patch(world, "old", {"metadata": {"annotations": {ANNOTATION_OWNER: "helm"}}})
    world.unsource("old")
    report = world.round()
    assert result(report, "old").message == "belongs to helm; it is left alone"
    assert world.data("old") == {"a": "b"}
    assert "old" not in {key.name for key in report.inventory.by_key}


def test_stays_in_the_inventory_until_its_finalizers_let_it_go(world: World) -> None:
    world.source("old", {"a": "b"})
    world.settle()
    patch(world, "old", {"metadata": {"finalizers": ["example.org/wait"]}})
    world.unsource("old")
    report = world.round()
    assert result(report, "old").outcome == "deleting"
    assert result(report, "old").message.startswith("is being deleted since 20")
    assert result(report, "old").message.endswith("held by finalizer example.org/wait")
    assert not report.synced
    assert report.counts == {"deleting": 1}
    assert report.resume_after is not None
    assert "old" in {key.name for key in report.inventory.by_key}
    patch(world, "old", {"metadata": {"finalizers": None}})
    report = world.round()
    assert result(report, "old").message == "was already gone"
    assert "old" not in {key.name for key in report.inventory.by_key}


def test_comes_back_after_a_deletion_that_was_under_way(world: World) -> None:
    world.source("app", {"a": "b"})
    world.settle()
    patch(world, "app", {"metadata": {"finalizers": ["example.org/wait"]}})
    world.target.api.resource("v1", "configmaps").delete("app", world.namespace)
    report = world.round()
    assert result(report, "app").outcome == "deleting"
    assert (
        "held by finalizer example.org/wait; it is created again" in result(report, "app").message
    )
    assert not report.synced
    assert report.resume_after is not None
    patch(world, "app", {"metadata": {"finalizers": None}})
    assert result(world.round(), "app").outcome == "applied"


def test_is_kept_while_a_source_cannot_be_read(world: World) -> None:
    world.policy = {"sources": [{"kind": "ConfigMap", "name": "bundle", "as": "Manifests"}]}
    line = "{apiVersion: v1, kind: ConfigMap, metadata: {name: app}}"
    world.source("bundle", {"x": line})
    world.settle()
    world.source("bundle", {"x": line.replace("}}", "")})
    report = world.round()
    assert result(report, "app").message == "is kept: ConfigMap/bundle has problems"
    assert world.names() == {"app"}
    world.source("bundle", {"x": line.replace("app", "other")})
    world.settle()
    assert world.names() == {"other"}


def test_is_kept_where_the_sources_are_misspelt(world: World) -> None:
    world.policy = {"sources": [{"kind": "ConfigMap", "name": "app"}]}
    world.source("app", {"a": "b"})
    world.settle()
    world.policy = {"sources": [{"kind": "Configmap", "name": "app"}]}
    report = world.round()
    assert result(report, "app").outcome == "skipped"
    assert world.names() == {"app"}


EMPTIED = (
    "ConfigMap/bundle: holds no object any more; the 1 that came from it stay. To have them "
    "deleted, take it out of the sources, or set resourceSyncPolicy.allowEmpty"
)


@pytest.mark.parametrize("emptied", [True, False])
@pytest.mark.parametrize("ends", ["is allowed", "is taken out"])
def test_stays_when_its_source_is_emptied_or_gone_until_somebody_says_so(
    world: World, emptied: bool, ends: str
) -> None:
    world.policy = {"sources": [{"kind": "ConfigMap", "name": "bundle", "as": "Manifests"}]}
    line = "{apiVersion: v1, kind: ConfigMap, metadata: {name: app}}"
    world.source("bundle", {"x": line}, label="")
    world.settle()
    if emptied:
        world.source("bundle", {"x": "# a generator failed"}, label="")
    else:
        world.unsource("bundle")
    for _ in range(2):
        report = world.round()
        assert result(report, "app").message == "is kept: ConfigMap/bundle holds no object any more"
        assert str(report.problems[-1]) == EMPTIED
        assert not report.synced
    assert world.names() == {"app"}
    if ends == "is allowed":
        world.policy["allowEmpty"] = True
    else:
        world.policy["sources"] = []
    assert result(world.round(), "app").outcome == "pruned"
    assert world.names() == set()


def test_nothing_is_pruned_while_the_namespace_of_the_sources_is_being_deleted(
    world: World,
) -> None:
    world.source("app", {"a": "b"})
    world.source("held", {"a": "b"})
    world.settle()
    held = {"metadata": {"finalizers": ["example.org/wait"]}}
    own = world.own.api.resource("v1", "configmaps")
    own.patch("held", held, world.namespace)
    world.own.api.resource("v1", "namespaces").delete(world.namespace)
    world.unsource("app")
    report = world.round()
    assert result(report, "app").outcome == "skipped"
    assert f"Namespace/{world.namespace}: is being deleted" in str(report.problems[-1])
    assert world.names() == {"app", "held"}
    own.patch("held", {"metadata": {"finalizers": None}}, world.namespace)


def test_an_object_made_anew_under_the_old_name_is_not_deleted_for_the_old_one(
    world: World,
) -> None:
    """The UID as precondition: what was read is deleted, or nothing."""
    world.source("old", {"a": "b"})
    world.settle()
    world.unsource("old")
    configmaps = world.target.api.resource("v1", "configmaps")

    def make_anew(call: Call) -> None:
        if call.verb == "delete":
            configmaps.delete("old", world.namespace)
            configmaps.create(manifest("old", namespace=world.namespace))

    report = world.round(kube=Watched(world.kube.kube, before=make_anew))
    assert result(report, "old").message == "changed on the target meanwhile"
    assert world.data("old") == {}


def test_what_the_inventory_lost_is_named_and_never_deleted(world: World) -> None:
    world.source("app", {"a": "b"})
    world.source("old", {"a": "b"})
    world.settle()
    world.recorded = Inventory()
    world.unsource("old")
    report = world.settle()
    assert world.names() == {"app", "old"}
    assert report.counts == {"unchanged": 1}
    assert [key.name for key in report.unlisted] == ["old"]
    assert report.label == f"{LABEL_MEMBER_OF}={world.owner.member}"


def test_an_entry_whose_kind_is_served_no_more_is_gone(world: World) -> None:
    entry = InventoryEntry("gone.example.org/v1", "Gone", world.namespace, "g", source="x")
    world.recorded = Inventory().with_entries([entry])
    report = world.round()
    assert result(report, "g").message == "is gone: the target has no such kind"
    assert entry.key not in report.inventory.by_key


@pytest.mark.parametrize("version", ["apps/v1beta1", "apps/v1"])
def test_an_entry_is_found_in_whatever_version_its_kind_is_served(
    world: World, version: str
) -> None:
    marks = {ANNOTATION_OWNER: world.owner.mark(f"Deployment.apps/{world.namespace}/d")}
    template: Json = {"metadata": {"labels": {"a": "b"}}}
    template["spec"] = {"containers": [{"name": "c", "image": "i"}]}
    deployments = world.target.api.resource("apps/v1", "deployments")
    deployments.create(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "d", "namespace": world.namespace, "annotations": marks},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
        }
    )
    entry = InventoryEntry(version, "Deployment", world.namespace, "d", source="x")
    world.recorded = Inventory().with_entries([entry])
    assert result(world.round(), "d").outcome == "pruned"
    assert deployments.find("d", world.namespace) is None


def test_the_last_object_leaves_nothing_of_ours_behind(world: World) -> None:
    world.source("app", {"a": "b"})
    world.settle()
    world.unsource("app")
    report = world.round()
    listed = world.target.api.resource("v1", "configmaps").list(world.namespace)
    assert {one["metadata"]["name"] for one in listed} <= {"kube-root-ca.crt"}
    assert report.inventory.by_key == {}
    world.kube.calls.clear()
    assert world.round().complete
    assert world.kube.writes == []
