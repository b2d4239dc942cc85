"""A cluster with the target-cluster-operator, and a target that is supplied by it."""

from dataclasses import dataclass
from pathlib import Path

from tests.controlplane import Cluster, ControlPlane, polling
from tests.controlplane.api import Object, Resource
from tests.deploy.pods import Moved, Pod
from tests.deploy.rendering import DEPLOY
from tests.e2e.targets import GROUP_VERSION, NAMESPACE, kubeconfig_of, says, source

ALONE = DEPLOY / "overlays" / "target-cluster-operator-alone"


@dataclass
class Watched:
    """A target cluster that is supplied by an operator of some version."""

    cluster: ControlPlane
    target: Cluster
    folder: Path
    pods: int = 0

    def pod(self, manifests: Moved) -> Pod:
        """Return another pod."""
        self.pods += 1
        deployment = manifests.rendered.deployment()
        settings = {"METRICS_BIND": "127.0.0.1"}
        return Pod(self.cluster, deployment, self.folder / f"pod-{self.pods}", settings=settings)

    def shop(self) -> Object:
        """Read the TargetCluster."""
        return self.clusters.get("shop", NAMESPACE)

    @property
    def clusters(self) -> Resource:
        """Return the API server's TargetClusters."""
        return self.cluster.api.resource(GROUP_VERSION, "targetclusters")

    def until_ready(self, *, server: bool = True) -> None:
        """Wait until it says that it is ready and synced, and what its server is, or not."""

        def good() -> bool:
            shop = self.shop()
            synced = says(shop, "ResourcesSynced") == "True Synced"
            shows = "server" in shop.get("status", {})
            return says(shop, "Ready") == "True Healthy" and synced and shows == server

        polling.until(good, f"the TargetCluster is right, {server=}")

    def copy(self) -> Object | None:
        """Read what was brought to the target."""
        return self.target.api.resource("v1", "configmaps").find("web", NAMESPACE)

    def inventory(self) -> Object:
        """Read what the operator remembers of it."""
        config_maps = self.cluster.api.resource("v1", "configmaps")
        return config_maps.get("shop-inventory", NAMESPACE)


def supply(watched: Watched) -> None:
    """Make a TargetCluster with something to be brought there."""
    secret = {"name": "target-cluster-kubeconfig", "namespace": NAMESPACE}
    data = {"kubeconfig": kubeconfig_of(watched.target)}
    api = watched.cluster.api
    api.resource("v1", "secrets").create({"metadata": secret, "stringData": data})
    api.resource("v1", "configmaps").create(source("web"))
    policy = {"enabled": True, "syncInterval": "1s"}
    spec = {"monitorInterval": "1s", "resourceSyncPolicy": policy, "deletionPolicy": "Delete"}
    metadata = {"name": "shop", "namespace": NAMESPACE}
    shop = {
        "apiVersion": GROUP_VERSION,
        "kind": "TargetCluster",
        "metadata": metadata,
        "spec": spec,
    }
    api.resource(GROUP_VERSION, "targetclusters").create(shop)
