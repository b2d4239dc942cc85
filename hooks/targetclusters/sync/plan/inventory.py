"""The inventory: which objects a TargetCluster has applied to its target or is about to apply."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field, replace
from itertools import accumulate
from typing import Annotated

import msgspec

from hooks.http.bounded_json import Json
from hooks.kube.identity import ClusterIdentity
from hooks.kube.kinds import GroupKind
from hooks.kube.objects import part
from hooks.kube.patterns import API_VERSION, DNS_LABEL, KIND, MAX_NAME, name_problem
from hooks.lazy import lazy

#: Bytes up to which a ConfigMap takes new entries, as a request of Metacontroller holds them.
PART_BYTES = 900_000
#: Bytes up to which entries that grow stay in their ConfigMap; Kubernetes takes 1 MiB.
GROWN_BYTES = 1_040_000
#: ConfigMaps of one inventory. All that are set aside together have twice as many, so that a
#: cluster's copy and the one that the kubeconfig leads back to fit. One request holds them all.
MAX_PARTS = 5
#: The key of a ConfigMap's data that holds the entries, one JSON object a line.
DATA_KEY = "entries.jsonl"
#: The keys of a ConfigMap's data that say which cluster the objects are on: uid, ca and place.
_CLUSTER = ("clusterUID", "clusterCA", "clusterPlace")
_CLAIMED = (
    "the cluster says that it is {}, which had another authority or server when the kubeconfig led "
    "to it. If it is, remove clusterCA and clusterPlace from ConfigMap {}, and that counts again; "
    "if not, correct the kubeconfig. Nothing is written there meanwhile"
)
#: Lines that are read of a ConfigMap, more than it can hold entries, and how many are named that
#: are none: whoever may edit it can make it long.
MAX_LINES = 20_000
_NAMED_LINES = 20
#: Counts as the UID of an entry that has none yet, so that entries stay where they are.
_UID_PLACEHOLDER = "-" * 36
_PART = re.compile(r"-inventory(?:-of-([0-9a-f]{8}))?(?:-([1-9][0-9]{0,2}))?$")


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
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self._kind} {where}{self.name}"

    @property
    def _kind(self) -> str:
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def mark_text(self) -> str:
        """Return kind, namespace and name as an object's mark has them."""
        return f"{self._kind}/{self.namespace}/{self.name}"

    @property
    def former_mark_text(self) -> str:
        """Return what the mark of an earlier build has: no kind."""
        return f"{self.namespace}/{self.name}"


class InventoryEntry(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One object of the target; as JSON it holds only the fields that are not empty.

    Attributes:
        namespace: empty for cluster-scoped objects.
        uid: as the target gave it; empty until the object has been applied.
        source: where it comes from, such as `ConfigMap/web`; empty if that is not known.
        kept: it stays on the target when it leaves its source.
        applied: the hash of what was applied, of a Job that goes by itself when it has finished.
    """

    api_version: Annotated[str, msgspec.Meta(pattern=rf"^{API_VERSION.pattern}\Z")]
    kind: Annotated[str, msgspec.Meta(pattern=rf"^{KIND.pattern}\Z")]
    namespace: Annotated[str, msgspec.Meta(pattern=rf"^({DNS_LABEL.pattern})?\Z")] = ""
    name: str = ""
    uid: str = ""
    source: str = ""
    kept: bool = False
    applied: str = ""

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
        cluster: the cluster that the objects are on; empty if that was never known.
        set_aside: inventories of clusters that the kubeconfig led to before.
    """

    parts: tuple[tuple[InventoryEntry, ...], ...] = ()
    unreadable: tuple[str, ...] = ()
    cluster: ClusterIdentity = field(default_factory=ClusterIdentity)
    set_aside: tuple["Inventory", ...] = ()

    @lazy
    def by_key(self) -> Mapping[ObjectKey, InventoryEntry]:
        """Return all entries by their identity."""
        return {entry.key: entry for entries in self.parts for entry in entries}

    def with_entries(self, entries: Iterable[InventoryEntry]) -> "Inventory":
        """Return an inventory of exactly these entries, each in the ConfigMap that holds it.

        New ones for which no ConfigMap has room are left out once there are MAX_PARTS.
        """
        wanted = {entry.key: entry for entry in entries}
        parts = [_Part() for _ in self.parts]
        for new, old in zip(parts, self.parts, strict=True):
            for entry in old:
                if entry.key in wanted and new.add(wanted[entry.key], room=GROWN_BYTES):
                    del wanted[entry.key]
        for key in sorted(wanted):
            if any(new.add(wanted[key]) for new in parts):
                continue
            if len(parts) < MAX_PARTS or key in self.by_key:
                parts.append(_Part(wanted[key]))
        while parts and not parts[-1].entries:
            parts.pop()
        return replace(self, parts=tuple(tuple(new.entries) for new in parts), unreadable=())

    def on(self, cluster: ClusterIdentity) -> "Inventory":
        """Return the next inventory towards one of the objects on this cluster; else the same.

        Entries of another cluster are first copied to an inventory set aside, and leave this one
        when the request shows the copy: ConfigMaps are written one after the other, and a
        process may die between any two. So `cluster` of the result may still be the former one.
        What was set aside of this cluster, while it did not say which it is, joins the rest.

        The oldest that are set aside are dropped once all of them have more than twice MAX_PARTS
        ConfigMaps: a target can say at each look that it is another cluster. The one of the
        present cluster is dropped last.
        """
        here, kept = self.cluster, {one.cluster.key: one for one in self.set_aside}
        if here.same_as(cluster) is not False:
            kept.pop(here.key, None)
            here = cluster.completed_by(here)
            back = kept.pop(here.key, Inventory())
            moved = replace(self, cluster=here, set_aside=tuple(kept.values()))
            lacking = [one for key, one in back.by_key.items() if key not in self.by_key]
            return moved.with_entries([*self.by_key.values(), *lacking]) if lacking else moved
        own = Inventory(self.parts, cluster=here)
        if self.by_key and kept.get(here.key) != own:
            older = [one for key, one in kept.items() if key != here.key]
            return replace(self, set_aside=(*_newest(older, own, cluster), own))
        back = next((one for one in self.set_aside if one.cluster.same_as(cluster)), Inventory())
        here = cluster.completed_by(back.cluster)
        return Inventory(back.parts, cluster=here, set_aside=self.set_aside)

    def false_claim(self, cluster: ClusterIdentity, name: str) -> str:
        """Say which inventory set aside has this cluster's UID and nothing else; empty for none.

        A server can say any UID. `name` is the TargetCluster's.
        """
        is_known = self.cluster.uid != "" and self.cluster.same_as(cluster) is not False
        for one in () if is_known else self.set_aside:
            if one.cluster.same_as(cluster) and not one.cluster.is_confirmed_by(cluster):
                return _CLAIMED.format(one.cluster, one.name_set_aside(name))
        return ""

    @classmethod
    def from_config_maps(cls, config_maps: Iterable[Json]) -> "Inventory":
        """Read the inventory's ConfigMaps, in any order; never raises.

        Those set aside are sorted by the time since when, the oldest first.
        """
        listed: dict[str, dict[int, Json]] = {"": {}}
        for config_map in config_maps:
            if match := _PART.search(str(part(config_map, "metadata").get("name"))):
                listed.setdefault(match[1] or "", {})[int(match[2] or 1)] = config_map
        own, *aside = (_read(listed[of]) for of in sorted(listed, key=lambda of: _age(of, listed)))
        return replace(own, set_aside=tuple(one for one in aside if one.parts))

    def to_config_maps(self, *, name: str, namespace: str) -> list[Json]:
        """Write the ConfigMaps that hold the inventory of a TargetCluster, at least one."""
        named = {"": self, **{f"-of-{_short(one.cluster)}": one for one in self.set_aside}}
        return [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": part_name(name, number, of), "namespace": namespace},
                "data": {
                    DATA_KEY: msgspec.json.Encoder().encode_lines(entries).decode(),
                    **{k: v for k, v in zip(_CLUSTER, astuple(one.cluster), strict=True) if v},
                },
            }
            for of, one in named.items()
            for number, entries in enumerate(one.parts or ((),), start=1)
        ]

    def name_set_aside(self, name: str) -> str:
        """Name the first ConfigMap of an inventory that is set aside."""
        return part_name(name, 1, f"-of-{_short(self.cluster)}")


def part_name(cluster: str, number: int, of: str = "") -> str:
    """Name the ConfigMap that holds a part: `NAME-inventory`, `NAME-inventory-2` and so on.

    A name too long for a ConfigMap is cut, and a hash of the whole keeps it unique.
    """
    suffix = f"-inventory{of}" if number == 1 else f"-inventory{of}-{number}"
    if len(cluster) + len(suffix) <= MAX_NAME:
        return cluster + suffix
    digest = hashlib.sha256(cluster.encode()).hexdigest()[:16]
    return f"{cluster[: MAX_NAME - len(suffix) - 17]}-{digest}{suffix}"


def _short(cluster: ClusterIdentity) -> str:
    return hashlib.sha256(cluster.key.encode()).hexdigest()[:8]


def _age(of: str, listed: Mapping[str, Mapping[int, Json]]) -> tuple[bool, str, str]:
    """Return a sort key: the inventory itself, then those set aside by when they were made."""
    made = (part(one, "metadata").get("creationTimestamp") for one in listed[of].values())
    return of != "", min((str(each) for each in made if each), default="~"), of


def _newest(older: list[Inventory], own: Inventory, cluster: ClusterIdentity) -> list[Inventory]:
    """Return those set aside that may stay beside this one, in their order."""
    room = 2 * MAX_PARTS - len(own.parts)
    newest = older[::-1]
    by_worth = sorted(newest, key=lambda one: not one.cluster.same_as(cluster))
    stay = [
        one
        for one, taken in zip(by_worth, accumulate(len(one.parts) for one in by_worth), strict=True)
        if taken <= room
    ]
    return [one for one in older if one in stay]


def _read(config_maps: Mapping[int, Json]) -> Inventory:
    """Read the ConfigMaps of one inventory, by their numbers."""
    found: dict[int, dict[ObjectKey, InventoryEntry]] = {}
    unreadable: list[str] = []
    data: Json = {}
    for number in sorted(config_maps, reverse=True):
        name, data = config_maps[number]["metadata"]["name"], part(config_maps[number], "data")
        text = data.get(DATA_KEY)
        if not isinstance(text, str):
            unreadable.append(f"ConfigMap {name} has no data {DATA_KEY}")
            continue
        where = f"ConfigMap {name}, {DATA_KEY}, line"
        bad: list[int] = []
        for line_number, line in enumerate(text.split("\n", MAX_LINES), start=1):
            if line_number <= MAX_LINES and (entry := _read_entry(line)):
                found.setdefault(number, {})[entry.key] = entry
            elif line.strip():
                bad.append(line_number)
        unreadable += [f"{where} {line_number}" for line_number in bad[:_NAMED_LINES]]
        if len(bad) > _NAMED_LINES or bad[-1:] == [MAX_LINES + 1]:
            unreadable.append(f"{where} {bad[-1]}, and more of them")
    last = max(found, default=0)
    parts = tuple(tuple(found.get(n, {}).values()) for n in range(1, last + 1))
    identity = ClusterIdentity(*(str(data.get(key) or "") for key in _CLUSTER))
    return Inventory(parts, tuple(unreadable), identity)


class _Part:
    """A ConfigMap that is being filled."""

    def __init__(self, *entries: InventoryEntry) -> None:
        self.entries = list(entries)
        self._size = sum(map(_size, entries))

    def add(self, entry: InventoryEntry, *, room: int = PART_BYTES) -> bool:
        """Add an entry; False if the part would have more bytes than `room`."""
        size = self._size + _size(entry)
        if size > room:
            return False
        self.entries.append(entry)
        self._size = size
        return True


def _size(entry: InventoryEntry) -> int:
    """Return the bytes of an entry's line in a request: a text in JSON, as Go writes it."""
    counted = entry if entry.uid else msgspec.structs.replace(entry, uid=_UID_PLACEHOLDER)
    line = msgspec.json.encode(counted)
    escaped = 5 * sum(map(line.count, (b"&", b"<", b">")))
    return len(line) + line.count(b'"') + line.count(b"\\") + escaped + len(r"\n")


#: Made with the module: msgspec finds out about a type at its first use, which is not thread-safe.
_ENTRY = msgspec.json.Decoder(InventoryEntry)


def _read_entry(line: str) -> InventoryEntry | None:
    """Read an entry; None for anything that cannot name an object, whoever wrote it."""
    if not line.startswith("{"):
        return None
    try:
        entry = _ENTRY.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None
    return None if name_problem(entry.name) else entry
