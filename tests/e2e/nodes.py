"""Nodes as kubelet registers and reports them, and what is asked of them."""

from hooks.names import TAINT_SHUTDOWN, TAINT_UNINITIALIZED
from tests.controlplane.api import Object
from tests.e2e.platform import Platform

UNINITIALIZED = TAINT_UNINITIALIZED
SHUTDOWN = TAINT_SHUTDOWN
_LABELS = (
    "kubernetes.io/hostname",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
)


def register(platform: Platform, name: str, *, provider_id: str = "", ready: bool = True) -> Object:
    """Register a Node as kubelet does with an external cloud provider."""
    taint = {"key": UNINITIALIZED, "value": "true", "effect": "NoSchedule"}
    spec: Object = {"taints": [taint]}
    if provider_id:
        spec["providerID"] = provider_id
    platform.nodes.create(
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": spec}
    )
    status = {
        "capacity": {"cpu": "4", "memory": "8Gi", "pods": "110"},
        "nodeInfo": {"kubeletVersion": "v1.36.3"},
        "conditions": [_ready(ready=ready)],
    }
    return platform.nodes.patch(name, {"status": status}, subresource="status")


def set_ready(platform: Platform, name: str, *, ready: bool) -> None:
    """Report a Node Ready or not, as kubelet or the node monitor would."""
    conditions = [_ready(ready=ready)]
    platform.nodes.patch(name, {"status": {"conditions": conditions}}, subresource="status")


def put_taint(platform: Platform, name: str, taint: Object) -> None:
    """Taint a Node by hand."""
    platform.plane.kubectl(
        "taint", "nodes", name, f"{taint['key']}={taint['value']}:{taint['effect']}"
    )


def has_taint(node: Object, key: str) -> bool:
    """Tell whether a Node has a taint."""
    return any(taint["key"] == key for taint in node["spec"].get("taints", []))


def complete(node: Object) -> bool:
    """Tell whether a Node has all that it must have before it is released."""
    labels = node["metadata"].get("labels", {})
    addresses = node.get("status", {}).get("addresses", [])
    return bool(
        node["spec"].get("providerID")
        and all(label in labels for label in _LABELS)
        and any(found["type"] == "InternalIP" for found in addresses)
    )


def initialised(node: Object) -> bool:
    """Tell whether a Node is released, with all that it must have."""
    return complete(node) and not has_taint(node, UNINITIALIZED)


def address(entry: Object) -> tuple[str, str]:
    """Answer an entry of `status.addresses` as a pair."""
    return str(entry["type"]), str(entry["address"])


def _ready(*, ready: bool) -> Object:
    return {
        "type": "Ready",
        "status": str(ready),
        "reason": "KubeletReady" if ready else "NodeStatusUnknown",
        "message": "as the test says",
        "lastHeartbeatTime": "2026-11-22T00:00:00Z",
        "lastTransitionTime": "2026-11-22T00:00:00Z",
    }
