"""Shares out what many wait for: who has had least is next, and nobody takes what others need."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

from hooks.http.deadline import Deadline, Monotonic
from hooks.http.turns import waiting

#: Who something is for: a namespace and a name; the process itself without both.
Payer = tuple[str, str]
PROCESS: Payer = ("", "")
#: The owner that this thread works for.
PAYER: ContextVar[Payer] = ContextVar("payer", default=PROCESS)


@contextmanager
def paying(payer: Payer) -> Iterator[None]:
    """Let this thread work for somebody until the block ends."""
    token = PAYER.set(payer)
    try:
        yield
    finally:
        PAYER.reset(token)


#: Seconds after which what somebody has had counts half.
HALF_LIFE = 60.0
#: What counts as nothing once it is so little.
_FORGOTTEN = 1024.0


class Grows(NamedTuple):
    """What somebody holds who needs more of the same to come to an end, and a number for who."""

    holder: int
    has: int


_NOTHING = Grows(0, 0)


@dataclass(eq=False)
class _Wait:
    """Somebody who waits, and what for."""

    payer: Payer
    amount: int
    grows: Grows
    cost: int
    number: int
    granted: threading.Event = field(default_factory=threading.Event)
    is_granted: bool = False


class FairShare:
    """An amount that all share, such as bytes of memory; used by many threads at once.

    A namespace gets more only while it then has no more than is left: one alone has half, and what
    is left is for the others. The process itself may have all. Of those who wait, and can have
    enough, the next is of the namespace that has had least, there the one who will have had
    least, then who came first. One at a time who holds some already gets more than there is: those
    who wait for each other come to an end.

    Args:
        total: how much there is. One that wants more gets it while nobody has anything.
        free: who has no more than that gets it at once, beyond the total too.
        monotonic: monotonic seconds.
    """

    def __init__(self, total: int, *, free: int = 0, monotonic: Monotonic = time.monotonic) -> None:
        self._total = total
        self._free = free
        self.monotonic = monotonic
        # What is given back when a garbage collection runs is given back within these methods too.
        self._lock = threading.RLock()
        self._numbers = count()
        self._waiting: dict[int, _Wait] = {}
        self._used = 0
        self._exceeding = 0
        self._held = Counter[str]()
        self._had: dict[str | Payer, float] = {}
        self._aged_at = monotonic()

    @property
    def is_awaited(self) -> bool:
        """Tell whether somebody waits."""
        return bool(self._waiting)

    @property
    def used(self) -> int:
        """Return how much is not left."""
        return self._used

    def is_needed(self, payer: Payer) -> bool:
        """Tell whether it helps somebody who waits if this one gives back what it has.

        That is somebody of its own namespace, and the process itself. It is somebody of another
        namespace if this one has more than an equal part, and the other then has no more than it.
        """
        if not self.is_awaited:
            return False
        namespace = payer[0]
        with self._lock:
            waits = [(wait.payer[0], wait.amount) for wait in list(self._waiting.values())]
            part = self._total / len({*self._held, *(waiting for waiting, _ in waits), namespace})
            most = self._held[namespace] if self._held[namespace] > part else 0
            return any(
                waiting in ("", namespace) or self._held[waiting] + amount <= most
                for waiting, amount in waits
            )

    def take(
        self,
        payer: Payer,
        amount: int,
        deadline: Deadline,
        *,
        grows: Grows = _NOTHING,
        cost: int = 0,
    ) -> bool:
        """Take an amount, and wait for it; return whether it was there in time.

        Args:
            payer: who takes it.
            amount: how much; `give_back` it.
            deadline: until when to wait.
            grows: what this one holds already and will use together with it.
            cost: what counts for the next turn, in the place of the amount.
        """
        wait = _Wait(payer, amount, grows, cost or amount, next(self._numbers))
        with self._lock:
            self._age()
            if grows.has + amount <= self._free or self._is_enough(wait):
                self._grant(wait)
                return True
            self._waiting[wait.number] = wait
        with waiting():
            wait.granted.wait(deadline.remaining())
        with self._lock:
            self._waiting.pop(wait.number, None)
            return wait.is_granted

    def give_back(self, payer: Payer, amount: int, *, holder: int = 0) -> None:
        """Give back what was taken, to those who wait."""
        with self._lock:
            if holder and holder == self._exceeding:
                self._exceeding = 0
            self._used -= amount
            self._held[payer[0]] -= amount
            if not self._held[payer[0]]:
                del self._held[payer[0]]
            self._grant_all()

    def _grant_all(self) -> None:
        """Let everybody go on who can have enough, in the order of their turns."""
        for wait in sorted(self._waiting.values(), key=self._turn):
            if self._is_enough(wait):
                del self._waiting[wait.number]
                self._grant(wait)
                wait.granted.set()

    def _grant(self, wait: _Wait) -> None:
        wait.is_granted = True
        if wait.grows.has > self._free and not self._fits(wait):
            self._exceeding = wait.grows.holder
        namespace = wait.payer[0]
        self._used += wait.amount
        self._held[namespace] += wait.amount
        for key in (namespace, wait.payer):
            self._had[key] = self._had.get(key, 0.0) + wait.cost

    def _is_enough(self, wait: _Wait) -> bool:
        may_exceed = wait.grows.has > self._free and self._exceeding in (0, wait.grows.holder)
        return may_exceed or self._fits(wait)

    def _fits(self, wait: _Wait) -> bool:
        if self._used <= wait.grows.has:
            return True
        left = self._total - self._used - wait.amount
        namespace = wait.payer[0]
        return left >= 0 and (not namespace or self._held[namespace] + wait.amount <= left)

    def _turn(self, wait: _Wait) -> tuple[float, float, int]:
        of_namespace = self._had.get(wait.payer[0], 0.0)
        return of_namespace, self._had.get(wait.payer, 0.0) + wait.cost, wait.number

    def _age(self) -> None:
        """Let what somebody has had count half after each HALF_LIFE."""
        while self.monotonic() - self._aged_at > HALF_LIFE:
            self._aged_at += HALF_LIFE
            had = ((key, amount / 2) for key, amount in self._had.items())
            self._had = {key: amount for key, amount in had if amount > _FORGOTTEN}
            if not self._had:
                self._aged_at = self.monotonic()
