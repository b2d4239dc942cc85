"""What happens to the objects on a real cluster when its TargetCluster is deleted."""

import pytest

from hooks.http.bounded_json import Json
from tests.controlplane.api import Resource
from tests.integration.targetclusters.stage import Stage
from tests.targets.proxy import Fate


def config_maps(stage: Stage) -> Resource:
    return stage.target.api.resource("v1", "configmaps")


def change_spec(stage: Stage, **spec: object) -> None:
    """Change the spec, and let the operator see it."""
    stage.driven.change(**spec)
    stage.clock.now += 1
    stage.driven.probe()


def reasons(stage: Stage) -> list[str]:
    return [event.reason for event in stage.driven.operator.events]


def test_orphan_leaves_all(stage: Stage) -> None:
    stage.converge()
    stage.line.writes.clear()
    stage.finalize()
    assert set(stage.on_target()) == {"a", "b", "c"}
    assert stage.line.writes == []


def test_delete_deletes_exactly_the_inventory(stage: Stage) -> None:
    stage.converge()
    metadata: Json = {"name": "foreign", "namespace": stage.namespace}
    config_maps(stage).create({"metadata": metadata, "data": {"colour": "green"}})
    change_spec(stage, deletionPolicy="Delete")
    stage.finalize()
    left = {obj["metadata"]["name"] for obj in config_maps(stage).list(stage.namespace)}
    assert left - {"kube-root-ca.crt"} == {"foreign"}
    assert reasons(stage)[-1] == "ResourcesDeleted"


def test_delete_is_finalized_only_when_all_is_seen_to_be_gone(stage: Stage) -> None:
    stage.converge()
    change_spec(stage, deletionPolicy="Delete")
    held = {"metadata": {"finalizers": ["tests.example/hold"]}}
    config_maps(stage).patch("b", held, stage.namespace)
    with pytest.raises(AssertionError, match="the TargetCluster is finalized"):
        stage.finalize(within=1.5)
    assert {name for _, name in stage.recorded()} >= {"b"}
    config_maps(stage).patch("b", {"metadata": {"finalizers": []}}, stage.namespace)
    stage.finalize()
    assert stage.on_target() == {}


def test_a_dead_cluster_is_waited_for_as_long_as_the_bound_says(stage: Stage) -> None:
    stage.converge()
    change_spec(stage, deletionPolicy="Delete", finalizeTimeout="10m")
    stage.line.dead.set()
    began = stage.clock.now
    stage.finalize()
    assert 599 <= stage.clock.now - began < 620
    assert reasons(stage)[-1] == "ResourcesOrphaned"


def test_a_kubeconfig_that_is_gone_is_waited_for(stage: Stage) -> None:
    """As when a folder is deleted that holds both: the order of two deletions decides nothing."""
    stage.converge()
    change_spec(stage, deletionPolicy="Delete", finalizeTimeout="10m")
    held = stage.own.objects[f"/api/v1/namespaces/{stage.namespace}/secrets/target"]
    stage.own.remove("Secret", "target", stage.namespace)
    with pytest.raises(AssertionError, match="the TargetCluster is finalized"):
        stage.finalize(within=0.5)
    assert "Secret target does not exist" in stage.driven.condition("ResourcesSynced")["message"]
    stage.own.put(held)
    stage.finalize()
    assert stage.on_target() == {}
    assert reasons(stage)[-1] == "ResourcesDeleted"


def test_a_kubeconfig_that_does_not_come_back_orphans_after_the_bound(stage: Stage) -> None:
    stage.converge()
    change_spec(stage, deletionPolicy="Delete", finalizeTimeout="10m")
    stage.own.remove("Secret", "target", stage.namespace)
    began = stage.clock.now
    stage.finalize()
    assert 599 <= stage.clock.now - began < 620
    assert set(stage.on_target()) == {"a", "b", "c"}
    assert reasons(stage)[-1] == "ResourcesOrphaned"


def test_a_kubeconfig_that_goes_with_its_namespace_orphans_at_once(stage: Stage) -> None:
    stage.converge()
    change_spec(stage, deletionPolicy="Delete")
    stage.own.remove("Secret", "target", stage.namespace)
    namespace = stage.own.objects[f"/api/v1/namespaces/{stage.namespace}"]
    namespace["metadata"]["deletionTimestamp"] = "2026-11-29T01:00:00Z"
    began = stage.clock.now
    stage.finalize()
    assert stage.clock.now - began < 5
    assert set(stage.on_target()) == {"a", "b", "c"}
    assert reasons(stage)[-1] == "ResourcesOrphaned"


def test_suspended_nothing_is_deleted(stage: Stage) -> None:
    stage.converge()
    change_spec(stage, deletionPolicy="Delete", suspend=True)
    stage.line.writes.clear()
    began = stage.clock.now
    stage.finalize()
    assert stage.clock.now - began >= 599
    assert stage.line.writes == []
    assert set(stage.on_target()) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("fate", "left"),
    [
        pytest.param("done unanswered", (2, 1, 0), id="after-each-deletion"),
        pytest.param("lost", (3, 3), id="before-the-first"),
    ],
)
def test_the_operator_may_die_while_it_deletes(
    stage: Stage, fate: Fate, left: tuple[int, ...]
) -> None:
    stage.converge()
    change_spec(stage, deletionPolicy="Delete")
    stage.line.on_write = lambda _: fate
    for number in left:
        assert not stage.finalize(or_dead=True)
        assert len(stage.on_target()) == number
        assert {(stage.namespace, name) for name in stage.on_target()} <= stage.recorded()
        stage.restart()
    stage.line.on_write = stage.watch
    stage.finalize()
    assert stage.on_target() == {}


def test_a_suspended_cluster_is_watched_and_not_written_to(stage: Stage) -> None:
    stage.converge()
    change_spec(stage, suspend=True)
    stage.line.writes.clear()
    config_maps(stage).delete("a", stage.namespace)
    stage.own.remove("ConfigMap", "b", stage.namespace)
    before = stage.driven.status["probe"]["lastTime"]
    for _ in range(3):
        stage.driven.probe()
        stage.clock.now += 300
    assert stage.driven.status["probe"]["lastTime"] != before
    assert stage.driven.says("Ready") == "True Healthy"
    assert stage.driven.says("ResourcesSynced") == "Unknown Suspended"
    assert stage.line.writes == []
    change_spec(stage, suspend=False)
    stage.converge()
    assert set(stage.on_target()) == {"a", "c"}
