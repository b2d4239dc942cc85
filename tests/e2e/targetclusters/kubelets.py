"""Stands in for the kubelets of a target cluster: its Nodes follow the VMs of a CloudStack."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from simulator.server import Simulator
from tests.controlplane import Cluster
from tests.controlplane.api import ApiError, Object
from tests.e2e.targets import add_node

#: Seconds between two looks.
PERIOD = 0.1


@dataclass
class Kubelets:
    """The nodes of a target cluster, each on the VM of its name.

    Attributes:
        names: of the nodes.
        broken: nodes that are not ready, whatever their VM does.
        hung: nodes that are not ready until their guest boots, with how often it had booted.
        stubborn: nodes that are not ready until their VM was stopped.
        api_server_on: the VM on which the API server runs; it dies with that, and comes back.
    """

    simulator: Simulator
    target: Cluster
    names: list[str]
    broken: set[str] = field(default_factory=set)
    hung: dict[str, int] = field(default_factory=dict)
    stubborn: set[str] = field(default_factory=set)
    api_server_on: str = ""
    is_down: bool = False
    _shown: dict[str, bool] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def hang(self, name: str) -> None:
        """Let a node hang until its guest boots."""
        self.hung[name] = self.vms()[name]["boots"]

    def vms(self) -> dict[str, Object]:
        """Return the VMs by name."""
        return {vm["name"]: vm for vm in self.simulator.control.state()["virtualmachines"]}

    def stop_vm(self, name: str) -> None:
        """Let a VM stop."""
        self.simulator.control.stage("virtualmachine", name, state="Stopped")

    def look(self) -> None:
        """Let the Nodes follow their VMs once."""
        vms = self.vms()
        if self.api_server_on:
            self._follow_api_server(running=_runs(vms.get(self.api_server_on)))
        if self.is_down:
            return
        for name in self.names:
            ready = self._is_ready(name, vms.get(name))
            if self._shown.get(name) != ready:
                add_node(self.target, name, ready=ready)
                self._shown[name] = ready

    def _is_ready(self, name: str, vm: Object | None) -> bool:
        if name in self.hung and vm is not None and vm["boots"] > self.hung[name]:
            del self.hung[name]
        if not _runs(vm):
            self.stubborn.discard(name)
            return False
        return name not in {*self.broken, *self.hung, *self.stubborn}

    def _follow_api_server(self, *, running: bool) -> None:
        if running and self.is_down:
            self.target.start_api_server()
        if not running and not self.is_down:
            self.target.api_server.kill()
        self.is_down = not running

    def run(self) -> None:
        """Look again and again, until the end; an API server that is away is asked again."""
        while not self._stop.wait(PERIOD):
            with suppress(ApiError, OSError):
                self.look()

    def end(self) -> None:
        """Look no more."""
        self._stop.set()


def _runs(vm: Object | None) -> bool:
    return vm is not None and vm["state"] == "Running"


@contextmanager
def running(kubelets: Kubelets) -> Iterator[Kubelets]:
    """Register the nodes, and let them follow their VMs until the block ends."""
    nodes = kubelets.target.api.resource("v1", "nodes", namespaced=False)
    vms = kubelets.vms()
    for name in kubelets.names:
        if nodes.find(name) is None:
            spec = {"providerID": f"external-cloudstack://{vms[name]['id']}"}
            role = {"node-role.kubernetes.io/control-plane": ""} if "-control-" in name else {}
            nodes.create({"metadata": {"name": name, "labels": role}, "spec": spec})
    kubelets.look()
    thread = threading.Thread(target=kubelets.run)
    thread.start()
    try:
        yield kubelets
    finally:
        kubelets.end()
        thread.join()
        if kubelets.is_down:
            kubelets.target.start_api_server()
        for node in nodes.list():
            nodes.delete(node["metadata"]["name"])
