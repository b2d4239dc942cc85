from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.kube.times import milliseconds, moment, read_time
from hooks.targetclusters.plan.schedule import EARLIEST, JobState, next_due

NOW = 1_800_000_000.0


@given(
    last=st.floats(0, 4e9),
    interval=st.floats(1, 1e7),
    key=st.text(st.characters(max_codepoint=0x7F)),
)
def test_the_next_one_comes_within_its_interval_and_is_the_same_for_all(
    last: float, interval: float, key: str
) -> None:
    when = next_due(last, interval, key=key)
    assert EARLIEST * interval * 0.999 <= when - last <= interval * 1.000001
    assert next_due(last, interval, key=key) == when


@pytest.mark.parametrize("delay", [0.0, 0.4])
def test_clusters_that_started_together_are_spread_evenly_and_stay_so(delay: float) -> None:
    """Each is started a little after it is due, or recorded a little before, as times are cut."""
    interval, rng = 30.0, Random(0)  # noqa: S311 - no secret
    started = {f"team/cluster-{number}": NOW + number / 1000 for number in range(1000)}

    def run_all() -> dict[str, float]:
        return {
            key: next_due(last, interval, key=key) + rng.uniform(-0.001, delay)
            for key, last in started.items()
        }

    started = run_all()
    started = run_all()
    for _ in range(10):
        later = run_all()
        waits = [later[key] - last for key, last in started.items()]
        assert min(waits) > interval * 0.9
        seconds = Counter(int(when % interval) for when in later.values())
        assert len(seconds) == interval
        assert max(seconds.values()) < 2 * len(later) / interval
        started = later


@pytest.mark.parametrize(
    ("running_for", "wait"), [(0.0, 0.25), (0.3, 0.3), (2.0, 2.0), (600.0, 5.0), (-9.0, 0.25)]
)
def test_a_job_is_polled_the_later_the_longer_it_takes(running_for: float, wait: float) -> None:
    assert JobState[str](running_since=NOW - running_for).poll_delay(NOW) == pytest.approx(wait)


@given(st.floats(0, 1e10))
def test_a_moment_is_read_as_it_was_written(now: float) -> None:
    exact = milliseconds(now)
    assert read_time(moment(exact)) == exact


@pytest.mark.parametrize("text", [None, "", "soon", "2026-13-01T00:00:00Z", "9" * 400])
def test_what_is_no_time_is_none(text: str | None) -> None:
    assert read_time(text) is None


def test_a_moment_is_rfc_3339() -> None:
    assert moment(NOW + 0.25) == "2027-01-15T08:00:00.250Z"
