"""The ApplySet of a TargetCluster as KEP-3659 defines it: its ConfigMap, its id, its members."""

import base64
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote

from hooks.http.bounded_json import Json
from hooks.kube.objects import annotations, labels
from hooks.names import (
    ANNOTATION_APPLYSET_GROUP_KINDS,
    ANNOTATION_APPLYSET_NAMESPACES,
    ANNOTATION_APPLYSET_TOOLING,
    API_VERSION,
    FIELD_MANAGER,
    LABEL_APPLYSET_ID,
)
from hooks.targetclusters.sync.plan.inventory import GroupKind, Inventory, InventoryEntry, ObjectKey

_MAX_NAME = 253


@dataclass(frozen=True)
class Scope:
    """Where an ApplySet has objects: of which kinds, and in which namespaces."""

    group_kinds: frozenset[GroupKind] = frozenset()
    namespaces: frozenset[str] = frozenset()

    @classmethod
    def of(cls, keys: Collection[ObjectKey]) -> "Scope":
        """Return the scope of these objects."""
        namespaces = frozenset(key.namespace for key in keys if key.namespace)
        return cls(frozenset(key.group_kind for key in keys), namespaces)

    def __or__(self, other: "Scope") -> "Scope":
        return Scope(self.group_kinds | other.group_kinds, self.namespaces | other.namespaces)


@dataclass(frozen=True)
class ApplySet:
    """A set of objects, and the ConfigMap on the target that stands for it.

    The ConfigMap is in the namespace of the set's objects, or of most of them: kubectl manages the
    objects of one namespace only, and a kubeconfig may allow no other.
    """

    namespace: str
    name: str

    @property
    def id(self) -> str:
        """Return the id that members carry: a hash of name, namespace, kind and group."""
        text = f"{self.name}.{self.namespace}.ConfigMap."
        digest = hashlib.sha256(text.encode()).digest()
        return f"applyset-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}-v1"

    @property
    def path(self) -> str:
        """Return the path of the ConfigMap."""
        namespace, name = quote(self.namespace, safe=""), quote(self.name, safe="")
        return f"/api/v1/namespaces/{namespace}/configmaps/{name}"

    @property
    def entry(self) -> InventoryEntry:
        """Return the ConfigMap's entry in the inventory."""
        return InventoryEntry("v1", "ConfigMap", self.namespace, self.name, source="ApplySet")

    def config_map(self, scope: Scope) -> Json:
        """Write the ConfigMap for a set of this scope."""
        kinds = sorted(f"{kind}.{group}".rstrip(".") for group, kind in scope.group_kinds)
        namespaces = sorted(scope.namespaces - {self.namespace})
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "labels": {LABEL_APPLYSET_ID: self.id},
                "annotations": {
                    ANNOTATION_APPLYSET_TOOLING: f"{FIELD_MANAGER}/{API_VERSION}",
                    ANNOTATION_APPLYSET_GROUP_KINDS: ",".join(kinds),
                    ANNOTATION_APPLYSET_NAMESPACES: ",".join(namespaces),
                },
            },
        }


@dataclass(frozen=True)
class ApplySets:
    """The ApplySets of one TargetCluster.

    Attributes:
        current: the one that objects become part of.
        former: those in other namespaces that objects may still be part of.
        members: the recorded objects, without the sets' own ConfigMaps.
    """

    current: ApplySet
    former: tuple[ApplySet, ...]
    recorded: Inventory
    members: Mapping[ObjectKey, InventoryEntry]

    @classmethod
    def of(cls, cluster: str, namespace: str, recorded: Inventory) -> "ApplySets":
        """Return the sets of a TargetCluster `namespace/name`, the current one in `namespace`."""
        current = ApplySet(namespace, set_name(cluster))
        sets = recorded_sets(cluster, recorded)
        keys = {one.entry.key for one in (current, *sets)}
        members = {key: entry for key, entry in recorded.by_key.items() if key not in keys}
        return cls(current, tuple(one for one in sets if one != current), recorded, members)

    @property
    def all(self) -> tuple[ApplySet, ...]:
        """Return the current set and the former ones."""
        return self.current, *self.former

    @cached_property
    def ids(self) -> frozenset[str]:
        """Return the ids by which an object is known to be ours."""
        return frozenset(one.id for one in self.all)


def set_name(cluster: str) -> str:
    """Name the ConfigMap of a TargetCluster, `namespace/name`.

    A TargetCluster that is created again gets the same name, so it finds its objects.
    """
    name = f"targetcluster.{cluster.replace('/', '.', 1)}"
    if len(name) <= _MAX_NAME:
        return name
    return f"{name[:220]}-{hashlib.sha256(cluster.encode()).hexdigest()[:32]}"


def recorded_sets(cluster: str, recorded: Inventory) -> tuple[ApplySet, ...]:
    """Return the sets of a TargetCluster whose ConfigMaps are recorded."""
    name = set_name(cluster)
    return tuple(
        ApplySet(key.namespace, name)
        for key in recorded.by_key
        if key.namespace and (key.group, key.kind, key.name) == ("", "ConfigMap", name)
    )


def read_scope(config_map: Json) -> Scope:
    """Read the scope that a set's ConfigMap declares."""
    declared = annotations(config_map)
    kinds, namespaces = (
        frozenset(filter(None, str(declared.get(name) or "").split(",")))
        for name in (ANNOTATION_APPLYSET_GROUP_KINDS, ANNOTATION_APPLYSET_NAMESPACES)
    )
    parts = (text.partition(".") for text in kinds)
    return Scope(frozenset((group, kind) for kind, _, group in parts), namespaces)


def read_tool(config_map: Json) -> str:
    """Return the name of the tool that manages a set; empty if the ConfigMap stands for none."""
    if LABEL_APPLYSET_ID not in labels(config_map):
        return ""
    return str(annotations(config_map).get(ANNOTATION_APPLYSET_TOOLING) or "").rpartition("/")[0]
