"""Attributes that are computed when they are first asked for."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from hooks.lazy import lazy
from tests.controlplane.polling import PATIENCE


@dataclass(frozen=True)
class Slow:
    """Has a value that is there once the test says so."""

    started: threading.Event = field(default_factory=threading.Event)
    may_end: threading.Event = field(default_factory=threading.Event)

    @lazy
    def value(self) -> object:
        """Return the value."""
        self.started.set()
        assert self.may_end.wait(PATIENCE)
        return object()


def test_a_slow_value_of_one_object_stops_no_other_object() -> None:
    slow, other = Slow(), Slow()
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(lambda: slow.value)
        assert slow.started.wait(PATIENCE)
        other.may_end.set()
        assert pool.submit(lambda: other.value).result(PATIENCE)
        assert not waiting.done()
        slow.may_end.set()
        assert waiting.result(PATIENCE) is slow.value


def test_each_object_computes_its_value_once() -> None:
    one = Slow()
    one.may_end.set()
    assert one.value is one.value
    assert Slow.value.__doc__ == "Return the value."
