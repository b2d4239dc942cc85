"""The simulator's time: the machine's, or one that a test moves."""

import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Epoch seconds of a source, moved by what `advance` adds."""

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._moved = 0.0

    def now(self) -> float:
        """Return the time in epoch seconds."""
        return self._source() + self._moved

    def advance(self, seconds: float) -> None:
        """Move the time ahead; a negative number moves it back."""
        self._moved += seconds


def timestamp(seconds: float) -> str:
    """Write epoch seconds as the API does: `2026-11-22T00:43:40+0000`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
