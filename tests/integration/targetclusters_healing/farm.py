"""A cluster whose nodes are VMs of a simulated CloudStack: they fall ill, and some can be cured."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from itertools import accumulate
from urllib.parse import parse_qs, urlsplit

from hooks.http.bounded_json import Json
from hooks.kube.times import timestamp
from simulator.server import Simulator
from tests import loopback
from tests.integration.targetclusters_healing import wards
from tests.integration.targetclusters_healing.wards import Ward
from tests.targets.fake_cluster import REVIEWS, FakeCluster, node

ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
PODS = f"/api/v1/namespaces/{wards.NAMESPACE}/pods/"
#: The commands that repair.
POWER = ("startVirtualMachine", "stopVirtualMachine", "rebootVirtualMachine")
CLUSTER = ("startKubernetesCluster", "scaleKubernetesCluster", "stopKubernetesCluster")


class Ill(Enum):
    """What is wrong with a node whose VM runs."""

    HUNG = "its guest must boot"
    STUBBORN = "it must be stopped and started"
    BROKEN = "nothing helps"


@dataclass
class Patient:
    """A node, and what is known of it.

    Attributes:
        name: of the node and its VM.
        since: epoch seconds of its last change between ready and not.
        boots, starts: of its VM, when it fell ill.
        unit: fields that its Node has besides.
    """

    name: str
    vm_id: str
    ready: bool = True
    since: float = 0.0
    ill: Ill | None = None
    boots: int = 0
    starts: int = 0
    deleted: bool = False
    unit: Json = field(default_factory=dict)


class Farm(FakeCluster):
    """The cluster's API server, whose Nodes are as their VMs are.

    Attributes:
        api_server_on: the nodes on which it runs: one must; none: it runs elsewhere.
    """

    def __init__(self, simulator: Simulator, clock: Callable[[], float], names: list[str]) -> None:
        super().__init__()
        self.simulator = simulator
        self.clock = clock
        self.api_server_on: tuple[str, ...] = ()
        self.ward = Ward(clock)
        self._guard = threading.Lock()
        ids = {vm["name"]: vm["id"] for vm in simulator.control.state()["virtualmachines"]}
        self.patients = {name: Patient(name, ids[name], since=clock()) for name in names}

    def fall(self, name: str, ill: Ill) -> None:
        """Let a node fall ill, while its VM runs."""
        patient = self.patients[name]
        patient.ill, patient.boots = ill, self._boots()[patient.vm_id]
        patient.starts = self.sent("startVirtualMachine", name)
        self.tick()

    def recover(self, name: str) -> None:
        """Let a node be well again by itself."""
        self.patients[name].ill = None
        self.tick()

    def vm(self, name: str, state: str) -> None:
        """Set the state of a node's VM."""
        self.simulator.control.stage("virtualmachine", self.patients[name].vm_id, state=state)
        self.tick()

    def lie(self, name: str, state: str | None) -> None:
        """Let CloudStack show another state of a node's VM than it has; None for the true one."""
        self.simulator.control.stage("virtualmachine", self.patients[name].vm_id, shows=state)

    def sent(self, command: str, name: str | None = None) -> int:
        """Return how often a command was sent to CloudStack, for one node's VM or at all."""
        calls = self.simulator.control.calls(command)
        wanted = None if name is None else self.patients[name].vm_id
        return sum(wanted in {None, call["params"].get("id")} for call in calls)

    def repairs(self) -> Counter[str]:
        """Count the commands that repair, by node and command."""
        names = {patient.vm_id: patient.name for patient in self.patients.values()}
        return Counter(
            f"{call['command'].removesuffix('VirtualMachine')} {names.get(call['params']['id'])}"
            for call in self.simulator.control.calls()
            if call["command"] in POWER
        )

    def attempts(self, name: str) -> int:
        """Return how often a node's VM was repaired.

        A stop and the start after it are one, with the starts in between that were not carried out.
        """
        owed, count = False, 0
        for call in self.simulator.control.calls():
            if (
                call["command"] not in POWER
                or call["params"].get("id") != self.patients[name].vm_id
            ):
                continue
            is_start = call["command"] == "startVirtualMachine"
            count += not (owed and is_start)
            is_begun = "due" in call
            owed = (owed and not is_begun) if is_start else call["command"] == POWER[1]
        return count

    def overlaps(self) -> list[str]:
        """Return the commands that were sent while a job worked on their VM."""
        ends: dict[str, float] = {}
        found = []
        for call in self.simulator.control.calls():
            if call["command"] not in POWER or "due" not in call:
                continue
            vm_id, due = call["params"]["id"], call["due"]
            if call["time"] < ends.get(vm_id, 0.0):
                found.append(call["command"])
            ends[vm_id] = float("inf") if due is None else max(due, ends.get(vm_id, 0.0))
        return found

    def most_at_once(self) -> int:
        """Return how many VMs were worked on at once, at most."""
        changes = []
        for call in self.simulator.control.calls():
            if call["command"] in POWER and call.get("due") is not None:
                changes += [(call["due"], -1), (call["time"], 1)]
        return max(accumulate(change for _, change in sorted(changes)), default=0)

    def state(self, name: str) -> str:
        """Return the state of a node's VM."""
        return self._states()[self.patients[name].vm_id]

    @property
    def is_away(self) -> bool:
        """Tell whether the API server does not run."""
        on = self.api_server_on
        return bool(on) and all(self.state(name) != "Running" for name in on)

    def tick(self) -> None:
        """Look at all VMs, and let the Nodes follow."""
        with self._guard:
            states, boots = self._states(), self._boots()
            for patient in self.patients.values():
                ready = self._is_well(patient, states, boots)
                if ready != patient.ready:
                    patient.ready, patient.since = ready, self.clock()
            self.nodes = [self._node(one) for one in self.patients.values() if not one.deleted]
            if self.ward.beds:
                self.pods[wards.NAMESPACE] = self.ward.pods()

    def answer(self, path: str, query: dict[str, list[str]], token: str) -> tuple[int, str]:
        """Answer a read, as things are now."""
        self.tick()
        if path.startswith("/api/v1/nodes/"):
            name = path.rpartition("/")[2]
            found = [one for one in self.nodes if one["metadata"]["name"] == name]
            return (200, json.dumps(found[0])) if found else super().answer("/404", query, token)
        if path.startswith(PODS):
            pods = {pod["metadata"]["name"]: pod for pod in self.pods[wards.NAMESPACE]}
            found = [pods[name] for name in [path.removeprefix(PODS)] if name in pods]
            return (200, json.dumps(found[0])) if found else super().answer("/404", query, token)
        return super().answer(path, query, token)

    def review(self, asked: Json) -> tuple[int, str]:
        """Say whether the operator may do what it asks about."""
        verb = asked["spec"]["resourceAttributes"]["verb"]
        return 201, json.dumps({"status": {"allowed": self.ward.may_delete or verb != "delete"}})

    def delete(self, path: str, options: Json) -> tuple[int, str]:
        """Delete a pod, which its controller makes again at once."""
        if not self.ward.may_delete:
            return 403, json.dumps({"kind": "Status", "message": "pods is forbidden"})
        code = self.ward.delete(path.removeprefix(PODS), options)
        return code, json.dumps({"kind": "Status", "code": code})

    def _is_well(self, patient: Patient, states: dict[str, str], boots: dict[str, int]) -> bool:
        if states.get(patient.vm_id) != "Running":
            return False
        if patient.ill is None or boots[patient.vm_id] == patient.boots:
            return patient.ill is None
        is_started = self.sent("startVirtualMachine", patient.name) > patient.starts
        if patient.ill is Ill.HUNG or (patient.ill is Ill.STUBBORN and is_started):
            patient.ill = None
        return patient.ill is None

    def _node(self, patient: Patient) -> Json:
        made = node(patient.name, ready=patient.ready)
        since = {"lastTransitionTime": timestamp(patient.since)}
        beat = {"lastHeartbeatTime": timestamp(self.clock() if patient.ready else patient.since)}
        made["status"]["conditions"][0] |= since | beat
        made["metadata"] |= {"uid": f"uid-of-{patient.name}", **patient.unit.get("metadata", {})}
        provider = {"providerID": f"external-cloudstack:///{patient.vm_id}"}
        made["spec"] = {**provider, **patient.unit.get("spec", {})}
        return made

    def _states(self) -> dict[str, str]:
        world = self.simulator.world
        return {vm.id: vm.state for vm in world.vms}

    def _boots(self) -> dict[str, int]:
        return {vm.id: vm.boots for vm in self.simulator.world.vms}


@contextmanager
def serving(farm: Farm) -> Iterator[Farm]:
    """Serve a farm's API server on a free port until the block ends."""

    class Handler(loopback.Handler):
        def answer(self) -> None:
            url = urlsplit(self.path)
            sent = self.body()
            if farm.is_away:
                self.close_connection = True
                return
            if self.command == "DELETE":
                status, body = farm.delete(url.path, json.loads(sent))
            elif url.path == ACCESS_REVIEWS:
                status, body = farm.review(json.loads(sent))
            elif self.command == "GET" or url.path == REVIEWS:
                token = self.headers.get("Authorization", "")
                status, body = farm.answer(url.path, parse_qs(url.query), token)
            else:
                status, body = 501, ""
            self.reply(status, body.encode())

    with loopback.serving(Handler) as farm.url:
        yield farm
