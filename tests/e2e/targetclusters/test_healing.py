"""Nodes of a real target cluster are repaired by the VMs of a simulated CloudStack."""

from collections.abc import Iterator

import pytest

from simulator.server import Simulator
from tests.controlplane import Cluster, ControlPlane, polling
from tests.e2e import targets
from tests.e2e.targetclusters import kubelets
from tests.e2e.targetclusters.healing import (
    NODES,
    cluster_id,
    fault,
    make,
    put_keys,
    repairs,
    until_healed,
)
from tests.e2e.targetclusters.kubelets import Kubelets
from tests.e2e.targets import NAMESPACE, TargetPlatform


@pytest.fixture(scope="module")
def operator(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TargetPlatform]:
    """Run the operator as in its pod: its namespace keeps what it has tried."""
    folder = tmp_path_factory.mktemp("operator")
    with targets.running(control_plane, folder, POD_NAMESPACE=NAMESPACE) as platform:
        yield platform


@pytest.fixture(scope="module")
def target(control_plane: ControlPlane) -> Iterator[Cluster]:
    with control_plane.target_cluster("healed", audit=True) as running:
        yield running


@pytest.fixture
def cloud() -> Iterator[Simulator]:
    with Simulator("kubernetes", job_delay=0.2) as simulator:
        simulator.control.settings(cluster_scan=1.0)
        yield simulator


@pytest.fixture
def nodes(cloud: Simulator, target: Cluster) -> Iterator[Kubelets]:
    with kubelets.running(Kubelets(cloud, target, NODES)) as running:
        yield running


@pytest.fixture
def healing(platform: TargetPlatform, cloud: Simulator, nodes: Kubelets) -> TargetPlatform:
    """Have the account's keys in the Secret `cloudstack`."""
    del nodes
    put_keys(platform, cloud)
    return platform


def test_a_stopped_vm_is_started(
    healing: TargetPlatform, cloud: Simulator, nodes: Kubelets
) -> None:
    make(healing, "stopped")
    nodes.stop_vm("cks-node-1")
    until_healed(healing, "stopped")
    assert repairs(cloud) == {"startVirtualMachine cks-node-1": 1}


def test_a_node_that_hangs_is_rebooted(
    healing: TargetPlatform, cloud: Simulator, nodes: Kubelets
) -> None:
    make(healing, "hung")
    nodes.hang("cks-node-2")
    until_healed(healing, "hung")
    assert repairs(cloud) == {"rebootVirtualMachine cks-node-2": 1}


def test_a_node_that_no_reboot_helps_is_stopped_and_started(
    healing: TargetPlatform, cloud: Simulator, nodes: Kubelets
) -> None:
    make(healing, "stubborn")
    nodes.stubborn.add("cks-node-2")
    until_healed(healing, "stubborn")
    assert repairs(cloud) == {
        "rebootVirtualMachine cks-node-2": 1,
        "stopVirtualMachine cks-node-2": 1,
        "startVirtualMachine cks-node-2": 1,
    }


def test_a_node_that_nothing_helps_is_given_up(
    healing: TargetPlatform, cloud: Simulator, nodes: Kubelets
) -> None:
    make(healing, "broken")
    nodes.broken.add("cks-node-1")
    cluster = healing.until_says("broken", "Healing", "False RetriesExhausted")
    assert fault(cluster, "cks-node-1")["attempts"] == 2
    assert repairs(cloud) == {
        "rebootVirtualMachine cks-node-1": 1,
        "stopVirtualMachine cks-node-1": 1,
        "startVirtualMachine cks-node-1": 1,
    }


def test_a_vm_that_does_not_start_is_given_up_in_cloudstacks_words(
    healing: TargetPlatform, cloud: Simulator, nodes: Kubelets
) -> None:
    make(healing, "full")
    cloud.control.fault("startVirtualMachine", "job-failed", text="no capacity", times=None)
    nodes.stop_vm("cks-node-1")
    cluster = healing.until_says("full", "Healing", "False RetriesExhausted")
    assert "no capacity" in str(fault(cluster, "cks-node-1"))
    assert repairs(cloud) == {"startVirtualMachine cks-node-1": 2}


def test_a_killed_operator_makes_no_attempt_twice(
    healing: TargetPlatform, cloud: Simulator, nodes: Kubelets
) -> None:
    make(healing, "killed")
    nodes.broken.add("cks-node-1")
    polling.until(lambda: repairs(cloud), "a repair was sent")
    healing.hooks.kill()
    healing.hooks.start()
    healing.until_says("killed", "Healing", "False RetriesExhausted")
    assert repairs(cloud)["rebootVirtualMachine cks-node-1"] == 1
    assert sum(repairs(cloud).values()) <= 3


def test_a_vm_that_was_stopped_for_a_repair_is_started_after_the_last_attempt(
    healing: TargetPlatform, cloud: Simulator, nodes: Kubelets
) -> None:
    make(healing, "owed")
    cloud.control.fault("startVirtualMachine", "job-failed", text="no capacity", times=None)
    nodes.broken.add("cks-node-1")
    cluster = healing.until_says("owed", "Healing", "False RetriesExhausted")
    assert fault(cluster, "cks-node-1")["attempts"] == 2
    nodes.broken.clear()
    cloud.control.clear_faults()
    polling.until(lambda: nodes.vms()["cks-node-1"]["state"] == "Running", "the VM is started")
    assert repairs(cloud)["rebootVirtualMachine cks-node-1"] == 1
    assert repairs(cloud)["stopVirtualMachine cks-node-1"] == 1


def test_a_vm_that_was_stopped_for_a_repair_is_started_before_the_target_cluster_goes(
    healing: TargetPlatform, cloud: Simulator, nodes: Kubelets
) -> None:
    make(healing, "released")
    cloud.control.fault("startVirtualMachine", "job-failed", text="no capacity", times=None)
    nodes.broken.add("cks-node-1")
    cluster = healing.until_says("released", "Healing", "False RetriesExhausted")
    vm = nodes.vms()["cks-node-1"]
    assert cluster["status"]["healing"]["owedStarts"] == [{"object": "cks-node-1", "vm": vm["id"]}]
    healing.clusters.delete("released", NAMESPACE)
    healing.until("released", lambda cluster: "deletionTimestamp" in cluster["metadata"])
    cloud.control.clear_faults()
    healing.until_gone("released")
    assert nodes.vms()["cks-node-1"]["state"] == "Running"
    assert repairs(cloud)["stopVirtualMachine cks-node-1"] == 1


def test_the_vms_of_a_control_plane_that_is_out_of_reach_are_started(
    healing: TargetPlatform, cloud: Simulator, nodes: Kubelets
) -> None:
    make(healing, "headless")
    healing.until_says("headless", "Healing", "True Healthy")
    nodes.api_server_on = "cks-control-1"
    nodes.stop_vm("cks-control-1")
    until_healed(healing, "headless")
    assert repairs(cloud) == {"startVirtualMachine cks-control-1": 1}


def test_a_control_plane_that_does_not_start_is_given_up(
    healing: TargetPlatform, cloud: Simulator, nodes: Kubelets
) -> None:
    make(healing, "beheaded")
    healing.until_says("beheaded", "Healing", "True Healthy")
    cloud.control.fault("startVirtualMachine", "job-failed", text="no capacity", times=None)
    nodes.api_server_on = "cks-control-1"
    nodes.stop_vm("cks-control-1")
    cluster = healing.until_says("beheaded", "Healing", "False RetriesExhausted")
    assert "no capacity" in str(fault(cluster, "cks-control-1"))
    assert repairs(cloud) == {"startVirtualMachine cks-control-1": 2}


def test_a_stopped_cluster_of_the_kubernetes_service_is_started(
    healing: TargetPlatform, cloud: Simulator, nodes: Kubelets
) -> None:
    """Its API server runs on one of its VMs, and is away as long as that."""
    make(healing, "service", cluster_id(cloud, "cks"))
    nodes.api_server_on = "cks-control-1"
    cloud.control.stage("kubernetescluster", "cks", state="Stopped")
    for name in NODES:
        nodes.stop_vm(name)
    until_healed(healing, "service")
    assert repairs(cloud) == {"startKubernetesCluster cks": 1}


def test_a_cluster_of_the_kubernetes_service_in_alert_is_started(
    healing: TargetPlatform, cloud: Simulator, nodes: Kubelets
) -> None:
    """CloudStack finds that not all of its VMs run."""
    make(healing, "alert", cluster_id(cloud, "cks"))
    nodes.api_server_on = "cks-control-1"
    for name in ("cks-control-1", "cks-node-1"):
        nodes.stop_vm(name)
    cloud.control.stage("kubernetescluster", "cks", state="Alert")
    until_healed(healing, "alert")
    assert repairs(cloud) == {"startKubernetesCluster cks": 1}


def test_a_cluster_of_the_kubernetes_service_that_does_not_start_is_given_up(
    healing: TargetPlatform, cloud: Simulator, nodes: Kubelets
) -> None:
    make(healing, "lost", cluster_id(cloud, "cks"))
    nodes.api_server_on = "cks-control-1"
    cloud.control.fault("startKubernetesCluster", "job-failed", text="no capacity", times=None)
    cloud.control.stage("kubernetescluster", "cks", state="Stopped")
    for name in NODES:
        nodes.stop_vm(name)
    cluster = healing.until_says("lost", "Healing", "False RetriesExhausted")
    assert "no capacity" in str(cluster["status"]["healing"])
    assert repairs(cloud)["startKubernetesCluster cks"] == 2
