"""How long to wait before something is tried again: as the server asks, or longer each time."""

import re
import threading
from email.utils import parsedate_to_datetime

from hooks.http.recent import Recent

#: Seconds to wait after an object's first failure, and at most.
FIRST_DELAY = 1.0
LONGEST_DELAY = 300.0
#: Seconds that a server's Retry-After counts for, at least and at most.
MIN_RETRY_AFTER = 0.1
MAX_RETRY_AFTER = 600.0


def delay(failures: int, *, first: float, longest: float) -> float:
    """Return the seconds to wait after so many failures in a row.

    That is `first` after one, then twice as long after each, and `longest` at most.
    """
    # The exponent is cut off before the power grows past what a float holds.
    return min(longest, first * 2.0 ** min(max(0, failures - 1), 64))


def retry_after(header: str, now: float) -> float | None:
    """Read a Retry-After header (RFC 9110, 10.2.3), in seconds or as a date; None where it is none.

    Args:
        header: the value.
        now: epoch seconds.
    """
    if re.fullmatch(r"\d{1,9}", header.strip(), re.ASCII):
        return clamp_retry_after(float(header))
    try:
        return clamp_retry_after(parsedate_to_datetime(header).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def clamp_retry_after(seconds: float) -> float:
    """Return the seconds that a server asks for, within MIN_RETRY_AFTER and MAX_RETRY_AFTER."""
    return min(max(seconds, MIN_RETRY_AFTER), MAX_RETRY_AFTER)


class Backoff:
    """Counts the failures in a row of each object; the counts may be lost at any moment.

    Args:
        longest: the most seconds to wait.
    """

    def __init__(self, longest: float = LONGEST_DELAY) -> None:
        self._longest = longest
        self._failures = Recent[int]()
        self._lock = threading.Lock()

    def failed(self, key: str) -> float:
        """Count a failure and return the seconds to wait."""
        with self._lock:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
        return delay(failures, first=FIRST_DELAY, longest=self._longest)

    def succeeded(self, key: str) -> None:
        """Forget the object's failures."""
        with self._lock:
            self._failures.pop(key, None)
