from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.targetclusters.sync.plan.fields import ignored_paths, leave, pointer_tree
from hooks.targetclusters.sync.plan.model import DesiredSet, IgnoredFields
from tests.unit.targetclusters.sync.objects import make_desired, resolved


@pytest.mark.parametrize(
    ("wanted", "live", "path", "left"),
    [
        pytest.param({"a": 1, "b": 2}, {"a": 5}, "a", {"a": 5, "b": 2}, id="as it is there"),
        pytest.param({"a": 1, "b": 2}, {}, "a", {"b": 2}, id="not there"),
        pytest.param({"b": 2}, {"a": 5}, "a", {"b": 2, "a": 5}, id="only there"),
        pytest.param({}, {"a": {"b": 5, "c": 6}}, "a b", {"a": {"b": 5}}, id="deep, only there"),
        pytest.param({"x": 1}, {}, "a b", {"x": 1}, id="nowhere"),
        pytest.param({"a": 1}, {"a": {"b": 5}}, "a b", {"a": 1}, id="of another type"),
        pytest.param({"a": {"b": 1}}, {"a": 5}, "a b", {"a": {}}, id="of another type there"),
        pytest.param([1, 2], [5, 6], "1", [1, 6], id="an item"),
        pytest.param([1, 2], [5], "1", [1], id="no such item there"),
        pytest.param([1], [5, 6], "1", [1], id="no such item"),
        pytest.param([{"x": 1}], [{"x": 5}], "0 x", [{"x": 5}], id="in an item"),
        pytest.param(
            [{"name": "a", "x": 1}],
            [{"name": "b", "x": 6}, {"name": "a", "x": 5}],
            "0 x",
            [{"name": "a", "x": 5}],
            id="in the item of that name",
        ),
    ],
)
def test_leaves_a_field_as_it_is_on_the_target(
    wanted: Any, live: Any, path: str, left: object
) -> None:
    assert leave(wanted, live, pointer_tree([tuple(path.split())])) == left


def test_fields_are_ignored_by_group_and_kind_and_never_an_identity() -> None:
    pointers = (
        "/spec/replicas",
        "/metadata/annotations/a~1b~0c",
        "/metadata/annotations/targetcluster.example.com~1owner",
        "/metadata/labels",
        "/metadata/name",
        "/metadata",
        "/kind",
        "/apiVersion",
    )
    ignored = [IgnoredFields(group="apps", kind="Deployment", json_pointers=pointers)]
    assert ignored_paths(ignored, ("apps", "Deployment")) == (
        ("spec", "replicas"),
        ("metadata", "annotations", "a/b~c"),
    )
    assert ignored_paths(ignored, ("", "Deployment")) == ()
    assert ignored_paths(ignored, ("apps", "StatefulSet")) == ()


def test_a_field_that_is_left_whole_is_left_with_all_that_is_in_it() -> None:
    for paths in ([("a",), ("a", "b")], [("a", "b"), ("a",)]):
        assert pointer_tree(paths) == {"a": {}}
    assert pointer_tree([("a", "b"), ("c",), ("a", "d")]) == {"a": {"b": {}, "d": {}}, "c": {}}


class CountedDict(dict[str, object]):
    """A map that counts how often it is read as a whole."""

    reads = 0

    def keys(self):  # type: ignore[no-untyped-def]  # noqa: ANN201 - has no public type
        self.reads += 1
        return super().keys()


def test_a_map_is_read_once_for_all_fields_that_are_left() -> None:
    wanted = CountedDict({f"k{number}": 1 for number in range(100)})
    live = {f"k{number}": 2 for number in range(100)}
    assert leave(wanted, live, pointer_tree((key,) for key in live)) == live
    assert wanted.reads == 1


def test_the_pointers_are_read_once_for_all_objects_of_a_kind() -> None:
    ignored = [IgnoredFields(kind="ConfigMap", json_pointers=("/data/a",))]
    wanted = DesiredSet((make_desired("a"), make_desired("b")))
    found = resolved(wanted, ignored=tuple(ignored))
    first, second = found.objects
    assert first.ignored == {"data": {"a": {}}}
    assert first.ignored is second.ignored


VALUES = st.recursive(
    st.none() | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=8,
)


PATHS = st.lists(st.sampled_from(["a", "b", "0", "1"]), min_size=1, max_size=4).map(tuple)


@given(VALUES, VALUES, st.lists(PATHS, max_size=3))
def test_a_target_may_have_anything_there_and_once_left_is_left(
    wanted: Any, live: object, paths: list[tuple[str, ...]]
) -> None:
    tree = pointer_tree(paths)
    left = leave(wanted, live, tree)
    assert type(left) is type(wanted)
    assert leave(left, left, tree) == left
