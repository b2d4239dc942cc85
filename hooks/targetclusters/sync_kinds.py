"""Asks a target which kinds it serves, and remembers the answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hooks.kube import NotFound
from hooks.targetclusters.sync_kinds_plan import Kind, kinds_served, version_path, versions_served
from hooks.targetclusters.sync_target import Target


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

    def find(self, api_version: str, kind: str) -> Kind | None:
        """Answer how a kind is served; None where the target clearly does not serve it.

        Raises:
            KubeError: the target did not say.
        """
        found = self._memory.served.get(api_version, {}).get(kind)
        if found is None and api_version not in self._asked:
            self._asked.add(api_version)
            found = self._ask(api_version).get(kind)
        return found

    def find_in_group(self, group: str, kind: str) -> Kind | None:
        """Answer how a kind is served in any version of its group, the preferred one first."""
        if not group:
            return self.find("v1", kind)
        try:
            versions = versions_served(self._target.get(f"/apis/{group}"))
        except NotFound:
            return None
        return next(filter(None, (self.find(version, kind) for version in versions)), None)

    def forget(self, api_version: str) -> None:
        """Ask again: what was served under this version has changed."""
        self._memory.served.pop(api_version, None)
        self._asked.discard(api_version)

    def _ask(self, api_version: str) -> Mapping[str, Kind]:
        try:
            answer = self._target.get(version_path(api_version))
        except NotFound:
            answer = {}
        served = kinds_served(api_version, answer)
        self._memory.served[api_version] = served
        return served
