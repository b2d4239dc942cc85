"""Locks networks, so that one call at a time writes to one: CloudStack is far slower otherwise.

On a running CloudStack, ten rules created one after the other took 1.2 s, four at once 15 s: the
server locks rows of the network and waits for them slowly. Changes of members are the exception:
four at once take two thirds of the time.
"""

import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal

from hooks.cloudstack.errors import CloudStackError

#: Seconds that a call waits for a network's lock before it answers; Metacontroller calls again.
LOCK_TIMEOUT = 1.0
#: Changes of members that a network takes at once. More only wait for each other in the server.
MEMBERS_AT_ONCE = 4


class NetworkBusy(CloudStackError):
    """Another call is writing to the network; this one has asked CloudStack for nothing."""

    def __init__(self, network_id: str) -> None:
        super().__init__("network lock", f"another call is changing network {network_id}")
        self.network_id = network_id


@dataclass
class _Holders:
    """The calls that hold a network's lock: one alone, or some that share it.

    Attributes:
        waiting: calls that wait to hold it alone; no other call may share it before them.
    """

    alone: bool = False
    sharing: int = 0
    waiting: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def admit(self, *, shared: bool) -> bool:
        """Tell whether one more call may hold the lock now."""
        if shared:
            return not self.alone and not self.waiting and self.sharing < MEMBERS_AT_ONCE
        return not self.alone and not self.sharing


class NetworkLocks:
    """The locks of all networks, for all calls of this process."""

    def __init__(self) -> None:
        self._holders: dict[str, _Holders] = {}
        self._lock = threading.Lock()

    def of(self, network_id: str) -> "NetworkLock":
        """Return a network's lock for one call. The call acquires it when it has to write.

        Without a network (an empty id), the lock is always free.
        """
        if not network_id:
            return NetworkLock(network_id, _Holders())
        with self._lock:
            return NetworkLock(network_id, self._holders.setdefault(network_id, _Holders()))


class NetworkLock:
    """A network's lock as one call uses it: acquired at most once, released after the block."""

    def __init__(self, network_id: str, holders: _Holders) -> None:
        self._network_id = network_id
        self._holders = holders
        self._held: Literal["", "shared", "alone"] = ""

    def __enter__(self) -> "NetworkLock":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._release()

    def acquire(self, *, shared: bool = False, timeout: float = LOCK_TIMEOUT) -> None:
        """Hold the lock alone, or shared with other changes of members.

        Does nothing if the call holds it so already. A shared lock is released before the call
        waits to hold it alone.

        Raises:
            NetworkBusy: other calls held it for `timeout` seconds.
        """
        if self._held == "alone" or (shared and self._held):
            return
        self._release()
        holders = self._holders
        with holders.changed:
            holders.waiting += not shared
            is_free = holders.changed.wait_for(
                lambda: holders.admit(shared=shared), timeout=max(0.0, timeout)
            )
            holders.waiting -= not shared
            if not is_free:
                holders.changed.notify_all()
                raise NetworkBusy(self._network_id)
            holders.alone = not shared
            holders.sharing += shared
        self._held = "shared" if shared else "alone"

    def _release(self) -> None:
        if not self._held:
            return
        with self._holders.changed:
            if self._held == "alone":
                self._holders.alone = False
            else:
                self._holders.sharing -= 1
            self._holders.changed.notify_all()
        self._held = ""
