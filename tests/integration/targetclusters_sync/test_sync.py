"""Objects made, changed and pruned on a real target."""

import json

import pytest

from hooks.names import ANNOTATION_APPLIED_HASH, ANNOTATION_OWNER, FIELD_MANAGER
from hooks.targetclusters.sync.plan.inventory import Inventory
from hooks.targetclusters.sync.plan.model import SyncReport
from tests.integration.targetclusters_sync.worlds import World, manifest, result
from tests.kubes import Call

SYNC = "targetcluster.example.com/sync"


def is_first(call: Call) -> bool:
    """Tell whether a call is no further page of a list."""
    return "continue" not in (call.params or {})


def yaml_of(*names: str) -> str:
    """Write ConfigMaps as YAML documents."""
    line = "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {}}}}}"
    return "\n---\n".join(line.format(name) for name in names)


def test_config_maps_and_secrets_reach_the_target_and_stay_right(world: World) -> None:
    world.source("app", {"color": "red"})
    world.source("login", {"password": "hunter2"}, kind="Secret")
    world.source("private", {"color": "red"}, label="")
    report = world.settle()
    assert report.synced
    assert world.data("app") == {"color": "red"}
    secret = world.on_target("login", "secrets")
    assert secret is not None
    assert secret["data"] == {"password": "aHVudGVyMg=="}
    assert world.data("private") is None
    world.source("app", {"color": "blue"})
    world.settle()
    assert world.outcomes("app") == ["applied"]
    assert world.data("app") == {"color": "blue"}
    world.unsource("login", "Secret")
    world.settle()
    assert world.outcomes("login") == ["pruned"]
    assert world.on_target("login", "secrets") is None


def test_nothing_is_applied_before_the_inventory_holds_it(world: World) -> None:
    world.source("app", {"color": "red"})
    report = world.round()
    assert world.kube.writes == []
    assert not report.complete
    assert [(r.outcome, r.message) for r in report.results] == [
        ("skipped", "is only recorded in this round")
    ]
    assert {key.name for key in report.inventory.by_key} == {"app"}
    assert world.round().complete
    assert world.names() == {"app"}


def test_what_is_unchanged_costs_one_list_and_no_write(world: World) -> None:
    for number in range(30):
        world.source(f"app-{number}", {"n": str(number)})
    world.settle()
    world.kube.calls.clear()
    world.own_kube.calls.clear()
    report = world.round()
    assert report.counts == {"unchanged": 30}
    assert [call.verb for call in world.kube.calls if is_first(call)] == ["get", "list"]
    reads = [(call.verb, "PartialObjectMetadata" in call.accept) for call in world.own_kube.calls]
    assert reads == [("list", True), ("list", True), ("get", True)]
    world.forget()
    world.kube.calls.clear()
    assert world.round().counts == {"unchanged": 30}
    assert world.kube.writes == []


def bring_300_and_manifests(world: World) -> None:
    world.policy = {
        "sources": [
            {"kind": "ConfigMap", "selector": {"matchLabels": {SYNC: "true"}}},
            {"kind": "ConfigMap", "name": "bundle", "as": "Manifests"},
        ]
    }
    for number in range(300):
        world.source(f"app-{number:03}", {"n": str(number)})
    world.source("bundle", {"x.yaml": yaml_of("good", "also-good")}, label="")
    assert world.settle().synced
    assert len(world.names()) == 302


def change_on_both_sides(world: World) -> None:
    configmaps = world.target.api.resource("v1", "configmaps")
    world.source("app-001", {"n": "changed at the source"})
    world.unsource("app-002")
    configmaps.patch("app-003", {"data": {"n": "edited"}}, world.namespace)
    configmaps.delete("app-004", world.namespace)
    configmaps.create(manifest("foreign", {"whose": "theirs"}, namespace=world.namespace))
    world.source("foreign", {"whose": "ours"})
    bad = "\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: bad}, data: {x: 5}}"
    world.source("bundle", {"x.yaml": yaml_of("good") + bad + "\n---\n{kind: X}"}, label="")


@pytest.mark.timeout(180)
def test_three_hundred_objects_end_as_the_policy_says_whatever_happens_to_them(
    world: World,
) -> None:
    bring_300_and_manifests(world)
    change_on_both_sides(world)
    world.kube.calls.clear()
    report = world.settle()
    outcomes = {name: world.outcomes(name) for name in world.history}
    assert {name: ended for name, ended in outcomes.items() if set(ended) != {"unchanged"}} == {
        "app-001": ["applied", "unchanged"],
        "app-002": ["pruned"],
        "app-003": ["applied", "unchanged"],
        "app-004": ["applied", "unchanged"],
        "foreign": ["skipped", "conflict"],
        "bad": ["skipped", "failed"],
        "also-good": ["skipped", "skipped"],
    }
    assert report.counts == {"unchanged": 300, "conflict": 1, "failed": 1, "skipped": 1}
    assert world.data("app-001") == {"n": "changed at the source"}
    assert world.data("app-002") is None
    assert world.data("app-003") == {"n": "3"}
    assert world.history["app-003"][0].fields == ("data.n",)
    assert world.data("app-004") == {"n": "4"}
    assert world.data("foreign") == {"whose": "theirs"}
    assert not report.synced
    assert world.ours() <= report.inventory.by_key.keys()
    assert len(world.kube.writes) < 10
    check_what_is_told(report)


def check_what_is_told(report: SyncReport) -> None:
    assert result(report, "foreign").message == "existed before us; it is left alone"
    assert ".data.x: expected string" in result(report, "bad").message
    assert result(report, "also-good").message == "is kept: ConfigMap/bundle has problems"
    (problem,) = report.problems
    assert (problem.source, problem.where) == ("ConfigMap/bundle", "key x.yaml, document 3")
    assert problem.message.startswith("apiVersion: ")


def test_what_is_applied_is_ours_by_field_manager_mark_and_hash(world: World) -> None:
    world.source("app", {"color": "red"})
    world.settle()
    found = world.on_target("app")
    assert found is not None
    fields = found["metadata"]["managedFields"]
    assert [(one["manager"], one["operation"]) for one in fields] == [(FIELD_MANAGER, "Apply")]
    marks = found["metadata"]["annotations"]
    place = f"ConfigMap/{world.namespace}/app"
    assert marks[ANNOTATION_OWNER] == f"hub/{world.namespace}/web:{place}"
    assert ANNOTATION_APPLIED_HASH in marks


def test_everything_goes_to_the_target_namespace_which_is_made_where_it_is_missing(
    world: World,
) -> None:
    elsewhere = f"{world.namespace}-else"
    world.policy = {"targetNamespace": elsewhere}
    world.source("app", {"color": "red"})
    assert world.settle().synced
    assert {(key.namespace, key.name) for key in world.ours()} == {(elsewhere, "app")}
    assert world.on_target("app") is None


def test_a_namespace_that_was_made_on_the_way_is_never_deleted(world: World) -> None:
    elsewhere = f"{world.namespace}-else"
    world.policy = {"targetNamespace": elsewhere}
    world.source("app", {"color": "red"})
    world.settle()
    assert world.delete().complete
    assert world.target.api.resource("v1", "namespaces").find(elsewhere) is not None


def test_another_target_namespace_moves_everything(world: World) -> None:
    world.source("app", {"color": "red"})
    world.settle()
    elsewhere = f"{world.namespace}-else"
    world.policy = {"targetNamespace": elsewhere}
    report = world.settle()
    assert report.synced
    assert {(key.namespace, key.name) for key in world.ours()} == {(elsewhere, "app")}
    assert {key.namespace for key in report.inventory.by_key} == {elsewhere}


def test_a_target_cluster_made_again_takes_up_what_it_still_wants(world: World) -> None:
    world.source("app", {"color": "red"})
    world.settle()
    world.recorded = Inventory()
    world.forget()
    world.source("app", {"color": "blue"})
    assert world.settle().synced
    assert world.data("app") == {"color": "blue"}
    world.unsource("app")
    world.settle()
    assert world.names() == set()


def test_objects_in_trouble_are_told_in_order(world: World) -> None:
    configmaps = world.target.api.resource("v1", "configmaps")
    for number in range(12):
        configmaps.create(manifest(f"foreign-{number:02}", namespace=world.namespace))
        world.source(f"foreign-{number:02}", {"a": "b"})
    troubled = world.settle().troubled
    assert [one.entry.name for one in troubled] == [f"foreign-{number:02}" for number in range(12)]


def test_what_a_round_has_no_time_for_is_left_to_the_next(world: World) -> None:
    for number in range(5):
        world.source(f"app-{number}", {"n": str(number)})
    world.round()
    report = world.round(seconds=0.0)
    assert (report.complete, report.error) == (False, "")
    assert world.names() == set()
    assert {key.name for key in report.inventory.by_key} == {f"app-{n}" for n in range(5)}
    assert world.settle().synced


def test_objects_in_many_namespaces_are_listed_at_once(world: World) -> None:
    world.policy = {"sources": [{"kind": "ConfigMap", "name": "bundle", "as": "Manifests"}]}
    places = [f"{world.namespace}-{number}" for number in range(5)]
    bodies = [json.dumps(manifest("app", {"n": "1"}, namespace=place)) for place in places]
    world.source("bundle", {"all.yaml": "\n---\n".join(bodies)})
    assert world.settle().synced
    world.kube.calls.clear()
    assert world.round().counts == {"unchanged": 5}
    lists = [call.path for call in world.kube.calls if call.verb == "list" and is_first(call)]
    assert lists == ["/api/v1/configmaps"]
    assert {key.namespace for key in world.ours()} == set(places)


def test_large_texts_with_many_commas_are_read_again_and_found_unchanged(world: World) -> None:
    text = json.dumps([[number, number] for number in range(45_000)])
    assert len(text) > 600_000
    for number in range(5):
        world.source(f"map-{number}", {"areas.geojson": text})
    assert world.settle().synced
    assert world.round().counts == {"unchanged": 5}
