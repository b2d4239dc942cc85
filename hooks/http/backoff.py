"""How long an object that fails is left alone before it is tried again: twice as long each time."""

import threading
from collections import OrderedDict

#: Seconds to wait after the first failure, and at most.
FIRST_DELAY = 1.0
LONGEST_DELAY = 300.0
#: How many failing objects are remembered; one that is forgotten begins anew.
REMEMBERED = 10_000


class Backoff:
    """Counts the failures in a row of each object. What is lost on a restart is only patience."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def failed(self, key: str) -> float:
        """Take note of a failure and answer the seconds to wait."""
        with self._lock:
            failures = self._failures.get(key, 0)
            self._failures[key] = failures + 1
            self._failures.move_to_end(key)
            while len(self._failures) > REMEMBERED:
                self._failures.popitem(last=False)
        # The exponent is cut off before the power grows past what a float holds.
        return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(failures, 16))

    def succeeded(self, key: str) -> None:
        """Forget the object's failures."""
        with self._lock:
            self._failures.pop(key, None)
