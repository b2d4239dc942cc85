"""Runs what may take long outside of the hook's calls: one job at a time for each cluster."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar, get_args

from hooks.http.deadline import Deadline, Monotonic
from hooks.targetclusters.plan.schedule import JobPool, State

#: Seconds after which what was found of a cluster that nobody asks for any more is forgotten.
KEPT_SECONDS = 3600.0

T = TypeVar("T")
Result = TypeVar("Result", covariant=True)


@dataclass(frozen=True)
class Job(Generic[Result]):
    """Something to be run.

    Attributes:
        run: is given a deadline, which counts from when it runs.
        seconds: how long it may take.
        what: in a word, where a cluster's jobs are of several kinds.
    """

    run: Callable[[Deadline], Result]
    seconds: float
    what: str = ""


@dataclass
class _Entry(Generic[T]):
    touched: float
    since: float = 0.0
    what: str = ""
    stopped: threading.Event = field(default_factory=threading.Event)
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
            pool: ThreadPoolExecutor(threads, thread_name_prefix=f"{name}-{pool}")
            for pool in get_args(JobPool)
        }

    def start(self, cluster: str, job: Job[T], *, pool: JobPool) -> bool:
        """Start a cluster's job, unless one of its jobs runs or waits already."""
        with self._lock:
            self._forget_the_untouched()
            entry = self._entries.setdefault(cluster, _Entry(self._clock()))
            if entry.future is not None or self._closing.is_set():
                return False
            entry.since = entry.touched = self._clock()
            entry.what = job.what
            entry.stopped = threading.Event()
            entry.future = self._lanes[pool].submit(self._run, job, entry.stopped)
            return True

    def stop(self, cluster: str) -> None:
        """Let a job that runs or waits end at its next look at its deadline."""
        with self._lock:
            if cluster in self._entries:
                self._entries[cluster].stopped.set()

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
                return State(entry.since, entry.what, entry.latest)
            done, entry.future = entry.future, None
            if done is not None:
                entry.latest = done.result()
            return State(latest=entry.latest)

    def forget(self, cluster: str) -> None:
        """Forget what was found of a cluster; a job that still runs ends for itself."""
        with self._lock:
            self._entries.pop(cluster, None)

    def close(self) -> None:
        """Start nothing more, and end what runs at its next look at its deadline."""
        with self._lock:
            self._closing.set()
        for pool in self._lanes.values():
            pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, job: Job[T], stopped: threading.Event) -> T:
        def now() -> float:
            """Answer the time by which the deadline is measured: past it when it is to end."""
            over = stopped.is_set() or self._closing.is_set()
            return float("inf") if over else self._monotonic()

        return job.run(Deadline(job.seconds, clock=now))

    def _forget_the_untouched(self) -> None:
        before = self._clock() - KEPT_SECONDS
        for cluster in [c for c, entry in self._entries.items() if entry.touched < before]:
            del self._entries[cluster]
