"""Waves of nodes, and what they cost: calls, writes, bytes, seconds, memory."""

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.controlplane import polling
from tests.controlplane.api import ApiError, Object
from tests.e2e.nodes import UNINITIALIZED, complete, has_taint, initialised, register
from tests.e2e.platform import Platform

#: Who else writes: the tests as kubelet, kwok's heartbeats, garbage collection.
_OTHERS = ("tests", "kwok", "kubectl", "kube-controller-manager")


def names_of(count: int) -> list[str]:
    """Answer the names of the large world's first VMs."""
    return [f"node-{number:05}" for number in range(1, count + 1)]


def register_all(platform: Platform, names: list[str]) -> None:
    """Register many Nodes side by side, as a cluster that boots does."""
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda name: register(platform, name), names))


def until_all_initialised(
    platform: Platform,
    names: list[str],
    *,
    within: float = polling.PATIENCE,
    every: float | None = None,
) -> None:
    """Wait until every Node is released; say how many are when time is up."""

    def left() -> int:
        done = {node["metadata"]["name"] for node in platform.nodes.list() if initialised(node)}
        return len(set(names) - done)

    what = f"{len(names)} nodes are initialised"
    polling.until(lambda: left() == 0, what, within=within, every=every)


@dataclass
class Watched:
    """Every state that a Node went through, as a watch saw it."""

    half_done: list[Object] = field(default_factory=list)
    states: int = 0


@contextmanager
def watching(platform: Platform) -> Iterator[Watched]:
    """Look at every state of every Node: released before it is complete is half done."""
    seen = Watched()
    stop = threading.Event()

    def look(since: str) -> None:
        while not stop.is_set():
            try:
                with platform.nodes.watch(since=since, seconds=2) as events:
                    for event in events:
                        since = event.object["metadata"]["resourceVersion"]
                        if event.type in {"ADDED", "MODIFIED"}:
                            seen.states += 1
                            if not has_taint(event.object, UNINITIALIZED) and not complete(
                                event.object
                            ):
                                seen.half_done.append(event.object)
            except OSError:  # the API server is being restarted; go on from where we were
                time.sleep(0.1)
            except ApiError:  # it no longer knows where we were
                since = ""

    since = platform.nodes.page()["metadata"]["resourceVersion"]
    thread = threading.Thread(target=look, args=(since,), daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join(polling.PATIENCE)


@dataclass(frozen=True)
class Cost:
    """What a wave cost, whole.

    Attributes:
        seconds: from the first Node registered to the last one initialised.
        writes: to Nodes and Instances, by verb and kind, of hooks and Metacontroller together.
        most_writes: to any one Node and its Instance.
        memory: resident bytes of the hooks' processes at the end.
    """

    nodes: int
    seconds: float
    hook_calls: float
    cloudstack_calls: dict[str, int]
    writes: Counter[str]
    most_writes: int
    request_bytes: float
    memory: int


class Meter:
    """Reads the counters twice and answers the difference."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        platform.simulator.control.clear_calls()
        self._started = time.monotonic()
        self._audited = len(platform.plane.audited())
        self._calls = self._metric("hook_calls_total")
        self._bytes = self._metric("hook_request_bytes_sum")

    def read(self, nodes: int) -> Cost:
        """Answer what has been spent since the meter was made."""
        seconds = time.monotonic() - self._started
        ours = [write for write in self._ours() if write["code"] < 300]
        return Cost(
            nodes=nodes,
            seconds=seconds,
            hook_calls=self._metric("hook_calls_total") - self._calls,
            cloudstack_calls=self._platform.simulator.control.counts(),
            writes=Counter(_write(write) for write in ours),
            most_writes=max(Counter(write["name"] for write in ours).values(), default=0),
            request_bytes=self._metric("hook_request_bytes_sum") - self._bytes,
            memory=_resident(self._platform.hooks.process.pid),
        )

    def patched(self) -> set[str]:
        """Name the Nodes that the log has a patch of.

        One that was cut off, since the hooks waited for it no longer, may be carried out all the
        same. It is logged as 504 (Timeout).
        """
        return {
            write["name"]
            for write in self._ours()
            if _write(write) == "patch nodes" and (write["code"] < 300 or write["code"] == 504)
        }

    def _ours(self) -> list[Object]:
        """Answer what hooks and Metacontroller asked to write, with the code of the answer."""
        return [
            {**entry["objectRef"], "verb": entry["verb"], "code": entry["responseStatus"]["code"]}
            for entry in self._platform.plane.audited()[self._audited :]
            if entry["objectRef"]["resource"] in {"nodes", "cloudstackinstances"}
            and not entry["userAgent"].startswith(_OTHERS)
        ]

    def _metric(self, name: str) -> float:
        """Sum a metric over its labels."""
        lines = re.findall(rf"^{name}(?:{{.*}})? (.*)$", self._platform.hooks.metrics(), re.M)
        return sum(map(float, lines))


def _write(write: Object) -> str:
    parts = (write["resource"], write.get("subresource", ""))
    return f"{write['verb']} {'/'.join(filter(None, parts))}"


def _resident(pid: int) -> int:
    """Sum the resident memory, in bytes, of a process and its children (Linux)."""
    total = 0
    for process in [pid, *_children(pid)]:
        status = Path(f"/proc/{process}/status").read_text()
        total += int(re.findall(r"^VmRSS:\s+(\d+) kB", status, re.M)[0]) * 1024
    return total


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]
