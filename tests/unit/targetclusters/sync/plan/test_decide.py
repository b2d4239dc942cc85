from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.http.bounded_json import Json
from hooks.names import (
    ANNOTATION_APPLIED_HASH,
    ANNOTATION_OWNER,
    FIELD_MANAGER,
    LABEL_MEMBER_OF,
)
from hooks.targetclusters.sync.plan.decide import (
    Apply,
    Compare,
    Step,
    Whose,
    decide,
    read_live,
    unusable_field,
)
from hooks.targetclusters.sync.plan.former_sets import LABEL_PART_OF as PART_OF
from hooks.targetclusters.sync.plan.inventory import InventoryEntry
from hooks.targetclusters.sync.plan.model import (
    LiveObject,
    ObjectResult,
    Outcome,
    Owner,
    Switches,
    SyncPolicy,
)
from tests.unit.targetclusters.sync.objects import (
    CLUSTER_ROLE,
    MARK,
    OWNER,
    make_body,
    make_desired,
    make_entry,
    make_live,
    make_wanted,
)

CORRECT = SyncPolicy()
REPORT = SyncPolicy(drift="Report")
OVERWRITE = SyncPolicy(conflict="Overwrite")
WHOSE = Whose(OWNER, frozenset(["uid-of-source"]), {"ours once": "", "of kubectl": "kubectl"})
LEFT = "existed before us; it is left alone"


def result(
    outcome: Outcome, message: str = "", *, uid: str = "", needs_recheck: bool = False
) -> ObjectResult:
    return ObjectResult(make_entry("a", uid=uid), outcome, message, needs_recheck=needs_recheck)


SUSPECT = make_live(may_differ=True)
OLD = make_live(may_differ=True, applied_hash="of what the source said before")


@pytest.mark.parametrize(
    ("live", "uid", "policy", "step"),
    [
        pytest.param(None, "", CORRECT, Apply(), id="not there"),
        pytest.param(None, "", REPORT, Apply(), id="not there, drift reported"),
        pytest.param(None, "uid-1", CORRECT, Apply(), id="deleted on the target"),
        pytest.param(
            None,
            "uid-1",
            REPORT,
            result("drifted", "was deleted on the target; it is not created again", uid="uid-1"),
            id="deleted on the target, drift reported",
        ),
        pytest.param(make_live(), "", CORRECT, result("unchanged", uid="uid-1"), id="as wanted"),
        pytest.param(
            make_live(), "", OVERWRITE, result("unchanged", uid="uid-1"), id="as wanted, overwrite"
        ),
        pytest.param(
            make_live(deleting_since="2026-11-22T02:10:00Z"),
            "",
            CORRECT,
            result(
                "deleting",
                "is being deleted since 2026-11-22T02:10:00Z; it is created again after that",
                needs_recheck=True,
            ),
            id="being deleted",
        ),
        pytest.param(make_live(mark=""), "", CORRECT, result("conflict", LEFT), id="foreign"),
        pytest.param(
            make_live(mark=""),
            "uid-0",
            CORRECT,
            result("conflict", LEFT, uid="uid-0"),
            id="made by others",
        ),
        pytest.param(
            make_live(mark="hub-2/fleet/web:ConfigMap/shop/a"),
            "uid-1",
            OVERWRITE,
            result("conflict", "belongs to hub-2/fleet/web; it is left alone", uid="uid-1"),
            id="another owner's, overwrite",
        ),
        pytest.param(
            make_live(mark="helm"),
            "uid-1",
            CORRECT,
            result("conflict", "belongs to helm; it is left alone", uid="uid-1"),
            id="handed over",
        ),
        *[
            pytest.param(
                make_live(mark=OWNER.mark(place)), "", CORRECT, result("conflict", LEFT), id=title
            )
            for title, place in (
                ("a copy", "ConfigMap/shop/b"),
                ("a copy of another kind", "Secret/shop/a"),
                ("a copy of another group", "ConfigMap.example.org/shop/a"),
                ("a copy of another namespace", "ConfigMap/shop-2/a"),
                ("a copy of an earlier build's", "shop/a"),
            )
        ],
        *[
            pytest.param(live, uid, CORRECT, result("unchanged", uid="uid-1"), id=title)
            for title, live, uid in (
                (
                    "of an earlier build, which wrote it",
                    make_live(mark=OWNER.mark("shop/a"), mark_is_applied=True),
                    "",
                ),
                (
                    "of an earlier build, recorded",
                    make_live(mark=OWNER.mark("shop/a"), has_applied=True),
                    "uid-1",
                ),
            )
        ],
        pytest.param(
            make_live(mark="hub-2/fleet/web:shop/a"),
            "",
            OVERWRITE,
            result("conflict", "belongs to hub-2/fleet/web; it is left alone"),
            id="another owner's of an earlier build, overwrite",
        ),
        pytest.param(
            make_live(uid="uid-of-source"),
            "",
            OVERWRITE,
            result("conflict", "is itself a source; it is left alone"),
            id="a source",
        ),
        pytest.param(
            make_live(mark="", part_of="of kubectl"),
            "uid-1",
            CORRECT,
            result("conflict", "belongs to kubectl; it is left alone", uid="uid-1"),
            id="of a former set that kubectl took over",
        ),
        pytest.param(
            make_live(mark=""),
            "",
            OVERWRITE,
            Apply(make_live(mark=""), force=True, takes_over=True),
            id="foreign, overwrite",
        ),
        pytest.param(
            make_live(mark="", has_applied=True, may_differ=True),
            "uid-1",
            CORRECT,
            Compare(make_live(mark="", has_applied=True, may_differ=True), corrects=True),
            id="ours without its mark",
        ),
        pytest.param(
            make_live(mark=""),
            "uid-1",
            CORRECT,
            result("conflict", LEFT, uid="uid-1"),
            id="listed alone, and never applied",
        ),
        pytest.param(SUSPECT, "", CORRECT, Compare(SUSPECT, corrects=True), id="edited"),
        pytest.param(
            SUSPECT, "", REPORT, Compare(SUSPECT, corrects=False), id="edited, drift reported"
        ),
        pytest.param(OLD, "", CORRECT, Apply(OLD, force=True), id="source changed"),
        pytest.param(OLD, "", REPORT, Apply(OLD, force=False), id="source changed, drift reported"),
        pytest.param(
            make_live(may_differ=True, applied_hash=""),
            "",
            REPORT,
            Compare(make_live(may_differ=True, applied_hash=""), corrects=False),
            id="hash taken off, drift reported",
        ),
    ],
)
def test_decides(live: LiveObject | None, uid: str, policy: SyncPolicy, step: Step) -> None:
    assert decide(make_wanted(uid=uid), live, policy=policy, whose=WHOSE) == step


@pytest.mark.parametrize(
    ("live", "policy", "switches", "step"),
    [
        pytest.param(SUSPECT, CORRECT, Switches(drift="Report"), Compare(SUSPECT, False), id="r"),
        pytest.param(SUSPECT, REPORT, Switches(drift="Correct"), Compare(SUSPECT, True), id="c"),
        pytest.param(None, REPORT, Switches(drift="Correct"), Apply(), id="gone, corrected"),
        pytest.param(None, REPORT, Switches(replace="true"), Apply(), id="gone, replaced"),
    ],
)
def test_a_switch_of_an_object_decides_before_the_policy(
    live: LiveObject | None, policy: SyncPolicy, switches: Switches, step: Step
) -> None:
    wanted = replace(make_wanted(uid="uid-1"), switches=switches)
    assert decide(wanted, live, policy=policy, whose=WHOSE) == step


def test_an_object_of_a_former_set_of_ours_is_ours() -> None:
    live = make_live(mark="", part_of="ours once", may_differ=True, applied_hash="old")
    step = decide(make_wanted(), live, policy=CORRECT, whose=WHOSE)
    assert step == Apply(live, force=True)


@pytest.mark.parametrize(
    ("former", "taken"),
    [("hub-2/fleet/web", True), ("hub-3/fleet/web", False), ("", False)],
)
def test_another_owners_is_taken_over_where_its_source_names_that_owner(
    former: str, taken: bool
) -> None:
    live = make_live(mark="hub-2/fleet/web:ConfigMap/shop/a")
    wanted = replace(make_wanted(), switches=Switches(takeover_from=former))
    step = decide(wanted, live, policy=OVERWRITE, whose=WHOSE)
    assert (step == Apply(live, force=True, takes_over=True)) is taken
    assert isinstance(decide(wanted, live, policy=CORRECT, whose=WHOSE), ObjectResult)


def test_what_is_applied_carries_namespace_mark_and_hash() -> None:
    wanted = make_wanted(make_desired(metadata={"namespace": "else", "labels": {"a": "b"}}))
    assert wanted.body["metadata"] == {
        "name": "a",
        "namespace": "shop",
        "labels": {"a": "b", LABEL_MEMBER_OF: OWNER.member},
        "annotations": {ANNOTATION_OWNER: MARK, ANNOTATION_APPLIED_HASH: wanted.digest},
    }
    assert wanted.path == "/api/v1/namespaces/shop/configmaps/a"


def test_a_cluster_scoped_object_has_no_namespace() -> None:
    wanted = make_wanted(make_desired("reader:all", CLUSTER_ROLE, metadata={"namespace": "shop"}))
    assert "namespace" not in wanted.body["metadata"]
    assert wanted.path == "/apis/rbac.authorization.k8s.io/v1/clusterroles/reader%3Aall"


def test_the_hash_changes_with_what_is_wanted_and_with_nothing_else() -> None:
    digest = make_wanted(make_desired(data={"a": "1", "b": "2"})).digest
    assert make_wanted(make_desired(data={"b": "2", "a": "1"}), uid="u").digest == digest
    assert make_wanted(make_desired(data={"a": "1", "b": "3"})).digest != digest


def test_no_value_is_shown_by_accident() -> None:
    wanted = make_wanted(make_desired(data={"password": "hunter2"}))
    shown = repr((make_desired(data={"password": "hunter2"}), wanted))
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    ("change", "otherwise"),
    [
        pytest.param({}, (), id="as it was applied"),
        pytest.param({"data": {"color": "red", "more": "x"}}, (), id="more than wanted"),
        pytest.param({"data": {"color": "blue"}}, ('data.color to "blue"',), id="edited"),
        pytest.param({"data": {}}, ("data.color to nothing",), id="emptied"),
    ],
)
def test_sees_whether_an_item_of_a_list_may_lack_something(
    change: Json, otherwise: tuple[str, ...]
) -> None:
    wanted = make_wanted()
    metadata = {**wanted.body["metadata"], "uid": "u", "resourceVersion": "1"}
    item = {"metadata": metadata, "data": {"color": "red"}, **change}
    live = read_live(item, wanted)
    known = LiveObject("u", "1", MARK, applied_hash=wanted.digest)
    assert live == replace(known, may_differ=bool(otherwise), set_otherwise=otherwise)


def test_sees_deletion_and_what_it_waits_for() -> None:
    since, held = "2026-11-22T02:10:00Z", ["example.org/wait"]
    metadata: dict[str, Any] = {"uid": "u", "resourceVersion": "1"}
    metadata |= {"deletionTimestamp": since, "finalizers": held}
    live = read_live(make_body(metadata=metadata))
    assert live == LiveObject("u", "1", deleting_since=since, finalizers=tuple(held))


@pytest.mark.parametrize("field", ["uid", "resourceVersion"])
@pytest.mark.parametrize("value", ["u" * 129, "", "u\n", "u\x1b[31m", "u v", "\u00fc", None, 7, {}])
def test_an_answer_whose_identity_is_no_short_word_is_no_object(field: str, value: object) -> None:
    obj = make_body(metadata={"uid": "u" * 128, "resourceVersion": "1" * 128})
    assert read_live(obj) is not None
    obj["metadata"][field] = value
    assert read_live(obj) is None
    assert unusable_field(obj) == f"metadata.{field}"


@pytest.mark.parametrize("mark", ["m" * 2**20, MARK + "x" * 2**20, f"{OWNER}:" + "x" * 2**20])
def test_a_mark_longer_than_any_of_ours_is_cut_and_somebody_elses(mark: str) -> None:
    huge = {ANNOTATION_OWNER: mark, ANNOTATION_APPLIED_HASH: mark}
    metadata = {"uid": "u", "resourceVersion": "1", "annotations": huge, "labels": {PART_OF: mark}}
    live = read_live(make_body(metadata=metadata))
    assert live is not None
    assert len(repr(live)) < 2_000
    assert WHOSE.stranger(make_entry("a", uid="u"), live).startswith("belongs to ")


def test_the_longest_mark_of_ours_is_ours() -> None:
    owner = Owner("h" * 63, f"{'n' * 63}/{'c' * 253}")
    entry = InventoryEntry(f"{'g' * 253}/v1", "K" * 63, "n" * 63, "a" * 253)
    marked = {ANNOTATION_OWNER: owner.mark(entry.key.mark_text)}
    metadata = {"uid": "u", "resourceVersion": "1", "annotations": marked}
    live = read_live(make_body(metadata=metadata))
    assert live is not None
    assert not Whose(owner).stranger(entry, live)


@pytest.mark.parametrize(
    ("manager", "operation", "ours"),
    [
        (FIELD_MANAGER, "Apply", True),
        (FIELD_MANAGER, "Update", False),
        ("kubectl", "Apply", False),
    ],
)
def test_who_wrote_a_mark_is_told_by_the_manager_of_its_field(
    manager: str, operation: str, ours: bool
) -> None:
    fields: Json = {"f:metadata": {"f:annotations": {f"f:{ANNOTATION_OWNER}": {}}}}
    managed = [{"manager": manager, "operation": operation, "fieldsV1": fields}]
    metadata = {"uid": "u", "resourceVersion": "1", "managedFields": managed}
    live = read_live(make_body(metadata=metadata))
    assert live is not None
    assert live.mark_is_applied is ours


JSON_VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["metadata", "labels", "annotations", "uid", "resourceVersion", "data"]
            ),
            inner,
        )
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["metadata", "data"]), JSON_VALUES))
def test_a_target_may_answer_anything(obj: Json) -> None:
    live = read_live(obj, make_wanted())
    assert live is None or live.may_differ
