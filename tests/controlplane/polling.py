"""Waits for something to become true, and says what was awaited when it does not."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def until(
    probe: Callable[[], Value | None],
    what: str,
    *,
    within: float = 30.0,
    every: float = 0.05,
) -> Value:
    """Call `probe` until it answers something true, and return that.

    Raises AssertionError naming `what` and the last answer after `within` seconds. What `probe`
    raises is passed on: a probe that may fail for a while says so itself.
    """
    deadline = time.monotonic() + within
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {within:g} s: {what}; last seen: {answer!r}")
        time.sleep(every)
