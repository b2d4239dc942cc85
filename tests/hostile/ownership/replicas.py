"""Replicas that take turns from call to call, and requests that show what a watch may show."""

import random
import threading
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field

from hooks.http.bounded_json import Json
from hooks.webhook.reconcile import CallResult
from tests.hostile.ownership.stage import Tap, tapped
from tests.integration.loadbalancers.driver import LoadBalancer, World


class Turns:
    """Lets one of several threads go on at a time, from call to call of CloudStack, at random."""

    def __init__(self, rng: random.Random, players: set[int]) -> None:
        self._rng = rng
        self._playing = set(players)
        self._waiting: dict[int, int] = dict.fromkeys(players, 0)
        self._turn: int | None = None
        self._changed = threading.Condition()

    def wait(self, player: int) -> None:
        """Wait for the turn of a player; each of his threads that waits needs a turn of its own."""
        with self._changed:
            self._waiting[player] += 1
            self._give()
            while self._turn != player and player in self._playing:
                # Another thread of a player may have ended without a call.
                if not self._changed.wait(0.05):
                    self._give()
            self._turn = None
            self._waiting[player] -= 1

    def leave(self, player: int) -> None:
        """Play no longer."""
        with self._changed:
            self._playing.discard(player)
            self._turn = None
            self._give()
            self._changed.notify_all()

    def _give(self) -> None:
        """Give the turn once every player waits."""
        ready = sorted(player for player in self._playing if self._waiting[player])
        if self._turn is None and ready and len(ready) == len(self._playing):
            self._turn = self._rng.choice(ready)
            self._changed.notify_all()


@dataclass
class Shown:
    """A load balancer, and what it has been.

    Attributes:
        versions: the object, in the order in which it was written.
        last: number of the newest one that was shown.
    """

    lb: LoadBalancer
    versions: list[Json] = field(default_factory=list)
    last: int = 0

    def note(self) -> None:
        """Note the object as it is now, if it has changed."""
        if not self.versions or self.versions[-1] != self.lb.parent:
            self.versions.append(deepcopy(self.lb.parent))

    def request(self, rng: random.Random, *, is_loose: bool) -> Json:
        """Make a request that may show an older version."""
        self.note()
        first = 0 if is_loose else self.last
        newest = len(self.versions) - 1
        number = newest if rng.random() < 0.5 else rng.randint(first, newest)
        self.last = max(self.last, number)
        present, self.lb.parent = self.lb.parent, self.versions[number]
        request = self.lb.request()
        self.lb.parent = present
        return request

    def accept(self, answer: CallResult) -> None:
        """Keep an answer, unless the object is finalized by it."""
        self.lb.accept(answer)
        self.note()


class Replica:
    """A process of the hooks, which may die."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._stack = ExitStack()
        self.start()

    def start(self) -> None:
        """Begin again, with no memory."""
        self._stack.close()
        self.tap = Tap()
        self.hook = self._stack.enter_context(tapped(self.world, self.tap))

    def close(self) -> None:
        self._stack.close()
