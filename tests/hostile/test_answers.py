"""Clusters that answer much at once share one memory; those of others are probed meanwhile."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from hooks.http.bounded_json import Json
from tests.controlplane.polling import PATIENCE, until
from tests.hostile.test_bodies import peak_memory
from tests.serving import Hooks
from tests.targets import fake_cluster
from tests.targets.driving import target_cluster
from tests.targets.fake_cluster import REVIEWS, FakeCluster, node
from tests.targets.objects import ON_LOOPBACK_SETTINGS, kubeconfig, secret

MEMORY = 300 * 2**20
#: JSON of 765 kB with 255,000 values, which takes 20 MiB and more.
SWELLS = '{"items":[' + "{}," * 255_000 + "{}]}"
#: As many values as an answer in a probe may have, each as large as one can be.
SWELLS_IN_PROBES = '{"items":[' + ",".join(f'{{"{n:x}":{{}}}}' for n in range(87_000)) + "]}"
#: 4 MB and 8 MB, in which each character is escaped.
ESCAPED = '{"items":["' + "\\u0041" * 660_000 + '"]}'
LONG_ESCAPED = '{"items":["' + "\\u0041" * 1_300_000 + '"]}'
#: A page of nodes that is no small answer, with names as long as they may be.
LABELS: dict[str, Any] = {f"example.com/{'x' * 200}-{number}": "1" for number in range(40)}
NODES = [node(f"n-{number}", **LABELS) for number in range(50)]


class Hostile(FakeCluster):
    """Answers what is asked first as it should, and everything else with one text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def answer(self, path: str, query: dict[str, list[str]], token: str) -> tuple[int, str]:
        status, body = super().answer(path, query, token)
        is_first = path in ("/readyz", "/version", REVIEWS) or "kube-system" in path
        return (status, body) if is_first and "pods" not in path else (200, self.text)


class Watched:
    """A TargetCluster that is called again and again, as Metacontroller would."""

    def __init__(self, hooks: Hooks, name: str, url: str, **where: object) -> None:
        namespace = str(where.pop("namespace", "team"))
        self.hooks = hooks
        text = kubeconfig(url, user={"token": "a-token-of-some-length"})
        hooks.api_server.store.put(secret(text, name=name, namespace=namespace))
        spec = {"monitorInterval": "5s", "failureThreshold": 1, **where}
        self.parent = target_cluster(name, namespace, kubeconfigSecret=name, **spec)
        self.children: list[Json] = []
        self.probes: list[Json] = []

    def call(self) -> None:
        maps = {f"{c['metadata']['namespace']}/{c['metadata']['name']}": c for c in self.children}
        body = {"parent": self.parent, "children": {"ConfigMap.v1": maps}}
        answered = self.hooks.post("/targetclusters/sync", body)
        assert answered.code == 200
        self.parent = {**self.parent, "status": answered.json["status"]}
        self.children = answered.json["children"]
        probe = self.parent["status"].get("probe")
        if probe and probe not in self.probes:
            self.probes.append(probe)

    @property
    def rounds(self) -> object:
        """Return when the last sync round was; None before the first."""
        return self.parent.get("status", {}).get("sync", {}).get("lastTime")

    def says(self, kind: str) -> str:
        conditions = self.parent.get("status", {}).get("conditions", [])
        return next((f"{c['status']} {c['reason']}" for c in conditions if c["type"] == kind), "")

    @property
    def is_healthy(self) -> bool:
        return self.says("Ready") == "True Healthy"


@contextmanager
def calling(clusters: list[Watched]) -> Iterator[None]:
    """Call clusters again and again, until the block ends."""
    over = threading.Event()

    def call(part: list[Watched]) -> None:
        while not over.wait(0.3):
            for each in part:
                each.call()

    with ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(call, clusters[n::4]) for n in range(4)]
        try:
            yield
        finally:
            over.set()
    for each in calls:
        each.result()


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[Hooks]:
    environ = {"HOOKS": "targetclusters", "WATCH_NAMESPACE": "", "TARGET_CLUSTER_HUB_ID": "hub"}
    with Hooks(tmp_path, {**environ, **ON_LOOPBACK_SETTINGS}) as served:
        for name in ("team", "other"):
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            served.api_server.store.put(namespace)
        yield served


#: What the servers send, whether objects are synced to them, and how many servers there are.
CROWDS: dict[str, tuple[str, bool, int]] = {
    "16 in rounds": (SWELLS, True, 16),
    "64 in rounds": (SWELLS, True, 64),
    "16 in probes": (SWELLS_IN_PROBES, False, 16),
    "64 in probes": (SWELLS_IN_PROBES, False, 64),
    "40 escaped in probes": (ESCAPED, False, 40),
    "40 escaped in rounds": (LONG_ESCAPED, True, 40),
}


@pytest.mark.parametrize(("text", "synced", "count"), CROWDS.values(), ids=CROWDS)
@pytest.mark.timeout(400)
def test_answers_share_one_memory_and_honest_clusters_are_probed(
    hooks: Hooks, text: str, synced: bool, count: int
) -> None:
    manifest = {"metadata": {"name": "web", "namespace": "team"}, "data": {"k": "v"}}
    hooks.api_server.store.put({"apiVersion": "v1", "kind": "ConfigMap", **manifest})
    sources = [{"kind": "ConfigMap", "name": "web"}]
    policy = {"resourceSyncPolicy": {"enabled": synced, "sources": sources}}
    with ExitStack() as stack:
        hostile = [stack.enter_context(fake_cluster.running(Hostile(text))) for _ in range(count)]
        clusters = [
            Watched(hooks, f"bad-{n}", each.url, **policy) for n, each in enumerate(hostile)
        ]
        good = stack.enter_context(fake_cluster.running(FakeCluster(nodes=NODES)))
        honest = [
            Watched(hooks, "good", good.url, namespace=namespace, healthChecks={"timeout": "60s"})
            for namespace in ("team", "other")
        ]
        stack.enter_context(calling(clusters + honest))
        until(
            lambda: all(len(each.probes) > 4 and each.is_healthy for each in honest),
            "the honest clusters are probed and found healthy",
            within=3 * PATIENCE,
        )
        assert sum(bool(each.rounds if synced else each.probes) for each in clusters) > count / 2
    assert peak_memory(hooks) < MEMORY
