"""What people do by hand in CloudStack, Services with both hooks, and second clusters."""

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from typing import Any

from hooks.cloudstack import Clocks, Cloud, CloudConfig
from hooks.cloudstack.client import Caller
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.services.hook import ServicesHook
from hooks.services.request import ATTACHMENTS
from simulator.server import Simulator
from tests.hooks import dependencies
from tests.integration.loadbalancers.driver import (
    LoadBalancer,
    World,
    make_hook,
    port,
    start_simulator,
)

PREFIX = "service.beta.kubernetes.io/cloudstack-load-balancer-"
ABANDON = PREFIX + "abandon"
TAKEOVER_FROM = PREFIX + "takeover-from"
MODE = PREFIX + "mode"
OLD_FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
#: An address that somebody allocated by hand.
HELD = "198.51.100.150"
PORTS = [port(80), port(443)]
Place = tuple[World, LoadBalancersHook]
#: What a human may have on an address, besides the address.
THINGS = ("rule", "firewall rule", "port forwarding rule", "tag")


def hold(world: World, *things: str, ip: str = HELD) -> str:
    """Allocate an address by hand, with these things on it; return its id."""
    network = world.network("net-1")
    answer = world.human.done("associateIpAddress", networkid=network, ipaddress=ip)
    address = str(answer["ipaddress"]["id"])
    for thing in things:
        add(world, address, thing)
    world.simulator.control.clear_calls()
    return address


def add(world: World, address: str, thing: str) -> str:
    """Put one thing of a human's on an address; return its id."""
    human, node = world.human, world.nodes["node-1"]["spec"]["instanceID"]
    if thing == "rule":
        made = human.done(
            "createLoadBalancerRule",
            name="k8s-api",
            algorithm="roundrobin",
            publicport=6443,
            privateport=6443,
            publicipid=address,
            openfirewall=False,
        )["loadbalancer"]
        human.done("assignToLoadBalancerRule", id=made["id"], virtualmachineids=node)
        return str(made["id"])
    if thing == "firewall rule":
        made = human.done(
            "createFirewallRule",
            ipaddressid=address,
            protocol="tcp",
            startport=6443,
            endport=6443,
            cidrlist="203.0.113.0/24",
        )["firewallrule"]
        return str(made["id"])
    if thing == "port forwarding rule":
        made = human.done(
            "createPortForwardingRule",
            ipaddressid=address,
            virtualmachineid=node,
            protocol="tcp",
            publicport=2222,
            privateport=22,
            openfirewall=False,
        )["portforwardingrule"]
        return str(made["id"])
    if thing == "static NAT":
        human.ok("enableStaticNat", ipaddressid=address, virtualmachineid=node)
        return address
    assert thing == "tag"
    tags = {"example.com/purpose": "the API server"}
    human.done("createTags", resourcetype="PublicIpAddress", resourceids=address, tags=tags)
    return address


def holdings(world: World | Simulator, *ips: str) -> Json:
    """Return everything that is on some addresses, with ids and tags."""
    state = world.control.state() if isinstance(world, Simulator) else world.state()
    kinds = ("loadbalancerrules", "firewallrules", "portforwardingrules")
    return {
        "addresses": [each for each in state["addresses"] if each["ipaddress"] in ips],
        **{kind: [each for each in state[kind] if each["address"] in ips] for kind in kinds},
    }


def ip_of(lb: LoadBalancer) -> str:
    return str(lb.status["address"]["ip"])


def settled(lb: LoadBalancer, hook: LoadBalancersHook) -> LoadBalancer:
    """Call until it serves or is gone, through checks that wait for a moment."""
    for _ in range(6):
        lb.settle(hook)
        if lb.is_ready() or lb.is_finalized():
            break
        lb.world.advance(lb.next_look() + 1)
    return lb


def marked(world: World, uid: str) -> list[str]:
    """Return the addresses with a Service's UID among their tags."""
    return [each["ipaddress"] for each in world.addresses() if uid in each["tags"].values()]


def told(world: World) -> str:
    """Return the messages of all Events."""
    return "\n".join(f"{event.reason}: {event.message}" for event in world.cluster.events)


class Tenant:
    """A Service as its author writes it, and what both hooks make of it.

    Attributes:
        service: the Service, as the API server has it.
        lb: its CloudStackLoadBalancer.
    """

    def __init__(
        self,
        world: World,
        name: str = "web",
        *,
        namespace: str = "evil",
        uid: str = "",
        annotations: dict[str, str] | None = None,
        ingress: str = "",
        finalizers: tuple[str, ...] = (),
        **spec: Any,
    ) -> None:
        self.world = world
        self._hook = ServicesHook(
            dependencies(
                world.cluster, record=world.cluster.record, clock=world.simulator.clock.now
            )
        )
        uid = uid or str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{namespace}/{name}"))
        notes = {PREFIX + key: text for key, text in (annotations or {}).items()}
        self.service: Json = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": uid,
                "resourceVersion": "1",
                "annotations": notes,
                "finalizers": list(finalizers),
            },
            "spec": {
                "type": "LoadBalancer",
                "externalTrafficPolicy": "Cluster",
                "ports": [{"name": "p80", "port": 80, "protocol": "TCP", "nodePort": 30080}],
                **spec,
            },
            "status": {"loadBalancer": {"ingress": [{"ip": ingress}]} if ingress else {}},
        }
        [wanted] = self._ask(None)["attachments"]
        self.lb = LoadBalancer(world, name, namespace=namespace, uid=uid, **wanted["spec"])
        assert wanted["metadata"]["name"] == self.lb.name
        world.cluster.objects[self.lb.service_path] = self.service

    def settle(self, hook: LoadBalancersHook) -> LoadBalancer:
        """Let both hooks work until nothing changes any more."""
        for _ in range(3):
            self.refresh()
            self.lb.settle(hook)
        return self.lb

    def refresh(self) -> None:
        """Let the services hook write the spec and the Service's status."""
        answer = self._ask(self.lb.parent)
        for made in answer["attachments"]:
            if made["spec"] != self.lb.parent["spec"]:
                self.lb.change(**made["spec"])
        self.service["status"] = answer.get("status") or self.service["status"]

    def _ask(self, balancer: Json | None) -> Json:
        namespace = self.service["metadata"]["namespace"]
        attached = {f"{namespace}/{balancer['metadata']['name']}": balancer} if balancer else {}
        body = {
            "controller": {"kind": "DecoratorController"},
            "object": deepcopy(self.service),
            "attachments": {ATTACHMENTS: deepcopy(attached)},
            "related": {},
            "finalizing": False,
        }
        return dict(self._hook.sync(body, Deadline(8)).response)


@contextmanager
def cluster(world: World, cluster_id: str) -> Iterator[tuple[World, LoadBalancersHook]]:
    """Make another cluster on the same CloudStack, with the same keys and a hook of its own."""
    other = World(world.simulator, cluster_id=cluster_id)
    cloud = other.open_cloud()
    try:
        yield other, make_hook(other, cloud)
    finally:
        cloud.close()
        other.close()


@contextmanager
def fresh_world() -> Iterator[tuple[World, LoadBalancersHook]]:
    """Start a world of its own, with a hook."""
    with ExitStack() as stack:
        simulator = stack.enter_context(start_simulator())
        world = World(simulator)
        stack.callback(world.close)
        cloud = world.open_cloud()
        stack.callback(cloud.close)
        yield world, make_hook(world, cloud)


def call_for(lb: LoadBalancer, hook: LoadBalancersHook, seconds: float) -> None:
    """Call as Metacontroller does while this much time passes, or until it is finalized."""
    until = lb.world.now + seconds
    while lb.world.now < until and not lb.is_finalized():
        lb.call(hook)
        wait = lb.answers[-1].response.get("resyncAfterSeconds") or 1.0
        lb.world.advance(max(1.0, float(wait)))  # type: ignore[arg-type]


def new_uid(name: str) -> str:
    """Return the UID that a Service has after it was made again."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name} again"))


class Died(BaseException):
    """The process ended in the middle of a call; nothing of it goes on."""


class Tap:
    """Passes a hook's calls of CloudStack on, and lets a test come between any two of them.

    Args:
        before, after: are called before and after each call, with its number (from 0) and command;
            what they raise ends the hook's call there.
    """

    def __init__(
        self,
        before: Callable[[int, str], None] = lambda _number, _command: None,
        after: Callable[[int, str], None] = lambda _number, _command: None,
    ) -> None:
        self.before = before
        self.after = after
        self.inner: Caller | None = None
        self.calls = 0
        self._lock = threading.Lock()

    def send(self, command: str, params: Mapping[str, object], seconds: float) -> Json:
        """Call once."""
        assert self.inner is not None
        with self._lock:
            number, self.calls = self.calls, self.calls + 1
        self.before(number, command)
        answer = self.inner.send(command, params, seconds)
        self.after(number, command)
        return answer


@contextmanager
def tapped(
    world: World, tap: Tap, *, clock: Callable[[], float] | None = None, **settings: Any
) -> Iterator[LoadBalancersHook]:
    """Make a hook on a world whose calls go through a tap, and whose clock may be another."""
    user = world.simulator.user
    now = clock or world.simulator.clock.now
    cloud = Cloud(
        CloudConfig(world.simulator.url, user.api_key, user.secret_key),
        clocks=Clocks(now, world.monotonic, pause=lambda _seconds: None),
    )
    tap.inner, cloud.client._caller = cloud.client._caller, tap
    made = dependencies(
        world.cluster,
        clock=now,
        monotonic=world.monotonic,
        cloud=lambda: cloud,
        record=world.cluster.record,
        **settings,
    )
    try:
        yield LoadBalancersHook(made)
    finally:
        cloud.close()
