import pytest

from tests.controlplane.api import Object
from tests.controlplane.standin import merge, objects


def observed(last: object, **fields: object) -> Object:
    annotations = {merge.LAST_APPLIED: objects.dumped(last)} if last is not None else {}
    metadata = {"name": "x", "uid": "1", "resourceVersion": "7", "annotations": annotations}
    return {"kind": "Part", "metadata": metadata, **fields}


def wanted(**fields: object) -> Object:
    return {"kind": "Part", "metadata": {"name": "x"}, **fields}


@pytest.mark.parametrize(
    ("there", "last", "want", "becomes"),
    [
        pytest.param({"a": 1}, {"a": 1}, {"a": 2}, {"a": 2}, id="changed"),
        pytest.param({"a": 1, "b": 1}, {"a": 1}, {"a": 1}, {"a": 1, "b": 1}, id="theirs is kept"),
        pytest.param({"a": 1, "b": 1}, {"a": 1, "b": 1}, {"a": 1}, {"a": 1}, id="ours is removed"),
        pytest.param({}, {"a": 1}, {"a": 1}, {"a": 1}, id="removed by hand"),
        pytest.param({"a": {"b": 1, "c": 1}}, {"a": {"b": 1}}, {"a": {}}, {"a": {"c": 1}}, id="in"),
        pytest.param({"a": [1, 2]}, {"a": [1]}, {"a": [3]}, {"a": [3]}, id="plain lists replace"),
        pytest.param(
            {"a": [{"name": "x", "v": 1}, {"name": "y"}]},
            {"a": [{"name": "x"}]},
            {"a": [{"name": "z"}, {"name": "x", "w": 1}]},
            {"a": [{"name": "x", "v": 1, "w": 1}, {"name": "y"}, {"name": "z"}]},
            id="lists by name keep theirs and their order",
        ),
        pytest.param(
            {"a": [{"name": "x"}, {"name": "y"}]},
            {"a": [{"name": "x"}, {"name": "y"}]},
            {"a": [{"name": "y"}]},
            {"a": [{"name": "y"}]},
            id="lists by name lose ours",
        ),
        pytest.param(
            {"a": [{"port": 53, "p": "TCP"}, {"port": 53, "p": "UDP"}]},
            {"a": []},
            {"a": [{"port": 53, "p": "TCP"}, {"port": 53, "p": "UDP"}]},
            {"a": [{"port": 53, "p": "UDP"}, {"port": 53, "p": "UDP"}]},
            id="one port twice is the last one twice",
        ),
        pytest.param(
            {"a": [{"name": "x"}]}, {"a": []}, {"a": [{"b": 1}]}, {"a": [{"b": 1}]}, id="no key"
        ),
    ],
)
def test_what_is_wanted_is_merged_into_what_is_there(
    there: object, last: object, want: object, becomes: object
) -> None:
    merged = merge.updated(observed({"spec": last}, spec=there), wanted(spec=want))
    assert merged["spec"] == becomes


def test_nothing_changes_when_all_is_as_wanted() -> None:
    first = merge.with_last_applied(wanted(spec={"a": 1}), wanted(spec={"a": 1}))
    there = objects.with_metadata(first, {"uid": "1", "resourceVersion": "7"})
    assert objects.same(merge.updated(there, wanted(spec={"a": 1})), there)


def test_a_status_is_never_changed() -> None:
    there = observed({"status": {"a": 1}}, status={"a": 1})
    assert merge.updated(there, wanted(status={"a": 2}))["status"] == {"a": 1}
    assert "status" not in merge.updated(observed(None), wanted(status={"a": 2}))


def test_metadata_of_the_api_server_is_never_changed() -> None:
    want = wanted()
    want["metadata"] |= {"uid": "2", "resourceVersion": "8", "generation": 5}
    metadata = merge.updated(observed(None), want)["metadata"]
    assert (metadata["uid"], metadata["resourceVersion"]) == ("1", "7")
    assert "generation" not in metadata


def test_the_last_wish_is_remembered_without_an_older_one() -> None:
    want = merge.with_last_applied(wanted(spec={"a": 1}), {"old": 1})
    merged = merge.updated(observed(None), want)
    noted = objects.annotations(merged)[merge.LAST_APPLIED]
    assert noted == objects.dumped(wanted(spec={"a": 1}))


def test_a_list_where_there_is_an_object_is_an_error() -> None:
    with pytest.raises(merge.MergeError, match=r"^\.spec: list where there is dict$"):
        merge.updated(observed(None, spec={"a": 1}), wanted(spec=[1]))
