import pytest

from hooks.targetclusters.health.model import Lifetime

NOW = 1_800_000_000.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


@pytest.mark.parametrize(
    ("holds", "notice"),
    [
        pytest.param(10 * MINUTE, MINUTE, id="ten-minutes"),
        pytest.param(HOUR, 6 * MINUTE, id="an-hour"),
        pytest.param(DAY, 2.4 * HOUR, id="a-day"),
        pytest.param(30 * DAY, 3 * DAY, id="a-month"),
        pytest.param(70 * DAY, 7 * DAY, id="where-a-tenth-is-a-week"),
        pytest.param(365 * DAY, 7 * DAY, id="a-year"),
        pytest.param(None, 7 * DAY, id="nobody-knows-since-when"),
        pytest.param(0.0, 7 * DAY, id="a-start-at-the-end"),
        pytest.param(-DAY, 7 * DAY, id="a-start-after-the-end"),
    ],
)
def test_a_renewal_is_late_by_the_credentials_own_life(holds: float | None, notice: float) -> None:
    start = None if holds is None else NOW - holds
    assert Lifetime(NOW, start).renew_by == NOW - notice


def test_a_renewal_is_late_at_a_time_that_can_be_written() -> None:
    assert Lifetime(5.0).renew_by == 0.0


@pytest.mark.parametrize("share", [0.5, 2 / 3, 0.7, 0.8, 0.89])
@pytest.mark.parametrize("holds", [10 * MINUTE, HOUR, 365 * DAY])
def test_what_renews_itself_in_time_is_never_late(holds: float, share: float) -> None:
    assert Lifetime(NOW, NOW - holds).renew_by > NOW - holds * (1 - share)
