from dataclasses import replace

import pytest

from hooks.targetclusters.sync.plan.applyset import Sets
from hooks.targetclusters.sync.plan.inventory import Inventory, InventoryEntry
from hooks.targetclusters.sync.plan.kinds import NAMESPACE, Kind
from hooks.targetclusters.sync.plan.model import DesiredObject, DesiredSet, SyncPolicy
from hooks.targetclusters.sync.plan.order import (
    ResolvedSet,
    kinds_brought,
    next_inventory,
    resolve,
    to_prune,
)
from tests.unit.targetclusters.sync.objects import (
    CLUSTER_ROLE,
    CRD,
    DEPLOYMENT,
    KINDS,
    SECRET,
    SETS,
    make_desired,
    make_entry,
    make_wanted,
)


def desired(*objects: DesiredObject, **changes: object) -> DesiredSet:
    return replace(DesiredSet(objects, home="shop"), **changes)  # type: ignore[arg-type]


def placed(found: ResolvedSet) -> list[str]:
    return [str(one.key) for one in found.wanted]


@pytest.mark.parametrize(
    ("one", "target_namespace", "key"),
    [
        pytest.param(make_desired(), "", "ConfigMap shop/a", id="names none: the home"),
        pytest.param(
            make_desired(metadata={"namespace": "team"}), "", "ConfigMap team/a", id="its own"
        ),
        pytest.param(
            make_desired(metadata={"namespace": "team"}), "all", "ConfigMap all/a", id="overridden"
        ),
        pytest.param(
            replace(make_desired(), target_namespace="one"),
            "all",
            "ConfigMap one/a",
            id="overridden by its source",
        ),
        pytest.param(
            make_desired("r", CLUSTER_ROLE, metadata={"namespace": "team"}),
            "all",
            "ClusterRole.rbac.authorization.k8s.io r",
            id="cluster-scoped",
        ),
    ],
)
def test_an_object_is_placed(one: DesiredObject, target_namespace: str, key: str) -> None:
    found = resolve(desired(one, target_namespace=target_namespace), KINDS, sets=SETS)
    assert placed(found) == [key]


def test_what_others_need_comes_first() -> None:
    hook = Kind("x/v1", "ValidatingWebhookConfiguration", "x", namespaced=False)
    kinds = {**KINDS, ("x/v1", hook.kind): hook}
    objects = [
        make_desired("h", hook),
        make_desired("d", DEPLOYMENT),
        make_desired("b"),
        make_desired("s", SECRET),
        make_desired("a"),
        make_desired("c", CRD),
        make_desired("n", NAMESPACE),
    ]
    found = resolve(desired(*objects), kinds, sets=SETS)
    assert [one.key.name for one in found.wanted] == ["n", "c", "s", "a", "b", "d", "h"]


def test_of_two_sources_that_want_one_object_the_first_wins_and_the_other_is_named() -> None:
    first, second = make_desired(source="ConfigMap/one"), make_desired(source="ConfigMap/two")
    found = resolve(desired(first, second), KINDS, sets=SETS)
    assert [one.entry.source for one in found.wanted] == ["ConfigMap/one"]
    assert [str(problem) for problem in found.problems] == [
        "ConfigMap/two: ConfigMap shop/a is wanted by ConfigMap/one too, which wins"
    ]


def test_no_source_can_take_the_place_of_the_sets_own_config_map() -> None:
    found = resolve(desired(make_desired(SETS.current.name)), KINDS, sets=SETS)
    assert found.wanted == ()
    assert "is wanted by the operator itself too" in str(found.problems[0])


def test_an_object_whose_kind_is_not_served_is_named_and_not_placed() -> None:
    kinds: dict[tuple[str, str], Kind | str] = {("x/v1", "X"): "the target serves no X of x/v1"}
    one = DesiredObject("s", {"apiVersion": "x/v1", "kind": "X", "metadata": {"name": "a"}})
    found = resolve(desired(one), kinds, sets=SETS)
    assert found.wanted == ()
    assert [(r.outcome, r.message) for r in found.unplaced] == [
        ("failed", "the target serves no X of x/v1")
    ]


def test_uids_that_are_recorded_are_known() -> None:
    recorded = Inventory.of([make_entry("a", uid="uid-1")])
    found = resolve(desired(make_desired()), KINDS, sets=Sets.of("fleet/web", "shop", recorded))
    assert found.wanted[0].entry.uid == "uid-1"


ENTRY = make_entry("old")


@pytest.mark.parametrize(
    ("wanted", "policy", "reason"),
    [
        pytest.param(desired(), SyncPolicy(), None, id="wanted no more"),
        pytest.param(
            desired(), SyncPolicy(prune=False), "is no longer wanted; pruning is off", id="off"
        ),
        pytest.param(
            desired(whole=False),
            SyncPolicy(),
            "is kept: the sources could not be read as a whole",
            id="sources not read",
        ),
        pytest.param(
            desired(failed_sources=frozenset(["ConfigMap/app"])),
            SyncPolicy(),
            "is kept: ConfigMap/app has problems",
            id="its source has problems",
        ),
        pytest.param(
            desired(failed_sources=frozenset(["ConfigMap/other"])),
            SyncPolicy(),
            None,
            id="another source has problems",
        ),
    ],
)
def test_prunes(wanted: DesiredSet, policy: SyncPolicy, reason: str | None) -> None:
    sets = Sets.of("fleet/web", "shop", Inventory.of([ENTRY]))
    entries, kept = to_prune(wanted, resolve(wanted, KINDS, sets=sets), sets, policy)
    assert list(entries) == ([] if reason else [ENTRY])
    assert [result.message for result in kept] == ([reason] if reason else [])


def test_what_was_found_without_a_source_is_kept_while_any_source_has_problems() -> None:
    found = replace(ENTRY, source="")
    sets = Sets.of("fleet/web", "shop", Inventory.of([found]))
    wanted = desired(failed_sources=frozenset(["ConfigMap/other"]))
    entries, kept = to_prune(wanted, ResolvedSet(()), sets, SyncPolicy())
    assert entries == ()
    assert "it may come from one of the sources" in kept[0].message


def test_what_is_wanted_of_a_kind_that_is_not_served_is_kept() -> None:
    entry = InventoryEntry("x/v1beta1", "X", "shop", "a", source="ConfigMap/app")
    sets = Sets.of("fleet/web", "shop", Inventory.of([entry]))
    one = DesiredObject("s", {"apiVersion": "x/v1", "kind": "X", "metadata": {"name": "a"}})
    resolved = resolve(desired(one), {("x/v1", "X"): "not served"}, sets=sets)
    entries, kept = to_prune(desired(one), resolved, sets, SyncPolicy())
    assert entries == ()
    assert kept[0].message == "is kept: it is wanted, but its kind is not served"


def test_is_pruned_in_the_reverse_order_of_applying() -> None:
    entries = [make_entry("n", NAMESPACE), make_entry("d", DEPLOYMENT), make_entry("c", CRD)]
    sets = Sets.of("fleet/web", "shop", Inventory.of([*entries, make_entry("a")]))
    found, _ = to_prune(desired(), ResolvedSet(()), sets, SyncPolicy())
    assert [entry.name for entry in found] == ["d", "a", "c", "n"]


def test_the_sets_own_config_maps_are_never_pruned_as_members() -> None:
    sets = Sets.of("fleet/web", "shop", Inventory.of([SETS.current.entry]))
    assert to_prune(desired(), ResolvedSet(()), sets, SyncPolicy()) == ((), ())


def test_the_next_inventory_is_what_was_and_what_will_be_less_what_is_gone() -> None:
    recorded = Inventory.of([make_entry("gone"), make_entry("a"), make_entry("kept", uid="k")])
    wanted = make_wanted(make_desired("a")), make_wanted(make_desired("new"))
    found = [make_entry("found", source="")]
    inventory = next_inventory(
        recorded,
        wanted,
        found=found,
        gone=[make_entry("gone").key],
        uids={make_entry("a").key: "uid-a"},
    )
    assert {(e.name, e.uid) for e in inventory.by_key.values()} == {
        ("a", "uid-a"),
        ("new", ""),
        ("kept", "k"),
        ("found", ""),
    }


def test_an_inventory_that_needs_no_change_is_equal() -> None:
    recorded = Inventory.of([make_entry("a", uid="u"), make_entry("b", DEPLOYMENT)])
    wanted = [make_wanted(make_desired("a"))]
    assert next_inventory(recorded, wanted, found=[], gone=[], uids={}) == recorded


def test_crds_bring_kinds() -> None:
    spec = {
        "group": "example.org",
        "names": {"kind": "Widget", "plural": "widgets"},
        "scope": "Namespaced",
        "versions": [{"name": "v1", "served": True}, {"name": "v0", "served": False}],
    }
    brought = kinds_brought(desired(make_desired("w", CRD, spec=spec), make_desired("a")))
    widget = Kind("example.org/v1", "Widget", "widgets", namespaced=True)
    assert brought == {("example.org/v1", "Widget"): widget}


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(None, id="nothing"),
        pytest.param([], id="a list"),
        pytest.param({"group": "x", "names": {"kind": "X", "plural": "x"}}, id="no versions"),
        pytest.param(
            {"group": "x", "names": {"kind": "X", "plural": "../x"}, "versions": []}, id="a path"
        ),
    ],
)
def test_a_malformed_crd_brings_nothing(spec: object) -> None:
    assert kinds_brought(desired(make_desired("w", CRD, spec=spec))) == {}
