"""Fields that are left as the target has them: what is there takes the place of what is wanted."""

from collections.abc import Iterable, Sequence
from typing import Any

from hooks.names import TARGET_CLUSTER_GROUP
from hooks.targetclusters.sync.plan.inventory import GroupKind
from hooks.targetclusters.sync.plan.model import IgnoredFields

#: The way to a field, as a JSON pointer (RFC 6901) has it.
Path = tuple[str, ...]


def ignored_paths(ignored: Iterable[IgnoredFields], kind: GroupKind) -> tuple[Path, ...]:
    """Return which fields of a kind are left; never those by which an object is known as ours."""
    pointers = (p for one in ignored if (one.group, one.kind) == kind for p in one.json_pointers)
    paths = (tuple(map(_unescape, pointer[1:].split("/"))) for pointer in pointers)
    return tuple(path for path in paths if not _is_identity(path))


def leave(wanted: Any, live: object, path: Sequence[str]) -> Any:  # noqa: ANN401 - any JSON value
    """Return what is wanted, with the field at a path as `live` has it, or left out.

    Of a list whose items have names, the item that is named so counts, wherever it is.
    """
    key, *rest = path
    if isinstance(wanted, list):
        index = int(key) if key.isdecimal() and int(key) < len(wanted) else None
        if index is None:
            return wanted
        items = live if isinstance(live, list) else []
        there = [item for item in items if _name(item) == _name(wanted[index]) is not None]
        found = there or items[index : index + 1]
        if not rest:
            return [*wanted[:index], *found[:1], *wanted[index + 1 :]]
        inner = leave(wanted[index], next(iter(found), None), rest)
        return [*wanted[:index], inner, *wanted[index + 1 :]]
    if not isinstance(wanted, dict):
        return wanted
    fields = live if isinstance(live, dict) else {}
    kept = {name: value for name, value in wanted.items() if name != key}
    if not rest:
        return {**kept, key: fields[key]} if key in fields else kept
    inner = leave(wanted.get(key, {}), fields.get(key), rest)
    return {**wanted, key: inner} if inner or key in wanted else wanted


def _unescape(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


def _is_identity(path: Path) -> bool:
    if path[0] != "metadata":
        return path[0] in ("apiVersion", "kind")
    is_pair = len(path) > 2 and path[1] in ("labels", "annotations")
    return not is_pair or path[2].startswith(f"{TARGET_CLUSTER_GROUP}/")


def _name(item: object) -> object:
    return item.get("name") if isinstance(item, dict) else None
