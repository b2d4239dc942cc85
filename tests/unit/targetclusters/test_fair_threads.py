import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from hooks.targetclusters.fair_threads import FIRST_JOBS, FairThreads
from tests.controlplane.polling import PATIENCE, until


class Held:
    """Jobs that run until the test lets them go, in the order in which they began."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.began: list[str] = []

    def job(self, name: str) -> Callable[[], str]:
        def run() -> str:
            self.began.append(name)
            assert self.gate.wait(PATIENCE)
            return name

        return run


@contextmanager
def holding(threads: int) -> Iterator[tuple[FairThreads, Held]]:
    fair, held = FairThreads("tests", threads), Held()
    try:
        yield fair, held
    finally:
        held.gate.set()
        fair.close()


def held_by(held: Held, namespace: str) -> int:
    return held.began.count(namespace)


@pytest.mark.parametrize(
    ("threads", "namespaces", "each"),
    [(8, 1, [4]), (9, 2, [5, 2]), (64, 1, [32]), (64, 3, [32, 16, 8]), (1, 1, [1])],
)
def test_a_namespace_holds_no_more_threads_than_are_free(
    threads: int, namespaces: int, each: list[int]
) -> None:
    with holding(threads) as (fair, held):
        for number in range(namespaces):
            for _ in range(2 * threads):
                fair.submit(f"{number}", held.job(f"{number}"))
        until(lambda: len(held.began) >= sum(each), "jobs begin", every=0.005)
        assert [held_by(held, f"{number}") for number in range(namespaces)] == each


def test_no_namespace_waits_for_the_jobs_of_others() -> None:
    with holding(16) as (fair, held):
        for number in range(50):
            for _ in range(100):
                fair.submit(f"{number}", held.job("dead"))
            assert fair.submit(f"healthy-{number}", lambda: "done").result(5) == "done"
        assert 50 <= len(held.began) <= 16 + 50


def test_more_namespaces_than_first_jobs_wait_until_one_of_them_ends() -> None:
    with holding(1) as (fair, held):
        jobs = [fair.submit(f"{n}", held.job(f"{n}")) for n in range(FIRST_JOBS + 2)]
        until(lambda: len(held.began) == FIRST_JOBS + 1, "jobs begin", every=0.005)
        assert held.began == [f"{n}" for n in range(FIRST_JOBS + 1)]
        held.gate.set()
        assert jobs[-1].result(PATIENCE) == f"{FIRST_JOBS + 1}"


def test_an_error_is_the_callers_and_frees_the_thread() -> None:
    def broken() -> None:
        raise ZeroDivisionError("a bug")

    with holding(1) as (fair, _):
        with pytest.raises(ZeroDivisionError):
            fair.submit("a", broken).result(10)
        assert fair.submit("a", lambda: "found").result(10) == "found"


def test_a_job_that_is_cancelled_while_it_waits_does_not_run() -> None:
    with holding(1) as (fair, held):
        first = fair.submit("a", held.job("first"))
        assert fair.submit("a", held.job("cancelled")).cancel()
        last = fair.submit("a", held.job("last"))
        held.gate.set()
        assert (first.result(10), last.result(10)) == ("first", "last")
        assert held.began == ["first", "last"]


def test_after_the_end_nothing_starts_and_what_waits_is_dropped() -> None:
    with holding(1) as (fair, held):
        first = fair.submit("a", held.job("first"))
        waiting = fair.submit("a", held.job("waiting"))
        fair.close()
        held.gate.set()
        assert first.result(10) == "first"
        assert waiting.cancelled()
        with pytest.raises(RuntimeError, match="no job is started"):
            fair.submit("a", held.job("late"))


def test_jobs_that_wait_take_the_threads_of_those_that_ended() -> None:
    used: set[int] = set()

    with holding(4) as (fair, held):

        def note_thread() -> None:
            held.gate.wait(10)
            used.add(threading.get_ident())

        jobs = [fair.submit("a", note_thread) for _ in range(50)]
        held.gate.set()
        for job in jobs:
            job.result(10)
    assert len(used) <= 2
