from hooks.http.deadline import Deadline


def test_what_remains_shrinks_with_the_clock_and_never_below_zero() -> None:
    now = 100.0
    deadline = Deadline(8, clock=lambda: now)
    assert deadline.remaining() == 8
    now = 107.5
    assert deadline.remaining() == 0.5
    assert not deadline.passed()
    assert deadline.passed(margin=0.5)
    now = 200
    assert deadline.remaining() == 0
    assert deadline.passed()
