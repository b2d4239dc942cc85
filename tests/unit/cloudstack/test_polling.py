"""When jobs are asked about: soon, seldom in vain, and as the last ones of their kind ended."""

import pytest

from hooks.cloudstack.polling import (
    LONGEST_FIRST_POLL,
    LONGEST_PAUSE,
    READ_LATER,
    USUAL,
    JobKind,
    JobTimes,
)


def polls_of(
    times: JobTimes,
    seconds: float,
    command: str = "createTags",
    *,
    size: int = 0,
    beside: int = 0,
    delay: float = 0.0,
) -> tuple[int, float]:
    """Return how often a job of so many seconds is asked about, and how late its end is seen.

    `delay` is the seconds by which each poll is late: the machine is busy.
    """
    job, elapsed = JobKind(command, size), 0.0
    for polls in range(200):
        elapsed += times.pause(job, elapsed, polls, beside) + delay
        if elapsed >= seconds:
            times.note(job, elapsed, polls + 1, beside)
            return polls + 1, elapsed - seconds
    raise AssertionError("it was never seen to end")


@pytest.mark.parametrize("seconds", [0.027, 0.12, 0.35, 0.67, 2.5])
def test_jobs_that_take_as_long_as_the_last_ones_cost_few_polls_and_little_time(
    seconds: float,
) -> None:
    times = JobTimes()
    for _ in range(10):
        polls_of(times, seconds)
    later = [polls_of(times, seconds) for _ in range(20)]
    most = 1.5 if seconds < LONGEST_FIRST_POLL else 8
    assert sum(polls for polls, _ in later) / 20 <= most
    assert max(late for _, late in later) <= max(
        0.035, (0.12 if seconds < LONGEST_FIRST_POLL else 0.16) * seconds
    )


@pytest.mark.parametrize("delay", [0.01, 0.03, 0.1])
def test_polls_that_are_late_make_those_of_the_next_jobs_no_later(delay: float) -> None:
    times, seconds = JobTimes(), 0.12
    late = [polls_of(times, seconds, "assign", delay=delay)[1] for _ in range(300)]
    assert max(late[-100:]) <= 2 * delay + 0.035


@pytest.mark.parametrize(
    ("command", "size", "seconds"),
    [
        ("assignToLoadBalancerRule", 5, 0.15),
        ("assignToLoadBalancerRule", 100, 0.67),
        ("disassociateIpAddress", 1, 0.3),
        ("disassociateIpAddress", 10, 2.4),
    ],
)
def test_a_job_of_a_size_that_was_not_seen_yet_is_seen_to_end_in_time(
    command: str, size: int, seconds: float
) -> None:
    """The seconds are those of a real server: a job of another size tells as much about them."""
    for before in (1, 5, 10, 100):
        times = JobTimes()
        usual = JobKind(command, before).usual
        for _ in range(before):
            polls_of(times, 1.1 * usual, command, size=before)
        polls, late = polls_of(times, 1.1 * seconds, command, size=size)
        assert polls <= (3 if seconds < LONGEST_FIRST_POLL else 7)
        assert late <= max(0.035, 0.06 * seconds)


@pytest.mark.parametrize("command", USUAL)
def test_the_first_job_of_a_process_costs_one_poll_or_two_if_it_takes_what_it_usually_does(
    command: str,
) -> None:
    polls, late = polls_of(JobTimes(), USUAL[command], command)
    assert polls == (1 if USUAL[command] <= LONGEST_FIRST_POLL else 2)
    assert late <= 0.01


def test_a_short_job_after_long_ones_is_seen_soon() -> None:
    times = JobTimes()
    for _ in range(5):
        polls_of(times, 3.0)
    assert polls_of(times, 0.03)[1] <= LONGEST_FIRST_POLL


def test_commands_have_durations_of_their_own() -> None:
    times = JobTimes()
    for _ in range(5):
        polls_of(times, 0.03, "createTags")
        polls_of(times, 0.15, "createFirewallRule")
    assert times.pause(JobKind("createTags"), 0.0, 0) < 0.06
    assert 0.12 < times.pause(JobKind("createFirewallRule"), 0.0, 0) <= 0.2


def test_jobs_that_begin_beside_others_of_their_command_have_durations_of_their_own() -> None:
    times = JobTimes()
    for _ in range(10):
        polls_of(times, 0.12, "assign")
    assert times.pause(JobKind("assign"), 0.0, 0, beside=2) > 1.5 * times.pause(
        JobKind("assign"), 0.0, 0
    )
    for _ in range(10):
        polls_of(times, 0.34, "assign", beside=3)
    assert 0.3 < times.pause(JobKind("assign"), 0.0, 0, beside=3) < 0.4
    assert times.pause(JobKind("assign"), 0.0, 0, beside=7) == times.pause(
        JobKind("assign"), 0.0, 0, beside=3
    )
    assert times.pause(JobKind("assign"), 0.0, 0) < 0.15


def test_jobs_of_a_command_that_run_are_counted() -> None:
    times = JobTimes()
    with (
        times.waiting(JobKind("a")) as first,
        times.waiting(JobKind("a")) as second,
        times.waiting(JobKind("b")) as other,
    ):
        assert (first, second, other) == (0, 1, 0)
    with times.waiting(JobKind("a")) as alone:
        assert alone == 0


def test_a_read_waits_a_little_longer_than_a_poll_and_learns_slowly_that_it_came_in_time() -> None:
    times, usual = JobTimes(), USUAL["createTags"]
    assert usual < times.until_read(JobKind("createTags"), 0.0) < 1.2 * usual
    assert times.until_read(JobKind("createTags"), 5.0) == 0.0
    polls_of(times, 0.3)
    slow = times.until_read(JobKind("createTags"), 0.0)
    times.note_shown(JobKind("createTags"))
    assert 0.9 * slow < times.until_read(JobKind("createTags"), 0.0) < slow
    for _ in range(300):
        times.note_shown(JobKind("createTags"))
    assert times.until_read(JobKind("createTags"), 0.0) == READ_LATER * usual


def test_short_jobs_after_a_long_one_are_soon_seen_in_time_again() -> None:
    times = JobTimes()
    polls_of(times, 2.4)
    late = [polls_of(times, 0.3)[1] for _ in range(3)]
    assert late[0] <= LONGEST_FIRST_POLL - 0.3 + 0.001
    assert max(late[1:]) <= 0.035


def test_a_job_that_has_run_long_enough_is_asked_about_at_once() -> None:
    assert JobTimes().pause(JobKind("createTags"), 5.0, 0) == 0.0


def test_no_pause_is_longer_than_the_longest() -> None:
    times = JobTimes()
    times.note(JobKind("createTags"), 100.0, 7)
    assert times.pause(JobKind("createTags"), 60.0, 9) == LONGEST_PAUSE
