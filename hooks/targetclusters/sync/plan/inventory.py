"""The inventory: which objects a TargetCluster has applied to its target or is about to apply."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import msgspec

from hooks.http.bounded_json import Json
from hooks.kube.objects import part
from hooks.targetclusters.sync.plan.identity import API_VERSION, KIND, is_namespace, name_problem

#: Bytes of entries in one ConfigMap; Kubernetes takes 1 MiB, the rest is for entries that grow.
PART_BYTES = 900_000
#: The key of a ConfigMap's data that holds the entries, one JSON object a line.
DATA_KEY = "entries.jsonl"
#: Counts as the UID of an entry that has none yet, so that entries stay where they are.
_UID_PLACEHOLDER = "-" * 36
_MAX_NAME = 253
_PART_NUMBER = re.compile(r"-inventory(?:-([1-9][0-9]{0,2}))?$")

#: A kind in any version: its group, empty for the core group, and its name.
GroupKind = tuple[str, str]


@dataclass(frozen=True, order=True)
class ObjectKey:
    """The identity of an object, in whatever version it is written."""

    group: str
    kind: str
    namespace: str
    name: str

    @property
    def group_kind(self) -> GroupKind:
        """Return the object's kind, whatever the version."""
        return self.group, self.kind

    def __str__(self) -> str:
        kind = f"{self.kind}.{self.group}" if self.group else self.kind
        return f"{kind} {self.namespace}/{self.name}" if self.namespace else f"{kind} {self.name}"


class InventoryEntry(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One object of the target; as JSON it holds only the fields that are not empty.

    Attributes:
        namespace: empty for cluster-scoped objects.
        uid: as the target gave it; empty until the object has been applied.
        source: where it comes from, such as `ConfigMap/web`; empty if that is not known.
    """

    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    source: str = ""

    @property
    def is_confidential(self) -> bool:
        """Tell whether it is a Secret or comes from one, so no answer about it may be quoted."""
        return self.kind == "Secret" or self.source.startswith("Secret/")

    @property
    def key(self) -> ObjectKey:
        """Return the object's identity."""
        group, slash, _ = self.api_version.partition("/")
        return ObjectKey(group if slash else "", self.kind, self.namespace, self.name)


@dataclass(frozen=True)
class Inventory:
    """The entries, in the ConfigMaps that hold them.

    An entry stays in its ConfigMap. If it moved, it would be in neither of the two between their
    writes.

    Attributes:
        parts: the entries of `NAME-inventory`, `NAME-inventory-2` and so on.
        unreadable: where something in a ConfigMap is not an entry.
    """

    parts: tuple[tuple[InventoryEntry, ...], ...] = ()
    unreadable: tuple[str, ...] = ()

    @cached_property
    def by_key(self) -> Mapping[ObjectKey, InventoryEntry]:
        """Return all entries by their identity."""
        return {entry.key: entry for entries in self.parts for entry in entries}

    def with_entries(self, entries: Iterable[InventoryEntry]) -> "Inventory":
        """Return an inventory of exactly these entries, each in the ConfigMap that holds it."""
        wanted = {entry.key: entry for entry in entries}
        parts = [_Part() for _ in self.parts]
        for new, old in zip(parts, self.parts, strict=True):
            for entry in old:
                if entry.key in wanted and new.add(wanted[entry.key]):
                    del wanted[entry.key]
        for key in sorted(wanted):
            if not any(new.add(wanted[key]) for new in parts):
                parts.append(_Part(wanted[key]))
        while parts and not parts[-1].entries:
            parts.pop()
        return Inventory(tuple(tuple(new.entries) for new in parts))

    @classmethod
    def from_config_maps(cls, config_maps: Iterable[Json]) -> "Inventory":
        """Read the inventory's ConfigMaps, in any order; never raises.

        `unreadable` names what is not an entry: such objects are found again on the target by
        their label.
        """
        found: dict[int, dict[ObjectKey, InventoryEntry]] = {}
        unreadable: list[str] = []
        for config_map in config_maps:
            name = str(part(config_map, "metadata").get("name"))
            if not (match := _PART_NUMBER.search(name)):
                continue
            text = part(config_map, "data").get(DATA_KEY)
            if not isinstance(text, str):
                unreadable.append(f"ConfigMap {name} has no data {DATA_KEY}")
                continue
            for number, line in enumerate(text.split("\n"), start=1):
                if entry := _read_entry(line):
                    found.setdefault(int(match[1] or 1), {})[entry.key] = entry
                elif line.strip():
                    unreadable.append(f"ConfigMap {name}, {DATA_KEY}, line {number}")
        last = max(found, default=0)
        parts = (tuple(found.get(n, {}).values()) for n in range(1, last + 1))
        return cls(tuple(parts), tuple(unreadable))

    def to_config_maps(self, *, name: str, namespace: str) -> list[Json]:
        """Write the ConfigMaps that hold the inventory of a TargetCluster, at least one."""
        return [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": part_name(name, number), "namespace": namespace},
                "data": {DATA_KEY: msgspec.json.Encoder().encode_lines(entries).decode()},
            }
            for number, entries in enumerate(self.parts or ((),), start=1)
        ]


def part_name(cluster: str, number: int) -> str:
    """Name the ConfigMap that holds a part: `NAME-inventory`, `NAME-inventory-2` and so on.

    A name too long for a ConfigMap is cut, and a hash of the whole keeps it unique.
    """
    suffix = "-inventory" if number == 1 else f"-inventory-{number}"
    if len(cluster) + len(suffix) <= _MAX_NAME:
        return cluster + suffix
    digest = hashlib.sha256(cluster.encode()).hexdigest()[:16]
    return f"{cluster[: _MAX_NAME - len(suffix) - 17]}-{digest}{suffix}"


class _Part:
    """A ConfigMap that is being filled."""

    def __init__(self, *entries: InventoryEntry) -> None:
        self.entries = list(entries)
        self._size = sum(map(_size, entries))

    def add(self, entry: InventoryEntry) -> bool:
        """Add an entry; False if there is no room for it."""
        size = self._size + _size(entry)
        if size > PART_BYTES:
            return False
        self.entries.append(entry)
        self._size = size
        return True


def _size(entry: InventoryEntry) -> int:
    counted = entry if entry.uid else msgspec.structs.replace(entry, uid=_UID_PLACEHOLDER)
    return len(msgspec.json.encode(counted)) + 1


#: Made with the module: msgspec finds out about a type at its first use, which is not thread-safe.
_ENTRY = msgspec.json.Decoder(InventoryEntry)


def _read_entry(line: str) -> InventoryEntry | None:
    """Read an entry; None for anything that cannot name an object, whoever wrote it."""
    try:
        entry = _ENTRY.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None
    is_valid = (
        API_VERSION.fullmatch(entry.api_version)
        and KIND.fullmatch(entry.kind)
        and is_namespace(entry.namespace)
        and not name_problem(entry.name)
    )
    return entry if is_valid else None
