"""How much time a call has left: every wait, read and poll of a hook is cut to it."""

import time
from collections.abc import Callable

#: Seconds from an arbitrary start that never go backwards, as `time.monotonic` gives them.
Monotonic = Callable[[], float]


class Deadline:
    """The moment by which a call must end.

    Args:
        seconds: how long the call may take from now.
        clock: gives monotonic seconds; tests pass their own.
    """

    def __init__(self, seconds: float, *, clock: Monotonic = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def remaining(self) -> float:
        """Return the seconds left, never less than zero."""
        return max(0.0, self._end - self._clock())

    def passed(self, *, margin: float = 0.0) -> bool:
        """Tell whether fewer than `margin` seconds are left."""
        return self.remaining() <= margin

    def at_most(self, seconds: float) -> "Deadline":
        """Return a deadline for one step: after so many seconds, and no later than this one."""
        return Deadline(min(seconds, self.remaining()), clock=self._clock)
