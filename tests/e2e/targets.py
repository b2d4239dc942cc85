"""TargetClusters on real parts: hooks under gunicorn, Metacontroller, second API servers."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from hooks.names import API_VERSION, TARGET_CLUSTER_GROUP
from tests.controlplane import Cluster, ControlPlane, manifests, polling
from tests.controlplane.api import ApiError, Object, Resource
from tests.controlplane.processes import Process, free_port

PROJECT = Path(__file__).resolve().parents[2]
NAMESPACE = "target-cluster-system"
GROUP_VERSION = f"{TARGET_CLUSTER_GROUP}/{API_VERSION}"


class TargetHooks:
    """The target-cluster-operator's hook under gunicorn, configured as in the image."""

    def __init__(self, plane: ControlPlane, folder: Path, **settings: str) -> None:
        self.port, self.metrics_port = free_port(), free_port()
        self.log = folder / "hooks.log"
        environment = {
            "HOOKS": "targetclusters",
            "BIND": f"127.0.0.1:{self.port}",
            "METRICS_BIND": "127.0.0.1",
            "METRICS_PORT": str(self.metrics_port),
            "KUBECONFIG_FILE": str(plane.kubeconfig),
            "PYTHONPATH": str(PROJECT),
            "WATCH_NAMESPACE": "",
            **settings,
        }
        command = [sys.executable, "-m", "gunicorn", "--config", str(PROJECT / "gunicorn.conf.py")]
        self.process = Process("hooks", command, self.log, environment)

    @property
    def url(self) -> str:
        """Return where the hooks listen."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and wait until calls are answered."""
        self.process.start()

        def ready() -> bool:
            self.process.check()
            try:
                return requests.get(f"{self.url}/readyz", timeout=2).status_code == 200
            except requests.RequestException:
                return False

        polling.until(ready, "the hooks are ready", within=30)

    def metric(self, metric: str, **labels: str) -> float | None:
        """Return a sample's value; None where there is no such series."""
        text = requests.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5).text
        wanted = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
        series = f"{metric}{{{wanted}}} "
        values = [line[len(series) :] for line in text.splitlines() if line.startswith(series)]
        return float(values[0]) if values else None


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
        within: float = 20,
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

    def until_says(self, name: str, kind: str, said: str, *, within: float = 20) -> Object:
        """Wait until a condition has this status and reason, such as `True Healthy`."""
        return self.until(name, lambda cluster: says(cluster, kind) == said, within=within)

    def until_event(self, name: str, reason: str, *, within: float = 15) -> Object:
        """Wait for an Event on a TargetCluster, and answer it."""

        def found() -> Object | None:
            for event in self.plane.api.resource("v1", "events").list():
                if (event["involvedObject"]["name"], event["reason"]) == (name, reason):
                    return event
            return None

        return polling.until(found, f"event {reason} on {name}", within=within)


def says(cluster: Object, kind: str) -> str:
    """Return a condition's status and reason; empty where there is none."""
    for condition in cluster.get("status", {}).get("conditions", []):
        if condition["type"] == kind:
            return f"{condition['status']} {condition['reason']}"
    return ""


def kubeconfig_of(target: Cluster) -> str:
    """Return the administrator's kubeconfig of a target cluster."""
    return target.kubeconfig.read_text()


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
                _clear(platform)
    finally:
        hooks.process.stop()


def _clear(platform: TargetPlatform) -> None:
    """Delete all TargetClusters, whatever a test has left in the way of that."""
    for cluster in platform.clusters.list():
        name, namespace = cluster["metadata"]["name"], cluster["metadata"]["namespace"]
        try:
            platform.clusters.delete(name, namespace)
            platform.clusters.patch(name, {"metadata": {"finalizers": []}}, namespace)
        except ApiError as error:  # gone already, which is what is wanted
            if not error.not_found:
                raise
    platform.plane.api.call("DELETE", f"/api/v1/namespaces/{NAMESPACE}/events")
