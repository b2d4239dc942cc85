"""Power jobs of one VM wait for one another, as the clock tells."""

from collections.abc import Iterator

import pytest

from simulator.clock import Clock
from simulator.server import Simulator
from tests.contract.cloud import Cloud, Json

#: Job seconds on a real server, with a little more.
STOP, REBOOT, FORCED = 2.05, 2.15, 4.05


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(timing="real", clock=Clock(lambda: 1_800_000_000.0)) as simulator:
        yield simulator


@pytest.fixture
def vm(user: Cloud) -> Json:
    return user.list("listVirtualMachines", "virtualmachine")[0]


def state(user: Cloud, vm: Json) -> str:
    [found] = user.list("listVirtualMachines", "virtualmachine", id=vm["id"], details="min")
    return str(found["state"])


def job(user: Cloud, command: str, vm: Json, **fields: object) -> str:
    return str(user.ok(command, id=vm["id"], **fields)["jobid"])


def outcome(user: Cloud, job_id: str) -> tuple[int, str]:
    status = user.ok("queryAsyncJobResult", jobid=job_id)
    return status["jobstatus"], status.get("jobresult", {}).get("errortext", "")


def boots(simulator: Simulator, vm: Json) -> int:
    [found] = [one for one in simulator.control.state()["virtualmachines"] if one["id"] == vm["id"]]
    return int(found["boots"])


def test_a_vm_reads_running_until_its_stop_is_done(
    simulator: Simulator, user: Cloud, vm: Json
) -> None:
    stop = job(user, "stopVirtualMachine", vm)
    start = job(user, "startVirtualMachine", vm)
    simulator.control.settings(advance=0.1)
    assert state(user, vm) == "Running"
    assert outcome(user, stop) == (0, "")
    failed = (2, f"The virtual machine {vm['id']} ({vm['name']}) is already running")
    assert outcome(user, start) == failed
    simulator.control.settings(advance=STOP - 0.1)
    assert (outcome(user, stop), state(user, vm)) == ((1, ""), "Stopped")
    assert boots(simulator, vm) == 0


def test_a_reboot_a_stop_and_a_start_at_once_end_stopped(
    simulator: Simulator, user: Cloud, vm: Json
) -> None:
    names = ("rebootVirtualMachine", "stopVirtualMachine", "startVirtualMachine")
    reboot, stop, start = (job(user, name, vm) for name in names)
    simulator.control.settings(advance=REBOOT)
    assert [outcome(user, one)[0] for one in (reboot, stop, start)] == [1, 0, 2]
    assert state(user, vm) == "Running"
    simulator.control.settings(advance=STOP)
    assert (outcome(user, stop)[0], state(user, vm)) == (1, "Stopped")
    assert boots(simulator, vm) == 1


def test_jobs_under_way_name_their_vm_to_its_user(
    simulator: Simulator, user: Cloud, vm: Json
) -> None:
    reboot = job(user, "rebootVirtualMachine", vm, forced=True)
    [pending] = user.list("listAsyncJobs", "asyncjobs")
    assert (pending["jobid"], pending["jobinstanceid"]) == (reboot, vm["id"])
    assert pending["cmd"].endswith(".RebootVMCmd")
    simulator.control.settings(advance=REBOOT)
    assert outcome(user, reboot) == (0, "")
    simulator.control.settings(advance=FORCED - REBOOT)
    assert outcome(user, reboot) == (1, "")
    assert user.ok("listAsyncJobs") == {}


def test_what_waits_behind_a_job_that_never_ends_never_begins(
    simulator: Simulator, user: Cloud, vm: Json
) -> None:
    simulator.control.fault("stopVirtualMachine", "job-never-ends")
    stop, reboot = job(user, "stopVirtualMachine", vm), job(user, "rebootVirtualMachine", vm)
    simulator.control.settings(advance=3600)
    assert [outcome(user, one)[0] for one in (stop, reboot)] == [0, 0]
    assert (state(user, vm), boots(simulator, vm)) == ("Running", 0)


def test_a_job_that_fails_leaves_the_vm_as_it_was(
    simulator: Simulator, user: Cloud, vm: Json
) -> None:
    text = "Unable to get answer that is of class com.cloud.agent.api.RebootAnswer"
    simulator.control.fault("rebootVirtualMachine", "job-failed", text=text)
    reboot = job(user, "rebootVirtualMachine", vm)
    simulator.control.settings(advance=REBOOT)
    assert outcome(user, reboot) == (2, text)
    assert (state(user, vm), boots(simulator, vm)) == ("Running", 0)
