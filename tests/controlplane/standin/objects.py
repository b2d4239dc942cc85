"""Reads the parts of Kubernetes objects that a controller decides by."""

import json
from collections.abc import Mapping

from tests.controlplane.api import Object

ObjectMap = dict[str, dict[str, Object]]


def labels(obj: Object) -> dict[str, str]:
    """Return an object's labels, empty when it has none."""
    return dict(obj["metadata"].get("labels") or {})


def annotations(obj: Object) -> dict[str, str]:
    """Return an object's annotations, empty when it has none."""
    return dict(obj["metadata"].get("annotations") or {})


def namespace(obj: Object) -> str:
    """Return an object's namespace, "" when it is cluster-scoped."""
    return str(obj["metadata"].get("namespace", ""))


def name(obj: Object) -> str:
    """Return an object's name."""
    return str(obj["metadata"].get("name", ""))


def uid(obj: Object) -> str:
    """Return an object's UID."""
    return str(obj["metadata"].get("uid", ""))


def generation(obj: Object) -> int:
    """Return an object's generation; 0 for kinds that have none, as Nodes and Services."""
    return int(obj["metadata"].get("generation", 0))


def version(obj: Object) -> str:
    """Return an object's resourceVersion."""
    return str(obj["metadata"].get("resourceVersion", ""))


def deleting(obj: Object) -> bool:
    """Tell whether an object is marked for deletion."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def finalizers(obj: Object) -> list[str]:
    """Return an object's finalizers."""
    return list(obj["metadata"].get("finalizers") or [])


def qualified(obj: Object) -> str:
    """Return the key of v2 maps: `namespace/name`, or the name of a cluster-scoped object."""
    return f"{namespace(obj)}/{name(obj)}" if namespace(obj) else name(obj)


def described(obj: Object) -> str:
    """Return how messages name an object."""
    return f"{obj.get('kind')} {qualified(obj)}"


def group(api_version: str) -> str:
    """Return the API group of an apiVersion, "" for the core group."""
    return api_version.rpartition("/")[0]


def kind_key(api_version: str, kind: str) -> str:
    """Return the outer key of v2 maps, `Kind.group/version`: "Node.v1", "Lease.x.io/v1"."""
    return f"{kind}.{api_version}"


def controller_reference(obj: Object) -> Object | None:
    """Return the one owner reference that is marked as the controller, if any."""
    references = obj["metadata"].get("ownerReferences") or []
    return next((ref for ref in references if ref.get("controller")), None)


def reference_to(parent: Object) -> Object:
    """Return the owner reference that makes an object a parent's child."""
    return {
        "apiVersion": parent["apiVersion"],
        "kind": parent["kind"],
        "name": name(parent),
        "uid": uid(parent),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def with_metadata(obj: Object, changes: Mapping[str, object]) -> Object:
    """Return a copy of an object with metadata fields replaced; an empty value removes one."""
    metadata = {**obj["metadata"], **changes}
    return {**obj, "metadata": {key: value for key, value in metadata.items() if value}}


def same(one: object, other: object) -> bool:
    """Tell whether two JSON values are equal and of equal types: 1, 1.0 and true all differ."""
    return dumped(one) == dumped(other)


def dumped(value: object) -> str:
    """Return JSON that is equal for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
