"""`make demo`: two Nodes and a Service, from registration to deletion, by the hooks alone.

Starts what `make run` starts, on free ports, and plays Metacontroller: it posts what the hooks are
asked, writes what they answer to the API server in memory, and shows after each step what
CloudStack has.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.server import Simulator
from tools.api_server import ApiServer, Store, merge_patch
from tools.run import LOOPBACK, PROJECT, Ports, answers, connect, end, hooks_environment

Json = dict[str, Any]

NODES = ("node-1", "node-2")
GROUP = "cloudstack.targetcluster.example.com/v1alpha1"
INSTANCES = f"CloudStackInstance.{GROUP}"
BALANCERS = f"CloudStackLoadBalancer.{GROUP}"
#: The path below which the API server keeps the namespace's load balancers.
BALANCERS_PATH = f"/apis/{GROUP}/namespaces/default/cloudstackloadbalancers"
SERVICE_PATH = "/api/v1/namespaces/default/services/web"
#: Calls for one object until it must be as it should be, and seconds between two at most.
MAX_CALLS = 20
LONGEST_WAIT = 1.0
#: Seconds that a call may take.
CALL_SECONDS = 15.0
#: What the hooks get of the shell's environment.
KEPT = ("HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TMPDIR", "VIRTUAL_ENV")


def main() -> int:
    """Walk through it; return 0, or 1 if the hooks do not start or an object does not get ready."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="demo-"))
        simulator = stack.enter_context(Simulator())
        api_server = stack.enter_context(ApiServer())
        ports = Ports(_free_port(), _free_port(), simulator=0, api_server=api_server.port)
        environment = hooks_environment({**_without_settings(), "LOG_LEVEL": "warn"}, ports)
        environment |= connect(Path(folder), simulator, api_server)
        if not stack.enter_context(_serving(environment, ports.hooks)):
            print("the hooks do not start; `make run` shows why", file=sys.stderr)
            return 1
        cluster = Cluster(f"http://{LOOPBACK}:{ports.hooks}", api_server.store)
        try:
            _walk(cluster, simulator)
        except NotReadyError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


class NotReadyError(Exception):
    """An object was not as it should be after MAX_CALLS calls."""


@dataclass(frozen=True)
class Cluster:
    """The cluster with Metacontroller, which is played here.

    Attributes:
        hooks: their URL.
        store: the objects.
    """

    hooks: str
    store: Store

    def add(self, obj: Json) -> str:
        """Create an object, as kubelet, a person or Metacontroller does; return its path."""
        made = self.store.put(obj)
        self.store.objects[made]["metadata"].setdefault("generation", 1)
        return made

    def find(self, kind: str) -> dict[str, Json]:
        """Return all objects of a kind as requests show them: by name, else namespace and name."""
        found = [each for each in self.store.objects.values() if each["kind"] == kind]
        return {_key(each): deepcopy(each) for each in found}

    def decorate(self, hook: str, path: str, attached: str) -> Json:
        """Call a DecoratorController's hook, write what it answers, and return that."""
        kind = attached.partition(".")[0]
        answer = self.post(
            f"/{hook}/sync",
            {
                "controller": {"kind": "DecoratorController", "metadata": {"name": hook}},
                "object": deepcopy(self.store.objects[path]),
                "attachments": {attached: self.find(kind)},
                "related": {},
                "finalizing": False,
            },
        )
        written = {"metadata": {"labels": answer.get("labels") or {}}}
        if answer.get("status"):
            written["status"] = answer["status"]
        self.store.objects[path] = merge_patch(self.store.objects[path], written)
        for each in answer["attachments"]:
            known = self.store.objects.get(_path(each))
            self.add(merge_patch(known or {}, each))
        return answer

    def balance(self, hook: str, path: str) -> Json:
        """Call the CompositeController's hook of a load balancer, and write the status."""
        parent = deepcopy(self.store.objects[path])
        answer = self.post(
            f"/loadbalancers/{hook}",
            {
                "controller": {"kind": "CompositeController", "metadata": {"name": "demo"}},
                "parent": parent,
                "children": {},
                "related": {INSTANCES: self.find("CloudStackInstance")},
                "finalizing": hook == "finalize",
            },
        )
        self.store.objects[path] = {**self.store.objects[path], "status": answer["status"]}
        return answer

    def post(self, path: str, body: Json) -> Json:
        """Post what `curl --data` would. Raises OSError unless the answer is 200."""
        request = urllib.request.Request(  # noqa: S310 - our own server
            self.hooks + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        # No proxy is between us and ourselves.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=CALL_SECONDS) as answer:
            read: Json = json.load(answer)
            return read


def _without_settings() -> dict[str, str]:
    """Return the environment without what the hooks would read: the story is always the same."""
    return {name: value for name, value in os.environ.items() if name in KEPT}


def _walk(cluster: Cluster, simulator: Simulator) -> None:
    """Tell the whole story."""
    for namespace in ("default", "kube-system"):
        metadata = {"name": namespace}
        cluster.add({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    _title("Two Nodes register")
    for name in NODES:
        _register(cluster, name)
    _title("A Service asks for an address")
    service = cluster.add(_example("02-load-balancer"))
    answer = cluster.decorate("services", service, BALANCERS)
    [wanted] = answer["attachments"]
    ports = ", ".join(f"{p['publicPort']} -> {p['nodePort']}" for p in wanted["spec"]["ports"])
    _step("POST /services/sync", f"a CloudStackLoadBalancer: {ports}")
    _title("The load balancer is made")
    path = f"{BALANCERS_PATH}/{wanted['metadata']['name']}"
    _repeat(lambda: _make(cluster, simulator, path), "the load balancer is not ready")
    _title("The Service shows the address")
    status = cluster.decorate("services", service, BALANCERS)["status"]
    [ingress] = status["loadBalancer"]["ingress"]
    _step("POST /services/sync", f"status.loadBalancer.ingress: {ingress['ip']}")
    _title("The Service is deleted")
    del cluster.store.objects[SERVICE_PATH]
    cluster.store.objects[path]["metadata"]["deletionTimestamp"] = _now()
    _repeat(lambda: _remove(cluster, simulator, path), "the load balancer is not deleted")


def _register(cluster: Cluster, name: str) -> None:
    """Let a Node register, and the hook initialise it."""
    node = _example("01-node")
    labels = {**node["metadata"]["labels"], "kubernetes.io/hostname": name}
    node["metadata"] |= {"name": name, "uid": f"uid-of-{name}", "labels": labels}
    node["status"]["addresses"] = [{"type": "Hostname", "address": name}]
    path = cluster.add(node)
    [instance] = cluster.decorate("nodes", path, INSTANCES)["attachments"]
    observed = instance["observed"]
    told = f"{name} is a {observed['offering']} in {observed['zone']}, {observed['state']}"
    _step("POST /nodes/sync", told)

    def initialised() -> bool:
        cluster.decorate("nodes", path, INSTANCES)
        return "providerID" in cluster.store.objects[path]["spec"]

    _repeat(initialised, f"{name} is not initialised")
    found = cluster.store.objects[path]
    addresses = [f"{a['type']} {a['address']}" for a in found["status"]["addresses"]]
    _step("POST /nodes/sync", f"{name} has a provider id, and {', '.join(addresses)}")


def _make(cluster: Cluster, simulator: Simulator, path: str) -> bool:
    """Call for the load balancer once; return whether its Service may show the address."""
    status = cluster.balance("sync", path)["status"]
    [ready] = [each for each in status["conditions"] if each["type"] == "Ready"]
    _step("POST /loadbalancers/sync", f"Ready {ready['status']}, {ready['reason']}")
    _show(simulator)
    return bool(ready["status"] == "True" and status["address"].get("published"))


def _remove(cluster: Cluster, simulator: Simulator, path: str) -> bool:
    """Call for the deletion once; return whether it is over."""
    is_over = cluster.balance("finalize", path)["finalized"]
    _step("POST /loadbalancers/finalize", "finalized" if is_over else "goes on")
    _show(simulator)
    return bool(is_over)


def _show(simulator: Simulator) -> None:
    """Print what CloudStack has for the Service: addresses with tags, rules, firewall rules."""
    state = simulator.control.state()
    found = [f"address {each['ipaddress']}" for each in state["addresses"] if each["tags"]]
    found += [
        f"rule {each['publicport']} -> {each['privateport']} to {_listed(each['members'])}"
        for each in state["loadbalancerrules"]
    ]
    found += [
        f"firewall open at {each['startport']}-{each['endport']} for {_listed(each['cidrlist'])}"
        for each in state["firewallrules"]
    ]
    for number, line in enumerate(found or ["nothing"]):
        _step("" if number else "  CloudStack has", line)


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(sorted(texts))


def _repeat(is_done: Callable[[], bool], problem: str) -> None:
    """Call until something is so, as Metacontroller does. Raises NotReadyError."""
    for _ in range(MAX_CALLS):
        if is_done():
            return
        time.sleep(LONGEST_WAIT)
    raise NotReadyError(f"{problem} after {MAX_CALLS} calls")


def _example(folder: str) -> Json:
    """Return the object that an example asks about."""
    text = (PROJECT / "examples" / folder / "request.json").read_text(encoding="utf-8")
    found: Json = json.loads(text)["object"]
    return found


def _key(obj: Json) -> str:
    metadata = obj["metadata"]
    return "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))


def _path(obj: Json) -> str:
    """Return where the store keeps an object of ours."""
    namespace = obj["metadata"].get("namespace")
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{GROUP}{scope}/{obj['kind'].lower()}s/{obj['metadata']['name']}"


def _title(text: str) -> None:
    print(f"\n{text}", flush=True)


def _step(what: str, outcome: str) -> None:
    print(f"  {what:30}{outcome}", flush=True)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _serving(environment: Mapping[str, str], port: int) -> Iterator[bool]:
    """Serve the hooks meanwhile; false if they do not start."""
    gunicorn = subprocess.Popen(
        [sys.executable, "-m", "gunicorn"], cwd=PROJECT, env=environment, start_new_session=True
    )
    try:
        yield answers(port, gunicorn, threading.Event())
    finally:
        end(gunicorn)


if __name__ == "__main__":
    sys.exit(main())
