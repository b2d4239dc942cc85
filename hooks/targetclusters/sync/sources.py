"""Reads a TargetCluster's sources from its own API server: metadata first, the rest when new."""

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import JSON, METADATA, METADATA_LIST, PAGE_SIZE, Kube, KubeError, NotFound
from hooks.kube.objects import part
from hooks.targetclusters.sync.plan.kinds import Kind
from hooks.targetclusters.sync.plan.manifests import SourceContents
from hooks.targetclusters.sync.plan.model import DesiredObject, DesiredSet, SourceProblem
from hooks.targetclusters.sync.plan.sources import (
    FIELD,
    Source,
    Sources,
    is_inventory,
    parse_sources,
    read_contents,
    why_not_a_source,
)

#: How many objects one TargetCluster may apply to its target.
MAX_OBJECTS = 10_000
#: How many objects are read one by one; more are read in whole lists.
READ_SINGLY = 10
#: Whole ConfigMaps and Secrets in one page: 1 MiB each, within the bound of an answer.
PAGE = 50

#: What an object wants, with the UID and resourceVersion at which it was read.
_Versioned = tuple[tuple[str, str], SourceContents]
#: What the sources of one TargetCluster wanted when last read, by source (without its place in the
#: spec) and the object's name; may be lost.
SourceCache = dict[tuple[Source, str], _Versioned]


def read_sources(
    own: Kube,
    cluster: Json,
    *,
    kubeconfig_secrets: Callable[[Deadline], Collection[str]],
    cache: SourceCache,
    deadline: Deadline,
) -> DesiredSet:
    """Read what a TargetCluster's sources want on its target.

    Bad sources become `problems`, never an exception. So does an API server that does not answer;
    then `has_all_sources` is false. A source that is named and does not exist is a problem and
    wants nothing: what came from it is pruned.

    Args:
        own: the API server with the sources.
        cluster: the TargetCluster.
        kubeconfig_secrets: returns the names of Secrets that are never synced. Raises KubeError.
        cache: of former readings.
        deadline: of all requests together.
    """
    sources = parse_sources(cluster)
    reading = _Reading(own, sources, kubeconfig_secrets, cache, deadline)
    for source in sources.valid:
        reading.read(source)
    reading.check_namespace()
    cache.clear()
    cache.update(reading.found)
    return reading.desired_set()


@dataclass
class _Reading:
    """One reading of all sources, and what it found."""

    own: Kube
    sources: Sources
    kubeconfig_secrets: Callable[[Deadline], Collection[str]]
    cache: SourceCache
    deadline: Deadline
    found: SourceCache = field(default_factory=dict)
    problems: list[SourceProblem] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    has_all: bool = True

    def read(self, source: Source) -> None:
        """Read one source; an error becomes a problem."""
        name = f"{source.kind}/{source.name}"
        try:
            if not source.name:
                listed = self._list(source, accept=METADATA_LIST, limit=PAGE_SIZE)
                self._read_objects(source, [_metadata(item) for item in listed])
            elif self._may_sync(source, {"name": source.name}):
                self._read_objects(source, [self._metadata(self._path(source, source.name))])
        except KubeError as error:
            if source.name and isinstance(error, NotFound):
                self._note(name, "does not exist")
                return
            if source.name:
                self.failed.add(name)
            else:
                self.has_all = False
            self._note(source.path, f"cannot be read: {error}")

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
        objects: list[DesiredObject] = []
        for (source, name), (_, manifests) in self.found.items():
            objects += manifests.objects
            if manifests.problems:
                self.problems += manifests.problems
                self.failed.add(f"{source.kind}/{name}")
        if len(objects) > MAX_OBJECTS:
            self.has_all = False
            self._note(FIELD, f"want {len(objects)} objects on the target, more than {MAX_OBJECTS}")
        return DesiredSet(
            objects=tuple(objects[:MAX_OBJECTS]),
            problems=(*self.sources.problems, *self.problems),
            failed_sources=frozenset(self.failed),
            has_all_sources=self.has_all and not self.sources.problems,
            set_namespace=self.sources.set_namespace,
        )

    def _may_sync(self, source: Source, metadata: Json) -> bool:
        """Tell whether an object may be a source; a refusal that people can act on is a problem."""
        never = self.kubeconfig_secrets(self.deadline) if source.kind == "Secret" else ()
        refused = why_not_a_source(source.kind, metadata, kubeconfig_secrets=never)
        if refused and (source.name or not is_inventory(metadata)):
            self._note(f"{source.kind}/{metadata['name']}", refused)
        return not refused

    def _read_objects(self, source: Source, listed: list[Json]) -> None:
        """Read the objects that have a new version; all are found in the order of the list."""
        allowed = [metadata for metadata in listed if self._may_sync(source, metadata)]
        wanted = {metadata["name"]: self._cached(source, metadata) for metadata in allowed}
        new = [name for name, cached in wanted.items() if cached is None]
        try:
            for obj in self._whole(source, new):
                metadata = _metadata(obj)
                wanted[metadata["name"]] = _version(metadata), read_contents(source, obj)
        finally:
            self.found |= {_key(source, name): one for name, one in wanted.items() if one}

    def _cached(self, source: Source, metadata: Json) -> _Versioned | None:
        """Return what an object wants, if it was read at this version."""
        key = _key(source, metadata["name"])
        cached = self.found.get(key) or self.cache.get(key)
        return cached if cached and cached[0] == _version(metadata) else None

    def _whole(self, source: Source, names: list[str]) -> Iterator[Json]:
        """Read objects of a source as cheaply as possible."""
        if len(names) > READ_SINGLY:
            wanted = frozenset(names)
            listed = self._list(source, accept=JSON, limit=PAGE)
            yield from (obj for obj in listed if _metadata(obj)["name"] in wanted)
            return
        for name in names:
            with suppress(NotFound):  # deleted meanwhile
                yield self.own.get(self._path(source, name), deadline=self.deadline)

    def _metadata(self, path: str) -> Json:
        return _metadata(self.own.get(path, deadline=self.deadline, accept=METADATA))

    def _list(self, source: Source, *, accept: str, limit: int) -> Iterator[Json]:
        params = {"labelSelector": source.selector, "limit": str(limit)}
        path = self._path(source)
        return self.own.list(path, deadline=self.deadline, params=params, accept=accept)

    def _path(self, source: Source, name: str = "") -> str:
        kind = Kind("v1", source.kind, f"{source.kind.lower()}s", namespaced=True)
        return kind.path(self.sources.namespace, name)

    def _note(self, source: str, message: str) -> None:
        self.problems.append(SourceProblem(source, message))


def _key(source: Source, name: str) -> tuple[Source, str]:
    return replace(source, path="", name="", selector=""), name


def _version(metadata: Json) -> tuple[str, str]:
    return str(metadata.get("uid")), metadata["resourceVersion"]


def _metadata(obj: Json) -> Json:
    """Return an object's metadata. Raises KubeError if it lacks what any stored object has."""
    metadata = part(obj, "metadata")
    for key in ("name", "resourceVersion"):
        if not isinstance(metadata.get(key), str):
            raise KubeError(f"an object in the answer has no metadata.{key}")
    return metadata
