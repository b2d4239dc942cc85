import pytest

from hooks.http.bounded_json import Json
from hooks.kube import objects

BARE: Json = {"kind": "Node", "metadata": {"name": "node-1"}, "status": None}
ODD: Json = {
    "metadata": {"labels": ["a"], "annotations": "b", "finalizers": {}},
    "status": {"address": 5, "rules": "none", "conditions": [None, "Ready", {"type": 5}]},
}
READY: Json = {"type": "Ready", "status": "True"}
STALLED: Json = {"type": "Stalled", "status": "False"}
FULL: Json = {
    "metadata": {
        "labels": {"pool": "edge"},
        "annotations": {"kept": "", "cleared": None},
        "finalizers": ["example.com/one"],
        "deletionTimestamp": "2026-03-01T10:00:00Z",
    },
    "spec": {"template": {"ports": [1, 2]}},
    "status": {"conditions": [READY, STALLED]},
}


def test_the_part_at_a_path_is_read() -> None:
    assert objects.part(FULL, "spec", "template") == {"ports": [1, 2]}
    assert objects.items(FULL, "spec", "template", "ports") == [1, 2]
    assert objects.labels(FULL) == {"pool": "edge"}
    assert objects.annotations(FULL) == {"kept": ""}
    assert objects.finalizers(FULL) == ("example.com/one",)
    assert objects.is_deleting(FULL)
    assert objects.find_condition(FULL, "Stalled") is STALLED
    assert objects.is_true(FULL, "Ready")
    assert not objects.is_true(FULL, "Stalled")


@pytest.mark.parametrize(
    "obj", [BARE, {}, {"metadata": None}, ODD], ids=["bare", "empty", "null", "other types"]
)
def test_what_is_missing_or_of_another_type_reads_as_empty(obj: Json) -> None:
    assert objects.part(obj, "status", "address") == {}
    assert objects.items(obj, "status", "rules") == []
    assert objects.labels(obj) == {}
    assert objects.annotations(obj) == {}
    assert objects.finalizers(obj) == ()
    assert not objects.is_deleting(obj)
    assert objects.find_condition(obj, "Ready") == {}
    assert not objects.is_true(obj, "Ready")
