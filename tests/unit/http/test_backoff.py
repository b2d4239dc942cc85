import pytest

from hooks.http.backoff import LONGEST_DELAY, REMEMBERED, Backoff, delay


def test_the_wait_doubles_up_to_a_bound() -> None:
    backoff = Backoff()
    waits = [backoff.failed("a") for _ in range(12)]
    assert waits[:9] == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert waits[9:] == [LONGEST_DELAY] * 3


def test_a_long_row_of_failures_stays_at_the_bound() -> None:
    backoff = Backoff()
    assert {backoff.failed("a") for _ in range(5000)} >= {LONGEST_DELAY}
    assert backoff.failed("a") == LONGEST_DELAY


def test_objects_do_not_wait_for_one_another() -> None:
    backoff = Backoff()
    backoff.failed("a")
    assert backoff.failed("b") == 1
    assert backoff.failed("a") == 2


def test_success_ends_the_row() -> None:
    backoff = Backoff()
    backoff.failed("a")
    backoff.succeeded("a")
    backoff.succeeded("never failed")
    assert backoff.failed("a") == 1


def test_no_more_objects_are_remembered_than_the_bound() -> None:
    backoff = Backoff()
    backoff.failed("first")
    for number in range(REMEMBERED):
        backoff.failed(str(number))
    assert backoff.failed("first") == 1
    assert backoff.failed(str(REMEMBERED - 1)) == 2


@pytest.mark.parametrize(
    ("failures", "wait"), [(0, 5.0), (1, 5.0), (2, 10.0), (4, 40.0), (7, 300.0), (10**6, 300.0)]
)
def test_a_delay_doubles_up_to_the_longest(failures: int, wait: float) -> None:
    assert delay(failures, first=5.0, longest=300.0) == wait
