"""TargetClusters with large sources share one memory; those of others are synced meanwhile."""

from contextlib import ExitStack

import pytest

from tests.controlplane.polling import PATIENCE, until
from tests.hostile.test_answers import Watched, calling, hooks
from tests.hostile.test_bodies import peak_memory
from tests.serving import Hooks
from tests.targets import fake_cluster
from tests.targets.fake_cluster import FakeCluster

__all__ = ["hooks"]

MEMORY = 300 * 2**20
#: 540 kB that take 15 MiB once they are read.
LARGE = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: [" + "{}," * 180_000 + "]}"
SMALL = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k: v}}"


def config_map(name: str, namespace: str, text: str) -> dict[str, object]:
    metadata = {"name": name, "namespace": namespace, "uid": f"uid-of-{name}"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"m": text}}


@pytest.mark.timeout(600)
def test_sixteen_clusters_with_large_sources_share_one_memory(hooks: Hooks) -> None:
    store = hooks.api_server.store
    for name in ("one", "two"):
        store.put(config_map(name, "team", LARGE))
    store.put(config_map("small", "other", SMALL))
    with ExitStack() as stack:
        url = stack.enter_context(fake_cluster.running(FakeCluster())).url

        def watch(name: str, namespace: str, *sources: str) -> Watched:
            listed = [{"kind": "ConfigMap", "name": one, "as": "Manifests"} for one in sources]
            policy = {"enabled": True, "sources": listed}
            return Watched(hooks, name, url, namespace=namespace, resourceSyncPolicy=policy)

        large = [watch(f"large-{number}", "team", "one", "two") for number in range(16)]
        honest = watch("small", "other", "small")
        stack.enter_context(calling([*large, honest]))
        until(lambda: honest.says("ResourcesSynced").startswith("False"), "its round has ended")
        until(
            lambda: sum(bool(each.rounds) for each in large) >= 12,
            "large sources have been read",
            within=3 * PATIENCE,
        )
    [result] = honest.parent["status"]["sync"]["results"]
    assert "is no Kubernetes API server" in result["message"], "it was read"
    assert peak_memory(hooks) < MEMORY
