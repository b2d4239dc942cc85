"""Lanes: writes that lock one another in CloudStack go one at a time, in the order they come.

On a running CloudStack, ten rules created one after the other took 1.2 s, four at once 15 s: the
server locks rows of the network and waits for them slowly. An address is locked by its owner as
well. Changes of members are the exception: four at once take two thirds of the time. Tags lock
nothing.

Each call that waits keeps one of Metacontroller's workers from all other networks. So where writes
take long, as on a network whose router is down, two wait, and the others come back later.
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
#: Seconds of one write from which on a lane is slow, and how many wait then.
SLOW_AFTER = 4.0
WAITING_WHILE_SLOW = 2
#: Seconds after which at the latest a call comes back that may not wait.
LONGEST_RETURN = 30.0
#: Changes of members that a network takes at once. More only wait for each other in the server.
MEMBERS_AT_ONCE = 4


class NetworkBusy(CallStopped):
    """Other calls are writing to the network; this write was not begun.

    Attributes:
        retry_after: seconds after which to come back; 0 if it has waited.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


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
    """So many writes at once; who waits is served in order.

    Args:
        width: writes at once.
        monotonic: monotonic seconds.
    """

    def __init__(self, width: int, monotonic: Monotonic) -> None:
        self._free = width
        self._waiting: deque[threading.Event] = deque()
        self._lock = threading.Lock()
        self._monotonic = monotonic
        self._moved_at = monotonic()
        self._was_slow = False
        self._sent_away = 0

    def enter(self, seconds: float) -> float | None:
        """Wait for a place; return None once there is one, else in how many seconds to come back.

        0 if there was none in time. Who is sent away comes back the later the more they are.
        """
        with self._lock:
            if self._free:
                self._free -= 1
                self._moved_at = self._monotonic()
                return None
            if self._is_slow() and len(self._waiting) >= WAITING_WHILE_SLOW:
                self._sent_away += 1
                return min(1.0 + self._sent_away, LONGEST_RETURN)
            turn = threading.Event()
            self._waiting.append(turn)
        if turn.wait(max(0.0, seconds)):
            return None
        with self._lock:
            if turn.is_set():
                return None
            self._waiting.remove(turn)
        return 0.0

    def leave(self) -> None:
        """Give the place to who has waited longest."""
        with self._lock:
            self._was_slow = self._takes_long()
            self._moved_at, self._sent_away = self._monotonic(), 0
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1

    def _is_slow(self) -> bool:
        return self._was_slow or self._takes_long()

    def _takes_long(self) -> bool:
        return self._monotonic() - self._moved_at > SLOW_AFTER


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
            NetworkBusy: they were not all free by the deadline, or one is slow and waited for.
        """
        with ExitStack() as places:
            for key in keys:
                width = MEMBERS_AT_ONCE if key.kind == "members" else 1
                lane = self._lanes.setdefault(key, _Lane(width, self._monotonic))
                began = self._monotonic()
                come_back = lane.enter(deadline.remaining())
                self._note_wait(key.kind, self._monotonic() - began)
                if come_back is not None:
                    raise NetworkBusy(_BUSY[key.kind].format(key.id), come_back)
                places.callback(lane.leave)
            yield
