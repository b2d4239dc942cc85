import pytest

from hooks.kube.times import epoch, milliseconds, moment, read_past, read_time, timestamp

NOON = 1772366400.0
"""2026-03-01T12:00:00Z"""


def test_times_are_written_as_kubernetes_does() -> None:
    assert timestamp(NOON + 0.9) == "2026-03-01T12:00:00Z"
    assert moment(NOON + 0.25) == "2026-03-01T12:00:00.250Z"


@pytest.mark.parametrize("text", ["2026-03-01T12:00:00Z", "2026-03-01T13:00:00+01:00"])
def test_a_time_is_read_whatever_its_zone(text: str) -> None:
    assert epoch(text) == NOON


@pytest.mark.parametrize(
    "text",
    [None, "", "noon", "2026-13-01T12:00:00Z", "2026-01-01", "9999-12-31T23:59:59-23:00"],
)
def test_a_time_that_is_missing_or_malformed_is_none(text: str | None) -> None:
    assert read_time(text) is None
    assert read_past(text, NOON) is None


def test_a_time_in_the_future_is_no_past_time() -> None:
    assert read_past("2026-03-01T12:00:00Z", NOON) == NOON
    assert read_past("2026-03-01T12:00:01Z", NOON) is None


def test_milliseconds_are_written_and_read_without_loss() -> None:
    for now in (NOON + 0.0009, NOON + 0.2999, NOON + 0.001):
        assert epoch(moment(milliseconds(now))) == milliseconds(now)


def test_milliseconds_are_never_in_the_future() -> None:
    # A thousand times this is rounded up to a whole number.
    just_before = 1_800_000_091.3009999
    assert milliseconds(just_before) == 1_800_000_091.3
