"""Many TargetClusters, some of them black holes: calls, their seconds, probes kept up with."""

import heapq
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from tests.controlplane import ControlPlane
from tests.controlplane.api import Object
from tests.controlplane.processes import Process
from tests.e2e.targets import TargetHooks
from tests.serving import PROJECT
from tests.targets import servers
from tests.targets.driving import target_cluster
from tests.targets.objects import kubeconfig

SIZES = (40, 200, 1000)
INTERVAL = 30.0
SECONDS = 75.0
#: As many as Metacontroller is told to use.
CALLERS = 20

HEAD = """\
| clusters | black holes | refusing | calls a second | p50 | p99 | probes of the good ones, of those asked for | CPU | memory |
|---|---|---|---|---|---|---|---|---|"""  # noqa: E501 - a table's head


@dataclass
class Tally:
    """What has been measured."""

    seconds: list[float] = field(default_factory=list)
    probes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Fleet:
    """TargetClusters that are called when their answers asked for it, by a few callers."""

    def __init__(self, url: str, clusters: list[Object]) -> None:
        self._url = f"{url}/targetclusters/sync"
        self._calls = [
            (time.monotonic() + INTERVAL * n / len(clusters) / 3, n, c)
            for n, c in enumerate(clusters)
        ]
        heapq.heapify(self._calls)
        self._lock = threading.Condition()
        self.tally = Tally()

    def run(self, until: float) -> None:
        """Call until a time; several callers may run at once."""
        with requests.Session() as session:
            session.trust_env = False
            while (taken := self._take(until)) is not None:
                number, cluster = taken
                wait = self._call(session, cluster)
                with self._lock:
                    heapq.heappush(self._calls, (time.monotonic() + wait, number, cluster))
                    self._lock.notify()

    def _take(self, until: float) -> tuple[int, Object] | None:
        with self._lock:
            while time.monotonic() < until:
                if self._calls and self._calls[0][0] <= time.monotonic():
                    _, number, cluster = heapq.heappop(self._calls)
                    return number, cluster
                due = self._calls[0][0] if self._calls else until
                self._lock.wait(max(0.001, min(due, until) - time.monotonic()))
        return None

    def _call(self, session: requests.Session, cluster: Object) -> float:
        began = time.perf_counter()
        answer = session.post(self._url, json={"parent": cluster, "children": {}}, timeout=30)
        took = time.perf_counter() - began
        answer.raise_for_status()
        told = answer.json()
        before = cluster.get("status", {}).get("probe")
        with self.tally.lock:
            self.tally.seconds.append(took)
            good = cluster["metadata"]["name"].startswith("good")
            self.tally.probes += good and told["status"].get("probe") != before
        cluster["status"] = told["status"]
        return float(told["resyncAfterSeconds"])


def bench_target_clusters(plane: ControlPlane, folder: Path) -> Iterator[str]:
    """Measure each size; answer a table line by line."""
    namespaces = plane.api.resource("v1", "namespaces")
    namespaces.create({"metadata": {"name": "fleet"}})
    yield HEAD
    for size in SIZES:
        place = folder / f"targetclusters-{size}"
        place.mkdir()
        yield _measure(plane, place, size)


def _measure(plane: ControlPlane, folder: Path, size: int) -> str:
    holes = refusals = size // 10
    good = size - holes - refusals
    with ExitStack() as stack:
        _put_secret(plane, "good", stack.enter_context(_served()))
        _put_secret(plane, "hole", stack.enter_context(servers.serving(servers.black_hole)).url)
        _put_secret(plane, "refusing", stack.enter_context(servers.refusing()))
        hooks = TargetHooks(plane, folder, LOG_LEVEL="warn")
        hooks.start()
        stack.callback(hooks.process.stop)
        kinds = ["good"] * good + ["hole"] * holes + ["refusing"] * refusals
        clusters = [_cluster(kind, number) for number, kind in enumerate(kinds)]
        fleet = Fleet(hooks.url, clusters)
        used, began = _cpu_seconds(hooks.process), time.monotonic()
        with ThreadPoolExecutor(CALLERS) as pool:
            list(pool.map(fleet.run, [began + SECONDS] * CALLERS))
        elapsed = time.monotonic() - began
        used = _cpu_seconds(hooks.process) - used
        asked = sum(_asked(number, size) for number in range(good))
        took = sorted(fleet.tally.seconds)
        return (
            f"| {size} | {holes} | {refusals} | {len(took) / elapsed:.0f} "
            f"| {took[len(took) // 2] * 1000:.1f} ms | {took[len(took) * 99 // 100] * 1000:.1f} ms "
            f"| {fleet.tally.probes} of {asked} | {used / elapsed * 100:.0f} % "
            f"| {_memory(hooks.process) / 1e6:.0f} MB |"
        )


def _asked(number: int, size: int) -> int:
    """Say how many probes of a cluster begin within the time, the first when it is first called."""
    return 1 + int((SECONDS - 1 - INTERVAL * number / size / 3) / INTERVAL)


def _cluster(kind: str, number: int) -> Object:
    name = f"{kind}-{number:04}"
    return target_cluster(name, "fleet", kubeconfigSecret=kind, monitorInterval=f"{INTERVAL:g}s")


def _put_secret(plane: ControlPlane, name: str, url: str) -> None:
    secrets = plane.api.resource("v1", "secrets")
    if secrets.find(name, "fleet"):
        secrets.delete(name, "fleet")
    secrets.create(
        {
            "metadata": {"name": name, "namespace": "fleet"},
            "stringData": {"kubeconfig": kubeconfig(url)},
        }
    )


@contextmanager
def _served() -> Iterator[str]:
    """Serve a cluster from a process of its own, so that it costs the hooks nothing."""
    command = [sys.executable, "-m", "tests.targets.fake_cluster"]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            raise RuntimeError("the cluster's process says nothing")
        yield process.stdout.readline().strip()
        process.terminate()


def _pids(process: Process) -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [process.pid, *map(int, children)]


def _cpu_seconds(process: Process) -> float:
    fields = [
        Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in _pids(process)
    ]
    return sum(int(each[11]) + int(each[12]) for each in fields) / 100


def _memory(process: Process) -> int:
    pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in _pids(process)]
    return max(pages) * 4096
