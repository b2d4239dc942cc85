"""Reads a TargetCluster's sources from its own API server: metadata first, the rest when new."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from msgspec import structs

from hooks.http.answer_memory import Lease
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import JSON, METADATA, METADATA_LIST, Kube, KubeError, NotFound, Pages
from hooks.kube.kinds import Kind
from hooks.kube.objects import part
from hooks.targetclusters.sources.memory import SourceCache, SourceKey, SourceMemory, held_bytes
from hooks.targetclusters.sources.plan.selection import (
    FIELD,
    Selector,
    Source,
    Sources,
    is_inventory,
    parse_sources,
    read_contents,
    relocate,
    why_not_a_source,
)
from hooks.targetclusters.sync.plan.model import DesiredSet, SourceProblem, WantedDigest
from hooks.targetclusters.untrusted_yaml import NO_SIZE, Size

#: How many objects one TargetCluster may apply to its target.
MAX_OBJECTS = 10_000
#: How many values and bytes of text the sources of one TargetCluster may hold in memory, each
#: counted as often as aliases repeat it.
MAX_SIZE = Size(400_000, 32 * 1024 * 1024)
_NO_MEMORY = "waited for memory until no time was left"
#: How many objects are read one by one; more are read in whole lists.
READ_SINGLY = 10
#: Whole ConfigMaps and Secrets in the first page, 1 MiB each, and their metadata, 256 KiB each;
#: the next pages grow while they fit.
PAGE, METADATA_PAGE = 2, 50
PAGES = Pages(max_bytes=4 * 1024 * 1024)


class _OverSize(Exception):
    """The sources together hold more than `MAX_SIZE`."""


@dataclass(frozen=True)
class SourceReader:
    """Where sources are read.

    Attributes:
        own: the API server with the sources.
        kubeconfig_secrets: returns the names of Secrets that are never synced. Raises KubeError.
        cache: of former readings of the TargetCluster.
        memory: for what the sources of all TargetClusters hold.
    """

    own: Kube
    kubeconfig_secrets: Callable[[Deadline], Collection[str]]
    cache: SourceCache
    memory: SourceMemory


def read_sources(reader: SourceReader, cluster: Json, deadline: Deadline) -> DesiredSet:
    """Read what a TargetCluster's sources want on its target.

    Bad sources become `problems`, never an exception. So does an API server that does not answer;
    then `has_all_sources` is false. A source that is named and does not exist is a problem and
    wants nothing, as one that is empty.

    Args:
        reader: where they are.
        cluster: the TargetCluster.
        deadline: of all requests together.
    """
    return _read(_Reading(reader, parse_sources(cluster), deadline))


def read_digest(reader: SourceReader, cluster: Json, deadline: Deadline) -> WantedDigest:
    """Read the digest of what a TargetCluster's sources want, as `read_sources` does.

    An object that is known, and not in memory any more, is not read again.
    """
    return _read(_Reading(reader, parse_sources(cluster), deadline, needs_objects=False)).digest


def _read(reading: "_Reading") -> DesiredSet:
    for source in reading.sources.valid:
        reading.read(source)
    reading.check_namespace()
    reading.reader.memory.keep(reading.reader.cache, reading.found)
    return reading.desired_set()


@dataclass
class _Reading:
    """One reading of all sources, and what it found."""

    reader: SourceReader
    sources: Sources
    deadline: Deadline
    needs_objects: bool = True
    found: SourceCache = field(default_factory=SourceCache)
    selected: dict[tuple[Source, str], None] = field(default_factory=dict)
    held: Size = NO_SIZE
    is_full: bool = False
    problems: list[SourceProblem] = field(default_factory=list)
    missing: dict[str, None] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    has_all: bool = True

    def read(self, source: Source) -> None:
        """Read one source; an error becomes a problem. Nothing is read beyond `MAX_SIZE`."""
        if self.is_full:
            return
        name = f"{source.kind}/{source.name}" if source.name else f"{source.kind}s by label"
        try:
            if not source.name:
                listed = self._list(source, accept=METADATA_LIST, limit=METADATA_PAGE)
                self._read_objects(source, [_metadata(item) for item in listed])
            elif self._may_sync(source, {"name": source.name}):
                self._read_objects(source, [self._metadata(self._path(source, source.name))])
        except _OverSize:
            self.has_all, self.is_full = False, True
            most = f"more than {MAX_SIZE.values} values or {MAX_SIZE.text_bytes} bytes of text"
            self._note(FIELD, f"hold {most} together, so the rest is not read and nothing pruned")
        except KubeError as error:
            if source.name and isinstance(error, NotFound):
                self._note(name, "does not exist")
                self.missing[name] = None
                return
            if source.name:
                self.failed.add(name)
            else:
                self.has_all = False
            self._note(name, f"cannot be read: {error}")

    def check_namespace(self) -> None:
        """Prevent pruning while the namespace is being deleted, which deletes the sources too.

        Checked after the sources are read, so it explains those that are already deleted.
        """
        try:
            metadata = self._metadata(f"/api/v1/namespaces/{self.sources.namespace}")
            problem = "is being deleted" if metadata.get("deletionTimestamp") else ""
        except KubeError as error:
            problem = f"cannot be read: {error}"
        if problem:
            self.has_all = False
            self._note(f"Namespace/{self.sources.namespace}", f"{problem}, so nothing is pruned")

    def desired_set(self) -> DesiredSet:
        """Return what the sources want."""
        for (kind, _, name), (_, contents) in self.found.items():
            if contents.problems:
                self.problems += contents.problems
                self.failed.add(f"{kind}/{name}")
        read = [(source, self.found.get(_key(source, name))) for source, name in self.selected]
        wanted = [(source, one[1].objects) for source, one in read if one]
        held = [(f"{key[0]}/{key[2]}", contents) for key, (_, contents) in self.found.items()]
        empty = [name for name, one in held if not (one.count or one.problems)]
        count = sum(one[1].count for _, one in read if one)
        if count > MAX_OBJECTS:
            self.has_all = False
            self._note(FIELD, f"want {count} objects on the target, more than {MAX_OBJECTS}")
        placed = (relocate(source, one) for source, objects in wanted for one in objects)
        placing = [(structs.asdict(source), one[1].digest) for source, one in read if one]
        return DesiredSet(
            objects=tuple(islice(placed, MAX_OBJECTS)),
            problems=(*self.sources.problems, *self.problems),
            failed_sources=frozenset(self.failed),
            has_all_sources=self.has_all and not self.sources.problems,
            empty_sources=(*empty, *self.missing),
            source_uids=frozenset(version[0] for version, _ in self.found.values()),
            contents=hashlib.sha256(json.dumps(placing).encode()).hexdigest(),
            leases=tuple(contents.lease for _, contents in self.found.values()),
        )

    def _may_sync(self, source: Source, metadata: Json) -> bool:
        """Tell whether an object may be a source; a refusal that people can act on is a problem."""
        never = self.reader.kubeconfig_secrets(self.deadline) if source.kind == "Secret" else ()
        refused = why_not_a_source(source.kind, metadata, kubeconfig_secrets=never)
        if refused and (source.name or not is_inventory(metadata)):
            self._note(f"{source.kind}/{metadata['name']}", refused)
        return not refused

    def _read_objects(self, source: Source, listed: list[Json]) -> None:
        """Read the objects that have a new version; all are found in the order of the list."""
        allowed = [metadata for metadata in listed if self._may_sync(source, metadata)]
        without_place = structs.replace(source, name="", selector=Selector())
        self.selected |= {(without_place, metadata["name"]): None for metadata in allowed}
        new = [metadata["name"] for metadata in allowed if not self._is_cached(source, metadata)]
        gone = dict.fromkeys(new)
        for obj in self._whole(source, new):
            metadata, lease = _metadata(obj), Lease(self.reader.memory.share)
            gone.pop(metadata["name"], None)
            contents = read_contents(source, obj, partial(self._build, lease))
            held = held_bytes([one.body for one in contents.objects])
            if not lease.grow(held, self.deadline):
                raise KubeError(_NO_MEMORY)
            lease.shrink(held)
            kept = contents.kept(lease)
            self.found[_key(source, metadata["name"])] = _version(metadata), kept
        for name in gone:
            self.has_all = False
            self._note(f"{source.kind}/{name}", "is gone since it was listed, so nothing is pruned")

    def _is_cached(self, source: Source, metadata: Json) -> bool:
        """Tell whether an object was read at this version, now or earlier."""
        key, version = _key(source, metadata["name"]), _version(metadata)
        known = self.reader.cache.get(key)
        if key not in self.found and known and known[0] == version:
            if self.needs_objects and not known[1].is_whole:
                return False
            self._spend(known[1].size)
            self.found[key] = known
        return key in self.found and self.found[key][0] == version

    def _build(self, lease: Lease, size: Size) -> None:
        """Count what is about to be built, once there is memory for it. Raises as `_spend`."""
        self._spend(size)
        if not self.reader.memory.reserve(lease, size, self.deadline):
            raise KubeError(_NO_MEMORY)

    def _spend(self, size: Size) -> None:
        """Count what is about to be held. Raises _OverSize, and KubeError if no time is left."""
        self.held = Size(self.held.values + size.values, self.held.text_bytes + size.text_bytes)
        if self.held.values > MAX_SIZE.values or self.held.text_bytes > MAX_SIZE.text_bytes:
            raise _OverSize
        if self.deadline.passed():
            raise KubeError("no time is left")

    def _whole(self, source: Source, names: list[str]) -> Iterator[Json]:
        """Read objects of a source as cheaply as possible; one by label may be gone meanwhile.

        Raises:
            NotFound: the one that the source names is gone.
        """
        if len(names) > READ_SINGLY:
            wanted = frozenset(names)
            listed = self._list(source, accept=JSON, limit=PAGE)
            yield from (obj for obj in listed if _metadata(obj)["name"] in wanted)
            return
        for name in names:
            try:
                yield self.reader.own.get(self._path(source, name), deadline=self.deadline)
            except NotFound:
                if source.name:
                    raise

    def _metadata(self, path: str) -> Json:
        return _metadata(self.reader.own.get(path, deadline=self.deadline, accept=METADATA))

    def _list(self, source: Source, *, accept: str, limit: int) -> Iterator[Json]:
        params = {"labelSelector": source.selector, "limit": str(limit)}
        path = self._path(source)
        return self.reader.own.list(
            path, deadline=self.deadline, params=params, accept=accept, pages=PAGES
        )

    def _path(self, source: Source, name: str = "") -> str:
        kind = Kind("v1", source.kind, f"{source.kind.lower()}s", namespaced=True)
        return kind.path(self.sources.namespace, name)

    def _note(self, source: str, message: str) -> None:
        self.problems.append(SourceProblem(source, message))


def _key(source: Source, name: str) -> SourceKey:
    return source.kind, source.mode, name


def _version(metadata: Json) -> tuple[str, str]:
    return str(metadata.get("uid")), metadata["resourceVersion"]


def _metadata(obj: Json) -> Json:
    """Return an object's metadata. Raises KubeError if it lacks what any stored object has."""
    metadata = part(obj, "metadata")
    for key in ("name", "resourceVersion"):
        if not isinstance(metadata.get(key), str):
            raise KubeError(f"an object in the answer has no metadata.{key}")
    return metadata
