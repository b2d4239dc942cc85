"""Objects, kinds and sets for the rows of the tests, each with only what a row changes."""

from collections.abc import Mapping
from typing import Any

from hooks.http.bounded_json import Json
from hooks.kube.identity import ClusterIdentity
from hooks.kube.kinds import NAMESPACE, Gvk, Kind
from hooks.targetclusters.sync.plan.inventory import Inventory, InventoryEntry, ObjectKey
from hooks.targetclusters.sync.plan.model import (
    DesiredObject,
    DesiredSet,
    IgnoredFields,
    LiveObject,
    Owner,
    SyncPolicy,
    SyncTask,
)
from hooks.targetclusters.sync.plan.resolve import ResolvedObject, ResolvedSet, resolve

CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps", namespaced=True)
SECRET = Kind("v1", "Secret", "secrets", namespaced=True)
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments", namespaced=True)
CLUSTER_ROLE = Kind("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", namespaced=False)
CRD = Kind(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    namespaced=False,
)
KINDS = {
    (kind.api_version, kind.kind): kind
    for kind in (CONFIG_MAP, SECRET, DEPLOYMENT, CLUSTER_ROLE, CRD, NAMESPACE)
}
OWNER = Owner("hub", "fleet/web")
MARK = OWNER.mark("ConfigMap/shop/a")
TARGET = ClusterIdentity("uid-of-target")


def make_body(name: str = "a", kind: Kind = CONFIG_MAP, **changes: Any) -> Json:
    metadata = {"name": name, **changes.pop("metadata", {})}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **changes}


def make_desired(
    name: str = "a", kind: Kind = CONFIG_MAP, source: str = "ConfigMap/app", **changes: Any
) -> DesiredObject:
    return DesiredObject(source, make_body(name, kind, **changes), namespace="shop")


def make_wanted(desired: DesiredObject | None = None, *, uid: str = "") -> ResolvedObject:
    one = desired or make_desired(data={"color": "red"})
    name, kind = one.body["metadata"]["name"], KINDS[one.gvk]
    entry = make_entry(name, kind, uid=uid)
    (wanted,) = resolved(DesiredSet((one,)), recorded={entry.key: entry}).objects
    return wanted


def resolved(
    desired: DesiredSet,
    kinds: Mapping[Gvk, Kind | str] = KINDS,
    *,
    recorded: Mapping[ObjectKey, InventoryEntry] | None = None,
    ignored: tuple[IgnoredFields, ...] = (),
) -> ResolvedSet:
    """Resolve what is wanted, in no time."""
    task = SyncTask(OWNER, TARGET, Inventory(), desired, SyncPolicy(ignored=ignored))
    return resolve(task, kinds, recorded or {}, in_time=lambda: None)


def make_live(**changes: Any) -> LiveObject:
    facts: dict[str, Any] = {
        "uid": "uid-1",
        "resource_version": "7",
        "mark": MARK,
        "applied_hash": make_wanted().digest,
    }
    return LiveObject(**{**facts, **changes})


def make_entry(name: str, kind: Kind = CONFIG_MAP, **changes: Any) -> InventoryEntry:
    namespace = "shop" if kind.namespaced else ""
    fields: dict[str, Any] = {"namespace": namespace, "source": "ConfigMap/app", **changes}
    return InventoryEntry(api_version=kind.api_version, kind=kind.kind, name=name, **fields)
