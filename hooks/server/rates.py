"""Limits how often something is done."""

import threading
import time

from hooks.http.deadline import Monotonic


class Rate:
    """Allows a burst, then so many a second.

    Args:
        burst: how many at once.
        per_second: how many follow.
        clock: monotonic seconds.

    Attributes:
        refused: how many it has not allowed since the last one that it has.
    """

    def __init__(self, burst: float, per_second: float, clock: Monotonic = time.monotonic) -> None:
        self._burst = self._left = burst
        self._per_second = per_second
        self._clock = clock
        self._at = clock()
        self._lock = threading.Lock()
        self.refused = 0

    def take(self) -> int | None:
        """Return how many were refused since the last that was allowed; None refuses this one."""
        with self._lock:
            now = self._clock()
            self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
            self._at = now
            if self._left < 1:
                self.refused += 1
                return None
            self._left -= 1
            refused, self.refused = self.refused, 0
            return refused
