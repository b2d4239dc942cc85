from hooks.cloudstack.models import Job
from hooks.loadbalancers.pending import MAX_JOB_AGE, REMEMBERED, Pending, PendingJobs

FIRST = Pending(Job("createTags", "j-1"), since=100.0)
SECOND = Pending(Job("createTags", "j-2"), since=105.0)


def test_jobs_are_given_once_in_their_order() -> None:
    pending = PendingJobs()
    pending.add("a", FIRST)
    pending.add("a", SECOND)
    pending.add("b", SECOND)
    assert pending.take("a", now=106.0) == (FIRST, SECOND)
    assert pending.take("a", now=106.0) == ()
    assert pending.take("b", now=106.0) == (SECOND,)


def test_a_job_that_hangs_is_waited_for_only_so_long() -> None:
    pending = PendingJobs()
    pending.add("a", FIRST, SECOND)
    assert pending.take("a", now=100.0 + MAX_JOB_AGE) == (SECOND,)
    assert pending.take("a", now=0.0) == ()


def test_only_so_many_load_balancers_are_remembered() -> None:
    pending = PendingJobs()
    for number in range(REMEMBERED + 1):
        pending.add(str(number), FIRST)
    assert pending.take("0", now=100.0) == ()
    assert pending.take(str(REMEMBERED), now=100.0) == (FIRST,)
