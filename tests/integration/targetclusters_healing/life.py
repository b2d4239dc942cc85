"""A TargetCluster's life in quick time: the clock runs from one answer's time to the next."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from hooks.http.bounded_json import Json
from hooks.kube.objects import is_deleting
from hooks.kube.times import timestamp
from hooks.targetclusters.access.kubeconfig_secrets import TARGET_CLUSTER
from hooks.targetclusters.plan.schedule import MIN_POLL
from simulator.server import Simulator
from tests.controlplane.polling import PATIENCE
from tests.integration.targetclusters_healing import farm as farms
from tests.integration.targetclusters_healing.farm import Farm
from tests.kubes import Call, Killed
from tests.targets.driving import NOW, Clock, Driven, Operator, target_cluster
from tests.targets.objects import encoded, kubeconfig, secret
from tests.targets.own_cluster import OwnCluster

NAMESPACE = "team"
PODS = count(1)
#: Seconds that pass at most at once, so that what befalls nodes is seen in its time.
STEP = 60.0

WORLD = """
zones: [{{name: zone-1}}]
accounts: [{{name: admin, role: Admin}}, {{name: user}}, {{name: other}}]
serviceofferings: [{{name: small, cpunumber: 1, cpuspeed: 500, memory: 512}}]
templates: [{{name: linux}}]
publicaddresses: [{{first: 198.51.100.10, last: 198.51.100.60}}]
networks: [{{name: net-1, cidr: 10.0.0.0/16}}]
generate: {{name: "n-{{:03d}}", count: {nodes}, offering: small, networks: [net-1]}}
"""


class Hub(OwnCluster):
    """The operator's own API server, on whose Leases an operator may die.

    Attributes:
        kill_at: the number of the call to a Lease, from 1, at which the operator dies; 0 for none.
        executed: that call is carried out.
        is_dead: the operator has died, and calls nothing any more.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kill_at, self.executed, self.is_dead = 0, False, False
        self.lease_calls = 0

    def answer(self, call: Call) -> Json:
        """Answer a read, or a Lease's write."""
        if self.is_dead:
            raise Killed
        if "/leases" in call.path and self.kill_at:
            self.lease_calls += 1
            if self.lease_calls == self.kill_at:
                self.is_dead = True
                if self.executed:
                    super().answer(call)
                raise Killed
        return super().answer(call)


@dataclass
class Life:
    """A cluster, the CloudStack of its VMs, and the operator that looks after it."""

    farm: Farm
    own: Hub
    clock: Clock
    driven: Driven
    #: What is to happen, by the time at which it does.
    agenda: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    #: Called before each call, such as to choose the replica that answers it; may show another
    #: version of the TargetCluster than the newest.
    before: Callable[[], None] = lambda: None
    #: Called after each call, before its answer is written; false to lose it.
    after: Callable[[], bool] = lambda: True
    #: The TargetCluster was deleted, and its last answer lets it go.
    is_gone: bool = False

    @property
    def path(self) -> str:
        """Return the path of the TargetCluster."""
        return TARGET_CLUSTER.path(NAMESPACE, "example")

    @property
    def newest(self) -> Json:
        """Return the TargetCluster as it stands."""
        return deepcopy(self.own.objects[self.path])

    def write(self, **parts: Json) -> None:
        """Replace parts of the TargetCluster whatever they were, as Metacontroller does."""
        written = {**self.newest, **parts}
        metadata = {**written["metadata"]}
        metadata.pop("resourceVersion", None)
        self.own.store.put({**written, "metadata": metadata})

    def change(self, **spec: object) -> None:
        """Change the spec, as a user does."""
        self.driven.cluster = self.newest
        self.driven.change(**spec)
        self.write(spec=self.driven.cluster["spec"], metadata=self.driven.cluster["metadata"])

    def delete(self) -> None:
        """Delete the TargetCluster, as a user does; its finalizer holds it."""
        deleted = {"deletionTimestamp": timestamp(self.clock.now)}
        self.write(metadata={**self.newest["metadata"], **deleted})

    def call(self) -> float:
        """Call once, and have the answer written; return the seconds until the next call."""
        if self.own.is_dead:
            self.restart()
        self.driven.cluster = self.newest
        self.before()
        try:
            answer = self.driven.call(finalizing=is_deleting(self.driven.cluster))
        except Killed:
            return MIN_POLL
        if self.after():
            self.write(status=self.driven.status)
        self.is_gone = answer.get("finalized", False)
        return float(answer.get("resyncAfterSeconds", STEP))

    @property
    def healing(self) -> Json:
        """Return what the status says of healing."""
        found: Json = self.driven.status.get("healing") or {}
        return found

    @property
    def faults(self) -> list[Json]:
        """Return the faults that the status names."""
        return list(self.healing.get("faults") or [])

    @property
    def events(self) -> list[str]:
        """Return the reasons of the Events, in order."""
        return [event.reason for event in self.driven.operator.events]

    def fault(self, name: str) -> Json:
        """Return the fault of a node; empty where the status names none."""
        return next((fault for fault in self.faults if fault.get("object") == name), {})

    def at(self, seconds: float, what: Callable[[], None]) -> None:
        """Let something happen so many seconds from the start."""
        self.agenda.append((NOW + seconds, what))
        self.agenda.sort(key=lambda entry: entry[0])

    def live(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Call on for so long by the clock, or until something is so; tell whether it is."""
        end, busy_since = self.clock.now + seconds, time.monotonic()
        while True:
            while self.agenda and self.agenda[0][0] <= self.clock.now:
                self.agenda.pop(0)[1]()
            self.farm.tick()
            wait = self.call()
            if until():
                return True
            if self.is_gone:
                return False
            if wait == MIN_POLL:  # a job runs
                assert time.monotonic() - busy_since < PATIENCE, self.driven.status
                time.sleep(0.002)
                continue
            busy_since = time.monotonic()
            if self.clock.now >= end:
                return False
            upcoming = self.agenda[0][0] if self.agenda else end
            step = min(wait + 0.001, STEP, end - self.clock.now)
            self.clock.now += min(step, max(0.0, upcoming - self.clock.now)) or 0.001

    def restart(self) -> None:
        """Kill the operator and start another, which knows what Kubernetes knows."""
        self.driven.operator.hook.close()
        self.own.is_dead, self.own.kill_at = False, 0
        self.driven.operator = self.operator()

    def operator(self) -> Operator:
        """Start an operator, in a pod of its own."""
        return operator(self.own, self.clock)


def operator(own: Hub, clock: Clock) -> Operator:
    """Start an operator in a pod with a name that no other has."""
    pod = {"pod_namespace": "operators", "pod_name": f"operator-{next(PODS)}"}
    return Operator(own, pod, clock=clock)


@contextmanager
def living(nodes: int = 3, *, job_delay: float = 0.001, **healing: object) -> Iterator[Life]:
    """Set up a cluster of so many nodes, which heals as `spec.autoHealing` says."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        world = Path(folder) / "farm.yaml"
        world.write_text(WORLD.format(nodes=nodes))
        simulator = stack.enter_context(Simulator(str(world), job_delay=job_delay))
        clock = Clock()
        names = [f"n-{number:03d}" for number in range(1, nodes + 1)]
        farm = stack.enter_context(farms.serving(Farm(simulator, clock, names)))
        own = Hub()
        own.put(secret(kubeconfig(farm.url), namespace=NAMESPACE))
        own.put(cloud_config(simulator))
        driven = Driven(
            operator(own, clock),
            target_cluster(
                namespace=NAMESPACE,
                kubeconfigSecret="target",
                monitorInterval="60s",
                autoHealing={"enabled": True, **healing},
                cloudStack={"configSecret": "cloudstack"},
            ),
        )
        own.store.put(driven.cluster)
        life = Life(farm, own, clock, driven)
        try:
            yield life
        finally:
            life.driven.operator.hook.close()


def cloud_config(simulator: Simulator, user: str = "user", name: str = "cloudstack") -> Json:
    """Write the Secret with an account's cloud-config."""
    keys = simulator.keys[user]
    text = (
        f"[Global]\napi-url = {simulator.url}\napi-key = {keys.api_key}\n"
        f"secret-key = {keys.secret_key}\n"
    )
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "data": {"cloud-config": encoded(text)},
    }
