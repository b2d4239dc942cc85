"""Waits for something to become true, and says what was awaited when it does not."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

#: Seconds that a test waits for what must become true: what comes costs none of them, and a machine
#: may be slow, or busy with other tests.
PATIENCE = 120.0
#: Seconds that a slow machine may add to what must end in time. A test that bounds a time lets the
#: fault cost more than this.
SLACK = 20.0

#: Seconds between two calls, where nobody says: a tenth of the time waited so far within these, so
#: that what comes soon is seen soon, and a long wait does not keep the API server busy.
SHORTEST, LONGEST = 0.05, 0.5


def until(
    probe: Callable[[], Value | None],
    what: str,
    *,
    within: float = PATIENCE,
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
