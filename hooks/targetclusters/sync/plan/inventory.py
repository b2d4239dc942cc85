"""The inventory: which objects on a target are, were or will be applied by one TargetCluster."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from hooks.http.bounded_json import Json

#: Bytes of entries in one ConfigMap; Kubernetes takes 1 MiB, the rest is for entries that grow.
PART_BYTES = 900_000
#: The key of a ConfigMap's data under which the entries stand, one JSON object a line.
DATA_KEY = "entries.jsonl"
#: What a UID adds to an entry, counted before it is known so that entries stay where they are.
_UID_LENGTH = 36
_MAX_NAME = 253
_PART_NUMBER = re.compile(r"-inventory(?:-([1-9][0-9]{0,2}))?$")

#: A kind in any version: its group, empty for the core group, and its name.
GroupKind = tuple[str, str]


@dataclass(frozen=True, order=True)
class ObjectKey:
    """What makes an object the same object, whatever version it is written in."""

    group: str
    kind: str
    namespace: str
    name: str

    @property
    def group_kind(self) -> GroupKind:
        """Answer the object's kind, whatever the version."""
        return self.group, self.kind

    def __str__(self) -> str:
        kind = f"{self.kind}.{self.group}" if self.group else self.kind
        return f"{kind} {self.namespace}/{self.name}" if self.namespace else f"{kind} {self.name}"


@dataclass(frozen=True)
class InventoryEntry:
    """One object of the target.

    Attributes:
        namespace: empty for cluster-scoped objects.
        uid: as the target gave it; empty until the object has been applied.
        source: where it comes from, such as `ConfigMap/web`; empty where that is not known.
    """

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str = ""
    source: str = ""

    @property
    def key(self) -> ObjectKey:
        """Answer the object's identity."""
        group, slash, _ = self.api_version.partition("/")
        return ObjectKey(group if slash else "", self.kind, self.namespace, self.name)


@dataclass(frozen=True)
class Inventory:
    """The entries, in the ConfigMaps that hold them.

    An entry stays in its ConfigMap: were it moved, then between the writes of two ConfigMaps it
    would stand in neither.

    Attributes:
        parts: the entries of `NAME-inventory`, `NAME-inventory-2` and so on.
        unreadable: what was found there that is no entry, in words.
    """

    parts: tuple[tuple[InventoryEntry, ...], ...] = ()
    unreadable: tuple[str, ...] = ()

    @cached_property
    def by_key(self) -> Mapping[ObjectKey, InventoryEntry]:
        """Answer all entries by their identity."""
        return {entry.key: entry for part in self.parts for entry in part}

    @classmethod
    def of(cls, entries: Iterable[InventoryEntry]) -> "Inventory":
        """Make an inventory of entries that stand nowhere yet."""
        return cls().holding(entries)

    def holding(self, entries: Iterable[InventoryEntry]) -> "Inventory":
        """Answer an inventory of exactly these entries, each left where it stands already."""
        wanted = {entry.key: entry for entry in entries}
        parts: list[list[InventoryEntry]] = []
        sizes: list[int] = []
        for part in self.parts:
            kept: list[InventoryEntry] = []
            size = 0
            for old in part:
                entry = wanted.get(old.key)
                if entry is None or size + _size(entry) > PART_BYTES:
                    continue
                del wanted[old.key]
                kept.append(entry)
                size += _size(entry)
            parts.append(kept)
            sizes.append(size)
        for key in sorted(wanted):
            _put(wanted[key], parts, sizes)
        while parts and not parts[-1]:
            parts.pop()
        return Inventory(tuple(tuple(part) for part in parts))

    @classmethod
    def from_config_maps(cls, config_maps: Iterable[Json]) -> "Inventory":
        """Read the inventory's ConfigMaps, in any order; never raises.

        What cannot be read is told in `unreadable`: the objects concerned are found again on the
        target by their label.
        """
        found: dict[int, tuple[InventoryEntry, ...]] = {}
        unreadable: list[str] = []
        for config_map in config_maps:
            metadata, data = config_map.get("metadata"), config_map.get("data")
            name = str(metadata.get("name")) if isinstance(metadata, dict) else ""
            number = _part_number(name)
            if number is None:
                continue
            text = data.get(DATA_KEY) if isinstance(data, dict) else None
            if not isinstance(text, str):
                unreadable.append(f"ConfigMap {name} has no data {DATA_KEY}")
                text = ""
            entries, bad = _parse(text)
            unreadable += [f"ConfigMap {name}, {DATA_KEY}, line {line}" for line in bad]
            if entries:
                found[number] = entries
        last = max(found, default=0)
        return cls(tuple(found.get(n, ()) for n in range(1, last + 1)), tuple(unreadable))

    def to_config_maps(self, *, name: str, namespace: str) -> list[Json]:
        """Write the ConfigMaps that hold the inventory, at least one.

        Args:
            name: of the TargetCluster.
            namespace: of the TargetCluster.
        """
        return [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": part_name(name, number), "namespace": namespace},
                "data": {DATA_KEY: "".join(_line(entry) for entry in part)},
            }
            for number, part in enumerate(self.parts or ((),), start=1)
        ]


def part_name(cluster: str, number: int) -> str:
    """Name the ConfigMap that holds a part: `NAME-inventory`, `NAME-inventory-2` and so on.

    A name too long for a ConfigMap is cut and told apart by a hash of the whole.
    """
    suffix = "-inventory" if number == 1 else f"-inventory-{number}"
    if len(cluster) + len(suffix) <= _MAX_NAME:
        return cluster + suffix
    digest = hashlib.sha256(cluster.encode()).hexdigest()[:16]
    return f"{cluster[: _MAX_NAME - len(suffix) - 17]}-{digest}{suffix}"


def _part_number(name: str) -> int | None:
    match = _PART_NUMBER.search(name)
    return int(match.group(1) or 1) if match else None


def _put(entry: InventoryEntry, parts: list[list[InventoryEntry]], sizes: list[int]) -> None:
    """Add an entry to the first part that has room, or to a new one."""
    size = _size(entry)
    for number, taken in enumerate(sizes):
        if taken + size <= PART_BYTES:
            parts[number].append(entry)
            sizes[number] += size
            return
    parts.append([entry])
    sizes.append(size)


def _line(entry: InventoryEntry) -> str:
    fields = {
        "apiVersion": entry.api_version,
        "kind": entry.kind,
        "namespace": entry.namespace,
        "name": entry.name,
        "uid": entry.uid,
        "source": entry.source,
    }
    return json.dumps({key: value for key, value in fields.items() if value}) + "\n"


def _size(entry: InventoryEntry) -> int:
    return len(_line(entry if entry.uid else replace(entry, uid="-" * _UID_LENGTH)))


def _parse(text: str) -> tuple[tuple[InventoryEntry, ...], Sequence[int]]:
    """Read lines; answer the entries, and the numbers of the lines that hold none."""
    entries: dict[ObjectKey, InventoryEntry] = {}
    bad: list[int] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        entry = _entry(line)
        if entry is None:
            bad.append(number)
        else:
            entries[entry.key] = entry
    return tuple(entries.values()), bad


def _entry(line: str) -> InventoryEntry | None:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    names = ("apiVersion", "kind", "namespace", "name", "uid", "source")
    values = [fields.get(name, "") for name in names]
    if not all(isinstance(value, str) for value in values):
        return None
    entry = InventoryEntry(*values)
    return entry if entry.api_version and entry.kind and entry.name else None
