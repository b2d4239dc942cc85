"""How much time a call has left: every wait, read and poll of a hook is cut to it."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")
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
        """Return whether `margin` seconds or fewer are left."""
        return self.remaining() <= margin

    def at_most(self, seconds: float) -> "Deadline":
        """Return a deadline for one step: after so many seconds, and no later than this one."""
        return Deadline(min(seconds, self.remaining()), clock=self._clock)


def run_detached(name: str, function: Callable[[], T]) -> "Future[T]":
    """Run a function that knows no deadline in a thread of its own, which nothing waits for."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001 - who waits for the result raises it
            future.set_exception(error)

    Thread(target=run, name=name, daemon=True).start()
    return future
