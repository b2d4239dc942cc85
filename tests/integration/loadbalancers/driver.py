"""Drives the hook as Metacontroller does: the next request contains the last answer."""

import json
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from hooks.cloudstack import Clocks, Cloud, CloudConfig
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.services import load_balancers_path
from hooks.kube.times import timestamp
from hooks.loadbalancers.endpoints import ENDPOINT_SLICES
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.instances import INSTANCES
from hooks.names import API_VERSION, CLOUDSTACK_GROUP, INSTANCE_KIND, LOAD_BALANCER_KIND
from hooks.webhook.reconcile import CallResult
from simulator.clock import Clock
from simulator.server import Simulator
from tests.contract.cloud import Cloud as Human
from tests.contract.cloud import Credentials
from tests.hooks import dependencies
from tests.integration.loadbalancers.holdings import Holdings
from tests.memory_kube import MemoryKube
from tests.schemas import schema_of

GROUP_VERSION = f"{CLOUDSTACK_GROUP}/{API_VERSION}"
FINALIZER = "metacontroller.io/compositecontroller-cloudstack-loadbalancers"
#: What a v2 answer of a composite's hook may hold.
RESPONSE_KEYS = {"status", "children", "resyncAfterSeconds", "finalized"}
DAY = 86400.0
#: The client pauses so many times shorter than it would: the simulator's jobs are quick.
HASTE = 10
#: Answers that ask for another call sooner than this, in seconds, are not settled.
SOON = 1.5


def start_simulator(
    world: str = "small", *, job_delay: float = 0.005, **settings: Any
) -> Simulator:
    """Make a simulator whose clock is a day late. Advanced, it still accepts our signatures."""
    clock = Clock(lambda: time.time() - DAY)
    return Simulator(world, job_delay=job_delay, clock=clock, **settings)


SCHEMA = schema_of("cloudstackloadbalancers")
SPEC, STATUS = SCHEMA["spec"], SCHEMA["status"]


def port(public: int, node: int = 0, protocol: str = "TCP", *, proxy: bool = False) -> Json:
    return {
        "name": f"p{public}",
        "protocol": protocol,
        "publicPort": public,
        "nodePort": node or 30000 + public % 2000,
        "proxyProtocol": proxy,
    }


class World(Holdings):
    """A CloudStack, a cluster whose nodes are its VMs, and a client for humans.

    Attributes:
        simulator: the CloudStack.
        cluster: what the hook's Kube is.
        nodes: the Instances by name, as the request has them.
        slices: the EndpointSlices of every Service, as the requests have them that ask for them.
        human: calls CloudStack as somebody with the account's key does.
    """

    def __init__(self, simulator: Simulator, *, project: str = "", cluster_id: str = "c-1") -> None:
        self.simulator = simulator
        self._booted = self.now - DAY
        self.slices: dict[str, Json] = {}
        self.cluster = MemoryKube(
            {
                "/api/v1/namespaces/kube-system": {"metadata": {"uid": cluster_id}},
                "/api/v1/namespaces/default": {"metadata": {"uid": "n-1"}},
            }
        )
        state = simulator.control.state()
        self.project_id = next(
            (each["id"] for each in state["projects"] if each["name"] == project), ""
        )
        mine = ("project", project) if project else ("account", "user")
        self.nodes = {
            vm["name"]: instance_of(vm)
            for vm in state["virtualmachines"]
            if vm.get(mine[0]) == mine[1]
        }
        user = simulator.user
        self.human = Human(simulator.url, Credentials(user.api_key, user.secret_key), 0.01)

    @property
    def now(self) -> float:
        return self.simulator.clock.now()

    def monotonic(self) -> float:
        """Return monotonic seconds that pass as the simulator's do."""
        return self.now - self._booted

    def advance(self, seconds: float) -> None:
        self.simulator.control.settings(advance=seconds)

    def deadline(self, seconds: float) -> Deadline:
        """Return the moment in so many seconds, by the clock that pauses move.

        It has passed once CloudStack has stopped, for a process that died there does no more.
        """
        control = self.simulator.control
        return Deadline(
            seconds, clock=lambda: self.monotonic() + (DAY if control.armed.stopped else 0)
        )

    def open_cloud(self) -> Cloud:
        """Return a client that waits for nothing: it puts the simulator's clock ahead instead."""
        user = self.simulator.user
        return Cloud(
            CloudConfig(
                self.simulator.url, user.api_key, user.secret_key, project_id=self.project_id
            ),
            clocks=Clocks(
                self.simulator.clock.now,
                self.monotonic,
                pause=lambda seconds: self.simulator.clock.advance(seconds / HASTE),
            ),
        )

    def close(self) -> None:
        self.human.close()

    def place(self, *nodes: str, ending: Sequence[str] = ()) -> None:
        """Have a ready endpoint on each of these nodes, and on others one that is ending."""
        self.slices = {
            f"default/web-{number}": {
                "addressType": "IPv4",
                "ports": [{"name": "http", "port": 8080}],
                "endpoints": [
                    {
                        "addresses": ["10.0.0.1"],
                        "nodeName": node,
                        "conditions": {
                            "ready": node in nodes,
                            "serving": True,
                            "terminating": node in ending,
                        },
                    }
                ],
            }
            for number, node in enumerate((*nodes, *ending))
        }


NOTHING: Json = {
    "addresses": [], "rules": [], "firewall": [], "items": [], "certificates": [], "tags": [],
}  # fmt: skip


def instance_of(vm: Json) -> Json:
    """Describe a VM as the nodes hook does."""
    return {
        "apiVersion": GROUP_VERSION,
        "kind": INSTANCE_KIND,
        "metadata": {"name": vm["name"], "labels": {"kubernetes.io/hostname": vm["name"]}},
        "spec": {
            "nodeName": vm["name"],
            "providerID": f"external-cloudstack://{vm['id']}",
            "instanceID": vm["id"],
        },
        "observed": {
            "state": vm["state"],
            "offering": vm["offering"],
            "zone": vm["zone"],
            "networks": [
                {"id": network, "default": index == 0, "addresses": [vm["addresses"][index]]}
                for index, network in enumerate(vm["networks"])
            ],
            "servesLoadBalancers": True,
        },
    }


class LoadBalancer:
    """One CloudStackLoadBalancer with its Service, and the hook that answers for it.

    Attributes:
        answers: every answer so far.
        late: whether requests show the status before the last one. Metacontroller's do now and
            then: it reads parents by a watch, which may not have brought its own last write.
    """

    def __init__(
        self,
        world: World,
        name: str = "web",
        *,
        namespace: str = "default",
        uid: str = "",
        **spec: Any,
    ) -> None:
        self.world = world
        self.late = False
        uid = uid or str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
        self.service_uid = uid
        self.name = ("a" + uid.replace("-", ""))[:32]
        self.answers: list[CallResult] = []
        self._path = f"{load_balancers_path(namespace)}/{self.name}"
        self.parent = {
            "apiVersion": GROUP_VERSION,
            "kind": LOAD_BALANCER_KIND,
            "metadata": {
                "name": self.name,
                "namespace": namespace,
                "uid": str(uuid.uuid4()),
                "resourceVersion": "1",
                "generation": 1,
                "finalizers": [FINALIZER],
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Service", "name": name, "uid": uid}
                ],
            },
            "spec": {
                "service": {"name": name, "uid": uid},
                "loadBalancerName": self.name,
                "ports": [port(80)],
                **spec,
            },
        }
        assert SPEC.problems(self.parent["spec"]) == []
        world.cluster.objects.setdefault(
            f"/api/v1/namespaces/{namespace}", {"metadata": {"uid": f"n-{namespace}"}}
        )
        self.service_path = f"/api/v1/namespaces/{namespace}/services/{name}"
        world.cluster.objects[self.service_path] = {
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": uid,
                "resourceVersion": "1",
            },
            "spec": {"type": "LoadBalancer"},
        }
        self._finalized = False
        self._before: Json = {}

    @property
    def parent(self) -> Json:
        """Return the object as the API server has it; a test may change it."""
        return self.world.cluster.objects[self._path]

    @parent.setter
    def parent(self, parent: Json) -> None:
        self.world.cluster.objects[self._path] = parent

    def rename(self, name: str, namespace: str) -> None:
        """Give the object another place, as if it had been made there."""
        parent = self.world.cluster.objects.pop(self._path)
        parent["metadata"] |= {"name": name, "namespace": namespace}
        self._path = f"{load_balancers_path(namespace)}/{name}"
        self.parent = parent

    @property
    def status(self) -> Json:
        return dict(self.parent.get("status") or {})

    def condition(self, kind: str) -> Json:
        conditions = self.status.get("conditions") or []
        return next((dict(each) for each in conditions if each["type"] == kind), {})

    def reason(self, kind: str = "Ready") -> str:
        return str(self.condition(kind).get("reason") or "")

    def is_finalized(self) -> bool:
        return self._finalized

    def is_ready(self) -> bool:
        return self.condition("Ready").get("status") == "True"

    def is_published(self) -> bool:
        return bool((self.status.get("address") or {}).get("published"))

    def change(self, **spec: Any) -> None:
        """Change the spec as the services hook does."""
        self.parent["spec"] = {**self.parent["spec"], **spec}
        assert SPEC.problems(self.parent["spec"]) == []
        self.parent["metadata"]["generation"] += 1

    def delete(self, *, service_too: bool = True) -> None:
        """Delete it, with its Service unless somebody deletes only the object."""
        metadata = self.parent["metadata"]
        version = str(int(metadata["resourceVersion"]) + 1)
        metadata |= {"deletionTimestamp": timestamp(self.world.now), "resourceVersion": version}
        if service_too:
            self.world.cluster.objects.pop(self.service_path, None)

    def remake(self) -> None:
        """Create the object again, as the services hook does after somebody deleted it."""
        metadata = self.parent["metadata"]
        metadata.pop("deletionTimestamp", None)
        metadata.pop("annotations", None)
        metadata.update(uid=str(uuid.uuid4()), generation=1)
        self.parent.pop("status", None)
        self._finalized = False

    def request(self) -> Json:
        """Return the next request, as a copy of the hook's own."""
        parent, related = dict(self.parent), {INSTANCES: self.world.nodes}
        is_deleting = "deletionTimestamp" in parent["metadata"]
        if parent["spec"].get("externalTrafficPolicy") == "Local" and not is_deleting:
            related[ENDPOINT_SLICES] = self.world.slices
        if self.late:
            parent["status"] = self._before
        request = {
            "controller": {"kind": "CompositeController", "metadata": {"name": "loadbalancers"}},
            "parent": parent,
            "children": {},
            "related": related,
            "finalizing": is_deleting,
        }
        return dict(json.loads(json.dumps(request)))

    def call(self, hook: LoadBalancersHook, seconds: float = 8.0) -> CallResult:
        """Make one call, and keep its answer."""
        return self.accept(hook.sync(self.request(), self.world.deadline(seconds)))

    def accept(self, answer: CallResult) -> CallResult:
        """Keep an answer as Metacontroller does; check that the API server would accept it."""
        self.answers.append(answer)
        response: Json = dict(answer.response)
        assert set(response) <= RESPONSE_KEYS
        assert response["children"] == []
        if response.get("finalized"):
            assert self.request()["finalizing"]
            self._finalized = True
            return answer
        assert STATUS.problems(response["status"]) == []
        self._before = self.status
        self.parent["status"] = json.loads(json.dumps(response["status"]))
        return answer

    def settle(
        self, *hooks: LoadBalancersHook, calls: int = 60, seconds: float = 8.0
    ) -> "LoadBalancer":
        """Call as Metacontroller does until nothing is left to do; hooks take turns."""
        for turn in range(calls):
            before = self.status
            answer = self.call(hooks[turn % len(hooks)], seconds)
            if self._finalized:
                return self
            wait = answer.response.get("resyncAfterSeconds")
            assert isinstance(wait, int | float), "an answer that asks for no other call"
            if self.status == before:
                if wait > SOON and not self.condition("Reconciling"):
                    return self
                self.world.advance(min(wait, SOON))
        raise AssertionError(
            f"not settled after {calls} calls: {json.dumps(self.status, indent=1)}"
        )

    def next_look(self) -> float:
        """Return the seconds after which the last answer asked to be called again."""
        return float(self.answers[-1].response.get("resyncAfterSeconds") or 0)  # type: ignore[arg-type]

    def wait(self, *hooks: LoadBalancersHook) -> "LoadBalancer":
        """Let the time pass until the next check is due, and make it."""
        self.world.advance(self.next_look() + 1)
        return self.settle(*hooks)


def make_hook(
    world: World, cloud: Cloud, *, clock: Callable[[], float] | None = None, **settings: Any
) -> LoadBalancersHook:
    """Make a hook; its clock is CloudStack's unless another is given."""
    return LoadBalancersHook(
        dependencies(
            world.cluster,
            clock=clock or world.simulator.clock.now,
            monotonic=world.monotonic,
            cloud=lambda: cloud,
            record=world.cluster.record,
            **settings,
        )
    )
