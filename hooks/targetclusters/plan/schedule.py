"""How a job stands, and when the next one is due."""

import hashlib
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

#: How much earlier than its interval says something comes at most, as a part of the interval:
#: clusters that were all started at once drift apart, and none is left alone for longer.
SPREAD = 0.05
#: Seconds between looks at a job that runs: at first, and at most.
FIRST_LOOK = 0.25
LAST_LOOK = 5.0

#: Clusters that answered when last asked, and those that did not or were never asked: jobs of
#: the silent ones, which take as long as they may, never stand in the way of the others.
JobPool = Literal["answering", "silent"]

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
