"""All parts that a test needs: API server, Metacontroller, hooks under gunicorn, CloudStack."""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from hooks.names import API_VERSION, CLOUDSTACK_GROUP
from simulator.model import User
from simulator.server import Simulator
from tests.controlplane import Cluster, ControlPlane, manifests, polling
from tests.controlplane.api import Object, Resource
from tests.controlplane.polling import PATIENCE
from tests.controlplane.ports import free_port
from tests.controlplane.processes import Process

PROJECT = Path(__file__).resolve().parents[2]

#: Seconds instead of minutes, so that a test sees in seconds what an operator sees in minutes.
QUICK = {
    "VM_CACHE_TTL": "500ms",
    "NODE_MISSING_GRACE": "2s",
    "NODE_GUARD_HOLD": "10m",
    "HOOK_DEADLINE": "3s",
    "LOG_LEVEL": "debug",
}
#: Likewise: how often Metacontroller calls again although nothing has changed.
RESYNC_SECONDS = 2


class Hooks:
    """The hooks under gunicorn, configured as in the image."""

    def __init__(
        self, plane: Cluster, simulator: Simulator, folder: Path, settings: Mapping[str, str]
    ) -> None:
        self.port, self.metrics_port = free_port(), free_port()
        self.simulator = simulator
        self._cloud_config = folder / "cloud-config"
        self.configure()
        environment = {
            **QUICK,
            "HOOKS": "nodes",
            "BIND": f"127.0.0.1:{self.port}",
            "METRICS_BIND": "127.0.0.1",
            "METRICS_PORT": str(self.metrics_port),
            "CLOUD_CONFIG": str(self._cloud_config),
            "KUBECONFIG_FILE": str(plane.kubeconfig),
            "PYTHONPATH": str(PROJECT),
            **settings,
        }
        command = [sys.executable, "-m", "gunicorn", "--config", str(PROJECT / "gunicorn.conf.py")]
        self.process = Process("hooks", command, folder / "hooks.log", environment)

    @property
    def url(self) -> str:
        """Return where the hooks listen."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and wait until calls are answered."""
        self.process.start()

        def ready() -> bool:
            self.process.check()
            return self.ready()

        polling.until(ready, "the hooks are ready")

    def ready(self) -> bool:
        """Tell whether /readyz answers 200."""
        try:
            return requests.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def metrics(self) -> str:
        """Return what /metrics says."""
        return requests.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=PATIENCE).text

    def configure(self, user: User | None = None, *, project_id: str = "", **names: str) -> None:
        """Write the cloud-config, with other names of it too; it is taken up without a restart."""
        user = user or self.simulator.user
        lines = [
            "[Global]",
            f"api-url = {self.simulator.url}",
            f"api-key = {user.api_key}",
            f"secret-key = {user.secret_key}",
            *([f"project-id = {project_id}"] if project_id else []),
            *(f"{name} = {value}" for name, value in names.items()),
        ]
        written = self._cloud_config.with_suffix(".new")
        written.write_text("\n".join(lines) + "\n")
        written.replace(self._cloud_config)


@dataclass
class Platform:
    """The running parts, and what tests wait for in them."""

    plane: ControlPlane
    simulator: Simulator
    hooks: Hooks
    metacontroller: Process

    def move(self, simulator: Simulator) -> None:
        """Have the hooks work with another CloudStack from now on."""
        self.simulator = self.hooks.simulator = simulator
        self.hooks.configure()

    def clear(self) -> None:
        """Delete the Nodes, what is told of them, and their Instances."""
        _delete_nodes(self.plane)
        polling.until(lambda: not self.instances.list(), "the Instances are gone")

    @property
    def nodes(self) -> Resource:
        """Return the API server's Nodes."""
        return self.plane.api.resource("v1", "nodes", namespaced=False)

    @property
    def instances(self) -> Resource:
        """Return the Instances."""
        version = f"{CLOUDSTACK_GROUP}/{API_VERSION}"
        return self.plane.api.resource(version, "cloudstackinstances", namespaced=False)

    @property
    def project_id(self) -> str:
        """Return the id of the simulator's project, which has none of the nodes' VMs."""
        return str(self.simulator.control.state()["projects"][0]["id"])

    def until_node(
        self, name: str, wanted: Callable[[Object], bool], *, within: float = PATIENCE
    ) -> Object:
        """Wait until a Node is as wanted, and answer it."""
        return self._until(self.nodes, name, wanted, within)

    def until_instance(
        self, name: str, wanted: Callable[[Object], bool], *, within: float = PATIENCE
    ) -> Object:
        """Wait until an Instance is as wanted, and answer it."""
        return self._until(self.instances, name, wanted, within)

    def until_gone(self, name: str, *, within: float = PATIENCE) -> None:
        """Wait until a Node is deleted."""
        polling.until(lambda: self.nodes.find(name) is None, f"{name} is gone", within=within)

    def until_event(self, name: str, reason: str, *, within: float = PATIENCE) -> Object:
        """Wait for an Event on a Node, and answer it."""

        def found() -> Object | None:
            for event in self.plane.api.resource("v1", "events").list():
                if (event["involvedObject"]["name"], event["reason"]) == (name, reason):
                    return event
            return None

        return polling.until(found, f"event {reason} on {name}", within=within)

    def until_outage_is_noticed(self) -> None:
        """Wait until a call more than now has failed and is to be tried again."""

        def failed() -> float:
            found = re.findall(
                r'^hook_calls_total{.*outcome="retry"} (.*)$', self.hooks.metrics(), re.M
            )
            return sum(map(float, found))

        before = failed()
        polling.until(lambda: failed() > before, "a call fails", every=0.2)

    def _until(
        self, resource: Resource, name: str, wanted: Callable[[Object], bool], within: float
    ) -> Object:
        seen: list[Object | None] = [None]

        def probe() -> Object | None:
            seen[0] = resource.find(name)
            return seen[0] if seen[0] is not None and wanted(seen[0]) else None

        try:
            return polling.until(probe, f"{resource.plural}/{name} is as wanted", within=within)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {seen[0]}") from error


@contextmanager
def running(
    plane: ControlPlane, simulator: Simulator, folder: Path, **settings: str
) -> Iterator[Platform]:
    """Start the hooks and Metacontroller on a control plane; clear the Nodes at the end."""
    hooks = Hooks(plane, simulator, folder, settings)
    hooks.start()
    try:
        controllers = manifests.load(PROJECT / "metacontroller" / "nodes.yaml")
        for controller in controllers:
            controller["spec"]["resyncPeriodSeconds"] = RESYNC_SECONDS
        with plane.metacontroller(controllers, manifests.Hooks(hooks.url)) as metacontroller:
            yield Platform(plane, simulator, hooks, metacontroller)
    finally:
        hooks.process.stop()
        _delete_nodes(plane)


def _delete_nodes(plane: ControlPlane) -> None:
    """Delete all at once; garbage collection would take its time, in which the next ones come."""
    instances = f"/apis/{CLOUDSTACK_GROUP}/{API_VERSION}/cloudstackinstances"
    for path in ("/api/v1/nodes", instances, "/api/v1/namespaces/default/events"):
        plane.api.call("DELETE", path)
