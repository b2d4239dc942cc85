"""Waits for something to become true, and says what was awaited when it does not."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

#: Seconds between two calls, where nobody says: a tenth of the time waited so far within these, so
#: that what comes soon is seen soon, and a long wait does not keep the API server busy.
SHORTEST, LONGEST = 0.05, 0.5


def until(
    probe: Callable[[], Value | None],
    what: str,
    *,
    within: float = 30.0,
    every: float | None = None,
) -> Value:
    """Call `probe` until it answers something true, and return that.

    Raises AssertionError naming `what` and the last answer after `within` seconds. What `probe`
    raises is passed on: a probe that may fail for a while says so itself.
    """
    started = time.monotonic()
    while True:
        answer = probe()
        if answer:
            return answer
        waited = time.monotonic() - started
        if waited >= within:
            raise AssertionError(f"not within {within:g} s: {what}; last seen: {answer!r}")
        time.sleep(every or min(max(SHORTEST, waited / 10), LONGEST))
