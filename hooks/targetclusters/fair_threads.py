"""Threads that namespaces share: however long the jobs of one take, others find a free thread.

Those are up to FIRST_JOBS namespaces; the next waits for one of their jobs to end.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

#: Threads for first jobs of namespaces; they are made when they are needed.
FIRST_JOBS = 256

T = TypeVar("T")
#: A job that runs: its namespace, its future, what it does.
_Taken = tuple[str, Future[Any], Callable[[], Any]]


class FairThreads:
    """Runs one job of each namespace at once, and more while it holds fewer threads than are free.

    So one namespace holds half of the threads at most, and none of FIRST_JOBS namespaces waits for
    another's jobs. Jobs of a namespace start in order.

    Args:
        name: starts the threads' names.
        threads: how many jobs run at once, besides the first one of each namespace.
    """

    def __init__(self, name: str, threads: int) -> None:
        self._threads = threads
        self._executor = ThreadPoolExecutor(threads + FIRST_JOBS, thread_name_prefix=name)
        # Guards what follows: jobs that wait, by namespace in the order of turns; how many run.
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[tuple[Future[Any], Callable[[], Any]]]] = {}
        self._running = Counter[str]()
        self._is_closed = False

    def submit(self, namespace: str, job: Callable[[], T]) -> Future[T]:
        """Start a job as soon as it may. Raises RuntimeError after `close`."""
        future = Future[T]()
        with self._lock:
            if self._is_closed:
                raise RuntimeError("no job is started any more")
            self._waiting.setdefault(namespace, deque()).append((future, job))
            self._start_jobs()
        return future

    def close(self) -> None:
        """Start no more jobs, and drop those that wait."""
        with self._lock:
            self._is_closed = True
            for waiting in self._waiting.values():
                for future, _ in waiting:
                    future.cancel()
            self._waiting.clear()
        self._executor.shutdown(wait=False)

    def _start_jobs(self) -> None:
        """Start what may start now: a job of each namespace, again and again."""
        while (taken := self._take()) is not None:
            self._executor.submit(self._run, *taken)

    def _take(self) -> _Taken | None:
        """Take a job that may start now; None if there is none."""
        namespace = next(filter(self._may_start, self._waiting), None)
        if namespace is None:
            return None
        waiting = self._waiting.pop(namespace)
        self._running[namespace] += 1
        future, job = waiting.popleft()
        if waiting:
            self._waiting[namespace] = waiting  # at the end: the others come first
        return namespace, future, job

    def _may_start(self, namespace: str) -> bool:
        running = self._running[namespace]
        return not running or running < self._threads - self._running.total()

    def _run(self, namespace: str, future: Future[Any], job: Callable[[], Any]) -> None:
        """Run a job, then others that wait: the executor would make a thread for each of them."""
        taken: _Taken | None = namespace, future, job
        while taken is not None:
            namespace, future, job = taken
            try:
                _finish(future, job)
            finally:
                with self._lock:
                    self._running -= Counter([namespace])
                    taken = self._take()
                    self._start_jobs()


def _finish(future: Future[Any], job: Callable[[], Any]) -> None:
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(job())
        except BaseException as error:  # noqa: BLE001 - its caller's, as an executor does
            future.set_exception(error)
