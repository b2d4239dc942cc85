"""Reads what a target has of some ApplySets: their ConfigMaps, and their objects kind by kind."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from hooks.http.bounded_json import Json
from hooks.http.texts import one_line
from hooks.kube.client import KubeError, KubeRefused, NotFound
from hooks.kube.objects import annotations, part
from hooks.names import ANNOTATION_APPLYSET_TOOLING, FIELD_MANAGER, LABEL_APPLYSET_PART_OF
from hooks.targetclusters.sync.plan.applyset import (
    ApplySet,
    ApplySets,
    Scope,
    read_scope,
    read_tool,
)
from hooks.targetclusters.sync.plan.decide import read_live
from hooks.targetclusters.sync.plan.identity import is_namespace, name_problem
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
    """What a target has of some ApplySets in one round.

    Attributes:
        wanted: the objects to compare them with.
        scope: of what is expected, and of what the sets' ConfigMaps declare.
        objects: those that carry the label of one of the sets.
    """

    target: Target
    sets: ApplySets
    wanted: Mapping[ObjectKey, ResolvedObject]
    scope: Scope = field(default_factory=Scope)
    kinds: dict[GroupKind, Kind] = field(default_factory=dict)
    objects: dict[ObjectKey, LiveObject] = field(default_factory=dict)
    _config_maps: dict[ApplySet, Json] = field(default_factory=dict)
    _problems: dict[tuple[GroupKind, str], str] = field(default_factory=dict)

    def read(self, declaring: Iterable[ApplySet]) -> None:
        """Read the ConfigMaps of some sets, and list the objects of all kinds in the scope.

        Raises:
            KubeError: another tool manages a set; KEP-3659 says to leave it alone then.
            RoundEnded: no more calls in this round.
        """
        for one in declaring:
            self.scope |= self._declared_scope(one)
        # Wanted ones first: a kind that is wanted is listed in the version in which it is wanted.
        entries = [*(one.entry for one in self.wanted.values()), *self.sets.members.values()]
        for entry in entries:
            self._find(entry.key.group_kind, entry.api_version)
        keys = {entry.key for entry in entries}
        self.scope |= Scope.of(keys)
        for group_kind in sorted(self.scope.group_kinds):
            self._find(group_kind)
        for kind in self.kinds.values():
            self._list(kind, sorted(self.scope.namespaces), limit=len(keys) + UNEXPECTED)

    def write_config_map(self, scope: Scope) -> None:
        """Make the current set's ConfigMap declare a scope; does nothing if it does."""
        current = self.sets.current
        wanted, found = current.config_map(scope), self._config_maps.get(current, {})
        if any(
            not wanted["metadata"][field].items() <= part(found, "metadata", field).items()
            for field in ("labels", "annotations")
        ):
            self._config_maps[current] = self.target.apply_new(current.path, wanted)

    def delete_config_map(self, applyset: ApplySet) -> None:
        """Delete a set's ConfigMap if it exists and is ours; raises Conflict if it changes."""
        found = self.target.find(applyset.path) or {}
        live = read_live(found)
        if live is not None and read_tool(found) == FIELD_MANAGER:
            self.target.delete(applyset.path, live)

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

    def _declared_scope(self, applyset: ApplySet) -> Scope:
        """Read the scope that a set's ConfigMap declares; an empty one if it does not exist."""
        found = self.target.find(applyset.path)
        if found is None:
            return Scope()
        if read_tool(found) not in {"", FIELD_MANAGER}:
            owner = annotations(found).get(ANNOTATION_APPLYSET_TOOLING)
            raise KubeError(f"{applyset.entry.key}: this ApplySet is managed by {owner}")
        self._config_maps[applyset] = found
        return read_scope(found) | Scope(namespaces=frozenset([applyset.namespace]))

    def _find(self, group_kind: GroupKind, api_version: str = "") -> None:
        """Find how a kind is served, in this version or in another of its group."""
        if group_kind in self.kinds or (group_kind, "") in self._problems:
            return
        group, name = group_kind
        try:
            kind = self.target.find_kind(api_version, name) if api_version else None
            kind = kind or self.target.find_kind_in_group(group, name)
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
            self.target.forget_kinds(kind.api_version)
            self._note(kind.group_kind, f"{kind.api_version} is no longer served")
        except KubeRefused:
            raise
        except KubeError as error:
            self._note(kind.group_kind, f"cannot be listed: {error}")

    def _add(self, kind: Kind, item: object) -> None:
        item = item if isinstance(item, dict) else {}
        metadata = part(item, "metadata")
        name, namespace = metadata.get("name", ""), metadata.get("namespace", "")
        if not name_problem(name) and is_namespace(namespace):
            key = ObjectKey(kind.group, kind.kind, namespace, name)
            live = read_live(item, self.wanted.get(key))
            if live is not None:
                self.objects[key] = live

    def _note(self, group_kind: GroupKind, problem: str, namespace: str = "") -> None:
        self._problems[group_kind, namespace] = one_line(problem, MAX_MESSAGE)
