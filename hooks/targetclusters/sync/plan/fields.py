"""Decides about fields: which ones differ, are left as the target has them, or were a tool's."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from hooks.http.bounded_json import Json
from hooks.kube.field_paths import Part, field_path
from hooks.kube.kinds import GroupKind
from hooks.kube.objects import items, part
from hooks.names import ANNOTATION_APPLIED_HASH, FIELD_MANAGER, TARGET_CLUSTER_GROUP
from hooks.targetclusters.sync.plan.model import IgnoredFields

#: How many fields of one object are named; the last one then says that there are more.
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
#: The way to a field, as a JSON pointer (RFC 6901) has it.
Path = tuple[str, ...]
#: Such ways by their first key; an empty tree is the field itself.
PointerTree = Mapping[str, "PointerTree"]
#: The managers of client-side apply, whose fields kubectl too moves when it changes to server-side
#: apply (`csaupgrade` in client-go).
CLIENT_SIDE = ("before-first-apply", "kubectl-client-side-apply", "kubectl-create")
#: The managers of tools that a person may take objects from, however they apply.
TOOLS = ("argocd-controller", "helm", "helm-controller", "kubectl", "kustomize-controller")
#: Where client-side apply keeps what it applied.
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


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


def changed_fields(
    before: Json,
    after: Json,
    *,
    known: Json | None = None,
    in_time: Callable[[], object] = lambda: None,
) -> tuple[str, ...]:
    """Name the fields in which two states of one object differ, except for the server's own.

    Where `known` is given, nothing is named but its fields: another is said by what it is in.
    `in_time` is called for each map and list; it raises once no time is left.
    """
    walk = _Walk(in_time)
    paths = (path for path in walk.changed(before, after, ()) if not _is_ignored(path))
    if known is not None:
        find_known = _KnownParts(known)
        paths = (find_known(path) for path in paths)
    named: dict[str, None] = {}
    for path, _ in groupby(paths):
        named[field_path(path) or "another field"] = None
        if len(named) > FIELDS_NAMED:  # the rest may be half a million
            return (*list(named)[: FIELDS_NAMED - 1], "… and more")
    return tuple(named)


class _KnownParts:
    """Finds the beginnings of paths that exist in what is known, each list read once."""

    def __init__(self, known: Json) -> None:
        self._known = known
        self._read_lists: dict[int, Mapping[Part, object]] = {}

    def __call__(self, path: _Path) -> _Path:
        """Return the beginning of a path that is known."""
        known: object = self._known
        for length, key in enumerate(path):
            fields = self._fields(known)
            if key not in fields:
                return path[:length]
            known = fields[key]
        return path

    def _fields(self, known: object) -> Mapping[Part, object]:
        if isinstance(known, list):
            if id(known) not in self._read_lists:
                self._read_lists[id(known)] = by_name(known) or dict(enumerate(known))
            return self._read_lists[id(known)]
        return known if isinstance(known, dict) else {}


def _is_ignored(path: _Path) -> bool:
    """Tell whether a field is not wanted by anybody, or set by the server or the operator."""
    return (
        path[0] in ("apiVersion", "kind", "status")
        or (path[0] == "metadata" and not SERVER_OWNED.isdisjoint(path[1:2]))
        or path == ("metadata", "annotations", ANNOTATION_APPLIED_HASH)
    )


class _Walk:
    """Walks two states of an object, as long as there is time."""

    def __init__(self, in_time: Callable[[], object]) -> None:
        self._in_time = in_time

    def changed(self, before: object, after: object, path: _Path) -> Iterator[_Path]:
        """Find what differs; list items are matched by their name if they all have one."""
        if len(path) > _MAX_DEPTH:
            yield path
        elif isinstance(before, dict) and isinstance(after, dict):
            self._in_time()
            for key in sorted(before.keys() | after.keys()):
                if key not in before or key not in after:
                    yield (*path, key)
                else:
                    yield from self.changed(before[key], after[key], (*path, key))
        elif isinstance(before, list) and isinstance(after, list):
            yield from self._changed_items(before, after, path)
        elif not _equal(before, after):
            yield path

    def _changed_items(
        self, before: list[object], after: list[object], path: _Path
    ) -> Iterator[_Path]:
        old, new = by_name(before), by_name(after)
        if old is None or new is None:
            if len(before) != len(after):
                yield path
                return
            old, new = dict(enumerate(before)), dict(enumerate(after))
        yield from self.changed(old, new, path)
        if list(old) != list(new) and old.keys() == new.keys():
            yield path


def by_name(items: Sequence[object]) -> dict[Part, object] | None:
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


def ignored_paths(ignored: Iterable[IgnoredFields], kind: GroupKind) -> tuple[Path, ...]:
    """Return which fields of a kind are left; never those by which an object is known as ours."""
    pointers = (p for one in ignored if (one.group, one.kind) == kind for p in one.json_pointers)
    paths = (tuple(map(_unescape, pointer[1:].split("/"))) for pointer in pointers)
    return tuple(path for path in paths if not _is_identity(path))


def pointer_tree(paths: Iterable[Path]) -> PointerTree:
    """Return paths as a tree; one below another of them says nothing more."""
    tree: dict[str, Any] = {}
    for path in sorted(paths, key=len):
        node = tree
        for key in path:
            is_left_whole = node.get(key) == {}
            node = node.setdefault(key, {})
            if is_left_whole:
                break
    return tree


def leave(wanted: Any, live: object, tree: PointerTree) -> Any:  # noqa: ANN401 - any JSON value
    """Return what is wanted, with the fields of a tree as `live` has them, or left out.

    Of a list whose items have names, the item that is named so counts, wherever it is.
    """
    if isinstance(wanted, list):
        return _leave_items(wanted, live if isinstance(live, list) else [], tree)
    if not isinstance(wanted, dict):
        return wanted
    fields = live if isinstance(live, dict) else {}
    left = dict(wanted)
    for key in sorted((tree.keys() & wanted.keys()) | (tree.keys() & fields.keys())):
        if below := tree[key]:
            inner = leave(wanted.get(key, {}), fields.get(key), below)
            if inner or key in wanted:
                left[key] = inner
        elif key in fields:
            left[key] = fields[key]
        else:
            del left[key]
    return left


def _leave_items(wanted: list[Any], live: list[Any], tree: PointerTree) -> list[Any]:
    """Return the items of a list, those of the tree as they are on the target, or left out."""
    named = {name: item for item in reversed(live) if (name := _name(item)) is not None}
    left = []
    for index, item in enumerate(wanted):
        if (below := tree.get(str(index))) is None:
            left.append(item)
            continue
        name = _name(item)
        found = [named[name]] if name in named else live[index : index + 1]
        left += [leave(item, next(iter(found), None), below)] if below else found
    return left


def _unescape(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


def _is_identity(path: Path) -> bool:
    if path[0] != "metadata":
        return path[0] in ("apiVersion", "kind")
    is_pair = len(path) > 2 and path[1] in ("labels", "annotations")
    return not is_pair or path[2].startswith(f"{TARGET_CLUSTER_GROUP}/")


def _name(item: object) -> str | None:
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) else None


def without_taken(service: Json, live: Json) -> Json:
    """Return a Service without addresses and node ports that the live one has taken, else as is.

    Only one Service may have them, so under another name they are refused.
    """
    if (service["apiVersion"], service["kind"]) != ("v1", "Service"):
        return service
    wanted, taken = part(service, "spec"), part(live, "spec")
    node_ports = {one.get("nodePort") for one in items(live, "spec", "ports")}
    fields = ("clusterIP", "clusterIPs", "healthCheckNodePort")
    spec = {k: v for k, v in wanted.items() if k not in fields or v != taken.get(k)}
    if isinstance(ports := wanted.get("ports"), list):
        spec["ports"] = [
            {k: v for k, v in one.items() if k != "nodePort" or v not in node_ports}
            if isinstance(one, dict)
            else one
            for one in ports
        ]
    return {**service, "spec": spec}


def move_managers(obj: Json) -> list[Json] | None:
    """Return `managedFields` in which we own what the tool before us set; None if it set nothing.

    Then a field that leaves the source also leaves the object.
    """
    entries = [entry for entry in items(obj, "metadata", "managedFields") if _is_whole(entry)]
    moved = [entry for entry in entries if _is_tools(entry)]
    if not moved:
        return None
    version = moved[0].get("apiVersion")
    ours = [entry for entry in entries if _is_ours(entry)]
    fields: Json = {}
    for entry in (*ours, *moved):
        if entry.get("apiVersion") == version:
            _add_fields(fields, part(entry, "fieldsV1"))
    kept = [entry for entry in entries if not (_is_tools(entry) or _is_ours(entry))]
    new = {"manager": FIELD_MANAGER, "operation": "Apply", "apiVersion": version}
    return [*kept, {**new, "fieldsType": "FieldsV1", "fieldsV1": fields}]


def is_applied(obj: Json, *path: str) -> bool:
    """Tell whether we applied a field, by its path in `fieldsV1`, and nobody has changed it."""
    *above, key = path
    entries = (entry for entry in items(obj, "metadata", "managedFields") if _is_whole(entry))
    return any(_is_ours(entry) and key in part(entry, "fieldsV1", *above) for entry in entries)


def has_applied(obj: Json) -> bool:
    """Tell whether we applied a field that stands, by the managers of its fields."""
    entries = items(obj, "metadata", "managedFields")
    return any(isinstance(entry, dict) and _is_ours(entry) for entry in entries)


def _is_whole(entry: object) -> bool:
    return isinstance(entry, dict) and _is_tree(entry.get("fieldsV1"))


def _is_tree(fields: object) -> bool:
    return isinstance(fields, dict) and all(map(_is_tree, fields.values()))


def _is_tools(entry: Json) -> bool:
    if entry.get("subresource"):
        return False
    is_client_side = entry.get("operation") == "Update" and entry.get("manager") in CLIENT_SIDE
    return is_client_side or entry.get("manager") in TOOLS


def _is_ours(entry: Json) -> bool:
    return (entry.get("manager"), entry.get("operation")) == (FIELD_MANAGER, "Apply")


def _add_fields(fields: Json, others: Json) -> None:
    """Add to a set of fields, a tree whose branches are names of fields, those of another."""
    for key, below in others.items():
        _add_fields(fields.setdefault(key, {}), below)
