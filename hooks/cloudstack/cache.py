"""Keeps what was read for a while, and reads it once for all callers at the same time."""

from collections.abc import Callable, Hashable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar

from hooks.cloudstack.errors import CloudStackError, Unreachable
from hooks.http.deadline import Deadline, Monotonic

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

#: Called when a cache is asked: the command that it saves, and whether it had the value.
CacheObserver = Callable[[str, bool], None]

#: Seconds that one fetch may take at first, and at most. It is the cache's own limit, not a
#: caller's: a large account takes longer to list than one hook call lasts, and the next call finds
#: the result. The limit doubles after a fetch that it ended, and falls to twice of what one took.
FETCH_SECONDS = 30.0
LONGEST_FETCH = 300.0
#: A fetch that failed with less time left than this, in seconds, was ended by its limit.
ENDED_BEFORE = 1.0
#: Seconds that a failed fetch is answered with the same failure.
FAILURE_TTL = 1.0
#: Seconds at most that "there is none" is kept: an object can be invisible for a moment.
ABSENT_TTL = 5.0


@dataclass(frozen=True, slots=True)
class Fetching:
    """How caches fetch.

    Attributes:
        executor: runs the fetches.
        monotonic: seconds that never go backwards.
        observer: called when a cache is asked.
    """

    executor: Executor
    monotonic: Monotonic
    observer: CacheObserver


@dataclass(slots=True, eq=False)
class _Fetch(Generic[Value]):
    """One fetch, which runs while `fresh_until` is None."""

    future: "Future[Value]" = field(init=False)
    fresh_until: float | None = None


class SingleFlightCache(Generic[Key, Value]):
    """A cache whose values are fetched once at a time, in the background.

    Callers that come while a fetch runs share it and its failure. Each waits no longer than its own
    deadline, and the fetch goes on.

    Args:
        name: what is fetched; it names the command in errors.
        fetch: gets a value for a key. Raises CloudStackError.
        ttl: seconds that a value is kept, counted from the end of its fetch; None and what is
            empty are kept for ABSENT_TTL at most.
        fetching: how it is fetched.
    """

    def __init__(
        self, name: str, fetch: Callable[[Key, Deadline], Value], ttl: float, fetching: Fetching
    ) -> None:
        self._name = name
        self._fetch = fetch
        self._ttl = ttl
        self._fetching = fetching
        self._fetches: dict[Key, _Fetch[Value]] = {}
        self._limit = FETCH_SECONDS
        self._lock = Lock()

    def get(self, key: Key, deadline: Deadline) -> Value:
        """Return the value of a key, fetched if none is fresh.

        Raises:
            CloudStackError: the fetch failed, or did not end within the deadline.
        """
        future = self._future(key)
        try:
            return future.result(timeout=deadline.remaining())
        except TimeoutError:
            pass
        raise Unreachable(self._name, "no answer within the time of this call", transient=True)

    def forget(self, key: Key) -> None:
        """Have the next caller fetch a value again, unless a fetch runs."""
        with self._lock:
            fetch = self._fetches.get(key)
            if fetch is not None and fetch.fresh_until is not None:
                del self._fetches[key]

    def _future(self, key: Key) -> "Future[Value]":
        with self._lock:
            now = self._fetching.monotonic()
            self._fetches = {
                each: fetch
                for each, fetch in self._fetches.items()
                if fetch.fresh_until is None or now < fetch.fresh_until
            }
            fetch = self._fetches.get(key)
            known = fetch is not None
            if fetch is None:
                fetch = self._fetches[key] = _Fetch()
                fetch.future = self._fetching.executor.submit(self._run, key, fetch)
        self._fetching.observer(self._name, known)
        return fetch.future

    def _run(self, key: Key, fetch: _Fetch[Value]) -> Value:
        lifetime = FAILURE_TTL
        deadline = Deadline(self._limit, clock=self._fetching.monotonic)
        try:
            value = self._fetch(key, deadline)
            lifetime = self._ttl if value else min(self._ttl, ABSENT_TTL)
            took = self._limit - deadline.remaining()
            self._limit = max(FETCH_SECONDS, min(self._limit, 2 * took))
            return value
        except CloudStackError:
            if deadline.passed(margin=ENDED_BEFORE):
                self._limit = min(2 * self._limit, LONGEST_FETCH)
            raise
        finally:
            fetch.fresh_until = self._fetching.monotonic() + lifetime
