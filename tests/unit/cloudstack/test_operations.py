"""Commands on machines: sent once, waited for, and never repeated after a lost answer."""

from collections.abc import Iterator

import pytest

from hooks.cloudstack.client import Client
from hooks.cloudstack.cloud import Cloud
from hooks.cloudstack.commands import compute
from hooks.cloudstack.config import CloudConfig
from hooks.cloudstack.errors import CloudStackError, InvalidParameter
from hooks.cloudstack.models.jobs import Job
from hooks.cloudstack.operations import (
    Outcome,
    Verdict,
    await_outcome,
    find_cluster,
    find_vm,
    may_call,
    operate,
    pending_jobs,
)
from hooks.http.deadline import Deadline
from simulator.server import Simulator

NOBODY = "00000000-0000-0000-0000-000000000000"
#: Seconds until a job ends that a test does not wait for; a signature is valid for longer.
LONG = 300.0


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(job_delay=0.001) as simulator:
        yield simulator


@pytest.fixture
def client(simulator: Simulator) -> Iterator[Client]:
    user = simulator.user
    cloud = Cloud(CloudConfig(simulator.url, user.api_key, user.secret_key))
    yield cloud.client
    cloud.close()


@pytest.fixture
def vm_id(simulator: Simulator) -> str:
    return str(simulator.control.state()["virtualmachines"][0]["id"])


def soon() -> Deadline:
    return Deadline(60)


def state(client: Client, vm_id: str) -> str:
    found = find_vm(client, vm_id, soon())
    assert found is not None
    return found.state


def test_a_machine_is_stopped_started_and_rebooted(
    simulator: Simulator, client: Client, vm_id: str
) -> None:
    stop = compute.stop_virtual_machine(vm_id)
    assert operate(client, stop, soon()).verdict is Verdict.DONE
    assert state(client, vm_id) == "Stopped"
    started = operate(client, compute.start_virtual_machine(vm_id), soon())
    assert (started.verdict, started.text, bool(started.job_id)) == (Verdict.DONE, "", True)
    assert operate(client, compute.reboot_virtual_machine(vm_id), soon()).verdict is Verdict.DONE
    assert state(client, vm_id) == "Running"
    assert simulator.control.state()["virtualmachines"][0]["boots"] == 2
    assert simulator.control.ignored_parameters() == []


def test_what_cloudstack_refuses_is_told_in_its_words(client: Client, vm_id: str) -> None:
    running = operate(client, compute.start_virtual_machine(vm_id), soon())
    assert running.verdict is Verdict.FAILED
    assert "(node-1) is already running" in running.text
    unknown = operate(client, compute.start_virtual_machine(NOBODY), soon())
    assert (unknown.verdict, unknown.job_id) == (Verdict.FAILED, "")
    assert f"Invalid parameter id value={NOBODY}" in unknown.text


def test_anothers_machine_is_not_there_and_not_to_be_touched(
    simulator: Simulator, client: Client
) -> None:
    [theirs] = [
        vm["id"]
        for vm in simulator.control.state()["virtualmachines"]
        if vm.get("account") == "other"
    ]
    assert find_vm(client, theirs, soon()) is None
    outcome = operate(client, compute.reboot_virtual_machine(theirs), soon())
    assert outcome.verdict is Verdict.FAILED
    assert "does not have permission" in outcome.text


def test_nothing_is_sent_while_a_job_works_on_the_machine(
    simulator: Simulator, client: Client, vm_id: str
) -> None:
    simulator.control.settings(job_delay=LONG)
    job = client.start(compute.stop_virtual_machine(vm_id), soon())
    [pending] = pending_jobs(client, vm_id.upper(), soon())
    assert (pending.id, pending.resource_id) == (job.id, vm_id)
    assert pending.command.endswith(".StopVMCmd")
    outcome = operate(client, compute.start_virtual_machine(vm_id), soon())
    assert (outcome.verdict, outcome.job_id, outcome.was_sent) == (Verdict.BUSY, job.id, False)
    assert simulator.control.calls("startVirtualMachine") == []


def test_the_job_of_another_machine_is_not_in_the_way(
    simulator: Simulator, client: Client, vm_id: str
) -> None:
    other = simulator.control.state()["virtualmachines"][1]["id"]
    simulator.control.fault("stopVirtualMachine", "job-never-ends")
    client.start(compute.stop_virtual_machine(other), soon())
    assert operate(client, compute.reboot_virtual_machine(vm_id), soon()).verdict is Verdict.DONE


def test_a_job_that_runs_on_is_found_again_by_its_id(
    simulator: Simulator, client: Client, vm_id: str
) -> None:
    simulator.control.settings(job_delay=LONG)
    outcome = operate(client, compute.reboot_virtual_machine(vm_id), Deadline(1.5))
    assert (outcome.verdict, outcome.was_sent) == (Verdict.RUNNING, True)
    simulator.control.settings(advance=LONG)
    later = await_outcome(client, "rebootVirtualMachine", outcome.job_id, soon())
    assert later == Outcome(Verdict.DONE, job_id=outcome.job_id)
    assert len(simulator.control.calls("rebootVirtualMachine")) == 1


@pytest.mark.parametrize("kind", ["timeout", "html", "empty"])
@pytest.mark.parametrize("executed", [True, False])
def test_a_lost_answer_is_never_sent_again(
    simulator: Simulator, client: Client, vm_id: str, kind: str, executed: bool
) -> None:
    simulator.control.fault("rebootVirtualMachine", kind, seconds=0.01, executed=executed)
    outcome = operate(client, compute.reboot_virtual_machine(vm_id), soon())
    assert outcome.verdict is Verdict.UNKNOWN
    assert outcome.was_sent
    assert len(simulator.control.calls("rebootVirtualMachine")) == 1


def test_the_job_of_a_lost_answer_is_waited_for(
    simulator: Simulator, client: Client, vm_id: str
) -> None:
    simulator.control.settings(job_delay=LONG)
    simulator.control.fault("rebootVirtualMachine", "html", executed=True)
    outcome = operate(client, compute.reboot_virtual_machine(vm_id), Deadline(1.5))
    assert outcome.verdict is Verdict.RUNNING
    [pending] = pending_jobs(client, vm_id, soon())
    assert outcome.job_id == pending.id
    assert len(simulator.control.calls("rebootVirtualMachine")) == 1


@pytest.mark.parametrize("command", ["listAsyncJobs", "rebootVirtualMachine"])
def test_what_is_throttled_is_surely_not_done(
    simulator: Simulator, client: Client, vm_id: str, command: str
) -> None:
    simulator.control.fault(command, "throttled", seconds=30, times=None)
    outcome = operate(client, compute.reboot_virtual_machine(vm_id), soon())
    assert (outcome.verdict, outcome.was_sent) == (Verdict.UNSENT, False)
    assert simulator.control.state()["virtualmachines"][0]["boots"] == 0


def test_nothing_is_sent_where_nobody_knows_what_is_under_way(
    simulator: Simulator, client: Client, vm_id: str
) -> None:
    simulator.control.fault("listAsyncJobs", "error", times=None)
    outcome = operate(client, compute.reboot_virtual_machine(vm_id), soon())
    assert outcome.verdict is Verdict.UNSENT
    assert "Internal error" in outcome.text
    assert simulator.control.calls("rebootVirtualMachine") == []


def test_keys_that_may_not_list_jobs_can_repair(
    simulator: Simulator, client: Client, vm_id: str
) -> None:
    simulator.control.fault("listAsyncJobs", "error", code=432, text="no", times=None)
    assert operate(client, compute.reboot_virtual_machine(vm_id), soon()).verdict is Verdict.DONE


def test_a_job_that_fails_has_cloudstacks_words(
    simulator: Simulator, client: Client, vm_id: str
) -> None:
    text = "Unable to get answer that is of class com.cloud.agent.api.RebootAnswer"
    simulator.control.fault("rebootVirtualMachine", "job-failed", text=text)
    outcome = operate(client, compute.reboot_virtual_machine(vm_id), soon())
    assert outcome.verdict is Verdict.FAILED
    assert outcome.text == f"rebootVirtualMachine: {text} (530, in its job)"


def test_a_job_whose_status_may_not_be_read_is_no_failure(
    simulator: Simulator, client: Client
) -> None:
    other = Cloud(CloudConfig(simulator.url, *keys(simulator, "other")))
    mine = simulator.control.state()["virtualmachines"][0]["id"]
    job: Job = client.start(compute.reboot_virtual_machine(mine), soon())
    outcome = await_outcome(other.client, "rebootVirtualMachine", job.id, soon())
    assert (outcome.verdict, outcome.job_id) == (Verdict.UNKNOWN, job.id)
    other.close()


def keys(simulator: Simulator, name: str) -> tuple[str, str]:
    user = simulator.keys[name]
    return user.api_key, user.secret_key


def test_a_machine_that_never_was_is_none_and_a_failing_list_is_an_error(
    simulator: Simulator, client: Client, vm_id: str
) -> None:
    assert find_vm(client, NOBODY, soon()) is None
    simulator.control.fault("listVirtualMachines", "error", code=431, text="something else")
    with pytest.raises(InvalidParameter):
        find_vm(client, NOBODY, soon())
    simulator.control.fault("listVirtualMachines", "error", times=None)
    with pytest.raises(CloudStackError):
        find_vm(client, vm_id, soon())


@pytest.fixture
def kubernetes() -> Iterator[tuple[Simulator, Client]]:
    """A CloudStack with Kubernetes clusters, and a client of it."""
    with Simulator("kubernetes", job_delay=0.001) as simulator:
        cloud = Cloud(CloudConfig(simulator.url, *keys(simulator, "user")))
        yield simulator, cloud.client
        cloud.close()


def cluster_id(simulator: Simulator, name: str) -> str:
    found = simulator.control.state()["kubernetesclusters"]
    return str(next(one["id"] for one in found if one["name"] == name))


def test_a_cluster_is_found_with_its_machines(kubernetes: tuple[Simulator, Client]) -> None:
    simulator, client = kubernetes
    found = find_cluster(client, cluster_id(simulator, "cks"), soon())
    assert found is not None
    assert (found.state, found.size, found.control_nodes) == ("Running", 2, 1)
    assert [vm.name for vm in found.vms] == ["cks-control-1", "cks-node-1", "cks-node-2"]
    assert (found.is_managed, found.autoscaling_enabled, found.account) == (True, False, "user")
    external = find_cluster(client, cluster_id(simulator, "external"), soon())
    assert external is not None
    assert not external.is_managed


def test_anothers_cluster_and_one_that_never_was_are_none(
    kubernetes: tuple[Simulator, Client],
) -> None:
    simulator, client = kubernetes
    assert find_cluster(client, cluster_id(simulator, "other-cks"), soon()) is None
    assert find_cluster(client, NOBODY, soon()) is None
    simulator.control.fault("listKubernetesClusters", "error", times=None)
    with pytest.raises(CloudStackError):
        find_cluster(client, NOBODY, soon())


def test_a_cluster_is_started(kubernetes: tuple[Simulator, Client]) -> None:
    simulator, client = kubernetes
    one = cluster_id(simulator, "cks")
    for vm in ("cks-control-1", "cks-node-1", "cks-node-2"):
        simulator.control.stage("virtualmachine", vm, state="Stopped")
    simulator.control.stage("kubernetescluster", "cks", state="Stopped")
    started = operate(client, compute.start_kubernetes_cluster(one), soon())
    assert started.verdict is Verdict.DONE
    found = find_cluster(client, one, soon())
    assert found is not None
    assert (found.state, found.size, len(found.vms)) == ("Running", 2, 3)
    external = cluster_id(simulator, "external")
    refused = operate(client, compute.start_kubernetes_cluster(external), soon())
    assert refused.verdict is Verdict.FAILED
    assert "not supported for an externally managed cluster (external)" in refused.text
    assert simulator.control.ignored_parameters() == []


def test_what_the_keys_may_call_is_known_beforehand(simulator: Simulator, client: Client) -> None:
    simulator.control.stage("account", "user", denied=["rebootVirtualMachine"])
    assert may_call(client, "startVirtualMachine", soon()) is True
    assert may_call(client, "rebootVirtualMachine", soon()) is False
    assert may_call(client, "listHosts", soon()) is False
    assert may_call(client, "noSuchCommand", soon()) is False
    simulator.control.stage("account", "user", denied=["listApis"])
    assert may_call(client, "startVirtualMachine", soon()) is None
    simulator.control.stage("account", "user", denied=[])
    simulator.control.fault("listApis", "html", times=None)
    with pytest.raises(CloudStackError):
        may_call(client, "startVirtualMachine", soon())
