"""Runs jobs outside of the hook's calls, one at a time for each cluster and kind."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Generic, TypeVar, get_args

from hooks.http.deadline import Deadline, Monotonic
from hooks.http.turns import Turns
from hooks.targetclusters.fair_threads import FairThreads
from hooks.targetclusters.plan.actions import JobPool
from hooks.targetclusters.plan.schedule import JobState

T = TypeVar("T")


class JobPools:
    """Threads for jobs: pools for clusters that answer, that do not, and that are new.

    Args:
        name: starts the threads' names.
        threads: how many jobs run at once in each pool.
        turns: of those that compute and do not wait.
    """

    def __init__(self, name: str, *, threads: int, turns: Turns | None = None) -> None:
        self.turns = turns or Turns(threads)
        self.closing = threading.Event()
        self.threads = {pool: FairThreads(f"{name}-{pool}", threads) for pool in get_args(JobPool)}

    def close(self) -> None:
        """Start no more jobs, and let those that run stop at their next deadline check."""
        self.closing.set()
        for threads in self.threads.values():
            threads.close()


class _Stop:
    """Whether a job must stop. There is one for each job slot: an Event takes 1 KB."""

    __slots__ = ("is_set",)

    def __init__(self) -> None:
        self.is_set = False


class JobSlot(Generic[T]):
    """Runs the jobs of one cluster and kind one at a time; results are lost with the process."""

    def __init__(self, pools: JobPools, namespace: str, monotonic: Monotonic) -> None:
        self._pools = pools
        self._namespace = namespace
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._since = 0.0
        self._stopped = _Stop()
        self._future: Future[tuple[float, T]] | None = None
        self._latest: tuple[float, T] | None = None
        self._former: Sequence[Future[Any]] = ()
        self._is_retired = False

    def start(self, job: Callable[[Deadline], T], seconds: float, pool: JobPool) -> bool:
        """Start a job unless one runs or waits, or the slot is retired; return whether it did.

        Args:
            job: takes its deadline, which counts from when it runs.
            seconds: how long it may take.
            pool: where it runs.
        """
        stopped, closing = _Stop(), self._pools.closing

        def clock() -> float:
            """Return the time for the deadline: past it once the job must stop."""
            over = stopped.is_set or closing.is_set()
            return float("inf") if over else time.monotonic()

        def run() -> tuple[float, T]:
            began = self._monotonic()
            with self._pools.turns.taken():
                return began, job(Deadline(seconds, clock=clock))

        with self._lock:
            if self._is_retired or self._future is not None or self._awaits_former():
                return False
            try:
                self._future = self._pools.threads[pool].submit(self._namespace, run)
            except RuntimeError:  # after `close`
                return False
            self._since, self._stopped = self._monotonic(), stopped
            return True

    def stop(self) -> None:
        """Let a job that runs or waits stop at its next deadline check."""
        with self._lock:
            self._stopped.is_set = True

    def retire(self) -> list[Future[Any]]:
        """Stop the job and start none again; return the jobs that have not ended yet."""
        with self._lock:
            self._is_retired = True
            self._stopped.is_set = True
            if self._future is not None and self._future.cancel():
                self._future = None
            jobs = [*self._former, *([self._future] if self._future is not None else [])]
            return [job for job in jobs if not job.done()]

    def wait_for(self, jobs: Sequence[Future[Any]]) -> None:
        """Start nothing before these jobs of retired slots have ended; until then one runs."""
        with self._lock:
            self._since, self._former = self._monotonic(), jobs

    def state(self) -> JobState[T]:
        """Return the state of the jobs.

        Raises:
            Exception: whatever ended the last job, once; only a bug does.
        """
        with self._lock:
            if self._is_busy():
                since: float | None = self._since
            else:
                since, done, self._future = None, self._future, None
                if done is not None:
                    self._latest = done.result()
            started, latest = self._latest or (0.0, None)
            return JobState(since, latest, started)

    @property
    def is_running(self) -> bool:
        """Tell whether a job runs or waits, also one of a former slot that this one waits for."""
        with self._lock:
            return self._is_busy()

    def _is_busy(self) -> bool:
        is_running = self._future is not None and not self._future.done()
        return is_running or self._awaits_former()

    def _awaits_former(self) -> bool:
        return not all(job.done() for job in self._former)
