import threading
import time
from contextlib import ExitStack

import pytest

from hooks.loadbalancers.locks import MEMBERS_AT_ONCE, NetworkBusy, NetworkLocks


def test_a_lane_is_held_by_one_at_a_time_and_free_again_afterwards() -> None:
    locks = NetworkLocks()
    second = locks.enter("a", timeout=0.01)
    with locks.enter("a", timeout=0.01), pytest.raises(NetworkBusy, match="network a"), second:
        pytest.fail("two in one lane")
    with locks.enter("a", timeout=0.01):
        pass


def test_networks_have_lanes_of_their_own() -> None:
    locks = NetworkLocks()
    with locks.enter("a", timeout=0.01), locks.enter("b", timeout=0.01):
        pass


def test_a_lane_is_left_by_an_error_too() -> None:
    locks = NetworkLocks()
    with pytest.raises(ValueError, match="broke"), locks.enter("a", timeout=0.01):
        raise ValueError("broke")
    with locks.enter("a", timeout=0.01):
        pass


def test_who_waits_gets_a_lane_that_becomes_free_in_time() -> None:
    locks = NetworkLocks()
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with locks.enter("a", timeout=1.0):
            entered.set()
            leave.wait(5)

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(5)
    threading.Timer(0.05, leave.set).start()
    started = time.monotonic()
    with locks.enter("a", timeout=5.0):
        assert time.monotonic() - started < 4
    holder.join()


def test_no_patience_at_all_is_no_error_of_its_own() -> None:
    locks = NetworkLocks()
    with locks.enter("a", timeout=-1.0):
        pass


def test_four_may_change_members_at_once_and_no_more() -> None:
    locks = NetworkLocks()
    with ExitStack() as stack:
        for _ in range(MEMBERS_AT_ONCE):
            stack.enter_context(locks.enter("a", shared=True, timeout=0.01))
        for shared in (True, False):
            with pytest.raises(NetworkBusy), locks.enter("a", shared=shared, timeout=0.01):
                pytest.fail("one too many")
    beside = locks.enter("a", shared=True, timeout=0.01)
    with locks.enter("a", timeout=0.01), pytest.raises(NetworkBusy), beside:
        pytest.fail("beside one that is alone")
    with locks.enter("a", shared=True, timeout=0.01):
        pass


def test_who_waits_to_be_alone_is_not_overtaken_by_those_who_share() -> None:
    locks = NetworkLocks()
    alone = threading.Event()

    def be_alone() -> None:
        with locks.enter("a", timeout=5.0):
            alone.set()

    waiting = threading.Thread(target=be_alone)
    with locks.enter("a", shared=True, timeout=0.01):
        waiting.start()
        give_up = time.monotonic() + 5
        overtaken = True
        while overtaken and time.monotonic() < give_up:
            try:
                with locks.enter("a", shared=True, timeout=0.0):
                    pass
            except NetworkBusy:
                overtaken = False
        assert not overtaken
        assert not alone.is_set()
    waiting.join()
    assert alone.is_set()


def test_who_gave_up_waiting_to_be_alone_keeps_nobody_out() -> None:
    locks = NetworkLocks()
    with locks.enter("a", shared=True, timeout=0.01):
        with pytest.raises(NetworkBusy), locks.enter("a", timeout=0.01):
            pytest.fail("alone beside another")
        with locks.enter("a", shared=True, timeout=0.01):
            pass
