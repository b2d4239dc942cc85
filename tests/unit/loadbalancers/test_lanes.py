import threading
import time

import pytest

from hooks.loadbalancers.lanes import LaneBusy, Lanes


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
