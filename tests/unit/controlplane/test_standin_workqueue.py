import threading

import pytest

from tests.controlplane import polling
from tests.controlplane.polling import PATIENCE
from tests.controlplane.standin.workqueue import WorkQueue


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> WorkQueue[str]:
    return WorkQueue(clock)


def ready(queue: WorkQueue[str]) -> list[str]:
    """Work on everything that is due, and return it in order."""
    done: list[str] = []
    for mark in ("(what was due is in line behind this)", "(end)"):
        queue.add(mark)
        while (key := queue.take()) != mark:
            assert key is not None
            done.append(key)
            queue.done(key)
        queue.done(mark)
    return done


def test_a_key_that_waits_is_worked_on_once(queue: WorkQueue[str]) -> None:
    for key in ("a", "b", "a"):
        queue.add(key)
    assert ready(queue) == ["a", "b"]


def test_a_key_added_while_it_is_worked_on_comes_again_afterwards(queue: WorkQueue[str]) -> None:
    queue.add("a")
    assert queue.take() == "a"
    queue.add("a")
    queue.add("b")
    assert queue.take() == "b"
    queue.done("a")
    assert queue.take() == "a"


def test_of_several_delays_the_earliest_counts_once(queue: WorkQueue[str], clock: Clock) -> None:
    for seconds in (5, 1, 3):
        queue.add_after("a", seconds)
    assert ready(queue) == []
    clock.now += 1
    assert ready(queue) == ["a"]
    clock.now += 10
    assert ready(queue) == []


def test_no_delay_is_now(queue: WorkQueue[str]) -> None:
    queue.add_after("a", 0)
    assert ready(queue) == ["a"]


def test_retries_double_until_the_key_is_forgotten(queue: WorkQueue[str], clock: Clock) -> None:
    delays = []
    for _ in range(4):
        queue.retry("a")
        delays.append(_until_ready(queue, clock))
    assert delays == pytest.approx([0.005, 0.010, 0.020, 0.040], abs=0.002)
    queue.forget("a")
    queue.retry("a")
    assert _until_ready(queue, clock) == pytest.approx(0.005, abs=0.002)


def test_all_keys_together_are_retried_ten_times_a_second_after_a_burst(
    queue: WorkQueue[str], clock: Clock
) -> None:
    for number in range(120):
        queue.retry(f"{number}")
    clock.now += 0.01
    assert len(ready(queue)) == 100
    clock.now += 1
    assert len(ready(queue)) == 10
    clock.now += 1
    assert len(ready(queue)) == 10


def test_closing_ends_the_wait(queue: WorkQueue[str]) -> None:
    taken: list[str | None] = []
    waiting = threading.Thread(target=lambda: taken.append(queue.take()))
    waiting.start()
    queue.close()
    waiting.join(timeout=PATIENCE)
    polling.until(lambda: taken == [None], "take has returned nothing")


def _until_ready(queue: WorkQueue[str], clock: Clock) -> float:
    started = clock.now
    while not ready(queue):
        clock.now += 0.001
    return clock.now - started
