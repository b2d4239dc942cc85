import tracemalloc
from collections.abc import Iterator
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.http.bounded_json import Json
from hooks.kube.field_paths import Part, field_path
from hooks.names import ANNOTATION_APPLIED_HASH
from hooks.targetclusters.sync.plan.fields import FIELDS_NAMED, changed_fields, may_differ


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        pytest.param((), "", id="the whole"),
        pytest.param(("data", "color"), "data.color", id="plain keys"),
        pytest.param(("data", "app.yaml"), "data[app.yaml]", id="key with a dot"),
        pytest.param(
            ("metadata", "labels", "example.org/team"),
            "metadata.labels[example.org/team]",
            id="label",
        ),
        pytest.param(("spec", "rules", 0, "host"), "spec.rules[0].host", id="position"),
    ],
)
def test_a_field_is_named_as_people_write_it(parts: tuple[Part, ...], text: str) -> None:
    assert field_path(parts) == text


@pytest.mark.parametrize(
    ("wanted", "live", "expected"),
    [
        pytest.param({"a": "1"}, {"a": "1", "b": "2"}, False, id="more is there"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, False, id="more is there, deeper"),
        pytest.param({"a": None}, {}, False, id="nothing wanted"),
        pytest.param({"a": None}, {"a": 1}, True, id="nothing wanted, something there"),
        pytest.param({"a": "1"}, {}, True, id="gone"),
        pytest.param({"a": "1"}, {"a": "2"}, True, id="another value"),
        pytest.param({"a": 1}, {"a": True}, True, id="true is not 1"),
        pytest.param({"a": 1}, {"a": 1.0}, False, id="a number is a number"),
        pytest.param({"a": {}}, {"a": []}, True, id="another type"),
        pytest.param({"a": [1]}, {"a": [1, 2]}, True, id="longer list"),
        pytest.param({"a": [{"n": 1}]}, {"a": [{"n": 1, "m": 2}]}, False, id="defaults in a list"),
        pytest.param({"a": [{"n": 1}]}, {"a": [{"n": 2}]}, True, id="another item"),
        pytest.param({"cpu": "1000m"}, {"cpu": "1"}, True, id="written in another way"),
    ],
)
def test_tells_whether_something_wanted_may_be_missing(
    wanted: Json, live: Json, expected: bool
) -> None:
    assert may_differ(wanted, live) is expected


@pytest.mark.parametrize(
    ("before", "after", "fields"),
    [
        pytest.param({"data": {"a": "1"}}, {"data": {"a": "1"}}, (), id="the same"),
        pytest.param({"data": {"a": "1"}}, {"data": {"a": "2"}}, ("data.a",), id="changed"),
        pytest.param({"data": {"a": "1"}}, {}, ("data",), id="gone"),
        pytest.param({"data": {}}, {"data": {"a": "1"}}, ("data.a",), id="new"),
        pytest.param({"x": True}, {"x": 1}, ("x",), id="true is not 1"),
        pytest.param({"x": [1, 2]}, {"x": [1, 3]}, ("x[1]",), id="item"),
        pytest.param({"x": [1]}, {"x": [1, 2]}, ("x",), id="longer"),
        pytest.param(
            {"c": [{"name": "a", "image": "1"}, {"name": "b"}]},
            {"c": [{"name": "b"}, {"name": "a", "image": "2"}, {"name": "z"}]},
            ("c.a.image", "c.z"),
            id="items by name",
        ),
        pytest.param(
            {"c": [{"name": "a"}, {"name": "b"}]},
            {"c": [{"name": "b"}, {"name": "a"}]},
            ("c",),
            id="order of named items",
        ),
        pytest.param(
            {"c": [{"name": "a"}, {"name": "a"}]},
            {"c": [{"name": "a"}, {"name": "a", "x": 1}]},
            ("c[1].x",),
            id="names that are not unique",
        ),
        pytest.param(
            {"metadata": {"resourceVersion": "1", "managedFields": [1], "labels": {"a": "b"}}},
            {"metadata": {"resourceVersion": "2", "labels": {"a": "c"}}, "status": {"x": 1}},
            ("metadata.labels.a",),
            id="what the server owns does not count",
        ),
        pytest.param(
            {"metadata": {"annotations": {ANNOTATION_APPLIED_HASH: "1", "a": "b"}}},
            {"metadata": {"annotations": {ANNOTATION_APPLIED_HASH: "2", "a": "b"}}},
            (),
            id="nor does our own hash",
        ),
        pytest.param({"metadata": 5}, {"metadata": {}}, ("metadata",), id="no object at all"),
    ],
)
def test_names_the_fields_that_changed(before: Json, after: Json, fields: tuple[str, ...]) -> None:
    assert changed_fields(before, after) == fields


def test_of_many_fields_the_first_are_named() -> None:
    many = {f"k{number:03}": "1" for number in range(FIELDS_NAMED)}
    assert changed_fields({"data": {}}, {"data": many}) == tuple(f"data.{key}" for key in many)
    fields = changed_fields({"data": {}}, {"data": {**many, "l": "1"}})
    assert len(fields) == FIELDS_NAMED
    assert fields[-2:] == ("data.k018", "… and more")


def test_the_text_of_fields_that_are_not_named_is_not_kept() -> None:
    """Each path has 490 characters of four bytes: all together would take 40 MB."""
    key, after = "😀" * 240, {f"k{number}": 1 for number in range(20_000)}
    tracemalloc.start()
    try:
        changed_fields({"data": {key: {key: {}}}}, {"data": {key: {key: after}}})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


class CountedList(list[object]):
    """A list that counts how often it is read."""

    reads = 0

    def __iter__(self) -> Iterator[object]:
        self.reads += 1
        return super().__iter__()


def test_a_list_of_what_is_known_is_read_once_for_all_fields_that_changed() -> None:
    known = CountedList({"name": f"n{number}"} for number in range(3))
    first = {"name": "n0", **{f"k{number}": 1 for number in range(100)}}
    before, after = {"items": list(known)}, {"items": [first, *known[1:]]}
    known.reads = 0
    assert changed_fields(before, after, known={"items": known}) == ("items.n0",)
    assert known.reads == 1


def test_states_of_any_size_are_walked_only_as_long_as_there_is_time() -> None:
    many: Json = {"items": [{"x": {"y": number}} for number in range(1000)]}
    left = [None] * 100
    with pytest.raises(IndexError):
        changed_fields(many, deepcopy(many), in_time=left.pop)


def test_a_hostile_depth_is_not_followed() -> None:
    before: Json = {"x": 1}
    after: Json = {"x": 2}
    for _ in range(400):
        before, after = {"x": before}, {"x": after}
    assert len(changed_fields(before, after)) == 1


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["name", "a", "b.c", "metadata"]), inner)
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(["metadata", "data", "spec"]), JSON_VALUES)


@given(OBJECTS, OBJECTS)
def test_an_object_is_as_wanted_exactly_where_nothing_would_change(a: Json, b: Json) -> None:
    assert not may_differ(a, a)
    assert changed_fields(a, a) == ()
    assert changed_fields(a, b) == changed_fields(b, a)
    if changed_fields(a, b) == ():
        assert not may_differ(a, b)
