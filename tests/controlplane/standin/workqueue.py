"""Decides which key is worked on next: once at a time, at the earliest time asked, with backoff.

The rules are those of client-go's work queue, which the real Metacontroller uses with its default
rate limits.
"""

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")

FIRST_RETRY = 0.005
LAST_RETRY = 1000.0
RETRIES_PER_SECOND = 10.0
RETRY_BURST = 100


class WorkQueue(Generic[Key]):
    """Keys to work on. Threads may share it.

    A key that is added again while it waits is worked on once; one that is added while it is
    worked on is worked on again afterwards, never twice at a time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._ready: deque[Key] = deque()
        self._wanted: set[Key] = set()
        self._busy: set[Key] = set()
        self._later: list[tuple[float, int, Key]] = []
        self._due: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._next_retry = float("-inf")
        self._count = 0
        self._open = True

    def add(self, key: Key) -> None:
        """Have a key worked on as soon as a worker is free."""
        with self._changed:
            self._add(key)

    def add_after(self, key: Key, seconds: float) -> None:
        """Have a key worked on after a delay; of several for one key, the earliest counts."""
        if seconds <= 0:
            self.add(key)
            return
        with self._changed:
            due = self._clock() + seconds
            if due >= self._due.get(key, float("inf")):
                return
            self._due[key] = due
            self._count += 1
            heapq.heappush(self._later, (due, self._count, key))
            self._changed.notify()

    def retry(self, key: Key) -> None:
        """Have a key worked on again after a failure, later each time, and not all at once."""
        with self._changed:
            failures = self._failures.get(key, 0)
            self._failures[key] = failures + 1
            now = self._clock()
            burst = (RETRY_BURST - 1) / RETRIES_PER_SECOND
            self._next_retry = max(self._next_retry, now - burst) + 1 / RETRIES_PER_SECOND
            throttled = self._next_retry - 1 / RETRIES_PER_SECOND - now
        alone = min(FIRST_RETRY * 2.0 ** min(failures, 60), LAST_RETRY)
        self.add_after(key, max(alone, throttled))

    def forget(self, key: Key) -> None:
        """Let the next failure of a key be its first."""
        with self._changed:
            self._failures.pop(key, None)

    def take(self) -> Key | None:
        """Wait for a key and return it; None when the queue is closed. `done` ends the work."""
        with self._changed:
            while self._open:
                self._move_due()
                if self._ready:
                    key = self._ready.popleft()
                    self._wanted.discard(key)
                    self._busy.add(key)
                    return key
                wait = self._later[0][0] - self._clock() if self._later else None
                self._changed.wait(wait)
            return None

    def done(self, key: Key) -> None:
        """Say that the work on a key has ended."""
        with self._changed:
            self._busy.discard(key)
            if key in self._wanted:
                self._ready.append(key)
                self._changed.notify()

    def close(self) -> None:
        """Let every waiting `take` return None."""
        with self._changed:
            self._open = False
            self._changed.notify_all()

    def _add(self, key: Key) -> None:
        if key in self._wanted:
            return
        self._wanted.add(key)
        if key not in self._busy:
            self._ready.append(key)
            self._changed.notify()

    def _move_due(self) -> None:
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            due, _, key = heapq.heappop(self._later)
            if self._due.get(key) == due:
                del self._due[key]
                self._add(key)
