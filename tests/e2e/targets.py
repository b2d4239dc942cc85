"""TargetClusters on real parts: hooks under gunicorn, Metacontroller, second API servers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hooks.names import API_VERSION, LABEL_SYNC, TARGET_CLUSTER_GROUP
from tests.controlplane import Cluster, ControlPlane, manifests, polling
from tests.controlplane.api import ApiError, Object, Resource
from tests.controlplane.polling import PATIENCE
from tests.controlplane.processes import Process
from tests.serving import PROJECT, Hooks
from tests.targets.objects import LOOPBACK

NAMESPACE = "target-cluster-system"
GROUP_VERSION = f"{TARGET_CLUSTER_GROUP}/{API_VERSION}"


class TargetHooks(Hooks):
    """The target-cluster-operator's hook under gunicorn, configured as in the image."""

    def __init__(self, plane: ControlPlane, folder: Path, **settings: str) -> None:
        environ = {
            "HOOKS": "targetclusters",
            "KUBECONFIG_FILE": str(plane.kubeconfig),
            "WATCH_NAMESPACE": "",
            "TARGET_CLUSTER_ALLOWED_NETWORKS": LOOPBACK,
            **settings,
        }
        if "POD_NAMESPACE" in settings and "WATCH_NAMESPACE" not in settings:
            del environ["WATCH_NAMESPACE"]
        super().__init__(folder, environ)

    @property
    def url(self) -> str:
        """Return where the hooks listen."""
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """End gunicorn and its worker as a crash would."""
        self.process.kill()

    @property
    def worker(self) -> int:
        """Return the pid of the process that does the work."""
        pid = self.process.pid
        [worker] = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(worker)


@dataclass
class TargetPlatform:
    """The running parts, and what tests wait for in them."""

    plane: ControlPlane
    hooks: TargetHooks
    metacontroller: Process

    @property
    def clusters(self) -> Resource:
        """Return the API server's TargetClusters."""
        return self.plane.api.resource(GROUP_VERSION, "targetclusters")

    @property
    def config_maps(self) -> Resource:
        """Return the API server's ConfigMaps."""
        return self.plane.api.resource("v1", "configmaps")

    def namespace(self, name: str = NAMESPACE) -> str:
        """Make a namespace where it is not there."""
        namespaces = self.plane.api.resource("v1", "namespaces", namespaced=False)
        if namespaces.find(name) is None:
            namespaces.create({"metadata": {"name": name}})
        return name

    def put_secret(self, name: str, kubeconfig: str, namespace: str = NAMESPACE) -> None:
        """Write a Secret with a kubeconfig, new or in the place of an old one."""
        secrets = self.plane.api.resource("v1", "secrets")
        body = {
            "metadata": {"name": name, "namespace": namespace},
            "stringData": {"kubeconfig": kubeconfig},
        }
        if secrets.find(name, namespace):
            secrets.patch(name, {"stringData": body["stringData"]}, namespace)
        else:
            secrets.create(body)

    def until(
        self,
        name: str,
        wanted: Callable[[Object], bool],
        *,
        namespace: str = NAMESPACE,
        within: float = PATIENCE,
    ) -> Object:
        """Wait until a TargetCluster is as wanted, and answer it."""
        seen: list[Object | None] = [None]

        def probe() -> Object | None:
            seen[0] = self.clusters.find(name, namespace)
            return seen[0] if seen[0] is not None and wanted(seen[0]) else None

        try:
            return polling.until(probe, f"targetclusters/{name} is as wanted", within=within)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {seen[0]}") from error

    def until_says(self, name: str, kind: str, said: str, *, within: float = PATIENCE) -> Object:
        """Wait until a condition has this status and reason, such as `True Healthy`."""
        return self.until(name, lambda cluster: says(cluster, kind) == said, within=within)

    def make(self, name: str, namespace: str = NAMESPACE, **spec: object) -> None:
        """Create a TargetCluster whose kubeconfig is in the Secret `target`."""
        self.clusters.create(
            {
                "apiVersion": GROUP_VERSION,
                "kind": "TargetCluster",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"kubeconfigSecret": "target", "monitorInterval": "1s", **spec},
            }
        )

    def change(self, name: str, namespace: str = NAMESPACE, **spec: object) -> None:
        """Change fields of a TargetCluster's spec."""
        self.clusters.patch(name, {"spec": spec}, namespace)

    def until_gone(
        self, name: str, namespace: str = NAMESPACE, *, within: float = PATIENCE
    ) -> None:
        """Wait until a TargetCluster is deleted."""
        polling.until(
            lambda: self.clusters.find(name, namespace) is None,
            f"targetclusters/{name} is gone",
            within=within,
        )

    def until_event(self, name: str, reason: str, *, within: float = PATIENCE) -> Object:
        """Wait for an Event on a TargetCluster, and answer it."""

        def found() -> Object | None:
            for event in self.plane.api.resource("v1", "events").list():
                if (event["involvedObject"]["name"], event["reason"]) == (name, reason):
                    return event
            return None

        return polling.until(found, f"event {reason} on {name}", within=within)


def says(cluster: Object, kind: str) -> str:
    """Return a condition's status and reason; empty where there is none."""
    found = condition(cluster, kind)
    return f"{found['status']} {found['reason']}" if found else ""


def condition(cluster: Object, kind: str) -> Object:
    """Return a condition; empty where there is none."""
    found = cluster.get("status", {}).get("conditions", [])
    return next((entry for entry in found if entry["type"] == kind), {})


def kubeconfig_of(target: Cluster) -> str:
    """Return the administrator's kubeconfig of a target cluster."""
    return target.kubeconfig.read_text()


def source(name: str, namespace: str = NAMESPACE, **data: str) -> Object:
    """Return a ConfigMap that is synced to the clusters of its namespace."""
    labels = {LABEL_SYNC: "true"}
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "data": data or {"colour": "red"},
    }


def add_node(target: Cluster, name: str, *, ready: bool = True) -> None:
    """Register a Node on a target cluster, or change whether it is ready."""
    nodes = target.api.resource("v1", "nodes", namespaced=False)
    if nodes.find(name) is None:
        nodes.create({"metadata": {"name": name}})
    quantities = {"cpu": "4", "memory": "8145636Ki", "pods": "110"}
    status = {
        "capacity": quantities,
        "allocatable": quantities,
        "conditions": [
            {"type": "Ready", "status": "True" if ready else "Unknown", "reason": "Tests"}
        ],
    }
    nodes.patch(name, {"status": status}, subresource="status")


@contextmanager
def running(plane: ControlPlane, folder: Path, **settings: str) -> Iterator[TargetPlatform]:
    """Start the hooks and Metacontroller on a control plane; clear what they did at the end."""
    hooks = TargetHooks(plane, folder, **settings)
    hooks.start()
    try:
        controllers = manifests.load(PROJECT / "metacontroller" / "targetclusters.yaml")
        with plane.metacontroller(controllers, manifests.Hooks(hooks.url)) as metacontroller:
            platform = TargetPlatform(plane, hooks, metacontroller)
            platform.namespace()
            try:
                yield platform
            finally:
                clear(platform)
    finally:
        hooks.process.stop()


def clear(platform: TargetPlatform) -> None:
    """Delete all TargetClusters and sources; what a test has made hang is let go."""
    if not platform.hooks.process.alive:
        platform.hooks.start()
    for cluster in platform.clusters.list():
        name, namespace = cluster["metadata"]["name"], cluster["metadata"]["namespace"]
        try:
            spec = {"deletionPolicy": "Orphan", "finalizeTimeout": "10s"}
            platform.clusters.patch(name, {"spec": spec}, namespace)
            platform.clusters.delete(name, namespace)
        except ApiError as error:  # gone already, which is what is wanted
            if not error.not_found:
                raise
    polling.until(lambda: not platform.clusters.list(), "the TargetClusters are gone")
    for config_map in platform.config_maps.list(labels=f"{LABEL_SYNC}=true"):
        metadata = config_map["metadata"]
        platform.config_maps.delete(metadata["name"], metadata["namespace"])
    platform.plane.api.call("DELETE", f"/api/v1/namespaces/{NAMESPACE}/events")
