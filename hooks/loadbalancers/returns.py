"""Remembers which nodes come and go with their endpoints, so that one that flaps joins less often.

Each change of members makes the network's router load its whole configuration again.
"""

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from hooks.loadbalancers.memory import LeastRecent

#: Seconds for which it counts that a node left.
WINDOW = 300.0
#: How often a node may have left in that time and join at once: a rollout lets it leave once.
FREE_RETURNS = 1
#: Seconds that one which left more often stays away from when it left.
STAYS_AWAY = 60.0


@dataclass(slots=True)
class _Seen:
    """Which VMs one load balancer wanted last, and when each of them left."""

    wanted: frozenset[str] = frozenset()
    left: dict[str, list[float]] = field(default_factory=dict)


class Returns:
    """When nodes left load balancers because their endpoints did; losing it costs a few writes."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._seen: LeastRecent[_Seen] = LeastRecent()
        self._lock = threading.Lock()

    def note(self, uid: str, wanted: Collection[str]) -> Mapping[str, float]:
        """Note which nodes a load balancer wants; return for how many seconds some must wait.

        Args:
            uid: of the load balancer.
            wanted: ids of the VMs whose nodes have an endpoint.
        """
        now, present = self._monotonic(), frozenset(wanted)
        with self._lock:
            seen = self._seen.get(uid) or _Seen()
            for vm_id in seen.wanted - present:
                seen.left.setdefault(vm_id, []).append(now)
            seen.left = {
                vm_id: recent
                for vm_id, times in seen.left.items()
                if (recent := [each for each in times if now - each < WINDOW])
            }
            seen.wanted = present
            self._seen.put(uid, seen)
            waits = {
                vm_id: STAYS_AWAY - (now - times[-1])
                for vm_id, times in seen.left.items()
                if vm_id in present and len(times) > FREE_RETURNS
            }
        return {vm_id: seconds for vm_id, seconds in waits.items() if seconds > 0}
