"""Clusters that the service manages: their states, and what each refuses."""

from collections.abc import Iterator

import pytest

from simulator.clock import Clock
from simulator.server import Simulator
from tests.contract.cloud import Cloud, Json

#: Seconds after which every job has ended, and the server has looked at its clusters.
LATER = 60.0
START = "startKubernetesCluster"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator("kubernetes", timing="real", clock=Clock(lambda: 1_800_000_000.0)) as simulator:
        yield simulator


def cluster(user: Cloud, name: str = "cks") -> Json:
    [found] = user.list("listKubernetesClusters", "kubernetescluster", name=name)
    return found


def later(simulator: Simulator) -> None:
    simulator.control.settings(advance=LATER)


def vm_states(simulator: Simulator) -> dict[str, str]:
    found = simulator.control.state()["virtualmachines"]
    return {vm["name"]: vm["state"] for vm in found if vm["name"].startswith("cks")}


def outcome(user: Cloud, job_id: str) -> tuple[int, str]:
    status = user.ok("queryAsyncJobResult", jobid=job_id)
    return status["jobstatus"], status.get("jobresult", {}).get("errortext", "")


def begin(user: Cloud, command: str, **fields: object) -> str:
    return str(user.ok(command, id=cluster(user)["id"], **fields)["jobid"])


def test_a_cluster_is_stopped_and_started_with_its_vms(simulator: Simulator, user: Cloud) -> None:
    assert (cluster(user)["size"], cluster(user)["clustertype"]) == (2, "CloudManaged")
    stop = begin(user, "stopKubernetesCluster")
    assert (cluster(user)["state"], outcome(user, stop)) == ("Stopping", (0, ""))
    later(simulator)
    assert (cluster(user)["state"], set(vm_states(simulator).values())) == ("Stopped", {"Stopped"})
    start = begin(user, START)
    assert cluster(user)["state"] == "Starting"
    later(simulator)
    assert outcome(user, start) == (1, "")
    assert (cluster(user)["state"], set(vm_states(simulator).values())) == ("Running", {"Running"})


@pytest.mark.parametrize("state", ["Running", "Starting"])
def test_starting_one_that_runs_or_starts_succeeds_and_does_nothing(
    simulator: Simulator, user: Cloud, state: str
) -> None:
    simulator.control.stage("kubernetescluster", "cks", state=state)
    start = begin(user, START)
    simulator.control.settings(advance=1)
    assert (outcome(user, start), cluster(user)["state"]) == ((1, ""), state)


def test_a_running_cluster_with_a_stopped_vm_is_in_alert(simulator: Simulator, user: Cloud) -> None:
    simulator.control.stage("virtualmachine", "cks-node-1", state="Stopped")
    assert cluster(user)["state"] == "Running"
    later(simulator)
    assert cluster(user)["state"] == "Alert"
    simulator.control.stage("virtualmachine", "cks-node-1", state="Running")
    later(simulator)
    assert cluster(user)["state"] == "Running"


def test_a_cluster_in_alert_whose_vms_are_all_stopped_is_stopped(
    simulator: Simulator, user: Cloud
) -> None:
    for name in ("cks-control-1", "cks-node-1", "cks-node-2"):
        simulator.control.stage("virtualmachine", name, state="Stopped")
    later(simulator)
    assert cluster(user)["state"] == "Alert"
    later(simulator)
    assert cluster(user)["state"] == "Stopped"


def test_a_start_in_alert_starts_the_vms_and_the_state_follows_later(
    simulator: Simulator, user: Cloud
) -> None:
    simulator.control.stage("virtualmachine", "cks-node-1", state="Stopped")
    later(simulator)
    simulator.control.settings(cluster_scan=LATER)
    start = begin(user, START)
    assert cluster(user)["state"] == "Alert"
    simulator.control.settings(advance=5)
    assert outcome(user, start) == (1, "")
    assert (cluster(user)["state"], vm_states(simulator)["cks-node-1"]) == ("Alert", "Running")
    later(simulator)
    assert cluster(user)["state"] == "Running"


def test_a_cluster_whose_vm_is_gone_does_not_start(simulator: Simulator, user: Cloud) -> None:
    simulator.control.stage("virtualmachine", "cks-node-2", state="Expunging")
    later(simulator)
    assert len(cluster(user)["virtualmachines"]) == 2
    start = begin(user, START)
    later(simulator)
    text = "Failed to start all VMs in Kubernetes cluster : cks"
    assert (outcome(user, start), cluster(user)["state"]) == ((2, text), "Alert")


def test_scaling_to_the_size_that_it_has_changes_nothing(simulator: Simulator, user: Cloud) -> None:
    simulator.control.settings(cluster_scan=3600)
    simulator.control.stage("virtualmachine", "cks-node-2", state="Expunging")
    scale = begin(user, "scaleKubernetesCluster", size=2)
    later(simulator)
    assert outcome(user, scale) == (1, "")
    assert sorted(vm_states(simulator)) == ["cks-control-1", "cks-node-1"]


def test_a_server_that_replaces_vms_when_it_scales_can_be_had(
    simulator: Simulator, user: Cloud
) -> None:
    simulator.control.settings(cluster_scan=3600, scale_replaces=True)
    simulator.control.stage("virtualmachine", "cks-node-2", state="Expunging")
    scale = begin(user, "scaleKubernetesCluster", size=2)
    assert cluster(user)["state"] == "Scaling"
    later(simulator)
    assert (outcome(user, scale), cluster(user)["state"]) == ((1, ""), "Running")
    assert [vm["state"] for vm in cluster(user)["virtualmachines"]] == ["Running"] * 3


def test_a_cluster_is_scaled_up_and_down(simulator: Simulator, user: Cloud) -> None:
    for size in (4, 1):
        begin(user, "scaleKubernetesCluster", size=size)
        later(simulator)
        found = cluster(user)
        assert (found["size"], len(found["virtualmachines"])) == (size, size + 1)
        assert found["state"] == "Running"


@pytest.mark.parametrize(
    ("state", "size", "text"),
    [
        ("Alert", 2, "Kubernetes cluster cks is in Alert state and can not be scaled"),
        ("Scaling", 2, "Kubernetes cluster cks is in Scaling state and can not be scaled"),
        ("Stopped", 3, "Kubernetes cluster : cks is in Stopped state"),
        ("Running", 0, "Kubernetes cluster : cks cannot be scaled for size, 0"),
    ],
)
def test_what_is_not_scaled_says_why(
    simulator: Simulator, user: Cloud, state: str, size: int, text: str
) -> None:
    simulator.control.stage("kubernetescluster", "cks", state=state)
    scale = begin(user, "scaleKubernetesCluster", size=size)
    simulator.control.settings(advance=1)
    assert (outcome(user, scale), cluster(user)["state"]) == ((2, text), state)


def test_scaling_needs_to_say_what(simulator: Simulator, user: Cloud) -> None:
    scale = begin(user, "scaleKubernetesCluster")
    simulator.control.settings(advance=1)
    assert outcome(user, scale)[1].startswith("Kubernetes cluster cks cannot be scaled, either")


def test_a_job_that_fails_leaves_the_cluster_in_alert(simulator: Simulator, user: Cloud) -> None:
    simulator.control.settings(cluster_scan=3600)
    simulator.control.stage("kubernetescluster", "cks", state="Stopped")
    simulator.control.fault(START, "job-failed", text="no capacity")
    start = begin(user, START)
    later(simulator)
    assert (outcome(user, start), cluster(user)["state"]) == ((2, "no capacity"), "Alert")


def test_the_cluster_of_a_project_needs_the_project_in_lists_alone(
    simulator: Simulator, user: Cloud
) -> None:
    assert user.ok("listKubernetesClusters", name="project-cks", listall=True) == {}
    [project] = user.list("listProjects", "project")
    where = {"name": "project-cks", "projectid": project["id"]}
    [found] = user.list("listKubernetesClusters", "kubernetescluster", **where)
    stop = user.ok("stopKubernetesCluster", id=found["id"])["jobid"]
    later(simulator)
    assert outcome(user, stop) == (1, "")


def test_jobs_on_clusters_do_not_say_on_which(simulator: Simulator, user: Cloud) -> None:
    begin(user, "stopKubernetesCluster")
    [pending] = user.list("listAsyncJobs", "asyncjobs")
    assert "jobinstanceid" not in pending
    later(simulator)
    assert user.ok("listAsyncJobs") == {}
