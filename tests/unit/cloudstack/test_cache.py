import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from hooks.cloudstack.cache import ABSENT_TTL, FAILURE_TTL, Fetching, SingleFlightCache
from hooks.cloudstack.errors import Unreachable
from hooks.cloudstack.models.compute import Snapshot
from hooks.http.deadline import Deadline
from tests.controlplane.polling import PATIENCE
from tests.unit.cloudstack.transports import Time

TTL = 15.0
BROKEN = Unreachable("listThings", "broken")


@pytest.fixture
def fetchers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


class Source:
    """Counts the fetches; each waits until it is let go and then returns or raises."""

    def __init__(self, *, gate: threading.Event | None = None) -> None:
        self.fetched: list[str] = []
        self.fault: Exception | None = None
        self.gate = gate

    def fetch(self, key: str, _deadline: Deadline) -> str:
        self.fetched.append(key)
        value = f"{key}{len(self.fetched)}"
        if self.gate:
            assert self.gate.wait(PATIENCE)
        if self.fault:
            raise self.fault
        return value


def cache_of(
    fetch: Callable[[str, Deadline], str], executor: ThreadPoolExecutor, clock: Time
) -> SingleFlightCache[str, str]:
    fetching = Fetching(executor, clock.monotonic, observer=lambda _name, _hit: None)
    return SingleFlightCache("listThings", fetch, TTL, fetching)


def together(count: int, call: Callable[[], object]) -> list[object]:
    """Call from many threads at once; return what each got, an error as it is."""
    start = threading.Barrier(count)

    def one(_: int) -> object:
        start.wait(PATIENCE)
        try:
            return call()
        except Unreachable as error:
            return error

    with ThreadPoolExecutor(count) as callers:
        return list(callers.map(one, range(count)))


def test_a_value_is_fetched_once_and_kept_for_its_time(fetchers: ThreadPoolExecutor) -> None:
    source, clock = Source(), Time()
    cache = cache_of(source.fetch, fetchers, clock)
    assert [cache.get("a", Deadline(5)) for _ in range(3)] == ["a1"] * 3
    clock.now += TTL - 0.1
    assert cache.get("a", Deadline(5)) == "a1"
    clock.now += 0.1
    assert cache.get("a", Deadline(5)) == "a2"


@pytest.mark.parametrize("nothing", [None, "", Snapshot.of((), taken_at=1.0, taken_monotonic=1.0)])
def test_that_there_is_none_is_kept_for_seconds_only(
    nothing: object, fetchers: ThreadPoolExecutor
) -> None:
    found = [nothing, "there it is"]
    clock = Time()
    fetching = Fetching(fetchers, clock.monotonic, observer=lambda _name, _hit: None)
    cache: SingleFlightCache[str, object] = SingleFlightCache(
        "listThings", lambda _key, _deadline: found.pop(0), 600, fetching
    )
    assert [cache.get("a", Deadline(5)), cache.get("a", Deadline(5))] == [nothing, nothing]
    clock.now += ABSENT_TTL
    assert cache.get("a", Deadline(5)) == "there it is"
    clock.now += 599
    assert cache.get("a", Deadline(5)) == "there it is"


def test_a_value_that_is_to_be_forgotten_is_fetched_anew(fetchers: ThreadPoolExecutor) -> None:
    source = Source()
    cache = cache_of(source.fetch, fetchers, Time())
    cache.forget("a")
    assert [cache.get("a", Deadline(5)), cache.get("b", Deadline(5))] == ["a1", "b2"]
    cache.forget("a")
    assert [cache.get("a", Deadline(5)), cache.get("b", Deadline(5))] == ["a3", "b2"]


def test_a_fetch_that_runs_is_not_forgotten(fetchers: ThreadPoolExecutor) -> None:
    gate = threading.Event()
    source = Source(gate=gate)
    cache = cache_of(source.fetch, fetchers, Time())

    def get() -> str:
        cache.forget("a")
        return cache.get("a", Deadline(5))

    threading.Timer(0.1, gate.set).start()
    assert together(8, get) == ["a1"] * 8
    assert source.fetched == ["a"]


def test_each_key_has_its_own_value(fetchers: ThreadPoolExecutor) -> None:
    source = Source()
    cache = cache_of(source.fetch, fetchers, Time())
    assert (cache.get("a", Deadline(5)), cache.get("b", Deadline(5))) == ("a1", "b2")
    assert (cache.get("a", Deadline(5)), cache.get("b", Deadline(5))) == ("a1", "b2")


def test_thirty_two_who_ask_at_once_share_one_fetch(fetchers: ThreadPoolExecutor) -> None:
    gate = threading.Event()
    source = Source(gate=gate)
    cache = cache_of(source.fetch, fetchers, Time())
    threading.Timer(0.1, gate.set).start()
    assert together(32, lambda: cache.get("a", Deadline(5))) == ["a1"] * 32
    assert source.fetched == ["a"]


def test_a_failure_is_shared_by_those_who_waited_and_soon_forgotten(
    fetchers: ThreadPoolExecutor,
) -> None:
    gate = threading.Event()
    source, clock = Source(gate=gate), Time()
    source.fault = BROKEN
    cache = cache_of(source.fetch, fetchers, clock)
    threading.Timer(0.1, gate.set).start()
    assert together(32, lambda: cache.get("a", Deadline(5))) == [BROKEN] * 32
    assert source.fetched == ["a"]
    source.fault = None
    clock.now += FAILURE_TTL
    assert cache.get("a", Deadline(5)) == "a2"


def test_one_who_waits_is_cut_at_its_own_deadline_and_the_fetch_goes_on(
    fetchers: ThreadPoolExecutor,
) -> None:
    gate = threading.Event()
    source = Source(gate=gate)
    cache = cache_of(source.fetch, fetchers, Time())
    with pytest.raises(Unreachable, match="listThings: no answer within the time of this call"):
        cache.get("a", Deadline(0.05))
    gate.set()
    assert cache.get("a", Deadline(5)) == "a1"
    assert source.fetched == ["a"]


def test_the_limit_of_a_fetch_grows_with_what_it_needs(fetchers: ThreadPoolExecutor) -> None:
    clock = Time()
    limits: list[float] = []
    needed = [100.0]

    def slow(_key: str, deadline: Deadline) -> str:
        limits.append(deadline.remaining())
        clock.now += min(deadline.remaining(), needed[0])
        if deadline.passed():
            raise BROKEN
        return "all"

    fetching = Fetching(fetchers, clock.monotonic, observer=lambda _name, _hit: None)
    cache = SingleFlightCache("listThings", slow, TTL, fetching)
    for _ in range(2):
        with pytest.raises(Unreachable):
            cache.get("a", Deadline(5))
        clock.now += FAILURE_TTL
    assert cache.get("a", Deadline(5)) == "all"
    for needed[0] in (100.0, 20.0, 1.0, 1.0):
        clock.now += TTL
        assert cache.get("a", Deadline(5)) == "all"
    assert limits == [30.0, 60.0, 120.0, 120.0, 120.0, 40.0, 30.0]


def test_a_fetch_that_fails_at_once_may_not_take_longer_next_time(
    fetchers: ThreadPoolExecutor,
) -> None:
    clock = Time()
    limits: list[float] = []

    def broken(_key: str, deadline: Deadline) -> str:
        limits.append(deadline.remaining())
        raise BROKEN

    fetching = Fetching(fetchers, clock.monotonic, observer=lambda _name, _hit: None)
    cache = SingleFlightCache("listThings", broken, TTL, fetching)
    for _ in range(3):
        with pytest.raises(Unreachable):
            cache.get("a", Deadline(5))
        clock.now += FAILURE_TTL
    assert limits == [30.0] * 3


def test_a_mistake_in_a_fetch_is_told_to_who_asked(fetchers: ThreadPoolExecutor) -> None:
    source = Source()
    source.fault = KeyError("a bug")
    with pytest.raises(KeyError, match="a bug"):
        cache_of(source.fetch, fetchers, Time()).get("a", Deadline(5))
