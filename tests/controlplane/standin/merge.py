"""Merges what a hook wants of a child into what is there, as `kubectl apply` would.

What the hook wanted last time is kept in an annotation: a field it no longer names is removed, and
one it never named is left alone. Lists of objects that all have one of a few well-known keys are
merged item by item; others are replaced.
"""

import copy
import json
from typing import Any

from tests.controlplane.api import Object
from tests.controlplane.standin import objects
from tests.controlplane.standin.errors import SyncError

LAST_APPLIED = "metacontroller.k8s.io/last-applied-configuration"
LIST_KEYS = ("containerPort", "port", "mountPath", "name", "uid", "ip", "path")
SYSTEM_METADATA = (
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
)


class MergeError(SyncError):
    """What is wanted and what is there cannot be merged: one is a list, the other an object."""


def with_last_applied(obj: Object, wanted: Object) -> Object:
    """Return a copy of an object that remembers what was wanted."""
    noted = {**objects.annotations(obj), LAST_APPLIED: objects.dumped(wanted)}
    return objects.with_metadata(obj, {"annotations": noted})


def updated(observed: Object, wanted: Object) -> Object:
    """Return the child as it should be: equal to `observed` when nothing has to change.

    Metadata that the API server owns, and the whole status, stay as observed.
    """
    wanted = _without_last_applied(wanted)
    noted = objects.annotations(observed).get(LAST_APPLIED)
    last = json.loads(noted) if noted else None
    merged: Object = _merge("", copy.deepcopy(observed), last, copy.deepcopy(wanted))
    for field in SYSTEM_METADATA:
        _revert(merged["metadata"], observed["metadata"], field)
    _revert(merged, observed, "status")
    return with_last_applied(merged, wanted)


def _without_last_applied(obj: Object) -> Object:
    kept = objects.annotations(obj)
    if LAST_APPLIED not in kept:
        return obj
    del kept[LAST_APPLIED]
    return objects.with_metadata(obj, {"annotations": kept})


def _revert(obj: Object, original: Object, field: str) -> None:
    if field in original:
        obj[field] = original[field]
    else:
        obj.pop(field, None)


def _merge(path: str, there: Any, last: Any, wanted: Any) -> Any:
    if isinstance(there, dict):
        last, wanted = (_typed(path, value, dict) for value in (last, wanted))
        return _merge_objects(path, there, last or {}, wanted or {})
    if isinstance(there, list):
        last, wanted = (_typed(path, value, list) for value in (last, wanted))
        key = _list_key(there + (last or []) + (wanted or []))
        if key:
            return _merge_lists(path, key, (there, last or [], wanted or []))
    return wanted


def _merge_objects(path: str, there: Object, last: Object, wanted: Object) -> Object:
    kept = {key: value for key, value in there.items() if key in wanted or key not in last}
    for key, value in wanted.items():
        kept[key] = _merge(f"{path}.{key}", kept.get(key), last.get(key), value)
    return kept


def _merge_lists(path: str, key: str, lists: tuple[list[Any], list[Any], list[Any]]) -> list[Any]:
    """Merge lists as if they were objects with a field for each item.

    Two items with one key become one item twice, the last: what the real one does to a list of
    ports that has both 53/TCP and 53/UDP.
    """
    there, last, wanted = ({str(item[key]): item for item in items} for items in lists)
    merged = _merge_objects(path, there, last, wanted)
    kept = [str(item[key]) for item in lists[0] if str(item[key]) in merged]
    added = dict.fromkeys(str(item[key]) for item in lists[2] if str(item[key]) not in kept)
    return [merged[item] for item in [*kept, *added]]


def _list_key(items: list[Any]) -> str:
    """Return the well-known key that all items of all versions of a list have, if any."""
    if not items or not all(isinstance(item, dict) for item in items):
        return ""
    return next((key for key in LIST_KEYS if all(key in item for item in items)), "")


def _typed(path: str, value: Any, wanted: type) -> Any:
    if value is not None and not isinstance(value, wanted):
        raise MergeError(f"{path}: {type(value).__name__} where there is {wanted.__name__}")
    return value
