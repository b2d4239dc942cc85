"""Reads what a target has of an ApplySet: lists by label, kind by kind, keeping what counts."""

from collections.abc import Iterator, Mapping

from hooks.kube import KubeError, KubeRefused, NotFound
from hooks.names import LABEL_APPLYSET_PART_OF
from hooks.targetclusters.inventory import GroupKind, InventoryEntry, ObjectKey
from hooks.targetclusters.sync_apply import words
from hooks.targetclusters.sync_kinds import Kinds
from hooks.targetclusters.sync_kinds_plan import Kind
from hooks.targetclusters.sync_object_plan import Seen, Wanted, see
from hooks.targetclusters.sync_target import Target
from hooks.webhook import Json

#: Up to so many namespaces are listed one by one, which a kubeconfig for them alone allows too.
SINGLE_NAMESPACES = 3
#: How many more objects of ours than expected a target may list.
UNEXPECTED = 1_000


class Live:
    """The objects of some ApplySets, and how their kinds are served, in one round.

    Attributes:
        kinds: those found to be served.
        trouble: why nothing can be said about the objects of a kind.
        seen: the objects that carry the label of one of the sets.
    """

    def __init__(self, target: Target, kinds: Kinds, ours: frozenset[str]) -> None:
        self._target = target
        self._finder = kinds
        self._labels = f"{LABEL_APPLYSET_PART_OF} in ({','.join(sorted(ours))})"
        self.kinds: dict[GroupKind, Kind] = {}
        self.trouble: dict[GroupKind, str] = {}
        self.seen: dict[ObjectKey, Seen] = {}

    def find(self, group_kind: GroupKind, api_version: str = "") -> None:
        """Find how a kind is served, in this version or in another of its group."""
        if group_kind in self.kinds or group_kind in self.trouble:
            return
        group, name = group_kind
        try:
            kind = self._finder.find(api_version, name) if api_version else None
            kind = kind or self._finder.find_in_group(group, name)
        except KubeError as error:
            self.trouble[group_kind] = words(f"the target does not say what it serves: {error}")
            return
        if kind is not None:
            self.kinds[group_kind] = kind

    def read(
        self, namespaces: frozenset[str], wanted: Mapping[ObjectKey, Wanted], *, expected: int
    ) -> None:
        """List the objects of all kinds found.

        Args:
            namespaces: in which there may be some.
            wanted: what they are compared with while they pass by.
            expected: how many objects there are, give or take UNEXPECTED.

        Raises:
            RoundOver: no more calls in this round.
        """
        most = expected + UNEXPECTED
        for group_kind, kind in self.kinds.items():
            try:
                for item in self._listed(kind, namespaces, most):
                    self._take(kind, item, wanted)
            except NotFound:
                self._finder.forget(kind.api_version)
                self.trouble[group_kind] = f"{kind.api_version} is served no more"
            except KubeError as error:
                self.trouble[group_kind] = words(f"cannot be listed: {error}")

    def unknown(self, known: Mapping[ObjectKey, object]) -> list[InventoryEntry]:
        """Answer objects that carry the label and are not known, but for what a controller made.

        Controllers copy labels, as from a Service to its EndpointSlices.
        """
        return [
            InventoryEntry(
                self.kinds[key.group_kind].api_version, key.kind, key.namespace, key.name, seen.uid
            )
            for key, seen in self.seen.items()
            if not (key in known or seen.owned or seen.deleting or key.group_kind in self.trouble)
        ]

    def _listed(self, kind: Kind, namespaces: frozenset[str], most: int) -> Iterator[Json]:
        """List a kind in few namespaces one by one, in many at once, or as far as we may."""
        if not kind.namespaced or len(namespaces) > SINGLE_NAMESPACES:
            try:
                yield from self._target.list(kind.path(), labels=self._labels, most=most)
            except KubeRefused as error:
                if error.code != 403 or not kind.namespaced:
                    raise
            else:
                return
        for namespace in sorted(namespaces):
            path = kind.path(namespace)
            yield from self._target.list(path, labels=self._labels, most=most)

    def _take(self, kind: Kind, item: object, wanted: Mapping[ObjectKey, Wanted]) -> None:
        metadata = item.get("metadata") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(metadata, dict):
            return
        name, namespace = metadata.get("name"), metadata.get("namespace", "")
        if not isinstance(name, str) or not isinstance(namespace, str):
            return
        key = ObjectKey(kind.group, kind.kind, namespace, name)
        seen = see(item, wanted.get(key))
        if seen is not None:
            self.seen[key] = seen
