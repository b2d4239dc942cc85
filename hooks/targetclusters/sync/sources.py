"""Reads a TargetCluster's sources from its own API server: metadata first, the rest when new."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import JSON, METADATA, METADATA_LIST, PAGE_SIZE, Kube, KubeError, NotFound
from hooks.targetclusters.sync.plan.manifests import Manifests
from hooks.targetclusters.sync.plan.model import DesiredObject, DesiredSet, SourceProblem
from hooks.targetclusters.sync.plan.sources import (
    FIELD,
    Source,
    Sources,
    is_inventory,
    parse_sources,
    read_source,
    refusal,
)

#: How many objects one TargetCluster may apply to its target.
MAX_OBJECTS = 10_000
#: How many objects are read one by one; more are read in whole lists.
READ_SINGLY = 10
#: Whole ConfigMaps and Secrets in one page: 1 MiB each, within the bound of an answer.
PAGE = "50"

_PLURALS = {"ConfigMap": "configmaps", "Secret": "secrets"}


@dataclass(frozen=True)
class _CachedObject:
    """What an object wants at one of its versions: its UID and resourceVersion."""

    version: tuple[str, str]
    manifests: Manifests


#: What the sources of one TargetCluster held when last read, by source (without its place in the
#: spec) and the object's name; may be lost.
SourceCache = dict[tuple[Source, str], _CachedObject]


def gather(
    own: Kube, cluster: Json, *, kubeconfig_secret: str, cache: SourceCache, deadline: Deadline
) -> DesiredSet:
    """Read what a TargetCluster's sources want on its target.

    Bad sources become `problems`, never an exception. So does an API server that does not answer;
    then `has_all_sources` is false. A source that is named and does not exist is a problem and
    wants nothing: what came from it is pruned.

    Args:
        own: the API server that holds the TargetCluster.
        cluster: the TargetCluster.
        kubeconfig_secret: name of the Secret that is never synced.
        cache: of this TargetCluster.
        deadline: of the reading.
    """
    sources = parse_sources(cluster)
    reading = _Reading(own, sources, kubeconfig_secret, cache, deadline)
    for source in sources.valid:
        reading.read(source)
    reading.check_namespace()
    cache.clear()
    cache.update(reading.objects)
    return reading.desired_set()


@dataclass
class _Reading:
    """One reading of all sources."""

    own: Kube
    sources: Sources
    kubeconfig_secret: str
    cache: SourceCache
    deadline: Deadline
    objects: SourceCache = field(default_factory=dict)
    problems: list[SourceProblem] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    has_all: bool = True

    def read(self, source: Source) -> None:
        """Read one source; an error becomes a problem."""
        try:
            if source.name:
                self._read_named(source)
            else:
                self._read_selected(source)
        except KubeError as error:
            if source.name:
                self.failed.add(f"{source.kind}/{source.name}")
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
        for (source, name), cached in self.objects.items():
            objects += cached.manifests.objects
            if cached.manifests.problems:
                self.problems += cached.manifests.problems
                self.failed.add(f"{source.kind}/{name}")
        if len(objects) > MAX_OBJECTS:
            self.has_all = False
            self._note(
                FIELD, f"want {len(objects)} objects on the target; the limit is {MAX_OBJECTS}"
            )
        return DesiredSet(
            objects=tuple(objects[:MAX_OBJECTS]),
            problems=(*self.sources.problems, *self.problems),
            failed_sources=frozenset(self.failed),
            has_all_sources=self.has_all and not self.sources.problems,
            set_namespace=self.sources.set_namespace,
        )

    def _read_named(self, source: Source) -> None:
        try:
            if self._may_sync(source, {"name": source.name}):
                metadata = self._metadata(self._path(source))
                if self._may_sync(source, metadata) and not self._use_cached(source, metadata):
                    self._read_object(source, source.name)
        except NotFound:
            self._note(f"{source.kind}/{source.name}", "does not exist")

    def _read_selected(self, source: Source) -> None:
        listed = [item["metadata"] for item in self._list(source, METADATA_LIST, str(PAGE_SIZE))]
        allowed = [metadata for metadata in listed if self._may_sync(source, metadata)]
        new = [found["name"] for found in allowed if not self._use_cached(source, found)]
        if len(new) > READ_SINGLY:
            wanted = set(new)
            for obj in self._list(source, JSON, PAGE):
                if obj["metadata"]["name"] in wanted:
                    self._add(source, obj)
            return
        for name in new:
            with suppress(NotFound):  # deleted since it was listed
                self._read_object(source, name)

    def _may_sync(self, source: Source, metadata: Json) -> bool:
        """Tell whether an object may be a source; a refusal that people can act on is a problem."""
        refused = refusal(source.kind, metadata, kubeconfig_secret=self.kubeconfig_secret)
        if refused and (source.name or not is_inventory(metadata)):
            self._note(f"{source.kind}/{metadata['name']}", refused)
        return not refused

    def _use_cached(self, source: Source, metadata: Json) -> bool:
        """Take an object from the cache if it holds this version."""
        key = _key(source, metadata)
        cached = self.objects.get(key) or self.cache.get(key)
        if cached is None or cached.version != _version(metadata):
            return False
        self.objects[key] = cached
        return True

    def _read_object(self, source: Source, name: str) -> None:
        path = self._path(replace(source, name=name))
        self._add(source, self.own.get(path, deadline=self.deadline))

    def _add(self, source: Source, obj: Json) -> None:
        metadata = obj["metadata"]
        cached = _CachedObject(_version(metadata), read_source(source, obj))
        self.objects[_key(source, metadata)] = cached

    def _metadata(self, path: str) -> Json:
        found = self.own.get(path, deadline=self.deadline, accept=METADATA)
        metadata: Json = found["metadata"]
        return metadata

    def _list(self, source: Source, accept: str, page: str) -> Iterator[Json]:
        params = {"labelSelector": source.selector, "limit": page}
        path = self._path(source)
        return self.own.list(path, deadline=self.deadline, params=params, accept=accept)

    def _path(self, source: Source) -> str:
        path = f"/api/v1/namespaces/{self.sources.namespace}/{_PLURALS[source.kind]}"
        return f"{path}/{source.name}" if source.name else path

    def _note(self, source: str, message: str) -> None:
        self.problems.append(SourceProblem(source, message))


def _key(source: Source, metadata: Json) -> tuple[Source, str]:
    return replace(source, path="", name="", selector=""), metadata["name"]


def _version(metadata: Json) -> tuple[str, str]:
    return str(metadata.get("uid")), str(metadata.get("resourceVersion"))
