import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from hooks.loadbalancers.locks import MEMBERS_AT_ONCE, NetworkBusy, NetworkLock, NetworkLocks


@contextmanager
def held(
    locks: NetworkLocks, network_id: str = "a", *, shared: bool = False, timeout: float = 0.01
) -> Iterator[NetworkLock]:
    with locks.of(network_id) as lock:
        lock.acquire(shared=shared, timeout=timeout)
        yield lock


def test_a_lock_is_held_by_one_call_at_a_time_and_free_again_afterwards() -> None:
    locks = NetworkLocks()
    second = held(locks)
    with held(locks), pytest.raises(NetworkBusy, match="network a"), second:
        pytest.fail("two calls hold one lock")
    with held(locks):
        pass


def test_networks_have_locks_of_their_own() -> None:
    locks = NetworkLocks()
    with held(locks, "a"), held(locks, "b"):
        pass


def test_without_a_network_there_is_nothing_to_lock() -> None:
    locks = NetworkLocks()
    with held(locks, ""), held(locks, ""):
        pass


def test_a_lock_is_released_after_an_error_too() -> None:
    locks = NetworkLocks()
    with pytest.raises(ValueError, match="broke"), held(locks):
        raise ValueError("broke")
    with held(locks):
        pass


def test_a_call_that_holds_a_lock_acquires_it_again_without_waiting() -> None:
    locks = NetworkLocks()
    with held(locks) as lock:
        lock.acquire(timeout=0.01)
        lock.acquire(shared=True, timeout=0.01)
        with pytest.raises(NetworkBusy), held(locks, shared=True):
            pytest.fail("beside one that is alone")


def test_a_call_that_shares_a_lock_can_come_to_hold_it_alone() -> None:
    locks = NetworkLocks()
    with held(locks, shared=True) as lock:
        with held(locks, shared=True), pytest.raises(NetworkBusy):
            lock.acquire(timeout=0.01)
        lock.acquire(timeout=0.01)
        with pytest.raises(NetworkBusy), held(locks, shared=True):
            pytest.fail("beside one that is alone")
    with held(locks):
        pass


def test_a_call_that_waits_gets_a_lock_that_becomes_free_in_time() -> None:
    locks = NetworkLocks()
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with held(locks, timeout=1.0):
            entered.set()
            leave.wait(5)

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(5)
    threading.Timer(0.05, leave.set).start()
    started = time.monotonic()
    with held(locks, timeout=5.0):
        assert time.monotonic() - started < 4
    holder.join()


def test_without_time_left_a_free_lock_is_still_acquired() -> None:
    locks = NetworkLocks()
    with held(locks, timeout=-1.0):
        pass


def test_four_may_change_members_at_once_and_no_more() -> None:
    locks = NetworkLocks()
    with ExitStack() as stack:
        for _ in range(MEMBERS_AT_ONCE):
            stack.enter_context(held(locks, shared=True))
        for shared in (True, False):
            with pytest.raises(NetworkBusy), held(locks, shared=shared):
                pytest.fail("one too many")
    beside = held(locks, shared=True)
    with held(locks), pytest.raises(NetworkBusy), beside:
        pytest.fail("beside one that is alone")
    with held(locks, shared=True):
        pass


def test_a_call_that_waits_to_hold_a_lock_alone_is_not_overtaken_by_those_that_share() -> None:
    locks = NetworkLocks()
    alone = threading.Event()

    def be_alone() -> None:
        with held(locks, timeout=5.0):
            alone.set()

    waiting = threading.Thread(target=be_alone)
    with held(locks, shared=True):
        waiting.start()
        give_up = time.monotonic() + 5
        overtaken = True
        while overtaken and time.monotonic() < give_up:
            try:
                with held(locks, shared=True, timeout=0.0):
                    pass
            except NetworkBusy:
                overtaken = False
        assert not overtaken
        assert not alone.is_set()
    waiting.join()
    assert alone.is_set()


def test_a_call_that_gave_up_waiting_keeps_no_other_out() -> None:
    locks = NetworkLocks()
    with held(locks, shared=True):
        with pytest.raises(NetworkBusy), held(locks):
            pytest.fail("alone beside another")
        with held(locks, shared=True):
            pass
