import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from hooks.http.deadline import Deadline
from hooks.targetclusters.jobs import JobPools, JobSlot
from hooks.targetclusters.plan.actions import JobPool
from hooks.targetclusters.plan.schedule import JobState
from tests.controlplane.polling import PATIENCE, until
from tests.targets.driving import NOW, Clock

Job = Callable[[Deadline], str]


class Jobs:
    """The jobs of several clusters, on the same pools."""

    def __init__(self, threads: int) -> None:
        self.clock = Clock()
        self.pools = JobPools("tests", threads=threads)
        self.slots: dict[str, JobSlot[str]] = {}

    def slot(self, cluster: str) -> JobSlot[str]:
        namespace, _, _ = cluster.rpartition("/")
        return self.slots.setdefault(cluster, JobSlot(self.pools, namespace, self.clock))

    def start(self, cluster: str, job: Job, *, pool: JobPool, seconds: float = 10.0) -> bool:
        return self.slot(cluster).start(job, seconds, pool)

    def stop(self, cluster: str) -> None:
        self.slot(cluster).stop()

    def state(self, cluster: str) -> JobState[str]:
        return self.slot(cluster).state()


@contextmanager
def running(threads: int = 2) -> Iterator[Jobs]:
    jobs = Jobs(threads)
    try:
        yield jobs
    finally:
        jobs.pools.close()


def quick(answer: str) -> Job:
    return lambda _: answer


def waiting(gate: threading.Event, answer: str = "done") -> Job:
    def run(_: Deadline) -> str:
        assert gate.wait(PATIENCE)
        return answer

    return run


def result(jobs: Jobs, cluster: str) -> str:
    return until(lambda: jobs.state(cluster).latest, f"the job of {cluster} ends", every=0.005)


def test_what_a_job_found_stays() -> None:
    with running() as jobs:
        assert jobs.state("a").latest is None
        assert jobs.start("a", quick("found"), pool="quick")
        assert result(jobs, "a") == "found"
        assert result(jobs, "a") == "found"


def test_a_cluster_has_one_job_at_a_time() -> None:
    gate = threading.Event()
    with running() as jobs:
        jobs.start("a", waiting(gate), pool="slow")
        jobs.clock.now += 3
        assert not jobs.start("a", quick("second"), pool="quick")
        assert jobs.state("a").running_since == NOW
        gate.set()
        assert result(jobs, "a") == "done"
        assert jobs.start("a", quick("second"), pool="quick")
        assert until(lambda: jobs.state("a").latest == "second", "the second ends", every=0.005)


def test_slow_clusters_never_stand_in_the_way_of_quick_ones() -> None:
    gate = threading.Event()
    with running(threads=2) as jobs:
        for number in range(20):
            jobs.start(f"silent-{number}", waiting(gate), pool="slow")
        for number in range(20):
            jobs.start(f"good-{number}", quick(f"{number}"), pool="quick")
        assert [result(jobs, f"good-{number}") for number in range(20)] == [
            str(number) for number in range(20)
        ]
        assert jobs.state("silent-0").running_since is not None
        gate.set()
        assert result(jobs, "silent-19") == "done"


def test_the_deadline_counts_from_when_the_job_runs() -> None:
    gate = threading.Event()
    with running(threads=1) as jobs:
        jobs.start("first", waiting(gate), pool="slow")
        jobs.start("second", lambda d: str(d.remaining() > 9.9), pool="slow")
        threading.Timer(0.2, gate.set).start()
        assert result(jobs, "second") == "True"


def until_passed(deadline: Deadline) -> str:
    until(deadline.passed, "the deadline has passed", every=0.005)
    return "ended"


@pytest.mark.parametrize("how", ["stop", "close"])
def test_a_job_that_is_stopped_sees_its_deadline_passed(how: str) -> None:
    with running() as jobs:
        jobs.start("a", until_passed, seconds=600.0, pool="quick")
        if how == "stop":
            jobs.stop("a")
        else:
            jobs.pools.close()
        assert result(jobs, "a") == "ended"


def test_stopping_one_leaves_the_others_and_the_next_alone() -> None:
    with running() as jobs:
        jobs.start("a", until_passed, seconds=600.0, pool="quick")
        jobs.stop("a")
        jobs.stop("unknown")
        assert result(jobs, "a") == "ended"
        jobs.start("a", lambda d: str(d.passed()), pool="quick")
        assert until(lambda: jobs.state("a").latest == "False", "the next one runs", every=0.005)


def test_after_the_end_nothing_is_started() -> None:
    with running() as jobs:
        jobs.pools.close()
        assert not jobs.start("a", quick("late"), pool="quick")


def test_a_bug_in_a_job_is_the_callers_once_and_the_job_may_run_again() -> None:
    def broken(_: Deadline) -> str:
        raise ZeroDivisionError("a bug")

    with running() as jobs:
        jobs.start("a", broken, pool="quick")
        with pytest.raises(ZeroDivisionError):
            until(lambda: jobs.state("a").running_since is None, "the job ends", every=0.005)
        assert jobs.state("a").running_since is None
        assert jobs.start("a", quick("found"), pool="quick")
        assert result(jobs, "a") == "found"
