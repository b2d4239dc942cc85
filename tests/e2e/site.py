"""A whole site: a simulated CloudStack, the hooks, Metacontroller, and nodes that are its VMs."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from simulator.server import Simulator
from tests.contract.cloud import Cloud as Account
from tests.controlplane import Cluster, manifests
from tests.controlplane.api import Object, Objects, Resource
from tests.controlplane.polling import PATIENCE, until
from tests.controlplane.processes import Process
from tests.e2e.cloud import Cloud
from tests.e2e.platform import PROJECT, Hooks
from tests.e2e.watching import Namespace

Value = TypeVar("Value")

CONTROLLERS = ("nodes", "services", "loadbalancers")
UNINITIALIZED = "node.cloudprovider.kubernetes.io/uninitialized"
EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
INSTANCES = ("cloudstack.targetcluster.example.com/v1alpha1", "cloudstackinstances")


@dataclass(frozen=True)
class Look:
    """What CloudStack had at a moment, in seconds: rules by their ids, and firewall rules."""

    at: float
    rules: dict[str, Object]
    firewall: Objects


@dataclass
class Watch:
    """What was seen of CloudStack, look by look."""

    looks: list[Look] = field(default_factory=list)

    def always_there(self, rule_id: str) -> bool:
        """Tell whether a rule was there at every look."""
        return bool(self.looks) and all(rule_id in look.rules for look in self.looks)

    def always_open(self, address: str, port: int) -> bool:
        """Tell whether the firewall let everybody through to a TCP port at every look."""

        def is_open(look: Look) -> bool:
            cidrs = {
                cidr
                for rule in look.firewall
                if (rule["address"], rule["protocol"]) == (address, "tcp")
                and rule["startport"] <= port <= rule["endport"]
                for cidr in rule["cidrlist"]
            }
            return "0.0.0.0/0" in cidrs or cidrs >= {"0.0.0.0/1", "128.0.0.0/1"}

        return bool(self.looks) and all(map(is_open, self.looks))

    def longest_without(self, address: str, port: int) -> float:
        """Return the most seconds that an address had no rule of a port."""
        longest, last = 0.0, self.looks[0].at
        for look in self.looks:
            there = {(rule["address"], int(rule["publicport"])) for rule in look.rules.values()}
            longest = max(longest, look.at - last)
            if (address, port) in there:
                last = look.at
        return longest


@dataclass(frozen=True)
class Site:
    """What a test looks at and turns the knobs of.

    Attributes:
        simulator: CloudStack; `cloud` is a client of it for the ordinary user.
        project: id of the project that everything is in; empty outside of one.
        hooks, metacontroller: their processes, to be killed and started again.
    """

    cluster: Cluster
    simulator: Simulator
    cloud: Account
    project: str
    hooks: Hooks
    metacontroller: Process

    @property
    def nodes(self) -> Resource:
        """Return the cluster's nodes."""
        return self.cluster.api.resource("v1", "nodes", namespaced=False)

    def join(self, *names: str) -> None:
        """Let nodes join as kubelet registers them, and wait until they may serve."""
        for name in names:
            self.nodes.create(
                {
                    "apiVersion": "v1",
                    "kind": "Node",
                    "metadata": {"name": name},
                    "spec": {"taints": [{"key": UNINITIALIZED, "effect": "NoSchedule"}]},
                }
            )
            self.set_ready(name, ready=True)
        self.await_instances(*names)

    def await_instances(self, *names: str) -> None:
        """Wait until nodes may serve, as their Instances say."""
        instances = self.cluster.api.resource(*INSTANCES, namespaced=False)

        def joined() -> bool:
            found = {one["metadata"]["name"]: one for one in instances.list()}
            return all(
                name in found and found[name]["observed"]["servesLoadBalancers"] for name in names
            )

        until(joined, f"{', '.join(names)} may serve")

    def label(self, node: str, **labels: str | None) -> None:
        """Set labels of a node; None takes one off."""
        self.nodes.patch(node, {"metadata": {"labels": labels}})

    @contextmanager
    def excluded(self, node: str) -> Iterator[None]:
        """Let a node be no member of any load balancer meanwhile."""
        self.label(node, **{EXCLUDED: ""})
        try:
            yield
        finally:
            self.label(node, **{EXCLUDED: None})

    def set_ready(self, name: str, *, ready: bool) -> None:
        """Report a node as kubelet does."""
        condition = {"type": "Ready", "status": "True" if ready else "False"}
        status = {"status": {"conditions": [condition]}}
        self.nodes.patch(name, status, subresource="status")

    def rules(self, prefix: str = "") -> Objects:
        """List the load balancer rules whose names begin so, in order of their names."""
        found = self.simulator.control.state()["loadbalancerrules"]
        mine = (rule for rule in found if rule["name"].startswith(prefix))
        return sorted(mine, key=lambda rule: str(rule["name"]))

    def rules_of(self, shop: Namespace, service: str) -> Objects:
        """List the load balancer rules of a Service, which must have a load balancer."""
        balancer = shop.load_balancer(service)
        assert balancer, f"{service} has no load balancer"
        return self.rules(balancer["metadata"]["name"])

    def addresses(self) -> Objects:
        """List the public addresses that are taken, but for the networks' own."""
        found = self.simulator.control.state()["addresses"]
        return [address for address in found if not address["sourcenat"]]

    def address(self, ip: str) -> Object | None:
        """Find a public address that is taken."""
        return next((one for one in self.addresses() if one["ipaddress"] == ip), None)

    def free_address(self) -> str:
        """Return the last public address that nobody has; the hooks take any of them."""
        listed = self.cloud.list(
            "listPublicIpAddresses", "publicipaddress", state="Free", allocatedonly=False
        )
        return str(max(one["ipaddress"] for one in listed))

    def firewall(self, ip: str) -> list[tuple[str, int, int, tuple[str, ...]]]:
        """List what an address lets in: protocol, first port, last port, ranges."""
        return sorted(
            (rule["protocol"], rule["startport"], rule["endport"], tuple(sorted(rule["cidrlist"])))
            for rule in self.simulator.control.state()["firewallrules"]
            if rule["address"] == ip
        )

    @contextmanager
    def watched(self) -> Iterator["Watch"]:
        """Look at rules and firewall again and again meanwhile, as fast as a change may be."""
        watch = Watch()
        over = threading.Event()

        def look() -> None:
            while not over.wait(0.005):
                state = self.simulator.control.state()
                rules = {str(rule["id"]): rule for rule in state["loadbalancerrules"]}
                watch.looks.append(Look(time.monotonic(), rules, state["firewallrules"]))

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield watch
        finally:
            over.set()
            thread.join()

    def await_quiet(self, seconds: float = 1.2) -> None:
        """Wait until nobody has called CloudStack for a while: all work is done and noted."""
        last = [0, time.monotonic()]

        def quiet() -> bool:
            calls = len(self.simulator.control.calls())
            if calls != last[0]:
                last[:] = [calls, time.monotonic()]
            return time.monotonic() - last[1] >= seconds

        until(quiet, f"no call for {seconds} s")

    def crash(self) -> None:
        """Kill the hooks, workers and all, as the end of their container would."""
        self.hooks.process.kill()

    def machine(self, name: str) -> str:
        """Return the id of a VM."""
        machines = self.simulator.control.state()["virtualmachines"]
        return next(str(one["id"]) for one in machines if one["name"] == name)

    def network(self, name: str) -> str:
        """Return the id of a network."""
        networks = self.simulator.control.state()["networks"]
        return next(str(one["id"]) for one in networks if one["name"] == name)

    def job(self, command: str, **parameters: object) -> Object:
        """Call an asynchronous command as the user, and wait for its end."""
        return self.cloud.done(command, **parameters)

    def awaited(
        self, probe: Callable[[], Value | None], what: str, *, within: float = PATIENCE
    ) -> Value:
        """Wait for something in CloudStack."""
        return until(probe, what, within=within)


@contextmanager
def site(
    plane: Cluster,
    folder: Path,
    nodes: Sequence[str],
    *,
    world: str | Simulator = "small",
    project: str = "",
    **settings: str,
) -> Iterator[Site]:
    """Run a site, its nodes initialised; take it down at the end.

    Args:
        plane: the control plane, which other sites use before and after.
        folder: for logs and the cloud-config.
        nodes: names of VMs.
        world: of the simulator; or one that runs, with other sites on it.
        project: name of the project that the cloud-config names.
        settings: of the hooks, beside those that lead them here.
    """
    with nullcontext(world) if isinstance(world, Simulator) else Simulator(world) as simulator:
        projects = {one["name"]: one["id"] for one in simulator.control.state()["projects"]}
        project_id = str(projects[project]) if project else ""
        chosen = {"HOOKS": ",".join(CONTROLLERS), "HOOK_DEADLINE": "8s", **settings}
        hooks = Hooks(plane, simulator, folder, chosen)
        hooks.configure(project_id=project_id)
        with calling(plane, hooks, CONTROLLERS) as metacontroller:
            cloud = Cloud.of(simulator).api
            made = Site(plane, simulator, cloud, project_id, hooks, metacontroller)
            try:
                made.join(*nodes)
                yield made
            finally:
                for node in made.nodes.list():
                    made.nodes.delete(node["metadata"]["name"])


@contextmanager
def calling(plane: Cluster, hooks: Hooks, controllers: Sequence[str]) -> Iterator[Process]:
    """Start hooks, and Metacontroller with the controllers that call them."""
    found = [
        controller
        for name in controllers
        for controller in manifests.load(PROJECT / f"metacontroller/{name}.yaml")
    ]
    try:
        hooks.start()
        with plane.metacontroller(found, manifests.Hooks(hooks.url)) as metacontroller:
            yield metacontroller
        hooks.process.check()
    finally:
        hooks.process.stop()
