import pytest

from hooks.cloudstack.errors import JobRunning, Refused
from hooks.cloudstack.models.jobs import Job
from hooks.http.deadline import Deadline
from hooks.loadbalancers.context import ASK_SECONDS, LONG_JOB, MAX_JOB_AGE, RunningJobs
from hooks.loadbalancers.memory import REMEMBERED

FIRST, SECOND = Job("createTags", "j-1"), Job("createTags", "j-2")


def waited_for(jobs: RunningJobs, uid: str, *, now: float) -> list[Job]:
    waited: list[Job] = []
    jobs.wait(uid, lambda job, _: waited.append(job), Deadline(8), now=now)
    return waited


def test_jobs_are_waited_for_once_in_order() -> None:
    jobs = RunningJobs()
    jobs.add("a", (FIRST, 100.0))
    jobs.add("a", (SECOND, 105.0))
    jobs.add("b", (SECOND, 105.0))
    assert waited_for(jobs, "a", now=106.0) == [FIRST, SECOND]
    assert waited_for(jobs, "a", now=106.0) == []
    assert waited_for(jobs, "b", now=106.0) == [SECOND]


def test_a_job_that_hangs_is_waited_for_only_so_long() -> None:
    jobs = RunningJobs()
    jobs.add("a", (FIRST, 100.0), (SECOND, 105.0))
    assert waited_for(jobs, "a", now=100.0 + MAX_JOB_AGE) == [SECOND]
    assert waited_for(jobs, "a", now=0.0) == []


def test_only_so_many_load_balancers_are_remembered() -> None:
    jobs = RunningJobs()
    for number in range(REMEMBERED + 1):
        jobs.add(str(number), (FIRST, 100.0))
    assert waited_for(jobs, "0", now=100.0) == []
    assert waited_for(jobs, str(REMEMBERED), now=100.0) == [FIRST]


def test_a_job_that_failed_is_over_and_one_that_still_runs_is_kept_with_those_after_it() -> None:
    jobs = RunningJobs()
    jobs.add("a", (FIRST, 100.0), (SECOND, 100.0), (FIRST, 101.0))

    def wait_for(job: Job, _: Deadline) -> None:
        if job == FIRST:
            raise Refused("createTags", 530, "the router is busy", failed_job=True)
        raise JobRunning("createTags", job.id)

    with pytest.raises(JobRunning, match="j-2"):
        jobs.wait("a", wait_for, Deadline(8), now=102.0)
    assert waited_for(jobs, "a", now=102.0) == [SECOND, FIRST]


def test_a_job_that_takes_long_is_asked_about_shortly_and_less_and_less_often() -> None:
    jobs = RunningJobs()
    given: list[float] = []

    def wait_for(job: Job, deadline: Deadline) -> None:
        given.append(deadline.remaining())
        raise JobRunning(job.command, job.id)

    jobs.add("a", (FIRST, 100.0))
    assert jobs.pause("a", now=100.0) == 0.0
    for now in (100.0 + LONG_JOB, 108.0, 120.0):
        with pytest.raises(JobRunning):
            jobs.wait("a", wait_for, Deadline(8), now=now)
    assert given[0] > ASK_SECONDS
    assert max(given[1:]) <= ASK_SECONDS
    assert (jobs.pause("a", now=108.0), jobs.pause("a", now=120.0)) == (2.0, 5.0)
    assert jobs.pause("b", now=120.0) == 0.0
