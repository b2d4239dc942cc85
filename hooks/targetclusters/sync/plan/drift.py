"""Compares objects: whether a live one may lack what is wanted, and which fields two differ in."""

from collections.abc import Iterator

from hooks.http.bounded_json import Json
from hooks.kube.field_paths import Part, field_path
from hooks.names import ANNOTATION_APPLIED_HASH

#: How many fields of one object are named; the last one then says how many more there are.
FIELDS_NAMED = 20

#: Metadata that only the API server of an object sets.
SERVER_OWNED = frozenset(
    (
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    )
)
#: Two states that are nested deeper count as different: an honest target has no more levels.
_MAX_DEPTH = 200
_Path = tuple[Part, ...]


def may_differ(wanted: object, live: object) -> bool:
    """Tell whether a live object may lack something that is wanted.

    Maps may hold more than is wanted; lists and values may not. False is certain. True may be wrong
    if the API server writes a value in another form (`1000m` as `1`) or adds to a list: then only
    a server-side dry run tells.
    """
    if isinstance(wanted, dict) and isinstance(live, dict):
        return any(
            may_differ(value, live[key]) if key in live else value is not None
            for key, value in wanted.items()
        )
    if isinstance(wanted, list) and isinstance(live, list):
        return len(wanted) != len(live) or any(map(may_differ, wanted, live))
    return not _equal(wanted, live)


def changed_fields(before: Json, after: Json, *, known: Json | None = None) -> tuple[str, ...]:
    """Name the fields in which two states of one object differ, except for the server's own.

    Where `known` is given, nothing is named but its fields: another is said by what it is in.
    """
    paths = (path for path in _changed(before, after, ()) if not _is_ignored(path))
    if known is not None:
        paths = (_known_part(path, known) for path in paths)
    names = list(dict.fromkeys(field_path(path) or "another field" for path in paths))
    if len(names) <= FIELDS_NAMED:
        return tuple(names)
    kept = FIELDS_NAMED - 1
    return (*names[:kept], f"… and {len(names) - kept} more")


def _known_part(path: _Path, known: object) -> _Path:
    """Return the beginning of a path that exists in what is known."""
    for length, key in enumerate(path):
        if isinstance(known, list):
            known = _by_name(known) or dict(enumerate(known))
        if not isinstance(known, dict) or key not in known:
            return path[:length]
        known = known[key]
    return path


def _is_ignored(path: _Path) -> bool:
    """Tell whether a field is not wanted by anybody, or set by the server or the operator."""
    return (
        path[0] in ("apiVersion", "kind", "status")
        or (path[0] == "metadata" and not SERVER_OWNED.isdisjoint(path[1:2]))
        or path == ("metadata", "annotations", ANNOTATION_APPLIED_HASH)
    )


def _changed(before: object, after: object, path: _Path) -> Iterator[_Path]:
    """Walk two states; list items are matched by their name if they all have one."""
    if len(path) > _MAX_DEPTH:
        yield path
    elif isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            if key not in before or key not in after:
                yield (*path, key)
            else:
                yield from _changed(before[key], after[key], (*path, key))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _changed_items(before, after, path)
    elif not _equal(before, after):
        yield path


def _changed_items(before: list[object], after: list[object], path: _Path) -> Iterator[_Path]:
    old, new = _by_name(before), _by_name(after)
    if old is None or new is None:
        if len(before) != len(after):
            yield path
            return
        old, new = dict(enumerate(before)), dict(enumerate(after))
    yield from _changed(old, new, path)
    if list(old) != list(new) and old.keys() == new.keys():
        yield path


def _by_name(items: list[object]) -> dict[Part, object] | None:
    """Return list items by their `name`; None unless each has one of its own."""
    named: dict[Part, object] = {}
    for item in items:
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str) or name in named:
            return None
        named[name] = item
    return named


def _equal(one: object, other: object) -> bool:
    """Compare as JSON does: true is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)
