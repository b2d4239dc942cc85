"""Runs what may take long outside of the hook's calls: one job at a time for each cluster."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from hooks.deadline import Deadline, Monotonic

#: Clusters that answered when last asked, and those that did not or were never asked: jobs of
#: the silent ones, which take as long as they may, never stand in the way of the others.
Lane = Literal["answering", "silent"]
LANES: tuple[Lane, ...] = ("answering", "silent")

#: Seconds after which what was found of a cluster that nobody asks for any more is forgotten.
KEPT_SECONDS = 3600.0

T = TypeVar("T")


@dataclass(frozen=True)
class State(Generic[T]):
    """How a cluster's job stands.

    Attributes:
        running_since: epoch seconds; None where none runs or waits.
        latest: what the last one that has ended came to; None before.
    """

    running_since: float | None = None
    latest: T | None = None


@dataclass
class _Entry(Generic[T]):
    touched: float
    since: float = 0.0
    future: Future[T] | None = None
    latest: T | None = None


class Background(Generic[T]):
    """Jobs of one kind, by cluster; what they find is lost with the process.

    Args:
        threads: how many run at once in each lane.
        clock: epoch seconds.
        monotonic: monotonic seconds, for deadlines.
    """

    def __init__(
        self,
        name: str,
        *,
        threads: int,
        clock: Callable[[], float],
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry[T]] = {}
        self._lanes = {
            lane: ThreadPoolExecutor(threads, thread_name_prefix=f"{name}-{lane}") for lane in LANES
        }

    def start(
        self, cluster: str, lane: Lane, job: Callable[[Deadline], T], *, seconds: float
    ) -> bool:
        """Start a job, unless one of the cluster's runs or waits already.

        Args:
            cluster: whose job it is.
            lane: where it runs.
            job: is given a deadline, which counts from when it runs.
            seconds: how long it may take.
        """
        with self._lock:
            self._forget_the_untouched()
            entry = self._entries.setdefault(cluster, _Entry(self._clock()))
            if entry.future is not None or self._closing.is_set():
                return False
            entry.since = entry.touched = self._clock()
            entry.future = self._lanes[lane].submit(self._run, job, seconds)
            return True

    def state(self, cluster: str) -> State[T]:
        """Tell how a cluster's job stands.

        Raises:
            Exception: whatever ended the job, once; a job has no errors that it does not know.
        """
        with self._lock:
            entry = self._entries.get(cluster)
            if entry is None:
                return State()
            entry.touched = self._clock()
            if entry.future is not None and not entry.future.done():
                return State(entry.since, entry.latest)
            done, entry.future = entry.future, None
            if done is not None:
                entry.latest = done.result()
            return State(None, entry.latest)

    def forget(self, cluster: str) -> None:
        """Forget what was found of a cluster; a job that still runs ends for itself."""
        with self._lock:
            self._entries.pop(cluster, None)

    def close(self) -> None:
        """Start nothing more, and end what runs at its next look at its deadline."""
        self._closing.set()
        for lane in self._lanes.values():
            lane.shutdown(wait=False, cancel_futures=True)

    def _run(self, job: Callable[[Deadline], T], seconds: float) -> T:
        return job(Deadline(seconds, clock=self._now))

    def _now(self) -> float:
        """Answer the time by which deadlines are measured: past all of them when closing."""
        return float("inf") if self._closing.is_set() else self._monotonic()

    def _forget_the_untouched(self) -> None:
        before = self._clock() - KEPT_SECONDS
        for cluster in [c for c, entry in self._entries.items() if entry.touched < before]:
            del self._entries[cluster]
