"""Nodes on a real API server: Metacontroller, gunicorn and the simulator between them."""

from typing import Any

import pytest

from tests.controlplane import polling
from tests.e2e.cloud import Cloud
from tests.e2e.nodes import (
    SHUTDOWN,
    UNINITIALIZED,
    address,
    has_taint,
    initialised,
    put_taint,
    register,
    set_ready,
)
from tests.e2e.platform import Platform

FIVE = ("node-1", "node-2", "node-3", "node-4", "node-5")
TYPE = "node.kubernetes.io/instance-type"


def test_nodes_are_initialised(platform: Platform) -> None:
    for name in FIVE:
        register(platform, name)
    nodes = {name: platform.until_node(name, initialised) for name in FIVE}
    for name, node in nodes.items():
        vm = Cloud.of(platform.simulator).find("node-5.example.com" if name == "node-5" else name)
        labels = node["metadata"]["labels"]
        assert node["spec"]["providerID"] == f"external-cloudstack://{vm['id']}"
        assert labels["kubernetes.io/hostname"] == vm["name"]
        assert labels["topology.kubernetes.io/zone"] == "zone-1"
        assert labels["topology.kubernetes.io/region"] == "zone-1"
        instance = platform.instances.get(name)
        assert instance["spec"]["instanceID"] == vm["id"]
        assert instance["observed"]["state"] == "Running"
    assert {name: node["metadata"]["labels"][TYPE] for name, node in nodes.items()} == {
        "node-1": "SmallInstance",
        "node-2": "MediumInstance",
        "node-3": "SmallInstance",
        "node-4": "SmallInstance1vCPU",
        "node-5": "SmallInstance",
    }
    for name in FIVE:
        platform.until_event(name, "Synced")
    assert platform.simulator.control.ignored_parameters() == []
    table = platform.plane.kubectl("get", "csvm")
    assert table.split("\n")[0].split() == [
        *("NAME", "INSTANCE", "STATE", "ADDRESS", "OFFERING", "ZONE", "MISSING", "AGE")
    ]
    assert "Medium Instance" in table


def test_addresses_are_those_of_every_nic_and_kubelets_status_is_kept(platform: Platform) -> None:
    register(platform, "node-2")
    register(platform, "node-3")
    for name in ("node-2", "node-3"):
        node = platform.until_node(name, initialised)
        vm = Cloud.of(platform.simulator).find(name)
        nics = sorted(vm["nic"], key=lambda nic: not nic["isdefault"])
        internal = [
            ip for nic in nics for ip in (nic.get("ipaddress"), nic.get("ip6address")) if ip
        ]
        assert [address(a) for a in node["status"]["addresses"]] == [
            *(("InternalIP", ip) for ip in internal),
            ("Hostname", name),
        ]
        assert len(internal) >= 2
        assert [c["type"] for c in node["status"]["conditions"]] == ["Ready"]
        assert node["status"]["capacity"]["cpu"] == "4"


def test_an_address_that_the_vm_lost_leaves_the_node(platform: Platform) -> None:
    register(platform, "node-2")
    platform.until_node("node-2", initialised)
    cloud = Cloud.of(platform.simulator)
    vm = cloud.find("node-2")
    [second] = [nic for nic in vm["nic"] if not nic["isdefault"]]
    cloud.api.done("removeNicFromVirtualMachine", virtualmachineid=vm["id"], nicid=second["id"])
    lost = ("InternalIP", second["ipaddress"])
    platform.until_node(
        "node-2", lambda node: lost not in map(address, node["status"]["addresses"])
    )


def test_a_taint_put_back_by_hand_is_taken_off_again(platform: Platform) -> None:
    register(platform, "node-1")
    platform.until_node("node-1", initialised)
    platform.plane.kubectl("taint", "nodes", "node-1", f"{UNINITIALIZED}=true:NoSchedule")
    platform.until_node("node-1", lambda node: not has_taint(node, UNINITIALIZED))


def test_a_label_broken_by_hand_is_right_again(platform: Platform) -> None:
    register(platform, "node-1")
    platform.until_node("node-1", initialised)
    platform.plane.kubectl("label", "--overwrite", "node", "node-1", f"{TYPE}=Wrong")
    platform.until_node("node-1", lambda node: node["metadata"]["labels"][TYPE] == "SmallInstance")


def test_a_resized_vm_gets_its_new_label(platform: Platform) -> None:
    register(platform, "node-1")
    platform.until_node("node-1", initialised)
    Cloud.of(platform.simulator).resize("node-1", "Medium Instance")
    platform.until_node("node-1", lambda node: node["metadata"]["labels"][TYPE] == "MediumInstance")


def test_a_stopped_vm_taints_its_node_until_it_is_ready_again(platform: Platform) -> None:
    register(platform, "node-1")
    platform.until_node("node-1", initialised)
    cloud = Cloud.of(platform.simulator)
    cloud.stop("node-1")
    set_ready(platform, "node-1", ready=False)
    platform.until_node("node-1", lambda node: has_taint(node, SHUTDOWN))
    cloud.start("node-1")
    set_ready(platform, "node-1", ready=True)
    platform.until_node("node-1", lambda node: not has_taint(node, SHUTDOWN))


def test_a_destroyed_vm_takes_its_node_and_instance_along(platform: Platform) -> None:
    register(platform, "node-1")
    register(platform, "node-2")
    platform.until_node("node-1", initialised)
    platform.until_node("node-2", initialised)
    Cloud.of(platform.simulator).destroy("node-1")
    set_ready(platform, "node-1", ready=False)
    platform.until_event("node-1", "DeletingNode")
    platform.until_gone("node-1")
    polling.until(lambda: platform.instances.find("node-1") is None, "its Instance is deleted")
    assert platform.nodes.find("node-2") is not None


def test_a_ready_node_without_a_vm_is_kept_and_so_is_every_other(platform: Platform) -> None:
    for name in ("node-1", "node-2", "node-3"):
        register(platform, name)
        platform.until_node(name, initialised)
    cloud = Cloud.of(platform.simulator)
    cloud.destroy("node-1")
    cloud.destroy("node-2")
    set_ready(platform, "node-1", ready=False)
    platform.until_event("node-2", "NodeDeletionHeld")
    platform.until_event("node-1", "NodeDeletionHeld")
    assert {node["metadata"]["name"] for node in platform.nodes.list()} >= {
        "node-1",
        "node-2",
        "node-3",
    }


@pytest.mark.parametrize("ready", [True, False], ids=["Ready", "not Ready"])
def test_a_wrong_project_deletes_nothing(platform: Platform, ready: bool) -> None:
    for name in FIVE:
        register(platform, name)
    for name in FIVE:
        platform.until_node(name, initialised)
    platform.hooks.configure(project_id=platform.project_id)
    for name in FIVE:
        set_ready(platform, name, ready=ready)
    for name in FIVE:
        platform.until_event(name, "NodeDeletionHeld")
        assert platform.nodes.find(name) is not None
    platform.hooks.configure()
    for name in FIVE:
        platform.until_instance(name, lambda instance: instance["observed"]["state"] == "Running")


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"kind": "empty"}, id="down"),
        pytest.param({"kind": "error", "code": 530}, id="530"),
        pytest.param({"kind": "slow", "seconds": 10.0}, id="slow"),
        pytest.param({"kind": "html"}, id="HTML"),
    ],
)
def test_an_outage_changes_nothing_and_all_resumes(
    platform: Platform, fault: dict[str, Any]
) -> None:
    register(platform, "node-1")
    before = platform.until_node("node-1", initialised)
    platform.simulator.control.fault(times=None, **fault)
    platform.until_outage_is_noticed()
    set_ready(platform, "node-1", ready=False)
    register(platform, "node-2")
    platform.until_outage_is_noticed()
    assert platform.hooks.ready()
    during = platform.nodes.get("node-1")
    assert during["spec"] == before["spec"]
    assert during["metadata"]["labels"] == before["metadata"]["labels"]
    assert has_taint(platform.nodes.get("node-2"), UNINITIALIZED)
    platform.simulator.control.clear_faults()
    platform.until_node("node-2", initialised)
    assert platform.nodes.get("node-1")["spec"]["providerID"] == before["spec"]["providerID"]


def test_two_vms_of_one_name_leave_the_node_untouched(platform: Platform) -> None:
    cloud = Cloud.of(platform.simulator)
    first, twin = cloud.find("node-1")["id"], cloud.deploy_like("node-1")
    register(platform, "node-1")
    event = platform.until_event("node-1", "InstanceAmbiguous")
    assert first in event["message"]
    assert twin in event["message"]
    node = platform.nodes.get("node-1")
    assert has_taint(node, UNINITIALIZED)
    assert "providerID" not in node["spec"]


@pytest.mark.parametrize("form", ["cloudstack:///{}", "cloudstack://eu/{}"])
def test_a_provider_id_of_another_form_is_kept(platform: Platform, form: str) -> None:
    provider_id = form.format(Cloud.of(platform.simulator).find("node-1")["id"])
    register(platform, "node-1", provider_id=provider_id)
    node = platform.until_node("node-1", initialised)
    assert node["spec"]["providerID"] == provider_id


def test_another_clouds_node_is_left_alone(platform: Platform) -> None:
    register(platform, "node-1", provider_id="aws:///eu-1a/i-0123")
    register(platform, "node-2")
    platform.until_node("node-2", initialised)
    node = platform.nodes.get("node-1")
    assert has_taint(node, UNINITIALIZED)
    assert TYPE not in node["metadata"].get("labels", {})
    assert platform.instances.find("node-1") is None


def test_a_taint_of_somebody_else_stays(platform: Platform) -> None:
    register(platform, "node-1")
    put_taint(platform, "node-1", {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"})
    node = platform.until_node("node-1", initialised)
    assert has_taint(node, "dedicated")
