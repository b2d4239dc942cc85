import time
from dataclasses import replace

import pytest
from msgspec import structs

from hooks.kube.kinds import NAMESPACE, Kind
from hooks.targetclusters.sync.plan.model import DesiredObject, DesiredSet, Switches, SyncPolicy
from hooks.targetclusters.sync.plan.resolve import (
    ResolvedSet,
    apply_rank,
    defined_kinds,
    prune_order,
    why_kept,
)
from tests.unit.targetclusters.sync.objects import (
    CLUSTER_ROLE,
    CRD,
    DEPLOYMENT,
    KINDS,
    SECRET,
    make_desired,
    make_entry,
    resolved,
)


def desired(*objects: DesiredObject, **changes: object) -> DesiredSet:
    return replace(DesiredSet(objects), **changes)  # type: ignore[arg-type]


def placed(found: ResolvedSet) -> list[str]:
    return [str(one.key) for one in found.objects]


@pytest.mark.parametrize(
    ("one", "key"),
    [
        pytest.param(make_desired(), "ConfigMap shop/a", id="namespaced"),
        pytest.param(
            make_desired(metadata={"namespace": "team"}), "ConfigMap shop/a", id="sent elsewhere"
        ),
        pytest.param(
            make_desired("r", CLUSTER_ROLE, metadata={"namespace": "team"}),
            "ClusterRole.rbac.authorization.k8s.io r",
            id="cluster-scoped",
        ),
    ],
)
def test_an_object_is_placed(one: DesiredObject, key: str) -> None:
    assert placed(resolved(desired(one))) == [key]


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
    found = resolved(desired(*objects), kinds)
    assert [one.key.name for one in found.objects] == ["n", "c", "s", "a", "b", "d", "h"]


def test_of_two_sources_that_want_one_object_the_first_wins_and_the_other_is_named() -> None:
    first, second = make_desired(source="ConfigMap/one"), make_desired(source="ConfigMap/two")
    found = resolved(desired(first, second))
    assert [one.entry.source for one in found.objects] == ["ConfigMap/one"]
    assert [str(problem) for problem in found.problems] == [
        "ConfigMap/two: ConfigMap shop/a is also wanted by ConfigMap/one, which takes precedence"
    ]


def test_an_object_whose_kind_is_not_served_is_named_and_not_placed() -> None:
    kinds: dict[tuple[str, str], Kind | str] = {("x/v1", "X"): "the target serves no X of x/v1"}
    one = DesiredObject("s", {"apiVersion": "x/v1", "kind": "X", "metadata": {"name": "a"}})
    found = resolved(desired(one), kinds)
    assert found.objects == ()
    assert [(r.outcome, r.message) for r in found.unresolved] == [
        ("failed", "the target serves no X of x/v1")
    ]


def test_uids_that_are_recorded_are_known() -> None:
    entry = make_entry("a", uid="uid-1")
    found = resolved(desired(make_desired()), recorded={entry.key: entry})
    assert found.objects[0].entry.uid == "uid-1"


ENTRY = make_entry("old")


@pytest.mark.parametrize(
    ("wanted", "policy", "reason"),
    [
        pytest.param(desired(), SyncPolicy(), "", id="no longer wanted"),
        pytest.param(
            desired(), SyncPolicy(prune=False), "is no longer wanted; pruning is off", id="off"
        ),
        pytest.param(
            desired(has_all_sources=False),
            SyncPolicy(),
            "is kept: some sources could not be read",
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
            "",
            id="another source has problems",
        ),
        pytest.param(
            desired(empty_sources=("ConfigMap/app",)),
            SyncPolicy(),
            "is kept: ConfigMap/app holds no object any more",
            id="its source is empty",
        ),
        pytest.param(
            desired(empty_sources=("ConfigMap/app",)),
            SyncPolicy(allow_empty=True),
            "",
            id="its source may be empty",
        ),
        pytest.param(
            desired(empty_sources=("ConfigMap/other",)), SyncPolicy(), "", id="another one is empty"
        ),
    ],
)
def test_keeps(wanted: DesiredSet, policy: SyncPolicy, reason: str) -> None:
    assert why_kept(ENTRY, wanted, [], policy) == reason


def test_what_its_source_said_is_not_to_be_pruned_is_recorded_so_and_kept() -> None:
    one = replace(make_desired(), switches=Switches(prune="false"))
    (found,) = resolved(desired(one)).objects
    assert found.entry.kept
    reason = why_kept(found.entry, desired(), [], SyncPolicy())
    assert reason == 'is no longer wanted; targetcluster.example.com/prune: "false" keeps it'


def test_what_was_found_without_a_source_is_kept_while_any_source_has_problems() -> None:
    wanted = desired(failed_sources=frozenset(["ConfigMap/other"]))
    found = structs.replace(ENTRY, source="")
    reason = why_kept(found, wanted, [], SyncPolicy())
    assert "it may come from one of the sources" in reason
    emptied = desired(empty_sources=("ConfigMap/other",))
    reason = why_kept(found, emptied, [], SyncPolicy())
    assert "it may come from one of the sources" in reason
    assert why_kept(found, emptied, [], SyncPolicy(allow_empty=True)) == ""


@pytest.mark.parametrize("source", ["ConfigMap/app", ""])
def test_what_a_source_still_waits_for_keeps_what_came_from_it(source: str) -> None:
    entry = structs.replace(ENTRY, source=source)
    reason = why_kept(entry, desired(), ["ConfigMap/app"], SyncPolicy())
    assert reason == "is kept until all that ConfigMap/app wants is on the target"
    assert (why_kept(entry, desired(), ["ConfigMap/b"], SyncPolicy()) == "") is (source != "")


def test_is_pruned_in_the_reverse_order_of_applying() -> None:
    entries = [make_entry("n", NAMESPACE), make_entry("d", DEPLOYMENT), make_entry("c", CRD)]
    found = prune_order([*entries, make_entry("a")])
    assert [entry.name for entry in found] == ["d", "a", "c", "n"]


@pytest.mark.parametrize(
    "group", ["acid.example.org", "zeta.example.org", "gateway.networking.k8s.io"]
)
def test_an_object_of_a_crd_comes_after_its_controller_and_goes_before_it(group: str) -> None:
    """The controller takes the finalizers off; an APIService serves until nothing is left."""
    custom = Kind(f"{group}/v1", "Db", "dbs", namespaced=True)
    accounts = Kind("v1", "ServiceAccount", "serviceaccounts", namespaced=True)
    api = Kind("apiregistration.k8s.io/v1", "APIService", "apiservices", namespaced=False)
    kinds = (NAMESPACE, CRD, accounts, DEPLOYMENT, custom)
    entries = [make_entry(kind.kind, kind) for kind in (api, *kinds)]
    pruned = [entry.name for entry in prune_order(entries)]
    assert [name for name in pruned if name != "APIService"] == [k.kind for k in reversed(kinds)]
    assert pruned.index("Db") < pruned.index("APIService")
    applied = sorted(entries, key=lambda entry: apply_rank(entry.key))
    assert [entry.name for entry in applied] == [*(kind.kind for kind in kinds), "APIService"]


def test_crds_define_kinds() -> None:
    spec = {
        "group": "example.org",
        "names": {"kind": "Widget", "plural": "widgets"},
        "scope": "Namespaced",
        "versions": [{"name": "v1", "served": True}, {"name": "v0", "served": False}],
    }
    defined = defined_kinds(desired(make_desired("w", CRD, spec=spec), make_desired("a")))
    widget = Kind("example.org/v1", "Widget", "widgets", namespaced=True)
    assert defined == {("example.org/v1", "Widget"): widget}


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
def test_a_malformed_crd_defines_nothing(spec: object) -> None:
    assert defined_kinds(desired(make_desired("w", CRD, spec=spec))) == {}


def test_many_empty_sources_are_not_walked_for_each_of_many_objects() -> None:
    wanted = desired(empty_sources=tuple(f"ConfigMap/{number}" for number in range(50_000)))
    began = time.process_time()
    assert not any(why_kept(ENTRY, wanted, {}, SyncPolicy()) for _ in range(50_000))
    assert time.process_time() - began < 20
