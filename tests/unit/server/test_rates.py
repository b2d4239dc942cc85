from hooks.server.rates import Rate


def test_a_burst_is_allowed_and_then_so_many_a_second() -> None:
    now = 0.0
    rate = Rate(2, 0.5, lambda: now)
    assert [rate.take() for _ in range(4)] == [0, 0, None, None]
    now = 2.0
    assert [rate.take() for _ in range(2)] == [2, None]
    now = 100.0
    assert [rate.take() for _ in range(3)] == [1, 0, None]
