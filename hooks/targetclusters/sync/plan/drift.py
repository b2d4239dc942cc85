"""Which fields of a live object are not as they are wanted, named as people write them."""

from collections.abc import Iterator

from hooks.http.bounded_json import Json
from hooks.kube.field_paths import Part, field_path
from hooks.names import ANNOTATION_APPLIED_HASH

#: How many fields of one object are named; the last one then says how many more there are.
FIELDS_NAMED = 20

#: Levels below which two states are taken to differ: an honest target has no more.
_DEEPEST = 200
#: What the API server itself changes in every object that is written.
_SERVER_OWNED = ("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid")


def differs(wanted: Json, live: Json) -> bool:
    """Tell whether a live object may lack something that is wanted.

    False is certain. True may be wrong where the API server writes a value in another way
    (`1000m` as `1`) or adds to a list: then only a server-side dry run tells.
    """
    return next(_lacking(wanted, live), None) is not None


def changed_fields(before: Json, after: Json) -> tuple[str, ...]:
    """Name the fields in which two states of one object differ, but for the server's own."""
    return _named(_changed(_comparable(before), _comparable(after)))


def _comparable(obj: Json) -> Json:
    """Leave out what the server or the operator keeps, and what is no part of what is wanted."""
    rest = {k: v for k, v in obj.items() if k not in {"apiVersion", "kind", "status"}}
    metadata = obj.get("metadata")
    if isinstance(metadata, dict):
        rest["metadata"] = {k: v for k, v in metadata.items() if k not in _SERVER_OWNED}
        annotations = metadata.get("annotations")
        if isinstance(annotations, dict):
            others = {k: v for k, v in annotations.items() if k != ANNOTATION_APPLIED_HASH}
            rest["metadata"]["annotations"] = others
    return rest


def _named(paths: Iterator[tuple[Part, ...]]) -> tuple[str, ...]:
    names = list(dict.fromkeys(map(field_path, paths)))
    if len(names) <= FIELDS_NAMED:
        return tuple(names)
    kept = FIELDS_NAMED - 1
    return (*names[:kept], f"… and {len(names) - kept} more")


def _lacking(wanted: object, live: object, at: tuple[Part, ...] = ()) -> Iterator[tuple[Part, ...]]:
    """Walk what is wanted; maps may hold more than that, lists and values may not."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        for key, value in wanted.items():
            if key in live:
                yield from _lacking(value, live[key], (*at, key))
            elif value is not None:
                yield (*at, key)
    elif isinstance(wanted, list) and isinstance(live, list):
        if len(wanted) != len(live):
            yield at
            return
        for index, (item, other) in enumerate(zip(wanted, live, strict=True)):
            yield from _lacking(item, other, (*at, _position(item, index)))
    elif not _same(wanted, live):
        yield at


def _changed(
    before: object, after: object, at: tuple[Part, ...] = ()
) -> Iterator[tuple[Part, ...]]:
    """Walk two states; items of lists are matched by their name where they all have one."""
    if len(at) > _DEEPEST:
        yield at
    elif isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            if key not in before or key not in after:
                yield (*at, key)
            else:
                yield from _changed(before[key], after[key], (*at, key))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _changed_items(before, after, at)
    elif not _same(before, after):
        yield at


def _changed_items(
    before: list[object], after: list[object], at: tuple[Part, ...]
) -> Iterator[tuple[Part, ...]]:
    one, other = _by_name(before), _by_name(after)
    if one is not None and other is not None:
        yield from _changed(one, other, at)
        if list(one) != list(other) and one.keys() == other.keys():
            yield at
    elif len(before) != len(after):
        yield at
    else:
        for index, (item, new) in enumerate(zip(before, after, strict=True)):
            yield from _changed(item, new, (*at, index))


def _by_name(items: list[object]) -> dict[str, object] | None:
    """Answer list items by their `name`; None where they do not all have one of their own."""
    named: dict[str, object] = {}
    for item in items:
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str) or name in named:
            return None
        named[name] = item
    return named


def _position(item: object, index: int) -> Part:
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) else index


def _same(one: object, other: object) -> bool:
    """Compare as JSON does: true is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)
