import pytest

from hooks.http.bounded_json import Json
from hooks.targetclusters.sync.plan.applyset import (
    ApplySet,
    ApplySets,
    Scope,
    read_scope,
    read_tool,
    set_name,
)
from hooks.targetclusters.sync.plan.inventory import Inventory
from tests.unit.targetclusters.sync.objects import CLUSTER_ROLE, DEPLOYMENT, make_entry

KEYS = [make_entry("a").key, make_entry("d", DEPLOYMENT, namespace="team").key]
SCOPE = Scope.of([*KEYS, make_entry("r", CLUSTER_ROLE).key])


def test_the_id_is_the_one_that_kubectl_works_out() -> None:
    applyset = ApplySet("shop", "targetcluster.shop.tc")
    # kubectl 1.36 accepted this id for this ConfigMap; the integration tests ask it again.
    assert applyset.id == "applyset-3q1WfXdkSY3XoSmaiWJJ1abrrT_fIJSXD6br6SUSigQ-v1"
    assert len(applyset.id) <= 63


def test_the_config_map_tells_kinds_namespaces_and_tool() -> None:
    parent = ApplySet("shop", "targetcluster.fleet.web").config_map(SCOPE)
    assert parent["metadata"]["annotations"] == {
        "applyset.kubernetes.io/additional-namespaces": "team",
        "applyset.kubernetes.io/contains-group-kinds": (
            "ClusterRole.rbac.authorization.k8s.io,ConfigMap,Deployment.apps"
        ),
        "applyset.kubernetes.io/tooling": "target-cluster-operator/v1alpha1",
    }
    assert read_scope(parent) == Scope(SCOPE.group_kinds, frozenset(["team"]))
    assert read_tool(parent) == "target-cluster-operator"


@pytest.mark.parametrize(
    "parent",
    [
        pytest.param({}, id="no metadata"),
        pytest.param({"metadata": {"labels": [], "annotations": 5}}, id="no maps"),
        pytest.param(
            {"metadata": {"annotations": {"applyset.kubernetes.io/tooling": "kubectl/v1"}}},
            id="no id",
        ),
    ],
)
def test_a_config_map_that_stands_for_no_set_tells_nothing(parent: Json) -> None:
    assert read_tool(parent) == ""
    assert read_scope(parent) == Scope()


def test_a_target_cluster_made_again_finds_its_set_and_no_two_share_one() -> None:
    assert set_name("fleet/web") == "targetcluster.fleet.web"
    names = {set_name("a/b-c"), set_name("a-b/c"), set_name("a/b.c"), set_name(f"a/{'x' * 253}")}
    assert len(names) == 4
    assert all(len(name) <= 253 for name in names)


def test_sets_in_other_namespaces_are_remembered_by_the_inventory() -> None:
    former = ApplySet("old", "targetcluster.fleet.web")
    stranger = ApplySet("old", "targetcluster.fleet.other")
    recorded = Inventory().with_entries([former.entry, stranger.entry, make_entry("a")])
    sets = ApplySets.of("fleet/web", "shop", recorded)
    assert sets.current == ApplySet("shop", "targetcluster.fleet.web")
    assert sets.former == (former,)
    assert sets.ids == {sets.current.id, former.id}
    assert set(sets.members) == {stranger.entry.key, make_entry("a").key}
