"""A TargetCluster's sources and its target, and Metacontroller's part in between."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import Kube
from hooks.names import LABEL_SYNC
from hooks.targetclusters.access.kubeconfig_secrets import KubeconfigSecrets
from hooks.targetclusters.identities import read_identity
from hooks.targetclusters.sources.memory import SourceCache, SourceMemory
from hooks.targetclusters.sources.reading import SourceReader, read_sources
from hooks.targetclusters.sync.engine import delete_all, sync_round
from hooks.targetclusters.sync.memory import SyncMemory
from hooks.targetclusters.sync.plan.inventory import Inventory, ObjectKey
from hooks.targetclusters.sync.plan.model import (
    DesiredSet,
    ObjectResult,
    Owner,
    SyncPolicy,
    SyncReport,
    SyncTask,
)
from hooks.webhook.requests import convert
from tests.controlplane.cluster import Cluster
from tests.kubes import Watched

KUBECONFIG = "target-cluster-kubeconfig"


def manifest(name: str, data: Mapping[str, str] | None = None, **metadata: Any) -> Json:
    """Write a ConfigMap as a manifest."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **metadata},
        "data": dict(data or {}),
    }


@dataclass
class World:
    """One TargetCluster in a namespace of its own, on both API servers.

    Attributes:
        own: the API server with the TargetCluster and its sources.
        target: the other one.
        kube: the target as the hook sees it, counting.
        policy: what `resourceSyncPolicy` says.
        recorded: the inventory as Metacontroller shows it.
        clock: epoch seconds.
        hub: the id of the cluster with the TargetCluster.
        history: what became of each object, round by round.
    """

    own: Cluster
    target: Cluster
    namespace: str
    kube: Watched
    own_kube: Watched
    policy: dict[str, Any] = field(default_factory=dict)
    recorded: Inventory = field(default_factory=Inventory)
    memory: SyncMemory = field(default_factory=SyncMemory)
    cache: SourceCache = field(default_factory=SourceCache)
    source_memory: SourceMemory = field(default_factory=SourceMemory)
    hub: str = "hub"
    clock: float = 1_800_000_000.0
    history: dict[str, list[ObjectResult]] = field(default_factory=dict)

    def source(
        self, name: str, data: Mapping[str, str], *, kind: str = "ConfigMap", label: str = "true"
    ) -> None:
        """Put a source in place, or change it."""
        body = {
            "apiVersion": "v1",
            "kind": kind,
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "labels": {LABEL_SYNC: label} if label else {},
            },
            **({"data": dict(data)} if kind == "ConfigMap" else {"stringData": dict(data)}),
        }
        resource = self.own.api.resource("v1", f"{kind.lower()}s")
        if resource.find(name, self.namespace) is None:
            resource.create(body)
        else:
            resource.update(body)

    def unsource(self, name: str, kind: str = "ConfigMap") -> None:
        """Delete a source."""
        self.own.api.resource("v1", f"{kind.lower()}s").delete(name, self.namespace)

    def kubeconfig_secrets(self, deadline: Deadline) -> frozenset[str]:
        """Read which Secrets are no sources, as the hook does."""
        secrets = KubeconfigSecrets(self.own_kube, default=KUBECONFIG, monotonic=time.monotonic)
        return secrets.names(self.namespace, deadline)

    def gather(self) -> DesiredSet:
        """Read the sources as the hook does."""
        cluster = {
            "metadata": {"name": "web", "namespace": self.namespace},
            "spec": {"resourceSyncPolicy": self.policy},
        }
        reader = SourceReader(
            self.own_kube, self.kubeconfig_secrets, self.cache, self.source_memory
        )
        return read_sources(reader, cluster, Deadline(30))

    def round(self, *, kube: Kube | None = None, seconds: float = 60.0) -> SyncReport:
        """Do one round, and have Metacontroller write the inventory that it answers."""
        policy = convert(self.policy, SyncPolicy)
        task = replace(self.task(kube), desired=self.gather(), policy=policy)
        report = sync_round(
            kube or self.kube,
            task,
            memory=self.memory,
            deadline=Deadline(seconds),
            clock=lambda: self.clock,
        )
        self.record(report.inventory)
        for one in report.results:
            self.history.setdefault(one.entry.name, []).append(one)
        return report

    def task(self, kube: Kube | None = None) -> SyncTask:
        """Say what a round is about, as the hook does."""
        cluster = read_identity(kube or self.kube, "", Deadline(10))
        return SyncTask(self.owner, cluster, self.recorded)

    def record(self, inventory: Inventory) -> None:
        """Write the inventory's ConfigMaps and read them back, as Metacontroller does."""
        children = inventory.to_config_maps(name="web", namespace=self.namespace)
        self.recorded = Inventory.from_config_maps(children)

    def settle(self) -> SyncReport:
        """Do rounds until one has nothing left to do at once."""
        self.history.clear()
        reports = [self.round()]
        while not reports[-1].complete and len(reports) < 5:
            reports.append(self.round())
        assert reports[-1].complete, reports[-1]
        return reports[-1]

    def outcomes(self, name: str) -> list[str]:
        """Return what became of an object in the rounds of the last `settle`."""
        return [one.outcome for one in self.history[name]]

    def delete(self, *, kube: Kube | None = None, seconds: float = 60.0) -> SyncReport:
        """Do one round of deleting everything."""
        report = delete_all(
            kube or self.kube,
            self.task(kube),
            memory=self.memory,
            deadline=Deadline(seconds),
        )
        self.record(report.inventory)
        return report

    def forget(self) -> None:
        """Lose what the process remembered."""
        self.memory = SyncMemory()
        self.cache = SourceCache()

    def on_target(self, name: str, plural: str = "configmaps", version: str = "v1") -> Json | None:
        """Read an object in the namespace of the same name on the target."""
        return self.target.api.resource(version, plural).find(name, self.namespace)

    def data(self, name: str) -> dict[str, str] | None:
        """Return the data of a ConfigMap on the target; None if it does not exist."""
        found = self.on_target(name)
        return found.get("data", {}) if found else None

    def ours(self) -> set[ObjectKey]:
        """Return the ConfigMaps on the target that carry our label."""
        listed = self.target.api.resource("v1", "configmaps").list(labels=self.owner.selector)
        return {
            ObjectKey("", "ConfigMap", o["metadata"]["namespace"], o["metadata"]["name"])
            for o in listed
        }

    def names(self) -> set[str]:
        """Return the names of our ConfigMaps on the target."""
        return {key.name for key in self.ours()}

    @property
    def owner(self) -> Owner:
        """Return the TargetCluster as its target knows it."""
        return Owner(self.hub, f"{self.namespace}/web")


def result(report: SyncReport, name: str) -> ObjectResult:
    """Return what became of an object."""
    (found,) = [one for one in report.results if one.entry.name == name]
    return found
