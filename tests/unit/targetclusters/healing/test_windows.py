"""Whether repairs are allowed at a time."""

import pytest

from hooks.kube.times import epoch, timestamp
from hooks.targetclusters.healing.plan.windows import BadWindow, find_opening
from hooks.targetclusters.request import MaintenanceWindow, WindowDuration

HOUR = 3600.0


def window(schedule: str, hours: float, zone: str = "UTC") -> MaintenanceWindow:
    return MaintenanceWindow(schedule, WindowDuration(hours * HOUR), zone)


NIGHTLY = window("0 22 * * *", 4)
#: In the night of 2026-03-29, 02:00 to 03:00 is skipped; in that of 2026-10-25, it comes twice.
BERLIN = window("30 2 * * *", 1, "Europe/Berlin")


@pytest.mark.parametrize(
    ("windows", "now", "expected"),
    [
        pytest.param([], "2026-06-01T12:00:00Z", "open", id="no windows"),
        pytest.param([NIGHTLY], "2026-06-01T21:59:59Z", "2026-06-01T22:00:00Z", id="before"),
        pytest.param([NIGHTLY], "2026-06-01T22:00:00Z", "open", id="its first moment"),
        pytest.param([NIGHTLY], "2026-06-02T01:59:59Z", "open", id="its last, past midnight"),
        pytest.param([NIGHTLY], "2026-06-02T02:00:00Z", "2026-06-02T22:00:00Z", id="after"),
        pytest.param(
            [NIGHTLY, window("0 12 * * *", 1)], "2026-06-01T12:30:00Z", "open", id="any of several"
        ),
        pytest.param(
            [NIGHTLY, window("0 12 * * *", 1)],
            "2026-06-01T11:00:00Z",
            "2026-06-01T12:00:00Z",
            id="the next of several",
        ),
        pytest.param(
            [window("0 0 * * *", 48)], "2026-06-01T17:00:00Z", "open", id="longer than its pauses"
        ),
        pytest.param([BERLIN], "2026-03-29T01:59:59Z", "open", id="gap: from 03:00 on"),
        pytest.param(
            [BERLIN], "2026-03-29T02:00:00Z", "2026-03-30T00:30:00Z", id="gap: an hour, no more"
        ),
        pytest.param([BERLIN], "2026-10-25T00:30:00Z", "open", id="overlap: in the first run"),
        pytest.param([BERLIN], "2026-10-25T01:10:00Z", "open", id="overlap: still, in the second"),
        pytest.param(
            [BERLIN], "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z", id="overlap: not once more"
        ),
        pytest.param(
            [BERLIN], "2026-10-25T02:10:00Z", "2026-10-26T01:30:00Z", id="overlap: an hour before"
        ),
        pytest.param([window("0 0 */31 * 1#5", 1)], "2026-06-01T00:00:00Z", "never", id="never"),
    ],
)
def test_a_time_lies_in_a_window_or_waits_for_the_next(
    windows: list[MaintenanceWindow], now: str, expected: str
) -> None:
    opening = find_opening(windows, epoch(now))
    if expected == "open":
        assert (opening.is_open, opening.closed) == (True, "")
        return
    assert not opening.is_open
    opens = "never" if opening.opens is None else timestamp(opening.opens)
    assert opens == expected
    assert expected in opening.closed


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        pytest.param(
            window("61 22 * * *", 1),
            "maintenanceWindows[1].schedule is '61 22 * * *', must be five fields of cron",
            id="schedule",
        ),
        pytest.param(
            window("0 22 * * *", 1, "Berlin"),
            "maintenanceWindows[1].timeZone is 'Berlin', must be a name of the IANA",
            id="zone",
        ),
    ],
)
def test_a_window_that_cannot_be_read_is_named_though_another_is_open(
    bad: MaintenanceWindow, said: str
) -> None:
    with pytest.raises(BadWindow) as raised:
        find_opening([NIGHTLY, bad], epoch("2026-06-01T22:30:00Z"))
    assert said in str(raised.value)
