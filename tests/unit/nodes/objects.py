"""Nodes, VMs and facts for the rows of the tests, each with only what a row changes."""

from typing import Any

from hooks.cloudstack.models.compute import Nic, VirtualMachine
from hooks.http.bounded_json import Json
from hooks.names import TAINT_UNINITIALIZED
from hooks.nodes.plan.absence import SeenAbsence
from hooks.nodes.plan.facts import Facts
from hooks.nodes.plan.match import Found, Match

VM_ID = "36808f79-3b12-4ce8-ac4d-3d206e657e99"
NOW = 1_800_000_000.0
UNINITIALIZED: Json = {"key": TAINT_UNINITIALIZED, "value": "true", "effect": "NoSchedule"}
LABELS = {
    "kubernetes.io/hostname": "node-1",
    "node.kubernetes.io/instance-type": "SmallInstance",
    "topology.kubernetes.io/zone": "zone-1",
    "topology.kubernetes.io/region": "zone-1",
}
ADDRESSES = [
    {"type": "InternalIP", "address": "10.1.1.190"},
    {"type": "Hostname", "address": "node-1"},
]


def make_nic(
    ip: str = "10.1.1.190",
    ip6: str = "",
    *,
    default: bool = True,
    secondary: tuple[str, ...] = (),
) -> Nic:
    return Nic(
        id=f"nic-{ip}{ip6}",
        network_id="net",
        ip_address=ip,
        ip6_address=ip6,
        is_default=default,
        secondary_ips=secondary,
    )


def make_vm(**changes: Any) -> VirtualMachine:
    facts: dict[str, Any] = {
        "id": VM_ID,
        "name": "node-1",
        "state": "Running",
        "zone_id": "zone-id",
        "zone_name": "zone-1",
        "offering_name": "Small Instance",
        "nics": (make_nic(),),
        "account": "user",
        "domain_id": "domain-id",
    }
    return VirtualMachine(**{**facts, **changes})


def make_node(
    *,
    name: str = "node-1",
    ready: bool | None = True,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    spec: Json | None = None,
    addresses: list[Json] | None = None,
    kubelet: str = "v1.36.3",
    metadata: Json | None = None,
) -> Json:
    conditions = [] if ready is None else [{"type": "Ready", "status": str(ready)}]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "uid": "node-uid",
            "resourceVersion": "7",
            "labels": labels if labels is not None else {},
            "annotations": annotations or {},
            **(metadata or {}),
        },
        "spec": spec or {},
        "status": {
            "conditions": conditions,
            "addresses": addresses or [],
            "nodeInfo": {"kubeletVersion": kubelet},
        },
    }


def make_initialised_node(**changes: Any) -> Json:
    return make_node(
        **{
            "labels": LABELS,
            "addresses": ADDRESSES,
            "spec": {"providerID": f"external-cloudstack://{VM_ID}"},
            **changes,
        }
    )


def seen_missing(seconds: float, *, snapshots: int = 5) -> SeenAbsence:
    """Return what a process knows that has seen a VM missing for so many seconds."""
    return SeenAbsence(("node-uid", VM_ID, NOW), 100.0, 100.0 + seconds, snapshots)


def make_facts(cached: Json, match: Match | None = None, /, **changes: Any) -> Facts:
    facts: dict[str, Any] = {
        "cached": cached,
        "node": cached,
        "instance": None,
        "match": match or Found(make_vm()),
        "taken_at": NOW - 1,
        "region": "",
        "legacy_labels": "auto",
        "missing_grace": 60.0,
        "guard_hold": 600.0,
        "is_gone": True,
    }
    return Facts(**{**facts, **changes})
