"""Turns at computing: background jobs take them, so that calls of hooks, which do not, stay quick.

All threads share one interpreter. If a hundred jobs compute at once, a call that needs 2 ms of it
waits for its share behind all of them.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from hooks.http.deadline import Monotonic

#: Seconds after which a turn ends by itself: who holds it waits for something, or computes long.
TURN_SECONDS = 0.02


class Turns:
    """Lets a few threads compute at once.

    Args:
        count: how many.
        monotonic: gives monotonic seconds.
    """

    def __init__(self, count: int, *, monotonic: Monotonic = time.monotonic) -> None:
        self._count = count
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._held: dict[object, float] = {}  # when each turn ends by itself, the next one first

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a turn until the block ends, but for the time within `waiting`."""
        turn = _Turn(self)
        token = _TURN.set(turn)
        self.take(turn)
        try:
            yield
        finally:
            self.give_back(turn)
            _TURN.reset(token)

    def take(self, turn: object) -> None:
        """Wait for a turn."""
        with self._changed:
            while len(self._held) >= self._count:
                first = next(iter(self._held))
                left = self._held[first] - self._monotonic()
                if left <= 0:
                    del self._held[first]
                else:
                    self._changed.wait(left)
            self._held[turn] = self._monotonic() + TURN_SECONDS

    def give_back(self, turn: object) -> None:
        """End a turn, unless it has ended by itself."""
        with self._changed:
            if self._held.pop(turn, None) is not None:
                self._changed.notify()


class _Turn:
    def __init__(self, turns: Turns) -> None:
        self.turns = turns


_TURN: ContextVar[_Turn | None] = ContextVar("turn", default=None)


@contextmanager
def waiting() -> Iterator[None]:
    """Give this thread's turn to others while it waits in the block, if it has one."""
    turn = _TURN.get()
    if turn is None:
        yield
        return
    turn.turns.give_back(turn)
    try:
        yield
    finally:
        turn.turns.take(turn)
