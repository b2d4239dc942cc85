import pytest

from hooks.cloudstack.client import ATTEMPTS
from hooks.cloudstack.commands.loadbalancing import assign_to_load_balancer_rule
from hooks.cloudstack.commands.network import disassociate_ip_address
from hooks.cloudstack.commands.parameters import Command
from hooks.cloudstack.errors import (
    CloudStackError,
    InvalidParameter,
    JobRunning,
    Refused,
    Throttled,
    Unauthorized,
    Unreachable,
)
from hooks.cloudstack.models.jobs import Job
from hooks.cloudstack.polling import USUAL
from tests.unit.cloudstack.test_client import JOB, job_of
from tests.unit.cloudstack.transports import Script


def test_the_status_of_another_job_ends_the_wait() -> None:
    done = {"jobid": "other", "jobstatus": 1, "jobresult": {}}
    script = Script([JOB, {"jobid": "J", "jobstatus": 0}, done])
    with pytest.raises(Unreachable) as caught:
        job_of(script, "createTags", seconds=8)
    wanted = "queryAsyncJobResult: asked for jobid j, the answer is about 'other'"
    assert str(caught.value) == wanted
    assert len(script.calls) == 3


def test_starting_tells_the_id_of_what_is_made_before_it_is_made() -> None:
    script = Script([JOB])
    job = script.client().start(Command("createLoadBalancerRule", {}), script.deadline(8))
    assert job == Job("createLoadBalancerRule", "j", "made")
    assert [command for command, _ in script.calls] == ["createLoadBalancerRule"]


def test_an_answer_without_a_job_leaves_open_what_happened() -> None:
    script = Script([{"success": True}])
    with pytest.raises(Unreachable, match="a job without 'jobid'") as caught:
        script.client().start(Command("createTags", {}), script.deadline(8))
    assert caught.value.sent
    assert len(script.calls) == 1


def test_a_job_is_polled_quickly_at_first_and_then_once_a_second() -> None:
    script = Script([JOB, *[{"jobstatus": 0}] * 30, {"jobstatus": 1, "jobresultcode": 0}])
    job = job_of(script, "createTags", seconds=60)
    assert job.id == "j"
    first, *rest = script.time.pauses
    assert first == USUAL["createTags"]
    assert rest[0] < first
    assert rest == sorted(rest)
    assert rest[-1] == 1.0
    assert script.calls[1] == ("queryAsyncJobResult", {"jobid": "j"})


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        pytest.param(431, InvalidParameter, id="431"),
        pytest.param(530, Refused, id="530"),
        pytest.param(533, Refused, id="533"),
        pytest.param(599, Refused, id="a code that is unknown to us"),
    ],
)
def test_a_failed_job_is_a_refusal_of_its_command(code: int, kind: type[Refused]) -> None:
    failed = {"jobstatus": 2, "jobresultcode": code, "jobresult": {"errortext": "the reason"}}
    script = Script([JOB, {"jobstatus": 0}, failed])
    with pytest.raises(Refused) as caught:
        job_of(script, "createFirewallRule", seconds=8)
    assert type(caught.value) is kind
    assert caught.value.code == code
    assert caught.value.failed_job
    assert str(caught.value) == f"createFirewallRule: the reason ({code}, in its job)"


def test_a_job_that_never_ends_is_left_running_at_the_deadline() -> None:
    script = Script([JOB, {"jobstatus": 0}])
    with pytest.raises(JobRunning) as caught:
        job_of(script, "createTags", seconds=8)
    assert (caught.value.command, caught.value.job_id) == ("createTags", "j")
    assert 1007.5 <= script.time.now <= 1008


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Unreachable("queryAsyncJobResult", "broke", transient=True), id="broken"),
        pytest.param(Throttled("queryAsyncJobResult", 30), id="throttled"),
    ],
)
def test_a_job_that_cannot_be_asked_about_runs_all_the_same(fault: CloudStackError) -> None:
    script = Script([JOB, fault])
    with pytest.raises(JobRunning):
        job_of(script, "createTags", seconds=8)
    assert script.time.now <= 1008


def test_a_poll_that_breaks_is_forgotten_when_the_next_one_answers() -> None:
    fault = Unreachable("queryAsyncJobResult", "broke", transient=True)
    script = Script([JOB, *[fault] * ATTEMPTS, {"jobstatus": 1}])
    assert job_of(script, "createTags", seconds=8).id == "j"


def test_a_job_that_may_not_be_asked_about_is_a_refusal_but_no_failed_job() -> None:
    script = Script([JOB, Unauthorized("queryAsyncJobResult", 401, "no")])
    with pytest.raises(Unauthorized) as caught:
        job_of(script, "createTags", seconds=8)
    assert not caught.value.failed_job


@pytest.mark.parametrize(
    ("command", "size"),
    [
        (assign_to_load_balancer_rule("r", ["a", "b", "c"]), 3),
        (disassociate_ip_address("a", rules=2), 2),
        (disassociate_ip_address("a"), 0),
    ],
)
def test_a_job_has_the_size_by_which_its_seconds_grow(command: Command, size: int) -> None:
    script = Script([JOB])
    assert script.client().start(command, script.deadline(8)).size == size
