"""Many nodes in an API server in memory, and calls for them as Metacontroller makes them."""

from typing import Any

from hooks.cloudstack import Cloud
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.nodes import facts
from hooks.nodes.context import INSTANCES_PATH
from hooks.nodes.hook import NodesHook
from hooks.nodes.request import INSTANCES
from simulator.server import Simulator
from tests.hooks import dependencies
from tests.integration.nodes.clocks import ProcessClocks
from tests.memory_kube import MemoryKube


class Fleet:
    """A node that is not Ready for each VM; the VMs of the last ones are missing.

    Attributes:
        names: of the nodes.
        instances: as the last answers have them.
        deleted: the names of the nodes that were deleted.
    """

    def __init__(self, simulator: Simulator, *, missing: int) -> None:
        machines = {vm["name"]: vm["id"] for vm in simulator.control.state()["virtualmachines"]}
        self.names = sorted(machines)
        for number, name in enumerate(self.names[len(machines) - missing :]):
            machines[name] = f"00000000-0000-4000-8000-{number:012}"
        account = simulator.user.account
        seen = {"owner": f"account {account.domain.id}/{account.name}"}
        self.instances: dict[str, Json] = {
            name: {"metadata": {"name": name}, "observed": seen} for name in self.names
        }
        self.kube = MemoryKube()
        for name in self.names:
            self.kube.objects[f"{facts.NODES_PATH}/{name}"] = {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": "1"},
                "spec": {"providerID": f"external-cloudstack://{machines[name]}"},
                "status": {"conditions": [{"type": "Ready", "status": "False"}]},
            }

    @property
    def deleted(self) -> list[str]:
        return [
            name for name in self.names if f"{facts.NODES_PATH}/{name}" not in self.kube.objects
        ]

    def hook(self, cloud: Cloud, clocks: ProcessClocks) -> NodesHook:
        """Start a process."""
        return NodesHook(
            dependencies(
                self.kube,
                cloud=lambda: cloud,
                clock=clocks.epoch,
                monotonic=clocks.monotonic,
                record=self.kube.record,
            )
        )

    def call(self, *hooks: NodesHook) -> None:
        """Call for each node that there is, as Metacontroller does; hooks take turns."""
        for number, name in enumerate(self.names):
            if f"{facts.NODES_PATH}/{name}" in self.kube.objects:
                self.call_for(name, hooks[number % len(hooks)])

    def call_for(self, name: str, hook: NodesHook) -> None:
        """Call for one node."""
        node, known = self.kube.objects[f"{facts.NODES_PATH}/{name}"], self.instances[name]
        request: Json = {"object": node, "attachments": {INSTANCES: {name: known}}}
        response: Any = hook.sync(request, Deadline(8)).response
        [self.instances[name]] = response["attachments"]
        self.kube.objects[f"{INSTANCES_PATH}/{name}"] = self.instances[name]
