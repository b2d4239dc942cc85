"""Asks a target which kinds it serves, and remembers the answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hooks.kube.client import NotFound
from hooks.targetclusters.sync.plan.kinds import (
    Kind,
    parse_group_list,
    parse_resource_list,
    version_path,
)
from hooks.targetclusters.sync.target import Target

#: The kinds that a target served when it was last asked, by apiVersion; may be lost.
ServedKinds = dict[str, Mapping[str, Kind]]


@dataclass
class Discovery:
    """The kinds that one target serves, during one round.

    A version that lacks a kind is asked once more in each round: a CRD may have added the kind.
    """

    target: Target
    served: ServedKinds
    _asked: set[str] = field(default_factory=set)
    _versions: Mapping[str, tuple[str, ...]] | None = None

    def find(self, api_version: str, kind: str) -> Kind | None:
        """Return how a kind is served; None if the target does not serve it.

        Raises:
            KubeError: the target did not answer.
        """
        kinds = self.served.get(api_version, {})
        if kind not in kinds and api_version not in self._asked:
            kinds = self.served[api_version] = self._ask(api_version)
            self._asked.add(api_version)
        return kinds.get(kind)

    def find_in_group(self, group: str, kind: str) -> Kind | None:
        """Return how a kind is served in any version of its group, the preferred one first."""
        versions = self._groups().get(group, ()) if group else ("v1",)
        return next(filter(None, (self.find(version, kind) for version in versions)), None)

    def forget(self, api_version: str) -> None:
        """Ask again: what the target serves under this version has changed."""
        self.served.pop(api_version, None)
        self._asked.discard(api_version)
        self._versions = None

    def _ask(self, api_version: str) -> Mapping[str, Kind]:
        group, slash, _ = api_version.partition("/")
        if slash and api_version not in self._groups().get(group, ()):
            return {}
        try:
            return parse_resource_list(api_version, self.target.get(version_path(api_version)))
        except NotFound:
            return {}

    def _groups(self) -> Mapping[str, tuple[str, ...]]:
        """Ask for all groups: the answer for a group that is not served is not JSON."""
        if self._versions is None:
            self._versions = parse_group_list(self.target.get("/apis"))
        return self._versions
