"""Runs jobs outside of the hook's calls, one at a time for each cluster and kind."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar, get_args

from hooks.http.deadline import Deadline, Monotonic
from hooks.targetclusters.plan.actions import JobPool
from hooks.targetclusters.plan.schedule import JobState

T = TypeVar("T")


class JobPools:
    """Threads for jobs, in a pool for clusters that answer and one for the others.

    Args:
        name: starts the threads' names.
        threads: how many jobs run at once in each pool.
    """

    def __init__(self, name: str, *, threads: int) -> None:
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._pools = {
            pool: ThreadPoolExecutor(threads, thread_name_prefix=f"{name}-{pool}")
            for pool in get_args(JobPool)
        }

    def submit(
        self, run: Callable[[Monotonic], T], pool: JobPool, stopped: threading.Event
    ) -> Future[T] | None:
        """Run a job when a thread is free; None after `close`.

        Args:
            run: takes the clock for its deadline, which is past every deadline once it must stop.
            pool: where it runs.
            stopped: is set when it must stop.
        """

        def clock() -> float:
            over = stopped.is_set() or self._closing.is_set()
            return float("inf") if over else time.monotonic()

        with self._lock:
            return None if self._closing.is_set() else self._pools[pool].submit(run, clock)

    def close(self) -> None:
        """Start no more jobs, and let those that run stop at their next deadline check."""
        with self._lock:
            self._closing.set()
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)


class JobSlot(Generic[T]):
    """Runs the jobs of one cluster and kind one at a time; results are lost with the process.

    Args:
        pools: where the jobs run.
        clock: epoch seconds.
    """

    def __init__(self, pools: JobPools, clock: Callable[[], float]) -> None:
        self._pools = pools
        self._clock = clock
        self._lock = threading.Lock()
        self._since = 0.0
        self._stopped = threading.Event()
        self._future: Future[T] | None = None
        self._latest: T | None = None

    def start(self, job: Callable[[Deadline], T], seconds: float, pool: JobPool) -> bool:
        """Start a job, unless one runs or waits; tell whether it was started.

        Args:
            job: takes its deadline, which counts from when it runs.
            seconds: how long it may take.
            pool: where it runs.
        """

        def run(clock: Monotonic) -> T:
            return job(Deadline(seconds, clock=clock))

        with self._lock:
            if self._future is not None:
                return False
            self._since, self._stopped = self._clock(), threading.Event()
            self._future = self._pools.submit(run, pool, self._stopped)
            return self._future is not None

    def stop(self) -> None:
        """Let a job that runs or waits stop at its next deadline check."""
        with self._lock:
            self._stopped.set()

    def state(self) -> JobState[T]:
        """Return the state of the jobs.

        Raises:
            Exception: whatever ended the last job, once; only a bug does.
        """
        with self._lock:
            if self._future is not None and not self._future.done():
                return JobState(self._since, self._latest)
            done, self._future = self._future, None
            if done is not None:
                self._latest = done.result()
            return JobState(latest=self._latest)
