import threading
import time
from contextlib import ExitStack

import pytest

from hooks.loadbalancers.locks import MEMBERS_AT_ONCE, LaneBusy, Lanes


def test_a_lane_is_held_by_one_at_a_time_and_free_again_afterwards() -> None:
    lanes = Lanes()
    second = lanes.enter("a", patience=0.01)
    with lanes.enter("a", patience=0.01), pytest.raises(LaneBusy, match="network a"), second:
        pytest.fail("two in one lane")
    with lanes.enter("a", patience=0.01):
        pass


def test_networks_have_lanes_of_their_own() -> None:
    lanes = Lanes()
    with lanes.enter("a", patience=0.01), lanes.enter("b", patience=0.01):
        pass


def test_a_lane_is_left_by_an_error_too() -> None:
    lanes = Lanes()
    with pytest.raises(ValueError, match="broke"), lanes.enter("a", patience=0.01):
        raise ValueError("broke")
    with lanes.enter("a", patience=0.01):
        pass


def test_who_waits_gets_a_lane_that_becomes_free_in_time() -> None:
    lanes = Lanes()
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with lanes.enter("a", patience=1.0):
            entered.set()
            leave.wait(5)

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(5)
    threading.Timer(0.05, leave.set).start()
    started = time.monotonic()
    with lanes.enter("a", patience=5.0):
        assert time.monotonic() - started < 4
    holder.join()


def test_no_patience_at_all_is_no_error_of_its_own() -> None:
    lanes = Lanes()
    with lanes.enter("a", patience=-1.0):
        pass


def test_four_may_change_members_at_once_and_no_more() -> None:
    lanes = Lanes()
    with ExitStack() as stack:
        for _ in range(MEMBERS_AT_ONCE):
            stack.enter_context(lanes.enter("a", shared=True, patience=0.01))
        for shared in (True, False):
            with pytest.raises(LaneBusy), lanes.enter("a", shared=shared, patience=0.01):
                pytest.fail("one too many")
    beside = lanes.enter("a", shared=True, patience=0.01)
    with lanes.enter("a", patience=0.01), pytest.raises(LaneBusy), beside:
        pytest.fail("beside one that is alone")
    with lanes.enter("a", shared=True, patience=0.01):
        pass


def test_who_waits_to_be_alone_is_not_overtaken_by_those_who_share() -> None:
    lanes = Lanes()
    alone = threading.Event()

    def be_alone() -> None:
        with lanes.enter("a", patience=5.0):
            alone.set()

    waiting = threading.Thread(target=be_alone)
    with lanes.enter("a", shared=True, patience=0.01):
        waiting.start()
        give_up = time.monotonic() + 5
        overtaken = True
        while overtaken and time.monotonic() < give_up:
            try:
                with lanes.enter("a", shared=True, patience=0.0):
                    pass
            except LaneBusy:
                overtaken = False
        assert not overtaken
        assert not alone.is_set()
    waiting.join()
    assert alone.is_set()


def test_who_gave_up_waiting_to_be_alone_keeps_nobody_out() -> None:
    lanes = Lanes()
    with lanes.enter("a", shared=True, patience=0.01):
        with pytest.raises(LaneBusy), lanes.enter("a", patience=0.01):
            pytest.fail("alone beside another")
        with lanes.enter("a", shared=True, patience=0.01):
            pass
