"""Who waits for a part of what all share, in which order, and how much one may have."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from hooks.http.deadline import Deadline
from hooks.http.fair_share import HALF_LIFE, PAYER, PROCESS, FairShare, Grows, Payer, paying
from tests.controlplane.polling import PATIENCE, until

A, A2, B, C = ("a", "1"), ("a", "2"), ("b", "1"), ("c", "1")


class Queue:
    """A share, and who gets it in which order; each waits in a thread of its own."""

    def __init__(self, share: FairShare, threads: ThreadPoolExecutor) -> None:
        self.share = share
        self.order: list[Payer] = []
        self.waits: list[Future[bool]] = []
        self._threads = threads

    def wait(self, payer: Payer, amount: int, *, cost: int = 0) -> None:
        """Begin to wait, and see that it is so."""
        waiting = len(self.share._waiting)

        def take() -> bool:
            taken = self.share.take(payer, amount, Deadline(PATIENCE), cost=cost)
            self.order.append(payer)
            return taken

        self.waits.append(self._threads.submit(take))
        until(lambda: len(self.share._waiting) > waiting, "it waits", every=0.002)

    def next(self, payer: Payer, amount: int) -> None:
        """Give back what somebody has, and await whoever is next."""
        count = len(self.order)
        self.share.give_back(payer, amount)
        until(lambda: len(self.order) > count, "the next one has it", every=0.002)


@contextmanager
def queue(share: FairShare) -> Iterator[Queue]:
    with ThreadPoolExecutor(16) as threads:
        yield Queue(share, threads)


def taken(share: FairShare, payer: Payer, amount: int) -> bool:
    return share.take(payer, amount, Deadline(0))


@pytest.mark.parametrize(
    ("payers", "each"),
    [
        pytest.param([A], [5], id="one namespace has half"),
        pytest.param([A, A2], [5, 0], id="whoever of it asks"),
        pytest.param([A, B], [5, 2], id="two"),
        pytest.param([A, B, C], [5, 2, 1], id="three"),
        pytest.param([PROCESS], [10], id="the process has all"),
        pytest.param([A, PROCESS], [5, 5], id="the process has the rest"),
    ],
)
def test_nobody_has_more_than_is_left(payers: list[Payer], each: list[int]) -> None:
    share = FairShare(10)
    had = [sum(taken(share, payer, 1) for _ in range(20)) for payer in payers]
    assert had == each
    for payer, count in zip(payers, had, strict=True):
        for _ in range(count):
            share.give_back(payer, 1)
    assert share.used == 0
    assert taken(share, A, 5)


def test_one_that_wants_more_than_there_is_gets_it_alone() -> None:
    share = FairShare(10)
    assert taken(share, A, 50)
    assert not taken(share, B, 1)
    share.give_back(A, 50)
    assert taken(share, B, 1)
    assert not taken(share, A, 50)


def test_one_that_is_alone_may_get_more() -> None:
    share = FairShare(10)
    assert taken(share, A, 4)
    assert share.take(A, 20, Deadline(0), grows=Grows(1, 4))
    assert share.used == 24


def test_little_is_there_at_once_and_counts() -> None:
    share = FairShare(10, free=2)
    assert taken(share, A, 30)
    assert taken(share, B, 2)
    assert share.used == 32
    assert not share.take(B, 1, Deadline(0), grows=Grows(1, 2)), "together it is no longer little"


def test_who_waits_in_vain_holds_nothing() -> None:
    share = FairShare(10)
    assert taken(share, A, 30)
    assert not share.take(B, 5, Deadline(0.05))
    share.give_back(A, 30)
    assert share.used == 0
    assert not share.is_awaited


def test_the_namespace_that_had_least_is_next() -> None:
    share = FairShare(1)
    with queue(share) as waiting:
        assert taken(share, A, 1)
        for payer in (A, A2, B, A, C):
            waiting.wait(payer, 1, cost=100)
        last = A
        for _ in range(5):
            waiting.next(last, 1)
            last = waiting.order[-1]
    assert waiting.order[:2] == [B, C]
    assert waiting.order[2:] == [A2, A, A], "of one namespace, who had least"


def test_of_those_who_had_nothing_who_wants_least_is_next() -> None:
    share = FairShare(1)
    with queue(share) as waiting:
        assert taken(share, PROCESS, 1)
        for number, cost in enumerate([800, 500, 20, 500]):
            waiting.wait(("team", str(number)), 1, cost=cost)
        last = PROCESS
        for _ in range(4):
            waiting.next(last, 1)
            last = waiting.order[-1]
    assert [name for _, name in waiting.order] == ["2", "1", "3", "0"]


def test_forty_that_want_much_again_and_again_let_one_that_wants_little_go_first() -> None:
    share, honest = FairShare(1), ("team", "honest")
    with queue(share) as waiting:
        last = ("team", "0")
        assert taken(share, last, 1)
        for number in range(1, 13):
            waiting.wait(("team", str(number)), 1, cost=6_000_000)
        for _ in range(4):
            count = len(waiting.order)
            waiting.wait(honest, 1, cost=500_000)
            waiting.next(last, 1)
            assert waiting.order[count:] == [honest]
            waiting.next(honest, 1)
            last = waiting.order[-1]
        for _ in range(8):
            waiting.next(last, 1)
            last = waiting.order[-1]


def test_what_somebody_had_is_forgotten_in_time() -> None:
    now = [0.0]
    share = FairShare(10, monotonic=lambda: now[0])
    assert taken(share, A, 5_000)
    share.give_back(A, 5_000)
    assert len(share._had) == 2
    now[0] += 3 * HALF_LIFE + 1
    assert taken(share, B, 1)
    share.give_back(B, 1)
    assert A not in share._had
    now[0] += 1_000_000 * HALF_LIFE
    assert taken(share, B, 1)


def test_a_thread_works_for_somebody_until_it_has_done_so() -> None:
    with paying(A):
        assert PAYER.get() == A
        with ThreadPoolExecutor(1) as threads:
            assert threads.submit(PAYER.get).result() == PROCESS
    assert PAYER.get() == PROCESS


def test_many_threads_never_have_more_than_there_is() -> None:
    share, most, lock = FairShare(64), [0], threading.Lock()

    def work(number: int) -> None:
        payer = (str(number % 5), str(number))
        for amount in (1, 7, 16):
            assert share.take(payer, amount, Deadline(PATIENCE))
            with lock:
                most[0] = max(most[0], share.used)
            share.give_back(payer, amount)

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(work, range(300)))
    assert 0 < most[0] <= 64
    assert share.used == 0


def test_of_those_who_wait_for_each_other_one_after_the_other_comes_to_an_end() -> None:
    share = FairShare(10)
    assert taken(share, A, 5)
    assert taken(share, B, 2)
    assert taken(share, C, 1)
    assert share.take(A, 5, Deadline(0), grows=Grows(1, 5)), "one may have more than there is"
    assert not share.take(B, 5, Deadline(0), grows=Grows(2, 2)), "the next has to wait"
    assert share.take(A, 5, Deadline(0), grows=Grows(1, 10)), "the same one goes on"
    assert share.used == 18
    share.give_back(A, 15, holder=1)
    assert share.take(B, 5, Deadline(0), grows=Grows(2, 2))
    assert not taken(share, A, 9), "who has nothing yet gets nothing beyond"


def test_a_namespace_that_has_its_part_gets_more_for_one_at_a_time() -> None:
    share = FairShare(100)
    assert taken(share, A, 25)
    assert taken(share, A2, 25)
    assert share.take(A, 5, Deadline(0), grows=Grows(1, 25))
    assert not share.take(A2, 5, Deadline(0), grows=Grows(2, 25))
    share.give_back(A, 30, holder=1)
    assert share.take(A2, 5, Deadline(0), grows=Grows(2, 25))


@pytest.mark.parametrize(
    ("held", "waiter", "amount", "ended"),
    [
        pytest.param({A: 50, B: 1}, A2, 8, {"a"}, id="of a namespace that has its part"),
        pytest.param({A: 50, B: 25}, C, 40, {"a"}, id="of one that will have less"),
        pytest.param({A: 50, B: 40}, C, 20, {"a", "b"}, id="two have more than their part"),
        pytest.param({A: 50, B: 25}, C, 60, set(), id="of one that wants more than any has"),
        pytest.param({A: 50, B: 1}, ("a", "3"), 60, {"a"}, id="of its own that wants much"),
        pytest.param({A: 50, B: 25}, PROCESS, 40, {"a", "b"}, id="the process"),
    ],
)
def test_who_has_more_than_its_part_makes_way_for_whom_that_helps(
    held: dict[Payer, int], waiter: Payer, amount: int, ended: set[str]
) -> None:
    share = FairShare(100)
    with queue(share) as waiting:
        for number, (payer, size) in enumerate(held.items(), start=1):
            grows = Grows(number, size)
            assert share.take(payer, size, Deadline(0), grows=grows)
        assert not {payer[0] for payer in held if share.is_needed(payer)}, "nobody waits"
        waiting.wait(waiter, amount)
        assert {payer[0] for payer in held if share.is_needed(payer)} == ended
        for payer, size in held.items():
            share.give_back(payer, size)
        assert waiting.waits[0].result()
