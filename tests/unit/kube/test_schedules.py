"""When a schedule of cron begins next, by the clock on a wall."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.kube.schedules import BadSchedule, BadZone, next_start
from hooks.kube.times import epoch, timestamp

DAY = 86400.0


def after(schedule: str, zone: str, time: str) -> str:
    found = next_start(schedule, zone, epoch(time))
    return "never" if found is None else timestamp(found)


@pytest.mark.parametrize(
    ("schedule", "zone", "now", "expected"),
    [
        pytest.param(
            "0 22 * * SAT", "UTC", "2026-06-01T00:00:00Z", "2026-06-06T22:00:00Z", id="weekly"
        ),
        pytest.param(
            "0 22 * * *", "Europe/Berlin", "2026-06-01T00:00:00Z", "2026-06-01T20:00:00Z", id="zone"
        ),
        pytest.param(
            "0 22 * * *", "UTC", "2026-06-01T22:00:00Z", "2026-06-02T22:00:00Z", id="later than now"
        ),
        pytest.param(
            "0 22 * * *",
            "UTC",
            "2026-06-01T21:59:59.900Z",
            "2026-06-01T22:00:00Z",
            id="part of a second",
        ),
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-29T00:59:00Z",
            "2026-03-29T01:00:00Z",
            id="in the hour that is skipped: right after",
        ),
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-29T01:00:00Z",
            "2026-03-30T00:30:00Z",
            id="after the hour that was skipped",
        ),
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T23:59:00Z",
            "2026-10-25T00:30:00Z",
            id="in the hour that comes twice: the first time",
        ),
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-25T01:10:00Z",
            "2026-10-26T01:30:00Z",
            id="not again in its second run",
        ),
        pytest.param(
            "30 * * * *",
            "Europe/Berlin",
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:30:00Z",
            id="each hour, also in the second run",
        ),
        pytest.param(
            "0 3 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T00:00:00Z",
            "2026-10-03T16:00:00Z",
            id="a leap of half an hour",
        ),
        pytest.param(
            "0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z", id="leap day"
        ),
        pytest.param("0 0 */31 * 1#5", "UTC", "2026-01-01T00:00:00Z", "never", id="never"),
    ],
)
def test_a_schedule_begins_by_the_clock_on_the_wall(
    schedule: str, zone: str, now: str, expected: str
) -> None:
    assert after(schedule, zone, now) == expected


@pytest.mark.parametrize(
    "schedule", ["", "* * * *", "* * * * * *", "@daily", "60 * * * *", "0 0 31 2 *", "a b c d e"]
)
def test_what_is_no_schedule_is_refused(schedule: str) -> None:
    with pytest.raises(BadSchedule):
        next_start(schedule, "UTC", 0.0)


@pytest.mark.parametrize(
    "zone", ["", "Europe", "europe/berlin", "localtime", "/etc/passwd", "../UTC", "Mars/Olympus"]
)
def test_what_is_no_time_zone_is_refused_on_every_machine(zone: str) -> None:
    with pytest.raises(BadZone):
        next_start("* * * * *", zone, 0.0)


@given(
    fields=st.lists(
        st.text("0123456789*,-/LW#SUNJA", min_size=1, max_size=8), min_size=5, max_size=5
    ),
    now=st.floats(0, 4e9),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Apia"]),
)
def test_whatever_is_written_begins_later_never_or_is_refused(
    fields: list[str], now: float, zone: str
) -> None:
    try:
        found = next_start(" ".join(fields), zone, now)
    except BadSchedule:
        return
    assert found is None or found > now


@given(
    now=st.floats(1.7e9, 1.9e9),
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)
def test_a_daily_start_comes_once_a_day(now: float, minute: int, hour: int, zone: str) -> None:
    found, starts = now, []
    while found < now + 10 * DAY:
        start = next_start(f"{minute} {hour} * * *", zone, found)
        assert start is not None
        starts.append(start)
        found = start
    assert all(22 * 3600 <= b - a <= 26 * 3600 for a, b in pairwise(starts))
