"""VMs are started, stopped and rebooted, by jobs that run one after the other."""

import pytest

from tests.contract.cloud import Cloud, Json
from tests.contract.conftest import Maker, shown, unique

NOBODY = "00000000-0000-4000-8000-000000000000"
COMMANDS = ("startVirtualMachine", "stopVirtualMachine", "rebootVirtualMachine")
EVERY_COMMAND = pytest.mark.parametrize("command", COMMANDS)


def test_a_vm_is_stopped_and_started(cloud: Cloud, running: Json) -> None:
    job = cloud.job("stopVirtualMachine", id=running["id"])
    assert (job["jobinstancetype"], job["jobinstanceid"]) == ("VirtualMachine", running["id"])
    assert (
        job["jobresult"]["virtualmachine"]["state"] == shown(cloud, running)["state"] == "Stopped"
    )
    cloud.done("startVirtualMachine", id=running["id"])
    assert shown(cloud, running)["state"] == "Running"


@pytest.mark.parametrize("forced", [False, True])
def test_stopping_twice_is_no_failure(cloud: Cloud, stopped: Json, forced: bool) -> None:
    assert stopped["state"] == "Stopped"
    again = cloud.done("stopVirtualMachine", id=stopped["id"], forced=forced)
    assert again["virtualmachine"]["state"] == "Stopped"
    assert again["virtualmachine"]["lastupdated"] == stopped["lastupdated"]


def test_starting_a_running_vm_fails_in_the_job(cloud: Cloud, running: Json) -> None:
    text = cloud.failed("startVirtualMachine", 431, id=running["id"])
    assert text == f"The virtual machine {running['id']} ({running['name']}) is already running"


@pytest.mark.parametrize("forced", [False, True])
def test_rebooting_works_on_running_vms_alone(cloud: Cloud, running: Json, forced: bool) -> None:
    done = cloud.done("rebootVirtualMachine", id=running["id"], forced=forced)
    assert done["virtualmachine"]["state"] == "Running"
    cloud.done("stopVirtualMachine", id=running["id"])
    text = cloud.failed("rebootVirtualMachine", 431, id=running["id"], forced=forced)
    assert text == (
        f"The VM {running['id']} ({running['name']}) is not running, unable to reboot it"
    )


def test_a_start_during_a_stop_is_lost(cloud: Cloud, running: Json) -> None:
    stop = cloud.ok("stopVirtualMachine", id=running["id"])["jobid"]
    job = cloud.job("startVirtualMachine", id=running["id"])
    ended = cloud.ok("queryAsyncJobResult", jobid=stop)["jobstatus"] == 1
    if job["jobstatus"] == 1:  # it came when the stop was done
        assert ended
        assert shown(cloud, running)["state"] == "Running"
        return
    assert job["jobresult"]["errortext"].endswith("is already running")
    cloud.done("stopVirtualMachine", id=running["id"])
    assert shown(cloud, running)["state"] == "Stopped"


@EVERY_COMMAND
def test_an_unknown_vm_is_refused_at_once(cloud: Cloud, command: str) -> None:
    for value in (NOBODY, "abc"):
        text = cloud.refused(command, 431, id=value)
        assert text.startswith(
            f"Unable to execute API command {command.lower()} due to invalid value. "
            f"Invalid parameter id value={value} due to incorrect long value format"
        )
    text = cloud.refused(command, 431)
    assert text == f"Unable to execute API command {command.lower()} due to missing parameter id"


@EVERY_COMMAND
def test_anothers_vm_is_not_to_be_touched(other: Cloud, vm: Json, command: str) -> None:
    text = other.refused(command, 531, id=vm["id"])
    assert text == "Caller does not have permission to operate with provided resource."


def test_a_vm_of_a_project_needs_no_projectid(cloud: Cloud, maker: Maker) -> None:
    project = cloud.done("createProject", name=unique("project"), displaytext="contract test")
    where = {"projectid": project["project"]["id"]}
    maker.made.append(("deleteProject", {"id": where["projectid"]}))
    vm = maker.vm(maker.network(**where), **where)
    stopped = cloud.done("stopVirtualMachine", id=vm["id"])["virtualmachine"]
    assert (stopped["state"], stopped["projectid"]) == ("Stopped", where["projectid"])
    assert cloud.ok("listVirtualMachines", id=vm["id"]) == {}
    started = cloud.done("startVirtualMachine", id=vm["id"])["virtualmachine"]
    assert started["state"] == "Running"
