"""How a job stands, when the next is due, and how times are written to the millisecond."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, Literal, TypeVar

from hooks.conditions import epoch

#: How much earlier than its interval says something comes at most, as a part of the interval:
#: clusters that were all started at once drift apart, and none is left alone for longer.
SPREAD = 0.05
#: Seconds between looks at a job that runs: at first, and at most.
FIRST_LOOK = 0.25
LAST_LOOK = 5.0

#: Clusters that answered when last asked, and those that did not or were never asked: jobs of
#: the silent ones, which take as long as they may, never stand in the way of the others.
Lane = Literal["answering", "silent"]

T = TypeVar("T")


@dataclass(frozen=True)
class State(Generic[T]):
    """How a cluster's job stands.

    Attributes:
        running_since: epoch seconds; None where none runs or waits.
        running: what runs, where the cluster's jobs are of several kinds.
        latest: what the last one that has ended came to; None before.
    """

    running_since: float | None = None
    running: str = ""
    latest: T | None = None


def due(last: float | None, interval: float, *, key: str) -> float:
    """Answer when the next one is due, in epoch seconds; 0.0 where there was none.

    The same question has the same answer, in any replica.

    Args:
        last: epoch seconds at which the last one was started.
        interval: seconds.
        key: what it is about.
    """
    if last is None:
        return 0.0
    digest = hashlib.sha256(f"{key} {last:.3f}".encode()).digest()
    chance = int.from_bytes(digest[:4]) / 0xFFFFFFFF
    return last + interval * (1 - SPREAD * chance)


def next_look(running_since: float, now: float) -> float:
    """Answer in how many seconds to look at a job again: the longer it takes, the later."""
    return min(LAST_LOOK, max(FIRST_LOOK, now - running_since))


def backoff(failures: int, *, first: float, most: float) -> float:
    """Answer how many seconds to wait after so many failures in a row: doubled each time."""
    return float(min(most, first * 2 ** min(max(0, failures - 1), 32)))


def milliseconds(now: float) -> float:
    """Cut epoch seconds to what `moment` can write, so that what is read again is equal."""
    return int(now * 1000) / 1000


def moment(now: float) -> str:
    """Write epoch seconds as RFC 3339 in UTC, to the millisecond, as MicroTime allows."""
    whole, thousandths = divmod(round(now * 1000), 1000)
    return f"{datetime.fromtimestamp(whole, tz=UTC):%Y-%m-%dT%H:%M:%S}.{thousandths:03}Z"


def read_time(text: str | None) -> float | None:
    """Read a time of a status; None where there is none that can be read."""
    try:
        return epoch(text) if text else None
    except ValueError:
        return None


def read_past(text: str | None, now: float) -> float | None:
    """Read a time at which something was done; None where it lies ahead.

    Whoever wrote such a time had a clock that was wrong; believed, it would hold up everything
    until then.
    """
    time = read_time(text)
    return None if time is None or time > now else time
