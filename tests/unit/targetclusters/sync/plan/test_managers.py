import time

import pytest

from hooks.http.bounded_json import Json
from hooks.names import FIELD_MANAGER
from hooks.targetclusters.sync.plan.fields import TOOLS, move_managers


def entry(manager: str, fields: Json | None = None, operation: str = "Update") -> Json:
    owned = {"manager": manager, "operation": operation, "apiVersion": "v1"}
    return {**owned, "fieldsType": "FieldsV1", "fieldsV1": fields or {}}


def moved(*entries: Json) -> list[Json] | None:
    return move_managers({"metadata": {"managedFields": list(entries)}})


@pytest.mark.parametrize(
    "manager", ["kubectl-client-side-apply", "kubectl-create", "before-first-apply"]
)
def test_what_client_side_apply_set_becomes_ours(manager: str) -> None:
    other = entry("autoscaler", {"f:spec": {"f:replicas": {}}})
    before = entry(manager, {"f:data": {"f:a": {}}})
    ours = entry(FIELD_MANAGER, {"f:data": {"f:a": {}}}, "Apply")
    assert moved(before, other) == [other, ours]


@pytest.mark.parametrize("operation", ["Update", "Apply"])
@pytest.mark.parametrize("tool", TOOLS)
def test_what_a_tool_applied_becomes_ours(tool: str, operation: str) -> None:
    other = entry("cainjector", {"f:data": {"f:ca": {}}}, "Apply")
    before = entry(tool, {"f:data": {"f:a": {}}}, operation)
    status = {**entry(tool, {"f:status": {}}, operation), "subresource": "status"}
    ours = entry(FIELD_MANAGER, {"f:data": {"f:a": {}}}, "Apply")
    assert moved(before, other, status) == [other, status, ours]


def test_fields_of_several_managers_and_ours_are_united() -> None:
    one = entry("kubectl-create", {"f:data": {".": {}, "f:a": {}}})
    two = entry("kubectl-client-side-apply", {"f:data": {"f:b": {}}})
    ours = entry(FIELD_MANAGER, {"f:metadata": {"f:labels": {}}}, "Apply")
    fields: Json = {"f:data": {".": {}, "f:a": {}, "f:b": {}}, "f:metadata": {"f:labels": {}}}
    assert moved(one, two, ours) == [entry(FIELD_MANAGER, fields, "Apply")]


@pytest.mark.parametrize("fields", [{"f:data": 1}, {"f:data": {"f:a": []}}, {"f:data": None}])
def test_fields_that_are_no_tree_of_maps_count_as_none(fields: Json) -> None:
    broken = entry("kubectl-create", fields)
    good = entry("kubectl-client-side-apply", {"f:data": {"f:b": {}}})
    ours = entry(FIELD_MANAGER, {"f:data": {"f:b": {}}}, "Apply")
    assert moved(broken, good) == [ours]
    assert moved(good, entry(FIELD_MANAGER, fields, "Apply")) == [ours]
    assert moved(broken, broken) is None


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [entry("autoscaler")],
        [entry("kubectl-create", operation="Apply")],
        [{**entry("kubectl-create"), "subresource": "status"}],
        [None, 5, {"manager": "kubectl-create", "operation": "Update"}],
    ],
)
def test_where_client_side_apply_set_nothing_nothing_moves(entries: list[Json]) -> None:
    assert moved(*entries) is None
    assert move_managers({}) is None


def test_a_target_makes_the_fields_of_managers_cost_no_more_than_they_are_many() -> None:
    tools = [entry("helm", {f"f:{number}": {}}) for number in range(50_000)]
    others = [entry("autoscaler", {f"f:{number}": {}}) for number in range(50_000)]
    began = time.process_time()
    found = moved(*tools, *others)
    assert time.process_time() - began < 20
    assert found is not None
    assert len(found) == 50_001
    assert len(found[-1]["fieldsV1"]) == 50_000
