"""Keeps what was read for a while, and reads it once however many ask at the same time."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from threading import Lock
from types import MappingProxyType
from typing import Generic, TypeVar

from hooks.cloudstack.errors import Unreachable
from hooks.cloudstack.models import VirtualMachine
from hooks.http.deadline import Deadline, Monotonic

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

#: Told of each question to a cache: the command it saves, and whether no call was needed.
CacheObserver = Callable[[str, bool], None]

#: Seconds that one fetch may take. It is the cache's own limit, not a caller's: a large account
#: takes longer to list than one hook call lasts, and the next call finds the result.
FETCH_SECONDS = 30.0
#: Seconds that a failed fetch is answered with the same failure.
FAILURE_TTL = 1.0


@dataclass(slots=True, eq=False)
class _Flight(Generic[Value]):
    """One fetch, under way while `fresh_until` is None."""

    future: "Future[Value]" = field(init=False)
    fresh_until: float | None = None


class SingleFlightCache(Generic[Key, Value]):
    """A cache whose values are fetched once at a time, in the background.

    Those who ask while a fetch is under way share it, its failure too, and wait no longer than
    their own deadline; the fetch goes on without them.

    Args:
        name: what is fetched; it names the command in errors.
        fetch: gets a value for a key. Raises CloudStackError.
        ttl: seconds that a value is kept, counted from the end of its fetch.
        executor: runs the fetches.
        monotonic: seconds that never go backwards.
        observer: told of each question.
    """

    def __init__(  # noqa: PLR0913 - all but the first two are said by name
        self,
        name: str,
        fetch: Callable[[Key, Deadline], Value],
        *,
        ttl: float,
        executor: Executor,
        monotonic: Monotonic,
        observer: CacheObserver = lambda _name, _hit: None,
    ) -> None:
        self._name = name
        self._observer = observer
        self._fetch = fetch
        self._ttl = ttl
        self._executor = executor
        self._monotonic = monotonic
        self._flights: dict[Key, _Flight[Value]] = {}
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
        """Drop a value, and the result of a fetch under way: it may be from before."""
        with self._lock:
            self._flights.pop(key, None)

    def _future(self, key: Key) -> "Future[Value]":
        with self._lock:
            now = self._monotonic()
            self._flights = {
                each: flight
                for each, flight in self._flights.items()
                if flight.fresh_until is None or now < flight.fresh_until
            }
            flight = self._flights.get(key)
            known = flight is not None
            if flight is None:
                flight = self._flights[key] = _Flight()
                flight.future = self._executor.submit(self._fly, key, flight)
        self._observer(self._name, known)
        return flight.future

    def _fly(self, key: Key, flight: _Flight[Value]) -> Value:
        lifetime = FAILURE_TTL
        try:
            value = self._fetch(key, Deadline(FETCH_SECONDS, clock=self._monotonic))
            lifetime = self._ttl
            return value
        finally:
            flight.fresh_until = self._monotonic() + lifetime


@dataclass(frozen=True, eq=False, slots=True)
class Snapshot:
    """All virtual machines, as one look saw them.

    Attributes:
        taken_at: epoch seconds of the moment before the look; tells snapshots apart.
        machines: in CloudStack's order, destroyed ones included where CloudStack shows them.
        by_id: the machine of an id.
        by_name: the machines of a name, exactly as CloudStack has it.
        by_lower_name: the same, both in lower case.
        by_host_name: the same, both in lower case and up to the first dot.
    """

    taken_at: float
    machines: tuple[VirtualMachine, ...]
    by_id: Mapping[str, VirtualMachine]
    by_name: Mapping[str, tuple[VirtualMachine, ...]]
    by_lower_name: Mapping[str, tuple[VirtualMachine, ...]]
    by_host_name: Mapping[str, tuple[VirtualMachine, ...]]

    @classmethod
    def of(cls, machines: Iterable[VirtualMachine], *, taken_at: float) -> "Snapshot":
        """Index the machines."""
        listed = tuple(machines)
        return cls(
            taken_at=taken_at,
            machines=listed,
            by_id=MappingProxyType({machine.id: machine for machine in listed}),
            by_name=_grouped(listed, lambda name: name),
            by_lower_name=_grouped(listed, str.lower),
            by_host_name=_grouped(listed, host_part),
        )


def host_part(name: str) -> str:
    """Return a name in lower case and without its domain."""
    return name.lower().partition(".")[0]


def _grouped(
    machines: Iterable[VirtualMachine], key: Callable[[str], str]
) -> Mapping[str, tuple[VirtualMachine, ...]]:
    groups: dict[str, list[VirtualMachine]] = {}
    for machine in machines:
        groups.setdefault(key(machine.name), []).append(machine)
    return MappingProxyType({name: tuple(group) for name, group in groups.items()})
