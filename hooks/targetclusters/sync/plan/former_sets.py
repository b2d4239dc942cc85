"""The ApplySets (KEP-3659) of earlier versions, which go as their objects get our mark."""

import base64
import hashlib

from hooks.http.bounded_json import Json
from hooks.kube.objects import annotations, labels
from hooks.targetclusters.sync.plan.inventory import InventoryEntry

LABEL_PART_OF = "applyset.kubernetes.io/part-of"
_LABEL_ID = "applyset.kubernetes.io/id"
_TOOLING = "applyset.kubernetes.io/tooling"
#: What an inventory of an earlier version names as the source of a set's own ConfigMap.
_SOURCE = "ApplySet"


def is_former_set(entry: InventoryEntry) -> bool:
    """Tell whether an entry is the ConfigMap that stood for a set, and no object of a source."""
    return entry.source == _SOURCE and (entry.api_version, entry.kind) == ("v1", "ConfigMap")


def set_id(entry: InventoryEntry) -> str:
    """Return the id that members of a set carry: a hash of name, namespace, kind and group."""
    digest = hashlib.sha256(f"{entry.name}.{entry.namespace}.ConfigMap.".encode()).digest()
    return f"applyset-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}-v1"


def read_tool(config_map: Json, entry: InventoryEntry) -> str:
    """Return the tool that manages a set; empty if a ConfigMap does not stand for it."""
    if labels(config_map).get(_LABEL_ID) != set_id(entry):
        return ""
    return str(annotations(config_map).get(_TOOLING) or "").rpartition("/")[0]
