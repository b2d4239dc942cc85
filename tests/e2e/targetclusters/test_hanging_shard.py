"""A shard freezes in the middle of a round, as its machine may, and is to hand over then."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hooks.names import CONTROLLER_FINALIZER, LABEL_SHARD, TARGET_CLUSTERS_CONTROLLER
from tests.controlplane import ControlPlane, manifests, polling
from tests.controlplane.api import Object
from tests.e2e import targets
from tests.e2e.targets import NAMESPACE, TargetHooks, TargetPlatform, add_node, says, source
from tests.serving import PROJECT
from tests.targets import proxy as proxies
from tests.targets.objects import kubeconfig
from tests.targets.proxy import Fate, Proxy

NEXT = f"{TARGET_CLUSTERS_CONTROLLER}-b"
NAMES = {f"moved-{number:02}" for number in range(20)}
STOPS_AT = 8


@pytest.fixture
def line(control_plane: ControlPlane) -> Iterator[Proxy]:
    with control_plane.target_cluster("frozen") as running, proxies.before(running) as made:
        add_node(running, "worker-1")
        running.kubectl("create", "namespace", NAMESPACE)
        yield made


@pytest.fixture
def platform(control_plane: ControlPlane, tmp_path: Path) -> Iterator[TargetPlatform]:
    """Run the shard that has TargetClusters without a label."""
    pod = {"POD_NAMESPACE": NAMESPACE, "POD_NAME": "itself"}
    with targets.running(control_plane, tmp_path, **pod) as running:
        yield running


@contextmanager
def next_shard(platform: TargetPlatform, folder: Path) -> Iterator[None]:
    """Run another shard, called for the TargetClusters with its label."""
    folder.mkdir()
    pod = {"POD_NAMESPACE": NAMESPACE, "POD_NAME": "next"}
    hooks = TargetHooks(platform.plane, folder, **pod)
    [controller] = manifests.load(PROJECT / "metacontroller" / "targetclusters.yaml")
    controller["metadata"]["name"] = NEXT
    controller["spec"]["parentResource"]["labelSelector"] = {"matchLabels": {LABEL_SHARD: "b"}}
    hooks.start()
    try:
        with manifests.applied(platform.plane.api, [controller], manifests.Hooks(hooks.url)):
            try:
                yield
            finally:
                targets.clear(platform)
    finally:
        hooks.process.stop()


@contextmanager
def stopping(hooks: TargetHooks, line: Proxy) -> Iterator[threading.Event]:
    """Stop gunicorn and its worker while a write is under way; go on at the end."""
    stopped = threading.Event()

    def watch(_write: str) -> Fate:
        if len(line.writes) == STOPS_AT and not stopped.is_set():
            os.killpg(hooks.process.pid, signal.SIGSTOP)
            stopped.set()
        return "done"

    line.on_write = watch
    try:
        yield stopped
    finally:
        os.killpg(hooks.process.pid, signal.SIGCONT)


def patches(line: Proxy) -> Counter[str]:
    """Count the writes of each ConfigMap."""
    paths = (write.partition(" ")[2] for write in line.writes if write.startswith("PATCH"))
    return Counter(path.rpartition("/")[2] for path in paths if "/configmaps/" in path)


def is_with_next(cluster: Object) -> bool:
    return (
        cluster["metadata"].get("finalizers") == [CONTROLLER_FINALIZER + NEXT]
        and says(cluster, "ResourcesSynced") == "True Synced"
        and cluster["status"]["sync"]["objects"] == len(NAMES)
    )


@pytest.mark.timeout(300)
def test_what_a_hanging_shard_hands_over_is_written_once_and_not_lost(
    platform: TargetPlatform, line: Proxy, tmp_path: Path
) -> None:
    for name in NAMES:
        platform.config_maps.create(source(name, number="1"))
    platform.put_secret("target", kubeconfig(line.url))
    with next_shard(platform, tmp_path / "next"):
        with stopping(platform.hooks, line) as stopped:
            platform.make("moved", resourceSyncPolicy={"enabled": True}, deletionPolicy="Delete")
            polling.until(stopped.is_set, "the shard hangs in the middle of a round")
            labels = {"metadata": {"labels": {LABEL_SHARD: "b"}}}
            platform.clusters.patch("moved", labels, NAMESPACE)
            platform.until_says("moved", "Ready", "Unknown AwaitingShard")
            assert sum(patches(line).values()) in (STOPS_AT, STOPS_AT + 1)
        platform.until("moved", is_with_next)
        assert patches(line) == dict.fromkeys(NAMES, 1)
        platform.config_maps.patch("moved-00", source("moved-00", number="2"), NAMESPACE)
        polling.until(lambda: patches(line)["moved-00"] == 2, "the next shard writes")
        platform.clusters.delete("moved", NAMESPACE)
        platform.until_gone("moved")
        deleted = Counter(w.rpartition("/")[2] for w in line.writes if w.startswith("DELETE"))
        assert {name: deleted[name] for name in NAMES} == dict.fromkeys(NAMES, 1)
        assert sum(patches(line).values()) == len(NAMES) + 1
