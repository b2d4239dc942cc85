"""Lists what a target has of some ApplySets, kind by kind, and keeps what matters of it."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from hooks.http.texts import one_line
from hooks.kube.client import KubeError, KubeRefused, NotFound
from hooks.kube.objects import part
from hooks.names import LABEL_APPLYSET_PART_OF
from hooks.targetclusters.sync.discovery import Discovery
from hooks.targetclusters.sync.plan.applyset import ApplySets, Scope
from hooks.targetclusters.sync.plan.decide import read_live
from hooks.targetclusters.sync.plan.inventory import GroupKind, InventoryEntry, ObjectKey
from hooks.targetclusters.sync.plan.kinds import Kind
from hooks.targetclusters.sync.plan.model import LiveObject
from hooks.targetclusters.sync.plan.resolve import ResolvedObject
from hooks.targetclusters.sync.target import MAX_MESSAGE, Target

#: Up to this many namespaces are listed one by one; a kubeconfig for them alone then suffices.
SINGLE_NAMESPACES = 3
#: How many more objects of ours than expected a target may list.
UNEXPECTED = 1_000


@dataclass
class LiveState:
    """The objects on a target that carry the label of one of some ApplySets, in one round.

    Attributes:
        sets: the ApplySets, with what is recorded of them.
        wanted: the objects to compare them with.
        kinds: how the target serves each kind.
        objects: what the target has.
    """

    target: Target
    discovery: Discovery
    sets: ApplySets
    wanted: Mapping[ObjectKey, ResolvedObject]
    kinds: dict[GroupKind, Kind] = field(default_factory=dict)
    objects: dict[ObjectKey, LiveObject] = field(default_factory=dict)
    _problems: dict[tuple[GroupKind, str], str] = field(default_factory=dict)

    def read(self, scope: Scope) -> None:
        """List the objects of all kinds that are expected or in the scope. Raises RoundEnded."""
        # Wanted ones first: a kind that is wanted is listed in the version in which it is wanted.
        entries = [*(one.entry for one in self.wanted.values()), *self.sets.members.values()]
        for entry in entries:
            self._find(entry.key.group_kind, entry.api_version)
        for group_kind in sorted(scope.group_kinds):
            self._find(group_kind)
        keys = {entry.key for entry in entries}
        namespaces = sorted(scope.namespaces | Scope.of(keys).namespaces)
        for kind in self.kinds.values():
            self._list(kind, namespaces, limit=len(keys) + UNEXPECTED)

    def problem(self, key: ObjectKey) -> str:
        """Return why nothing is known of an object; empty if it would have been listed."""
        everywhere = self._problems.get((key.group_kind, ""), "")
        return everywhere or self._problems.get((key.group_kind, key.namespace), "")

    def unknown(self) -> list[InventoryEntry]:
        """Return the objects that are neither wanted nor recorded, except for those with an owner.

        Controllers copy labels, as from a Service to its EndpointSlices.
        """
        config_maps = {one.entry.key for one in self.sets.all}
        known = config_maps | self.wanted.keys() | self.sets.members.keys()
        return [
            InventoryEntry(
                self.kinds[key.group_kind].api_version, key.kind, key.namespace, key.name, live.uid
            )
            for key, live in self.objects.items()
            if not (key in known or live.has_owner or live.is_deleting or self.problem(key))
        ]

    def _find(self, group_kind: GroupKind, api_version: str = "") -> None:
        """Find how a kind is served, in this version or in another of its group."""
        if group_kind in self.kinds or (group_kind, "") in self._problems:
            return
        group, name = group_kind
        try:
            kind = self.discovery.find(api_version, name) if api_version else None
            kind = kind or self.discovery.find_in_group(group, name)
            if kind is not None:
                self.kinds[group_kind] = kind
        except KubeError as error:
            self._note(group_kind, f"the target does not say what it serves: {error}")

    def _list(self, kind: Kind, namespaces: list[str], *, limit: int) -> None:
        if kind.namespaced and len(namespaces) > SINGLE_NAMESPACES:
            with suppress(KubeRefused):  # the kubeconfig may allow some of the namespaces
                self._list_in(kind, "", limit)
                return
        for namespace in namespaces if kind.namespaced else [""]:
            try:
                self._list_in(kind, namespace, limit)
            except KubeRefused as error:
                self._note(kind.group_kind, f"cannot be listed: {error}", namespace)

    def _list_in(self, kind: Kind, namespace: str, limit: int) -> None:
        """List a kind in a namespace, or in all. Raises KubeRefused."""
        labels = f"{LABEL_APPLYSET_PART_OF} in ({','.join(sorted(self.sets.ids))})"
        try:
            for item in self.target.list(kind.path(namespace), labels=labels, limit=limit):
                self._add(kind, item)
        except NotFound:
            self.discovery.forget(kind.api_version)
            self._note(kind.group_kind, f"{kind.api_version} is no longer served")
        except KubeRefused:
            raise
        except KubeError as error:
            self._note(kind.group_kind, f"cannot be listed: {error}")

    def _add(self, kind: Kind, item: object) -> None:
        item = item if isinstance(item, dict) else {}
        metadata = part(item, "metadata")
        name, namespace = metadata.get("name"), metadata.get("namespace", "")
        if isinstance(name, str) and isinstance(namespace, str):
            key = ObjectKey(kind.group, kind.kind, namespace, name)
            live = read_live(item, self.wanted.get(key))
            if live is not None:
                self.objects[key] = live

    def _note(self, group_kind: GroupKind, problem: str, namespace: str = "") -> None:
        self._problems[group_kind, namespace] = one_line(problem, MAX_MESSAGE)
