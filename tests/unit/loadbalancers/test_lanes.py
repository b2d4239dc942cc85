import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import pytest

from hooks.http.deadline import Deadline
from hooks.loadbalancers.lanes import (
    LONGEST_RETURN,
    MEMBERS_AT_ONCE,
    SLOW_AFTER,
    WAITING_WHILE_SLOW,
    LaneKey,
    Lanes,
    NetworkBusy,
)
from tests.controlplane.polling import PATIENCE

A, B = LaneKey("network", "a"), LaneKey("network", "b")
OWNER, MEMBERS = LaneKey("owner", ""), LaneKey("members", "a")


def is_busy(lanes: Lanes, *keys: LaneKey) -> bool:
    try:
        with lanes.held(keys, Deadline(0.01)):
            return False
    except NetworkBusy:
        return True


def test_a_lane_is_held_by_one_at_a_time_and_free_again_afterwards() -> None:
    lanes = Lanes()
    with lanes.held((A,), Deadline(1)):
        with pytest.raises(NetworkBusy, match="another call is changing network a"):
            lanes.held((A,), Deadline(0.01)).__enter__()
        assert not is_busy(lanes, B)
    assert not is_busy(lanes, A)


def test_a_lane_is_left_after_an_error_too() -> None:
    lanes = Lanes()
    with pytest.raises(ValueError, match="broke"), lanes.held((OWNER, A), Deadline(1)):
        raise ValueError("broke")
    assert not is_busy(lanes, OWNER, A)


def test_who_gets_the_second_of_two_lanes_not_in_time_keeps_neither() -> None:
    lanes = Lanes()
    with lanes.held((A,), Deadline(1)):
        assert is_busy(lanes, OWNER, A)
        assert not is_busy(lanes, OWNER)
        assert not is_busy(lanes, OWNER, B)


def leave_later(holding: ExitStack) -> None:
    time.sleep(0.2)
    holding.close()


def test_two_lanes_are_waited_for_no_longer_than_one() -> None:
    lanes, times = Lanes(), iter([0.0, 0.0])
    deadline = Deadline(PATIENCE, clock=lambda: next(times, PATIENCE + 1))
    with ThreadPoolExecutor(1) as pool, ExitStack() as holding:
        holding.enter_context(lanes.held((A,), Deadline(1)))
        pool.submit(leave_later, holding)
        with pytest.raises(NetworkBusy):
            lanes.held((OWNER, A), deadline).__enter__()


def test_four_may_change_members_at_once_beside_one_that_changes_rules() -> None:
    lanes = Lanes()
    with ExitStack() as stack:
        for _ in range(MEMBERS_AT_ONCE):
            stack.enter_context(lanes.held((MEMBERS,), Deadline(0.01)))
        assert is_busy(lanes, MEMBERS)
        assert not is_busy(lanes, A)
    assert not is_busy(lanes, MEMBERS)


def test_without_time_left_a_free_lane_is_still_entered() -> None:
    with Lanes().held((A,), Deadline(-1.0)):
        pass


def wait_in(lanes: Lanes, key: LaneKey, then: Callable[[], None], timeout: float) -> None:
    try:
        with lanes.held((key,), Deadline(timeout)):
            then()
    except NetworkBusy:
        return


def test_who_waits_is_served_in_order_and_who_gave_up_keeps_no_other_out() -> None:
    lanes = Lanes()
    served: list[int] = []
    with ThreadPoolExecutor(12) as pool, lanes.held((A,), Deadline(1)):
        for number in range(10):
            timeout = 0.0 if number == 3 else PATIENCE
            waiting = pool.submit(wait_in, lanes, A, partial(served.append, number), timeout)
            if number == 3:
                waiting.result(timeout=PATIENCE)
                continue
            give_up = time.monotonic() + PATIENCE
            while len(lanes._lanes[A]._waiting) < number + (number < 3):
                assert time.monotonic() < give_up
    assert served == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert not is_busy(lanes, A)


def test_no_place_is_lost_however_many_come_and_give_up() -> None:
    lanes, inside, most = Lanes(), [0], [0]
    guard = threading.Lock()

    def work(number: int) -> None:
        def hold() -> None:
            with guard:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            time.sleep(0.0005)
            with guard:
                inside[0] -= 1

        wait_in(lanes, MEMBERS, hold, 0.0 if number % 3 else PATIENCE)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(300)))
    assert 1 <= most[0] <= MEMBERS_AT_ONCE
    assert [lane._free for lane in lanes._lanes.values()] == [MEMBERS_AT_ONCE]


def test_where_one_write_takes_long_two_wait_and_others_come_back_the_later_the_more_they_are() -> (
    None
):
    now = [0.0]
    lanes = Lanes(monotonic=lambda: now[0])

    def come_back() -> float:
        with pytest.raises(NetworkBusy) as busy:
            lanes.held((A,), Deadline(PATIENCE)).__enter__()
        return busy.value.retry_after

    with ThreadPoolExecutor(3) as pool:
        with lanes.held((A,), Deadline(1)):
            waiting = [
                pool.submit(wait_in, lanes, A, lambda: None, PATIENCE)
                for _ in range(WAITING_WHILE_SLOW)
            ]
            give_up = time.monotonic() + PATIENCE
            while len(lanes._lanes[A]._waiting) < WAITING_WHILE_SLOW:
                assert time.monotonic() < give_up
            now[0] += SLOW_AFTER
            with pytest.raises(NetworkBusy) as busy:  # not slow yet: one more may wait
                lanes.held((A,), Deadline(0.01)).__enter__()
            assert busy.value.retry_after == 0.0
            now[0] += 1.0
            assert [come_back() for _ in range(3)] == [2.0, 3.0, 4.0]
            assert max(come_back() for _ in range(50)) == LONGEST_RETURN
            with lanes.held((B,), Deadline(0.01)):
                pass
        for each in waiting:
            each.result(timeout=PATIENCE)
    with lanes.held((A,), Deadline(1)):
        assert is_busy(lanes, A)
