"""The ApplySet of a TargetCluster as KEP-3659 lays it down: its ConfigMap, its id, its members."""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from hooks.names import (
    ANNOTATION_APPLYSET_GROUP_KINDS,
    ANNOTATION_APPLYSET_NAMESPACES,
    ANNOTATION_APPLYSET_TOOLING,
    API_VERSION,
    FIELD_MANAGER,
    LABEL_APPLYSET_ID,
)
from hooks.targetclusters.inventory import ObjectKey
from hooks.webhook import Json

#: The namespace of the target in which the ConfigMap stands; every cluster has it.
NAMESPACE = "kube-system"
#: What `applyset.kubernetes.io/tooling` says; other tools leave the set alone.
TOOLING = f"{FIELD_MANAGER}/{API_VERSION}"
_MAX_NAME = 253


@dataclass(frozen=True)
class Extent:
    """Which kinds an ApplySet has, and in which namespaces its objects are."""

    group_kinds: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()

    @classmethod
    def of(cls, keys: Iterable[ObjectKey]) -> "Extent":
        """Answer the extent of these objects."""
        listed = list(keys)
        return cls(
            frozenset(f"{key.kind}.{key.group}" if key.group else key.kind for key in listed),
            frozenset(key.namespace for key in listed if key.namespace),
        )

    def __or__(self, other: "Extent") -> "Extent":
        return Extent(self.group_kinds | other.group_kinds, self.namespaces | other.namespaces)


@dataclass(frozen=True)
class ApplySet:
    """The set of one TargetCluster's objects on its target.

    Attributes:
        name: of the ConfigMap in kube-system that stands for the set.
    """

    name: str

    @classmethod
    def of(cls, cluster: str) -> "ApplySet":
        """Answer the set of a TargetCluster, `namespace/name`.

        The name is the same for a TargetCluster that is made again, so that it finds its objects.
        """
        name = f"targetcluster.{cluster.replace('/', '.', 1)}"
        if len(name) > _MAX_NAME:
            name = f"{name[:220]}-{hashlib.sha256(cluster.encode()).hexdigest()[:32]}"
        return cls(name)

    @property
    def id(self) -> str:
        """Answer the id that members carry: a hash of name, namespace, kind and group."""
        text = f"{self.name}.{NAMESPACE}.ConfigMap."
        digest = hashlib.sha256(text.encode()).digest()
        return f"applyset-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}-v1"

    @property
    def path(self) -> str:
        """Answer the path of the ConfigMap."""
        return f"/api/v1/namespaces/{NAMESPACE}/configmaps/{self.name}"

    @property
    def key(self) -> ObjectKey:
        """Answer the identity of the ConfigMap."""
        return ObjectKey("", "ConfigMap", NAMESPACE, self.name)

    def parent(self, extent: Extent) -> Json:
        """Write the ConfigMap for a set of this extent."""
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": self.name,
                "namespace": NAMESPACE,
                "labels": {LABEL_APPLYSET_ID: self.id},
                "annotations": {
                    ANNOTATION_APPLYSET_TOOLING: TOOLING,
                    ANNOTATION_APPLYSET_GROUP_KINDS: ",".join(sorted(extent.group_kinds)),
                    ANNOTATION_APPLYSET_NAMESPACES: ",".join(
                        sorted(extent.namespaces - {NAMESPACE})
                    ),
                },
            },
        }


def extent_told(parent: Json) -> Extent:
    """Read the extent that a ConfigMap tells."""
    annotations = pairs(parent, "annotations")
    return Extent(
        _listed(annotations.get(ANNOTATION_APPLYSET_GROUP_KINDS, "")),
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
