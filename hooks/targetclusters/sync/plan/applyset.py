"""The ApplySet of a TargetCluster as KEP-3659 lays it down: its ConfigMap, its id, its members."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hooks.http.bounded_json import Json
from hooks.names import (
    ANNOTATION_APPLYSET_GROUP_KINDS,
    ANNOTATION_APPLYSET_NAMESPACES,
    ANNOTATION_APPLYSET_TOOLING,
    API_VERSION,
    FIELD_MANAGER,
    LABEL_APPLYSET_ID,
)
from hooks.targetclusters.sync.plan.inventory import GroupKind, Inventory, InventoryEntry, ObjectKey

#: What `applyset.kubernetes.io/tooling` says; other tools leave the set alone.
TOOLING = f"{FIELD_MANAGER}/{API_VERSION}"
#: The source that the inventory names for such a ConfigMap.
SOURCE = "ApplySet"
_MAX_NAME = 253


@dataclass(frozen=True)
class Extent:
    """Which kinds an ApplySet has, and in which namespaces its objects are."""

    group_kinds: frozenset[GroupKind] = frozenset()
    namespaces: frozenset[str] = frozenset()

    @classmethod
    def of(cls, keys: Iterable[ObjectKey]) -> "Extent":
        """Answer the extent of these objects."""
        listed = list(keys)
        return cls(
            frozenset(key.group_kind for key in listed),
            frozenset(key.namespace for key in listed if key.namespace),
        )

    def __or__(self, other: "Extent") -> "Extent":
        return Extent(self.group_kinds | other.group_kinds, self.namespaces | other.namespaces)


@dataclass(frozen=True)
class ApplySet:
    """A set of objects, and the ConfigMap on the target that stands for it.

    The ConfigMap is where the set's objects are, or most of them: kubectl looks after the objects
    of one namespace only, and a kubeconfig may be good for no other.
    """

    namespace: str
    name: str

    @property
    def id(self) -> str:
        """Answer the id that members carry: a hash of name, namespace, kind and group."""
        text = f"{self.name}.{self.namespace}.ConfigMap."
        digest = hashlib.sha256(text.encode()).digest()
        return f"applyset-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}-v1"

    @property
    def path(self) -> str:
        """Answer the path of the ConfigMap."""
        return f"/api/v1/namespaces/{self.namespace}/configmaps/{self.name}"

    @property
    def entry(self) -> InventoryEntry:
        """Answer the ConfigMap's entry in the inventory."""
        return InventoryEntry("v1", "ConfigMap", self.namespace, self.name, source=SOURCE)

    def parent(self, extent: Extent) -> Json:
        """Write the ConfigMap for a set of this extent."""
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "labels": {LABEL_APPLYSET_ID: self.id},
                "annotations": {
                    ANNOTATION_APPLYSET_TOOLING: TOOLING,
                    ANNOTATION_APPLYSET_GROUP_KINDS: ",".join(
                        sorted(f"{kind}.{group}".rstrip(".") for group, kind in extent.group_kinds)
                    ),
                    ANNOTATION_APPLYSET_NAMESPACES: ",".join(
                        sorted(extent.namespaces - {self.namespace})
                    ),
                },
            },
        }


@dataclass(frozen=True)
class Sets:
    """The ApplySets of one TargetCluster.

    Attributes:
        current: the one that objects are to be part of.
        former: those of other namespaces that objects may still be part of.
        members: what is recorded, but for the sets' own ConfigMaps.
    """

    current: ApplySet
    former: tuple[ApplySet, ...]
    members: Mapping[ObjectKey, InventoryEntry]

    @classmethod
    def of(cls, cluster: str, namespace: str, recorded: Inventory) -> "Sets":
        """Answer the sets of a TargetCluster.

        Args:
            cluster: its `namespace/name`.
            namespace: in which its current set stands.
            recorded: names the former ones.
        """
        current = ApplySet(namespace, set_name(cluster))
        parents = set_parents(cluster, recorded)
        keys = {parent.entry.key for parent in parents} | {current.entry.key}
        members = {key: entry for key, entry in recorded.by_key.items() if key not in keys}
        return cls(current, tuple(one for one in parents if one != current), members)

    @property
    def ids(self) -> frozenset[str]:
        """Answer the ids by which an object is known to be ours."""
        return frozenset(one.id for one in (self.current, *self.former))


def set_name(cluster: str) -> str:
    """Name the ConfigMap of a TargetCluster, `namespace/name`.

    It is the same for a TargetCluster that is made again, so that it finds its objects.
    """
    name = f"targetcluster.{cluster.replace('/', '.', 1)}"
    if len(name) <= _MAX_NAME:
        return name
    return f"{name[:220]}-{hashlib.sha256(cluster.encode()).hexdigest()[:32]}"


def set_parents(cluster: str, recorded: Inventory) -> tuple[ApplySet, ...]:
    """Answer the sets of a TargetCluster whose ConfigMaps are recorded."""
    name = set_name(cluster)
    return tuple(
        ApplySet(key.namespace, name)
        for key in recorded.by_key
        if key == ObjectKey("", "ConfigMap", key.namespace, name) and key.namespace
    )


def extent_told(parent: Json) -> Extent:
    """Read the extent that a ConfigMap tells."""
    annotations = pairs(parent, "annotations")
    kinds = [
        text.partition(".")
        for text in _listed(annotations.get(ANNOTATION_APPLYSET_GROUP_KINDS, ""))
    ]
    return Extent(
        frozenset((group, kind) for kind, _, group in kinds),
        _listed(annotations.get(ANNOTATION_APPLYSET_NAMESPACES, "")),
    )


def tool(parent: Json) -> str:
    """Answer whose the set is: the tool's name, empty where the ConfigMap stands for none."""
    if LABEL_APPLYSET_ID not in pairs(parent, "labels"):
        return ""
    return pairs(parent, "annotations").get(ANNOTATION_APPLYSET_TOOLING, "").rpartition("/")[0]


def pairs(obj: Json, which: str) -> dict[str, str]:
    """Answer an object's labels or annotations, whatever it holds there instead."""
    metadata = obj.get("metadata")
    found = metadata.get(which) if isinstance(metadata, dict) else None
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str)}


def _listed(text: str) -> frozenset[str]:
    return frozenset(filter(None, text.split(",")))
