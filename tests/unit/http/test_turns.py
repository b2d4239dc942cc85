"""Turns at computing: how many threads have one, and when they give it up."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from hooks.http.deadline import Deadline
from hooks.http.errors import HttpError
from hooks.http.fair_share import FairShare
from hooks.http.tls import file_context
from hooks.http.transport import Request, Transport
from hooks.http.turns import Turns, waiting
from tests.controlplane.polling import PATIENCE
from tests.targets import servers


@dataclass
class Job:
    """Holds a turn while it does something; another event lets it end."""

    begun: threading.Event = field(default_factory=threading.Event)
    may_end: threading.Event = field(default_factory=threading.Event)

    def compute(self) -> None:
        self.begun.set()
        assert self.may_end.wait(PATIENCE)

    def wait(self) -> None:
        with waiting():
            self.compute()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def run(threads: ThreadPoolExecutor, turns: Turns, action: Callable[[], object]) -> Future[object]:
    def job() -> object:
        with turns.taken():
            return action()

    return threads.submit(job)


def never() -> float:
    """Return a time that does not pass, so that no turn ends by itself."""
    return 0.0


def test_no_more_threads_compute_at_once_than_there_are_turns(threads: ThreadPoolExecutor) -> None:
    turns, jobs = Turns(2, monotonic=never), [Job(), Job(), Job()]
    ran = [run(threads, turns, job.compute) for job in jobs[:2]]
    assert all(job.begun.wait(PATIENCE) for job in jobs[:2])
    ran.append(run(threads, turns, jobs[2].compute))
    assert not jobs[2].begun.wait(0.2)
    jobs[0].may_end.set()
    assert jobs[2].begun.wait(PATIENCE)
    for job in jobs:
        job.may_end.set()
    assert [each.result(PATIENCE) for each in ran] == [None] * 3


def test_who_waits_lets_another_compute_and_needs_a_turn_to_go_on(
    threads: ThreadPoolExecutor,
) -> None:
    turns, first, second = Turns(1, monotonic=never), Job(), Job()
    waits = run(threads, turns, first.wait)
    assert first.begun.wait(PATIENCE)
    computes = run(threads, turns, second.compute)
    assert second.begun.wait(PATIENCE)
    first.may_end.set()
    with pytest.raises(TimeoutError):
        waits.result(0.2)
    second.may_end.set()
    assert (computes.result(PATIENCE), waits.result(PATIENCE)) == (None, None)


def test_a_turn_that_takes_long_ends_by_itself(threads: ThreadPoolExecutor) -> None:
    turns, stuck = Turns(1), Job()
    ran = run(threads, turns, stuck.compute)
    assert stuck.begun.wait(PATIENCE)
    assert run(threads, turns, lambda: "went on").result(PATIENCE) == "went on"
    stuck.may_end.set()
    ran.result(PATIENCE)
    assert run(threads, turns, lambda: "and on").result(PATIENCE) == "and on"


def test_a_thread_without_a_turn_waits_as_ever() -> None:
    job = Job()
    job.may_end.set()
    job.wait()
    assert job.begun.is_set()


def ask(url: str) -> str:
    """Ask a server that never answers; return why there is no answer."""
    with pytest.raises(HttpError) as raised:
        Transport(file_context).send(Request("GET", url), 1.0)
    return str(raised.value)


@contextmanager
def asked(threads: ThreadPoolExecutor, turns: Turns) -> Iterator[Future[object]]:
    with servers.serving(servers.black_hole) as server:
        yield run(threads, turns, lambda: ask(server.url))


def test_a_job_that_waits_for_a_server_keeps_nobody_from_computing(
    threads: ThreadPoolExecutor,
) -> None:
    turns = Turns(1, monotonic=never)
    with asked(threads, turns) as asks:
        assert run(threads, turns, lambda: "went on").result(PATIENCE) == "went on"
        assert asks.result(PATIENCE)


def test_a_job_that_waits_for_memory_keeps_nobody_from_computing(
    threads: ThreadPoolExecutor,
) -> None:
    turns, share = Turns(1, monotonic=never), FairShare(10)
    assert share.take(("", ""), 10, Deadline(1))
    waits = run(threads, turns, lambda: share.take(("a", "b"), 5, Deadline(PATIENCE)))
    assert run(threads, turns, lambda: "went on").result(PATIENCE) == "went on"
    share.give_back(("", ""), 10)
    assert waits.result(PATIENCE)
