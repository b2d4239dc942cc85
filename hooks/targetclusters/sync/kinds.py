"""Asks a target which kinds it serves, and remembers the answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hooks.kube.client import NotFound
from hooks.targetclusters.sync.plan.kinds import Kind, kinds_served, version_path, versions_served
from hooks.targetclusters.sync.target import Target


@dataclass
class KindMemory:
    """What a target answered, by apiVersion; it may be lost."""

    served: dict[str, Mapping[str, Kind]] = field(default_factory=dict)


class Kinds:
    """The kinds of one target during one round.

    What is remembered of a version is asked again once a round where a kind is not in it: a CRD
    may have brought it since.
    """

    def __init__(self, target: Target, memory: KindMemory) -> None:
        self._target = target
        self._memory = memory
        self._asked: set[str] = set()
        self._versions: Mapping[str, tuple[str, ...]] | None = None

    def find(self, api_version: str, kind: str) -> Kind | None:
        """Answer how a kind is served; None where the target clearly does not serve it.

        Raises:
            KubeError: the target did not say.
        """
        found = self._memory.served.get(api_version, {}).get(kind)
        if found is None and api_version not in self._asked:
            served = self._ask(api_version)
            self._asked.add(api_version)
            self._memory.served[api_version] = served
            found = served.get(kind)
        return found

    def find_in_group(self, group: str, kind: str) -> Kind | None:
        """Answer how a kind is served in any version of its group, the preferred one first."""
        versions = self._groups().get(group, ()) if group else ("v1",)
        return next(filter(None, (self.find(version, kind) for version in versions)), None)

    def forget(self, api_version: str) -> None:
        """Ask again: what was served under this version has changed."""
        self._memory.served.pop(api_version, None)
        self._asked.discard(api_version)
        self._versions = None

    def _ask(self, api_version: str) -> Mapping[str, Kind]:
        group, slash, _ = api_version.partition("/")
        if slash and api_version not in self._groups().get(group, ()):
            return {}
        try:
            return kinds_served(api_version, self._target.get(version_path(api_version)))
        except NotFound:
            return {}

    def _groups(self) -> Mapping[str, tuple[str, ...]]:
        """Ask for all groups: what is not served answers in no JSON when it is asked for itself."""
        if self._versions is None:
            self._versions = versions_served(self._target.get("/apis"))
        return self._versions
