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
from itertools import pairwise
from pathlib import Path
from random import Random

import requests

from tests.controlplane import ControlPlane
from tests.controlplane.api import Object
from tests.controlplane.processes import Process
from tests.e2e.targets import TargetHooks
from tests.serving import PROJECT
from tests.targets import servers
from tests.targets.driving import target_cluster
from tests.targets.objects import kubeconfig

INTERVAL = 30.0
SECONDS = 120.0
#: Seconds after which each cluster has had three probes, and so has its turn.
SPREAD_AFTER = 75.0
#: Clusters that never answer, with the longest timeout, beside a new one of another namespace.
DEAD = 150
#: As many as Metacontroller is told to use.
CALLERS = 20
#: Seconds between calls of `/healthz`, which say how fast the machine is meanwhile.
YARDSTICK_EVERY = 0.1

HEAD = """\
| good | black holes | refusing | calls a second | p50, p99 at first | p50, p99 when spread | p50, p99 of /healthz | probes of the good ones, of those asked for | CPU | memory |
|---|---|---|---|---|---|---|---|---|---|"""  # noqa: E501 - a table's head


@dataclass(frozen=True)
class Mix:
    """How many clusters there are of each kind."""

    good: int
    holes: int = 0
    refusing: int = 0

    @property
    def total(self) -> int:
        """Answer how many there are."""
        return self.good + self.holes + self.refusing

    def clusters(self) -> list[Object]:
        """Write them, the kinds mixed as they would be."""
        kinds = ["good"] * self.good + ["hole"] * self.holes + ["refusing"] * self.refusing
        Random(0).shuffle(kinds)  # noqa: S311 - no secret
        return [_cluster(kind, number) for number, kind in enumerate(kinds)]


#: The second and the first have the same good ones, the last and the third a fifth of bad ones.
MIXES = (Mix(20), Mix(20, 10, 10), Mix(160, 20, 20), Mix(800, 100, 100))


@dataclass(frozen=True)
class Cost:
    """What a mix has cost: seconds of calls in order, at first, later, and of `/healthz`."""

    mix: Mix
    first: list[float]
    spread: list[float]
    yardstick: list[float]
    elapsed: float
    probes: int
    asked: int
    cpu: float
    memory: int

    def row(self) -> str:
        """Write a line of the table."""
        first, spread, yardstick = (
            ", ".join(f"{percentile(of, seconds) * 1000:.1f} ms" for of in (50, 99))
            for seconds in (self.first, self.spread, self.yardstick)
        )
        calls = len(self.first) + len(self.spread)
        return (
            f"| {self.mix.good} | {self.mix.holes} | {self.mix.refusing} "
            f"| {calls / self.elapsed:.0f} | {first} | {spread} | {yardstick} "
            f"| {self.probes} of {self.asked} "
            f"| {self.cpu / self.elapsed * 100:.0f} % | {self.memory / 1e6:.0f} MB |"
        )

    def compared(self, other: "Cost") -> str:
        """Say how this grew out of another, call by call."""
        ratios = (
            f"{percentile(of, self.spread) / percentile(of, other.spread):.1f} times the p{of}"
            for of in (50, 99)
        )
        return (
            f"{other.mix.total} -> {self.mix.total} clusters: {', '.join(ratios)}, "
            f"{self.cpu / other.cpu:.1f} times the CPU, "
            f"{self.memory / other.memory:.2f} times the memory"
        )


def percentile(of: int, ordered: list[float]) -> float:
    """Answer a percentile of ordered figures."""
    return ordered[len(ordered) * of // 100]


@dataclass
class Tally:
    """What has been measured: when each call was made, and its seconds."""

    seconds: list[tuple[float, float]] = field(default_factory=list)
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
        self.good = {number for number, cluster in enumerate(clusters) if _is_good(cluster)}
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
        began, at = time.perf_counter(), time.monotonic()
        answer = session.post(self._url, json={"parent": cluster, "children": {}}, timeout=30)
        took = time.perf_counter() - began
        answer.raise_for_status()
        told = answer.json()
        before = cluster.get("status", {}).get("probe")
        with self.tally.lock:
            self.tally.seconds.append((at, took))
            self.tally.probes += _is_good(cluster) and told["status"].get("probe") != before
        cluster["status"] = told["status"]
        return float(told["resyncAfterSeconds"])


def bench_target_clusters(plane: ControlPlane, folder: Path) -> Iterator[str]:
    """Measure each mix; answer a table line by line, then how the figures grow."""
    namespaces = plane.api.resource("v1", "namespaces")
    namespaces.create({"metadata": {"name": "fleet"}})
    yield HEAD
    costs = []
    for mix in MIXES:
        place = folder / f"targetclusters-{mix.total}"
        place.mkdir()
        cost = _measure(plane, place, mix)
        costs.append(cost)
        yield cost.row()
    yield ""
    for less, more in pairwise(costs):
        yield more.compared(less)
    namespaces.create({"metadata": {"name": "newcomers"}})
    place = folder / "targetclusters-newcomer"
    place.mkdir()
    yield f"a new cluster beside {DEAD} dead ones: {_measure_newcomer(plane, place)}"


def _measure_newcomer(plane: ControlPlane, folder: Path) -> str:
    """Measure how long a new cluster waits for its first probe while those of others hang."""
    with ExitStack() as stack:
        _put_secret(plane, "hole", stack.enter_context(servers.serving(servers.black_hole)).url)
        _put_secret(plane, "good", stack.enter_context(_served()), "newcomers")
        hooks = TargetHooks(plane, folder, LOG_LEVEL="warn")
        hooks.start()
        stack.callback(hooks.process.stop)
        dead = [_cluster("hole", number) for number in range(DEAD)]
        for cluster in dead:
            cluster["spec"]["healthChecks"] = {"timeout": "5m"}
        # All of them are called within a third of the interval.
        Fleet(hooks.url, dead).run(time.monotonic() + INTERVAL / 2)
        new = _cluster("good", 0)
        new["metadata"]["namespace"] = "newcomers"
        began = time.monotonic()
        while not new.get("status", {}).get("probe") and time.monotonic() < began + SECONDS:
            new["status"] = hooks.post(
                "/targetclusters/sync", {"parent": new, "children": {}}
            ).json["status"]
            time.sleep(YARDSTICK_EVERY)
        took = time.monotonic() - began
        return f"probed after {took:.1f} s; its interval is {INTERVAL:g} s"


def _measure(plane: ControlPlane, folder: Path, mix: Mix) -> Cost:
    with ExitStack() as stack:
        _put_secret(plane, "good", stack.enter_context(_served()))
        _put_secret(plane, "hole", stack.enter_context(servers.serving(servers.black_hole)).url)
        _put_secret(plane, "refusing", stack.enter_context(servers.refusing()))
        hooks = TargetHooks(plane, folder, LOG_LEVEL="warn")
        hooks.start()
        stack.callback(hooks.process.stop)
        fleet = Fleet(hooks.url, mix.clusters())
        used, began = _cpu_seconds(hooks.process), time.monotonic()
        with ThreadPoolExecutor(CALLERS + 1) as pool:
            yardstick = pool.submit(_measure_yardstick, hooks.url, began + SECONDS)
            list(pool.map(fleet.run, [began + SECONDS] * CALLERS))
        spread = began + SPREAD_AFTER
        return Cost(
            mix=mix,
            first=sorted(took for at, took in fleet.tally.seconds if at < spread),
            spread=sorted(took for at, took in fleet.tally.seconds if at >= spread),
            yardstick=sorted(yardstick.result()),
            elapsed=time.monotonic() - began,
            probes=fleet.tally.probes,
            asked=sum(_asked(n, mix.total) for n in fleet.good),
            cpu=_cpu_seconds(hooks.process) - used,
            memory=_memory(hooks.process),
        )


def _measure_yardstick(url: str, until: float) -> list[float]:
    """Call what costs next to nothing; answer the seconds of each call."""
    took = []
    with requests.Session() as session:
        session.trust_env = False
        while time.monotonic() < until:
            began = time.perf_counter()
            session.get(f"{url}/healthz", timeout=30).raise_for_status()
            took.append(time.perf_counter() - began)
            time.sleep(YARDSTICK_EVERY)
    return took


def _asked(number: int, total: int) -> int:
    """Say how many probes of a cluster begin at least, the first when it is first called."""
    return 1 + int((SECONDS - 1 - INTERVAL * number / total / 3) / INTERVAL)


def _cluster(kind: str, number: int) -> Object:
    name = f"{kind}-{number:04}"
    return target_cluster(name, "fleet", kubeconfigSecret=kind, monitorInterval=f"{INTERVAL:g}s")


def _is_good(cluster: Object) -> bool:
    return bool(cluster["spec"]["kubeconfigSecret"] == "good")


def _put_secret(plane: ControlPlane, name: str, url: str, namespace: str = "fleet") -> None:
    secrets = plane.api.resource("v1", "secrets")
    if secrets.find(name, namespace):
        secrets.delete(name, namespace)
    secrets.create(
        {
            "metadata": {"name": name, "namespace": namespace},
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
