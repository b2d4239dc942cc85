"""Lanes: writes that lock one another in CloudStack go one at a time, in the order they come.

On a running CloudStack, ten rules created one after the other took 1.2 s, four at once 15 s: the
server locks rows of the network and waits for them slowly. An address is locked by its owner as
well. Changes of members are the exception: four at once take two thirds of the time. Tags lock
nothing.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal, NamedTuple

from hooks.cloudstack.errors import CallStopped
from hooks.http.deadline import Deadline, Monotonic

#: Seconds that a call waits for a lane before it answers; Metacontroller calls again.
LANE_TIMEOUT = 6.5
#: Changes of members that a network takes at once. More only wait for each other in the server.
MEMBERS_AT_ONCE = 4


class NetworkBusy(CallStopped):
    """Other calls are writing to the network; this write was not begun."""


class LaneKey(NamedTuple):
    """What a lane's writes lock.

    Attributes:
        kind: addresses lock by owner, rules and firewall rules by network; changes of members
            have a wider lane of their own. Services that leave a shared address take its lease
            one after the other.
        id: of the network; of the project that owns, empty for the account itself; of the address.
    """

    kind: Literal["owner", "network", "members", "lease"]
    id: str


_BUSY = {
    "owner": "another call is acquiring an address",
    "network": "another call is changing network {}",
    "members": "other calls are changing members in network {}",
    "lease": "another Service is leaving shared address {}",
}


class _Lane:
    """So many writes at once; who waits is served in order."""

    def __init__(self, width: int) -> None:
        self._free = width
        self._waiting: deque[threading.Event] = deque()
        self._lock = threading.Lock()

    def enter(self, seconds: float) -> bool:
        """Wait for a place; tell whether one was free in time."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            turn = threading.Event()
            self._waiting.append(turn)
        if turn.wait(max(0.0, seconds)):
            return True
        with self._lock:
            if turn.is_set():
                return True
            self._waiting.remove(turn)
        return False

    def leave(self) -> None:
        """Give the place to who has waited longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1


class Lanes:
    """The lanes of all networks and owners, for all calls of this process.

    Args:
        note_wait: is told the kind of a lane and how many seconds a call waited for it.
        monotonic: monotonic seconds.
    """

    def __init__(
        self,
        note_wait: Callable[[str, float], None] = lambda _kind, _seconds: None,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._lanes: dict[LaneKey, _Lane] = {}
        self._note_wait = note_wait
        self._monotonic = monotonic

    @contextmanager
    def held(self, keys: tuple[LaneKey, ...], deadline: Deadline) -> Iterator[None]:
        """Hold a place in each of these lanes, entered in the order given.

        Raises:
            NetworkBusy: they were not all free by the deadline.
        """
        with ExitStack() as places:
            for key in keys:
                width = MEMBERS_AT_ONCE if key.kind == "members" else 1
                lane = self._lanes.setdefault(key, _Lane(width))
                began = self._monotonic()
                is_entered = lane.enter(deadline.remaining())
                self._note_wait(key.kind, self._monotonic() - began)
                if not is_entered:
                    raise NetworkBusy(_BUSY[key.kind].format(key.id))
                places.callback(lane.leave)
            yield
