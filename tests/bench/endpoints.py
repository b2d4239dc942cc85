"""What endpoints that move cost a Service with local traffic, in the real server's time."""

import re
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from simulator.server import Simulator
from tests.bench.loadbalancers import NAMES as ALL_NAMES
from tests.bench.loadbalancers import create_services, open_site
from tests.bench.work import kind_of
from tests.controlplane import ControlPlane
from tests.controlplane.api import Object
from tests.controlplane.polling import until
from tests.e2e.site import Site
from tests.e2e.watching import Namespace, namespace

#: Nodes of the site.
NAMES = ALL_NAMES[:20]
#: Endpoints of a slice, as the EndpointSlice controller fills them.
IN_A_SLICE = 100
#: Seconds between two pods that are replaced.
PACE = 0.05
#: How often one endpoint moves to have its time measured.
MOVES = 20


@dataclass
class Pods:
    """The pods of a Service by the nodes that they are on, and their EndpointSlices."""

    shop: Namespace
    service: str
    nodes: list[str]
    writes: int = 0

    def create(self) -> None:
        """Create the slices of all pods."""
        slices = self.shop.cluster.api.resource("discovery.k8s.io/v1", "endpointslices")
        for number in range(0, len(self.nodes), IN_A_SLICE):
            metadata = {
                "name": f"{self.service}-{number // IN_A_SLICE}",
                "namespace": self.shop.name,
                "labels": {"kubernetes.io/service-name": self.service},
            }
            body: Object = {"metadata": metadata, "addressType": "IPv4", "ports": [{"port": 8080}]}
            slices.create({**body, "endpoints": self._endpoints(number // IN_A_SLICE)})

    def move(self, pod: int, node: str) -> None:
        """Replace a pod by one on another node, in the two writes that a graceful end takes."""
        before, self.nodes[pod] = self.nodes[pod], node
        self._write(pod // IN_A_SLICE, ending=before)
        self._write(pod // IN_A_SLICE)

    def _write(self, number: int, *, ending: str = "") -> None:
        endpoints = self._endpoints(number)
        if ending:
            endpoints.append(_endpoint(0, ending, is_ending=True))
        slices = self.shop.cluster.api.resource("discovery.k8s.io/v1", "endpointslices")
        slices.patch(f"{self.service}-{number}", {"endpoints": endpoints}, self.shop.name)
        self.writes += 1

    def _endpoints(self, number: int) -> list[Object]:
        first = number * IN_A_SLICE
        mine = self.nodes[first : first + IN_A_SLICE]
        return [_endpoint(first + pod, node) for pod, node in enumerate(mine)]


def _endpoint(pod: int, node: str, *, is_ending: bool = False) -> Object:
    return {
        "addresses": [f"10.{200 + is_ending}.{pod // 256}.{pod % 256}"],
        "conditions": {"ready": not is_ending, "serving": True, "terminating": is_ending},
        "nodeName": node,
        "targetRef": {"kind": "Pod", "name": f"web-7d4b9c6f5d-{pod:05x}", "namespace": "default"},
    }


def bench_endpoints(plane: ControlPlane, folder: Path) -> Iterator[str]:
    """Measure moves and rolling updates, line by line of a table."""
    yield (
        "| work | slices written | hook calls | CloudStack writes | reads | seconds |\n"
        "|---|---|---|---|---|---|"
    )
    with (
        Simulator("large", vms=len(NAMES)) as simulator,
        open_site(plane, folder / "endpoints", NAMES, simulator) as made,
        namespace(made.cluster) as shop,
    ):
        simulator.control.settings(timing="real")
        yield _moves(made, shop)
        same = [node for node in NAMES for _ in range(25)]
        yield _rollout(made, shop, "500 pods on 20 nodes are replaced", same, NAMES)
        half = list(NAMES[:10])
        yield _rollout(made, shop, "10 pods move to 10 other nodes", half, NAMES[10:])


def _moves(made: Site, shop: Namespace) -> str:
    """Move one endpoint to and fro, and wait for the members each time."""
    pods = Pods(shop, "one", [NAMES[0]])
    pods.create()
    create_services(made, shop, "one", ["one"], externalTrafficPolicy="Local")
    made.await_quiet()
    before, took = _begin(made), []
    for number in range(MOVES):
        node, began = NAMES[(number + 1) % 2], time.monotonic()
        pods.move(0, node)
        _await_members(made, shop, "one", {node})
        took.append(time.monotonic() - began)
    seconds = f"{statistics.median(took):.2f} each, {max(took):.2f} the longest"
    return _row(made, f"one endpoint moves {MOVES} times", pods, before, seconds)


def _rollout(
    made: Site, shop: Namespace, name: str, nodes: list[str], targets: Sequence[str]
) -> str:
    """Replace all pods one after the other."""
    service = f"roll-{len(nodes)}"
    pods = Pods(shop, service, nodes)
    pods.create()
    create_services(made, shop, service, [service], externalTrafficPolicy="Local")
    made.await_quiet()
    before, began = _begin(made), time.monotonic()
    for pod in range(len(nodes)):
        pods.move(pod, targets[(pod + 1) % len(targets)])
        time.sleep(PACE)
    last = time.monotonic()
    _await_members(made, shop, service, set(targets))
    ended = time.monotonic()
    made.await_quiet()
    seconds = f"{ended - began:.1f}, {ended - last:.1f} after the last write"
    return _row(made, name, pods, before, seconds)


def _begin(made: Site) -> int:
    made.simulator.control.clear_calls()
    return _hook_calls(made)


def _row(made: Site, name: str, pods: Pods, before: int, seconds: str) -> str:
    kinds = Counter(kind_of(call["command"]) for call in made.simulator.control.calls())
    calls = _hook_calls(made) - before
    cells = (name, pods.writes, calls, kinds["writes"], kinds["reads"], seconds)
    return f"| {' | '.join(map(str, cells))} |"


def _hook_calls(made: Site) -> int:
    """Return how often the hook of load balancers was called."""
    lines = re.findall(r"^hook_calls_total{(.*)} (.*)$", made.hooks.metrics(), re.MULTILINE)
    return round(sum(float(count) for labels, count in lines if '"loadbalancers' in labels))


def _await_members(made: Site, shop: Namespace, service: str, nodes: set[str]) -> None:
    def are_members() -> bool:
        return all(set(rule["members"]) == nodes for rule in made.rules_of(shop, service))

    until(are_members, f"{service} has the members of its endpoints", within=600, every=0.02)
