"""Memory for what the sources of all TargetClusters hold, in use and between readings."""

import sys
import threading
from collections import Counter, OrderedDict
from weakref import ref

from hooks.http.answer_memory import Lease
from hooks.http.bounded_json import VALUE_BYTES
from hooks.http.deadline import Deadline
from hooks.http.fair_share import PAYER, FairShare, Payer
from hooks.targetclusters.sources.plan.manifests import SourceContents
from hooks.targetclusters.untrusted_yaml import Size

#: Bytes of all sources together, and of the sources of one reading that wait for nothing.
TOTAL_BYTES = 192 * 1024 * 1024
SMALL_BYTES = 1024 * 1024
_AT_ONCE = Deadline(0)

#: What an object holds, with the UID and resourceVersion at which it was read.
Versioned = tuple[tuple[str, str], SourceContents]
#: A ConfigMap or Secret as it is read: kind, mode and name, whichever sources select it.
SourceKey = tuple[str, str, str]


class SourceCache(dict[SourceKey, Versioned]):
    """What the sources of one TargetCluster held when last read; contents may be lost."""


class SourceMemory:
    """Bounds what the sources of all TargetClusters hold; used by many threads at once.

    Who needs more than is there takes it from caches: from the namespace that holds most, the cache
    that was used longest ago. Of what is dropped stays known what it was, so that only a
    round reads it again. If all is in use, one waits.

    Args:
        total: bytes, as they are held.
    """

    def __init__(self, total: int = TOTAL_BYTES) -> None:
        self.share = FairShare(total, free=SMALL_BYTES)
        self._total = total
        self._lock = threading.Lock()
        self._caches: OrderedDict[Payer, ref[SourceCache]] = OrderedDict()

    def reserve(self, lease: Lease, size: Size, deadline: Deadline) -> bool:
        """Let a lease hold so much more before it is built; return whether that was in time."""
        amount = lease.amount + size.values * VALUE_BYTES + size.text_bytes
        while not lease.grow(amount, _AT_ONCE):
            if not self._drop_one():
                return lease.grow(amount, deadline)
        return True

    def keep(self, cache: SourceCache, found: SourceCache) -> None:
        """Keep what was found in the cache of this thread's TargetCluster, within the bound."""
        cache.clear()
        cache.update(found)
        with self._lock:
            self._caches[PAYER.get()] = ref(cache)
            self._caches.move_to_end(PAYER.get())
        while self.share.used > self._total and self._drop_one():
            pass

    def _drop_one(self) -> bool:
        """Drop the contents in one cache; return whether one had any."""
        with self._lock:
            held: dict[Payer, int] = {}
            for payer, known in list(self._caches.items()):
                if (cache := known()) is None:
                    del self._caches[payer]
                elif amount := sum(_held(contents) for _, contents in list(cache.values())):
                    held[payer] = amount
            if not held:
                return False
            by_namespace = Counter[str]()
            for payer, amount in held.items():
                by_namespace[payer[0]] += amount
            largest = max(by_namespace, key=by_namespace.__getitem__)
            dropped = self._caches[next(payer for payer in held if payer[0] == largest)]()
        for key, (version, contents) in list((dropped or {}).items()):
            if dropped is not None:
                dropped[key] = version, contents.dropped()
        return True


def _held(contents: SourceContents) -> int:
    return contents.lease.amount if isinstance(contents.lease, Lease) else 0


def held_bytes(value: object) -> int:
    """Return the bytes that a JSON value takes, what is in it several times counted once."""
    total, seen, left = 0, set[int](), [value]
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        total += sys.getsizeof(one)
        if isinstance(one, dict):
            left += (*one.keys(), *one.values())
        elif isinstance(one, list | tuple):
            left += one
    return total
