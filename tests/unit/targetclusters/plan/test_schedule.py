import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.kube.times import milliseconds, moment, read_time
from hooks.targetclusters.plan.schedule import SPREAD, JobState, next_due

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
    assert (1 - SPREAD) * interval * 0.999 <= when - last <= interval * 1.000001
    assert next_due(last, interval, key=key) == when


def test_clusters_that_started_together_drift_apart_and_keep_their_pace() -> None:
    waits = [next_due(NOW, 30.0, key=f"team/cluster-{number}") - NOW for number in range(1000)]
    assert len({round(wait, 3) for wait in waits}) > 500
    assert sum(waits) / len(waits) == pytest.approx(30.0 * (1 - SPREAD / 2), rel=0.01)


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
