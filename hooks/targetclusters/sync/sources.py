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
    read_source,
    read_sources,
    refusal,
)

#: How many objects one TargetCluster may bring to its target.
MAX_OBJECTS = 10_000
#: How many objects are read one by one; more are read in whole lists.
READ_SINGLY = 10
#: Whole ConfigMaps and Secrets in one page: 1 MiB each, within the bound of an answer.
PAGE = "50"

_PLURALS = {"ConfigMap": "configmaps", "Secret": "secrets"}


#: A source's reading of one object: the source without its place in the spec, and the name.
_Key = tuple[Source, str]


@dataclass(frozen=True)
class _Held:
    """What an object wanted at one of its versions."""

    version: tuple[str, str]
    manifests: Manifests


@dataclass
class SourceCache:
    """What the sources of one TargetCluster held when last read; it may be lost."""

    held: dict[_Key, _Held] = field(default_factory=dict)


def gather(
    own: Kube, cluster: Json, *, kubeconfig_secret: str, cache: SourceCache, deadline: Deadline
) -> DesiredSet:
    """Read what a TargetCluster's sources want on its target.

    Bad sources end as `problems`, never as an exception; an API server out of reach too, with
    `whole` unset. A source that is named and not there is a problem and wants nothing: what came
    from it is pruned.

    Args:
        own: the API server that holds the TargetCluster.
        cluster: the TargetCluster.
        kubeconfig_secret: name of the Secret that must never be synced.
        cache: of this TargetCluster.
        deadline: of the reading.
    """
    sources = read_sources(cluster)
    gathering = _Gathering(own, sources, kubeconfig_secret, cache, deadline)
    for source in sources.chosen:
        gathering.take(source)
    gathering.check_namespace()
    return gathering.result()


class _Gathering:
    """One reading of all sources."""

    def __init__(
        self,
        own: Kube,
        sources: Sources,
        kubeconfig_secret: str,
        cache: SourceCache,
        deadline: Deadline,
    ) -> None:
        self._own = own
        self._sources = sources
        self._kubeconfig_secret = kubeconfig_secret
        self._cache = cache
        self._deadline = deadline
        self._taken: dict[_Key, _Held] = {}
        self._failed: set[str] = set()
        self._problems = list(sources.problems)
        self._whole = not sources.problems

    def take(self, source: Source) -> None:
        """Read one source; what goes wrong becomes a problem."""
        try:
            if source.name:
                self._take_named(source)
            else:
                self._take_selected(source)
        except KubeError as error:
            if source.name:
                self._failed.add(f"{source.kind}/{source.name}")
            else:
                self._whole = False
            self._problems.append(SourceProblem(source.at, f"cannot be read: {error}"))

    def check_namespace(self) -> None:
        """Have nothing pruned while the namespace is being deleted, which takes the sources along.

        Asked after the sources were read: those that its deletion took are then explained by it.
        """
        path = f"/api/v1/namespaces/{self._sources.namespace}"
        name = f"Namespace/{self._sources.namespace}"
        try:
            metadata = self._own.get(path, deadline=self._deadline, accept=METADATA)["metadata"]
        except KubeError as error:
            self._whole = False
            text = f"cannot be read, so that nothing is pruned: {error}"
            self._problems.append(SourceProblem(name, text))
        else:
            if metadata.get("deletionTimestamp"):
                self._whole = False
                text = "is being deleted, so that nothing is pruned"
                self._problems.append(SourceProblem(name, text))

    def result(self) -> DesiredSet:
        """Answer what was read, and let the cache hold that and nothing else."""
        self._cache.held = self._taken
        objects: list[DesiredObject] = []
        for (source, name), held in self._taken.items():
            objects += held.manifests.objects
            if held.manifests.problems:
                self._problems += held.manifests.problems
                self._failed.add(f"{source.kind}/{name}")
        if len(objects) > MAX_OBJECTS:
            self._whole = False
            text = f"want {len(objects)} objects on the target; {MAX_OBJECTS} are the most"
            self._problems.append(SourceProblem(FIELD, text))
        return DesiredSet(
            objects=tuple(objects[:MAX_OBJECTS]),
            problems=tuple(self._problems),
            failed_sources=frozenset(self._failed),
            whole=self._whole,
            home=self._sources.namespace,
            target_namespace=self._sources.target_namespace,
        )

    def _take_named(self, source: Source) -> None:
        path = self._path(source)
        try:
            if self._admits(source, {"name": source.name}):
                metadata = self._own.get(path, deadline=self._deadline, accept=METADATA)["metadata"]
                if self._admits(source, metadata) and not self._known(source, metadata):
                    self._hold(source, self._own.get(path, deadline=self._deadline))
        except NotFound:
            self._problems.append(SourceProblem(f"{source.kind}/{source.name}", "is not there"))

    def _take_selected(self, source: Source) -> None:
        listed = [item["metadata"] for item in self._list(source, accept=METADATA_LIST)]
        admitted = [metadata for metadata in listed if self._admits(source, metadata)]
        new = [found["name"] for found in admitted if not self._known(source, found)]
        if len(new) > READ_SINGLY:
            wanted = set(new)
            for obj in self._list(source):
                if obj["metadata"]["name"] in wanted:
                    self._hold(source, obj)
            return
        for name in new:
            with suppress(NotFound):  # deleted since it was listed
                path = self._path(replace(source, name=name))
                self._hold(source, self._own.get(path, deadline=self._deadline))

    def _admits(self, source: Source, metadata: Json) -> bool:
        """Tell whether an object may be a source; a refusal is told where people can act on it."""
        refused = refusal(source.kind, metadata, kubeconfig_secret=self._kubeconfig_secret)
        if refused and (source.name or not is_inventory(metadata)):
            self._problems.append(SourceProblem(f"{source.kind}/{metadata['name']}", refused))
        return not refused

    def _known(self, source: Source, metadata: Json) -> bool:
        """Take an object from the cache if it holds this version."""
        key = _key(source, metadata)
        held = self._taken.get(key) or self._cache.held.get(key)
        if held is None or held.version != _version(metadata):
            return False
        self._taken[key] = held
        return True

    def _hold(self, source: Source, obj: Json) -> None:
        metadata = obj["metadata"]
        manifests = read_source(source, obj)
        self._taken[_key(source, metadata)] = _Held(_version(metadata), manifests)

    def _list(self, source: Source, accept: str = JSON) -> Iterator[Json]:
        params = {
            "labelSelector": source.selector,
            "limit": PAGE if accept == JSON else str(PAGE_SIZE),
        }
        path = self._path(source)
        return self._own.list(path, deadline=self._deadline, params=params, accept=accept)

    def _path(self, source: Source) -> str:
        path = f"/api/v1/namespaces/{self._sources.namespace}/{_PLURALS[source.kind]}"
        return f"{path}/{source.name}" if source.name else path


def _key(source: Source, metadata: Json) -> _Key:
    return replace(source, at="", name="", selector=""), metadata["name"]


def _version(metadata: Json) -> tuple[str, str]:
    return str(metadata.get("uid")), str(metadata.get("resourceVersion"))
