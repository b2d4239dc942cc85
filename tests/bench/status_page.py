"""What the status page costs: reading all objects, and what a browser gets."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.controlplane import ControlPlane
from tests.controlplane.api import Object
from tests.serving import Hooks
from tests.status_stage import healthy, instance, node, service, serving

NODES, LOAD_BALANCERS, CLUSTERS = 500, 200, 1000
#: Images that kubelet lists in a Node's status.
IMAGES = 50
PLURALS = {
    "Node": "nodes",
    "Service": "services",
    "CloudStackInstance": "cloudstackinstances",
    "CloudStackLoadBalancer": "cloudstackloadbalancers",
    "TargetCluster": "targetclusters",
}

HEAD = """\
| 500 Nodes, 200 load balancers, 1,000 targets | seconds | processor | bytes | lists | memory |
|---|---|---|---|---|---|"""


def bench_status_page(plane: ControlPlane, folder: Path) -> Iterator[str]:
    """Read the page: the first time, from what was just read, and when it was read long ago."""
    yield HEAD
    place = folder / "status-page"
    place.mkdir()
    put(plane, objects())
    environ = {"HOOKS": "status", "KUBECONFIG_FILE": str(plane.kubeconfig), "HOOK_DEADLINE": "60s"}
    with Hooks(place, environ) as hooks:
        yield f"| after the start |  |  |  |  | {_memory(hooks)} MB |"
        yield _row("the first look", hooks, "/")
        yield _row("again at once", hooks, "/")
        yield _row("as JSON", hooks, "/status.json")
        took = hooks.get("/status.json").json["readSeconds"]
        time.sleep(max(10.0, 5 * took) + 1)
        yield _row("a look later", hooks, "/")


def objects() -> Iterator[Object]:
    """Yield everything, with as much in it as it has in use."""
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "clusters"}}
    names = [f"registry.example.com/shop/image-{number}:1.0.{number}" for number in range(IMAGES)]
    for number in range(NODES):
        found = node(f"worker-{number}")
        images = [{"names": [name, f"{name}@sha256:{'a' * 64}"], "sizeBytes": 1} for name in names]
        found["status"]["images"] = images
        yield found
        yield instance(f"worker-{number}")
    for number in range(LOAD_BALANCERS):
        _, balancer = serving(f"web-{number}")
        balancer["spec"]["loadBalancerName"] = f"a{number}"
        yield service(f"web-{number}", spec=_spec())
        yield balancer
    yield from (healthy(f"cluster-{number}") for number in range(CLUSTERS))


def _spec() -> Object:
    return {"type": "LoadBalancer", "ports": [{"port": 80}]}


def put(plane: ControlPlane, found: Iterator[Object]) -> None:
    """Create objects with their statuses."""
    namespaces = [next(found), next(found)]
    for each in namespaces:
        plane.api.resource("v1", "namespaces").create(each)

    def create(body: Object) -> None:
        resource = plane.api.resource(body["apiVersion"], PLURALS[body["kind"]])
        fields = {"instanceID": "vm", "providerID": "external-cloudstack://vm"}
        if body["kind"] == "CloudStackInstance":
            body = {**body, "spec": {**body["spec"], **fields}}
        made = resource.create(body)
        if body["kind"] != "CloudStackInstance":
            resource.update({**made, "status": body["status"]}, "status")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(create, found))


def _row(what: str, hooks: Hooks, path: str) -> str:
    lists, used = _lists(hooks), _processor(hooks)
    began = time.monotonic()
    answer = hooks.get(path)
    seconds = time.monotonic() - began
    assert answer.code == 200
    read, used = _lists(hooks) - lists, _processor(hooks) - used
    size = len(answer.body)
    return f"| {what} | {seconds:.2f} | {used:.2f} | {size:,} | {read} | {_memory(hooks)} MB |"


def _lists(hooks: Hooks) -> int:
    return int(hooks.metric("kube_api_calls_total", verb="list", outcome="ok") or 0)


def _processor(hooks: Hooks) -> float:
    return hooks.metric("process_cpu_seconds_total") or 0.0


def _memory(hooks: Hooks) -> int:
    return int((hooks.metric("process_resident_memory_bytes") or 0) / 1e6)
