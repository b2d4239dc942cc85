"""What the version with ApplySets brought to a real target, after an upgrade."""

from typing import Any

import pytest

from hooks.http.deadline import Deadline
from hooks.kube.client import APPLY_PATCH
from hooks.names import ANNOTATION_APPLIED_HASH, FIELD_MANAGER
from hooks.targetclusters.sync.plan.former_sets import set_id
from hooks.targetclusters.sync.plan.inventory import DATA_KEY, Inventory, InventoryEntry
from tests.integration.targetclusters_sync.worlds import World, manifest, result

PART_OF = "applyset.kubernetes.io/part-of"


def bring(world: World, *, uids: bool, tool: str = FIELD_MANAGER) -> None:
    """Leave a target and an inventory as the former version does."""
    name = f"targetcluster.{world.namespace}.web"
    parent = InventoryEntry("v1", "ConfigMap", world.namespace, name, source="ApplySet")
    configmaps = world.target.api.resource("v1", "configmaps")
    marks: dict[str, Any] = {
        "labels": {"applyset.kubernetes.io/id": set_id(parent)},
        "annotations": {"applyset.kubernetes.io/tooling": f"{tool}/v1alpha1"},
    }
    configmaps.create(manifest(name, namespace=world.namespace, **marks))
    start = f'{{"apiVersion":"v1","kind":"ConfigMap","namespace":"{world.namespace}","name":'
    lines = [f'{start}"{name}","source":"ApplySet"}}']
    for each in ("app", "old"):
        labels, marked = {PART_OF: set_id(parent)}, {ANNOTATION_APPLIED_HASH: "former"}
        body = manifest(each, {"n": "1"}, labels=labels, annotations=marked)
        made = world.kube.kube.patch(
            f"/api/v1/namespaces/{world.namespace}/configmaps/{each}",
            body,
            deadline=Deadline(5),
            content_type=APPLY_PATCH,
            params={"fieldManager": FIELD_MANAGER, "force": "true"},
        )
        uid = f',"uid":"{made["metadata"]["uid"]}"' if uids else ""
        lines.append(f'{start}"{each}"{uid},"source":"ConfigMap/{each}"}}')
    data = {DATA_KEY: "\n".join(lines) + "\n"}
    world.recorded = Inventory.from_config_maps(
        [{"metadata": {"name": "web-inventory"}, "data": data}]
    )
    world.source("app", {"n": "1"})


@pytest.mark.parametrize("uids", [True, False], ids=["uid recorded", "killed before that"])
def test_objects_get_our_mark_and_lose_the_label_and_the_set_goes(world: World, uids: bool) -> None:
    bring(world, uids=uids)
    assert world.settle().synced
    found = world.on_target("app")
    assert found is not None
    assert PART_OF not in found["metadata"]["labels"]
    assert world.names() == {"app"}
    assert world.data("old") is None
    assert world.data(f"targetcluster.{world.namespace}.web") is None
    assert {key.name for key in world.recorded.by_key} == {"app"}
    assert world.round().counts == {"unchanged": 1}


def test_everything_is_deleted_with_a_target_cluster_that_was_not_synced_since(
    world: World,
) -> None:
    bring(world, uids=False)
    assert world.delete().complete
    for name in ("app", "old", f"targetcluster.{world.namespace}.web"):
        assert world.data(name) is None


def test_a_set_that_kubectl_took_over_is_left_alone(world: World) -> None:
    bring(world, uids=True, tool="kubectl")
    world.source("app", {"n": "2"})
    assert result(world.settle(), "app").message == "belongs to kubectl; it is left alone"
    world.unsource("app")
    world.settle()
    assert world.delete().complete
    for name in ("app", "old", f"targetcluster.{world.namespace}.web"):
        assert world.data(name) is not None
