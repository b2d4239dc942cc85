"""A TargetCluster that is driven by hand, and its real cluster behind a line that can be cut."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from hooks.http.bounded_json import Json
from hooks.kube.times import timestamp
from hooks.names import LABEL_MEMBER_OF
from hooks.targetclusters.plan.schedule import MIN_POLL
from hooks.targetclusters.sync.plan.inventory import Inventory
from tests.controlplane import Cluster
from tests.controlplane.api import Object
from tests.controlplane.polling import PATIENCE, until
from tests.targets import proxy as proxies
from tests.targets.driving import Clock, Driven, Operator, target_cluster
from tests.targets.objects import kubeconfig, secret
from tests.targets.own_cluster import OwnCluster
from tests.targets.proxy import Fate, Proxy

LABEL = {"targetcluster.example.com/sync": "true"}


def source(name: str, namespace: str, colour: str = "red") -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": LABEL},
        "data": {"colour": colour},
    }


@dataclass
class Stage:
    """A TargetCluster in a namespace of its own, its sources, and the way to its cluster."""

    namespace: str
    target: Cluster
    line: Proxy
    own: OwnCluster = field(default_factory=OwnCluster)
    clock: Clock = field(default_factory=Clock)
    uncovered: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.own.put(secret(kubeconfig(self.line.url), namespace=self.namespace))
        self.line.on_write = self.watch
        self.driven = Driven(
            self.operator(),
            target_cluster(
                namespace=self.namespace,
                kubeconfigSecret="target",
                resourceSyncPolicy={"enabled": True},
            ),
        )

    def operator(self) -> Operator:
        return Operator(self.own, clock=self.clock)

    @property
    def key(self) -> str:
        """Return the TargetCluster's `namespace/name`."""
        return f"{self.namespace}/example"

    def restart(self) -> None:
        """Kill the operator and start another, which knows what Kubernetes knows."""
        self.driven.operator.hook.close()
        self.line.dead.clear()
        self.driven.operator = self.operator()

    def watch(self, write: str) -> Fate:
        """Note each object that is written without standing in the inventory."""
        method, _, path = write.partition(" ")
        parts = path.split("/")
        if method == "PATCH" and "configmaps" in parts:
            key = (parts[4], parts[6])
            if key not in self.recorded():
                self.uncovered.append(write)
        return "done"

    def recorded(self) -> set[tuple[str, str]]:
        inventory = Inventory.from_config_maps(self.driven.children)
        return {(key.namespace, key.name) for key in inventory.by_key}

    def converge(self) -> None:
        """Call on until the resources are synced and nothing is left to be done at once."""

        def settled() -> bool:
            sync = self.driven.status.get("sync") or {}
            return (
                self.driven.says("ResourcesSynced") == "True Synced"
                and sync.get("objects") == len(self.sources())
                and self.driven.answers[-1]["resyncAfterSeconds"] > 5
            )

        self.driven.settle(settled, "the resources are synced")

    def finalize(self, within: float = PATIENCE, *, or_dead: bool = False) -> bool:
        """Delete the TargetCluster, and call on until it is finalized; answer whether it is.

        With `or_dead`, until the line is dead: what died with it answers no further call.
        """
        deleted = timestamp(self.clock.now)
        metadata = {**self.driven.cluster["metadata"], "deletionTimestamp": deleted}
        self.driven.cluster = {**self.driven.cluster, "metadata": metadata}

        def ended() -> str:
            if or_dead and self.line.dead.is_set():
                return "dead"
            answer = self.driven.call(finalizing=True)
            if answer["finalized"]:
                return "finalized"
            if answer["resyncAfterSeconds"] != MIN_POLL:
                self.clock.now += answer["resyncAfterSeconds"] + 0.001
            return ""

        how = until(ended, "the TargetCluster is finalized", within=within, every=0.005)
        return how == "finalized"

    def sources(self) -> set[str]:
        return {
            obj["metadata"]["name"]
            for obj in self.own.objects.values()
            if obj.get("kind") == "ConfigMap" and obj["metadata"].get("labels") == LABEL
        }

    def on_target(self) -> dict[str, Object]:
        """Return what carries the operator's label in the namespace on the target."""
        config_maps = self.target.api.resource("v1", "configmaps")
        found = config_maps.list(self.namespace, labels=LABEL_MEMBER_OF)
        return {obj["metadata"]["name"]: obj for obj in found}


@contextmanager
def staged(target: Cluster, namespace: str) -> Iterator[Stage]:
    with ExitStack() as stack:
        made = Stage(namespace, target, stack.enter_context(proxies.before(target)))
        for name in ("a", "b", "c"):
            made.own.put(source(name, namespace))
        try:
            yield made
        finally:
            made.driven.operator.hook.close()
            made.line.dead.set()
