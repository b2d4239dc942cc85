from email.utils import formatdate

import pytest

from hooks.http.backoff import LONGEST_DELAY, Backoff, delay, retry_after
from hooks.http.recent import REMEMBERED

NOW = 1_800_000_000.0


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


@pytest.mark.parametrize(("failures", "seconds"), [(0, 3), (1, 3), (2, 6), (3, 12), (9, 60)])
def test_a_delay_doubles_up_to_its_bound(failures: int, seconds: float) -> None:
    assert delay(failures, first=3, longest=60) == seconds


def test_a_delay_after_any_number_of_failures_is_a_number() -> None:
    assert delay(10**9, first=0.1, longest=60) == 60


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        pytest.param("7", 7.0, id="seconds"),
        pytest.param(" 7 ", 7.0, id="blanks"),
        pytest.param(formatdate(NOW + 90, usegmt=True), 90.0, id="a date"),
        pytest.param(formatdate(NOW - 90, usegmt=True), 0.1, id="a date that has passed"),
        pytest.param("0", 0.1, id="at once"),
        pytest.param("99999", 600.0, id="longer than is believed"),
        pytest.param("9" * 400, None, id="no sane number"),
        pytest.param("Mon, 99 Foo 99999 99:99:99 GMT", None, id="no date"),
        pytest.param("soon", None, id="a word"),
        pytest.param("٣", None, id="other digits"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_how_long_a_server_wants_to_be_left_alone(header: str, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds
