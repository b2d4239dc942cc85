"""Reads what a target has of an ApplySet: lists by label, kind by kind, keeping what counts."""

from collections.abc import Mapping

from hooks.kube.client import KubeError, KubeRefused, NotFound
from hooks.names import LABEL_APPLYSET_PART_OF
from hooks.targetclusters.sync.apply import words
from hooks.targetclusters.sync.kinds import Kinds
from hooks.targetclusters.sync.plan.inventory import GroupKind, InventoryEntry, ObjectKey
from hooks.targetclusters.sync.plan.kinds import Kind
from hooks.targetclusters.sync.plan.object import LiveObject, Wanted, see
from hooks.targetclusters.sync.target import Target

#: Up to so many namespaces are listed one by one, which a kubeconfig for them alone allows too.
SINGLE_NAMESPACES = 3
#: How many more objects of ours than expected a target may list.
UNEXPECTED = 1_000


class Live:
    """The objects of some ApplySets, and how their kinds are served, in one round.

    Attributes:
        kinds: those found to be served.
        seen: the objects that carry the label of one of the sets.
    """

    def __init__(self, target: Target, kinds: Kinds, ours: frozenset[str]) -> None:
        self._target = target
        self._finder = kinds
        self._labels = f"{LABEL_APPLYSET_PART_OF} in ({','.join(sorted(ours))})"
        self.kinds: dict[GroupKind, Kind] = {}
        self._trouble: dict[tuple[GroupKind, str], str] = {}
        self.seen: dict[ObjectKey, LiveObject] = {}

    def find(self, group_kind: GroupKind, api_version: str = "") -> None:
        """Find how a kind is served, in this version or in another of its group."""
        if group_kind in self.kinds or (group_kind, "") in self._trouble:
            return
        group, name = group_kind
        try:
            kind = self._finder.find(api_version, name) if api_version else None
            kind = kind or self._finder.find_in_group(group, name)
        except KubeError as error:
            self._note(group_kind, f"the target does not say what it serves: {error}")
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
        for kind in self.kinds.values():
            if not kind.namespaced:
                self._read_each(kind, frozenset([""]), wanted, most)
            elif len(namespaces) <= SINGLE_NAMESPACES:
                self._read_each(kind, namespaces, wanted, most)
            else:
                try:
                    self._read(kind, "", wanted, most)
                except KubeRefused:  # a kubeconfig for some namespaces alone
                    self._read_each(kind, namespaces, wanted, most)

    def trouble(self, key: ObjectKey) -> str:
        """Answer why nothing is known of an object; empty where it would have been listed."""
        everywhere = self._trouble.get((key.group_kind, ""), "")
        return everywhere or self._trouble.get((key.group_kind, key.namespace), "")

    def unknown(self, known: Mapping[ObjectKey, object]) -> list[InventoryEntry]:
        """Answer objects that carry the label and are not known, but for what a controller made.

        Controllers copy labels, as from a Service to its EndpointSlices.
        """
        return [
            InventoryEntry(
                self.kinds[key.group_kind].api_version, key.kind, key.namespace, key.name, seen.uid
            )
            for key, seen in self.seen.items()
            if not (key in known or seen.owned or seen.deleting or self.trouble(key))
        ]

    def _read_each(
        self,
        kind: Kind,
        namespaces: frozenset[str],
        wanted: Mapping[ObjectKey, Wanted],
        most: int,
    ) -> None:
        """List a kind in one namespace after the other; one that refuses stops no other."""
        for namespace in sorted(namespaces):
            try:
                self._read(kind, namespace, wanted, most)
            except KubeRefused as error:
                self._note(kind.group_kind, f"cannot be listed: {error}", namespace)

    def _read(
        self, kind: Kind, namespace: str, wanted: Mapping[ObjectKey, Wanted], most: int
    ) -> None:
        """List a kind in a namespace, or in all; raises KubeRefused."""
        try:
            path = kind.path(namespace)
            for item in self._target.list(path, labels=self._labels, most=most):
                self._take(kind, item, wanted)
        except NotFound:
            self._finder.forget(kind.api_version)
            self._note(kind.group_kind, f"{kind.api_version} is served no more")
        except KubeRefused:
            raise
        except KubeError as error:
            self._note(kind.group_kind, f"cannot be listed: {error}")

    def _note(self, group_kind: GroupKind, message: str, namespace: str = "") -> None:
        self._trouble[group_kind, namespace] = words(message)

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
