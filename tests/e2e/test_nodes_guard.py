"""Nodes whose VMs are gone, on a real API server: who is deleted, who is kept, who is told what."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import requests

from hooks.names import ANNOTATION_CONFIRM_DELETION
from hooks.nodes.request import INSTANCES
from tests.controlplane import polling
from tests.controlplane.api import Object
from tests.controlplane.polling import PATIENCE
from tests.e2e.cloud import Cloud
from tests.e2e.nodes import SHUTDOWN, UNINITIALIZED, has_taint, initialised, register, set_ready
from tests.e2e.platform import RESYNC_SECONDS, Platform

FIVE = ("node-1", "node-2", "node-3", "node-4", "node-5")


def join(platform: Platform, *names: str) -> None:
    for name in names:
        register(platform, name)
    for name in names:
        platform.until_node(name, initialised)


def rebuild(platform: Platform, name: str) -> str:
    """Replace a VM by another one of its name; return the new one's id."""
    cloud = Cloud.of(platform.simulator)
    former = cloud.find(name)["id"]
    new = cloud.deploy_like(name)
    cloud.api.done("destroyVirtualMachine", id=former)
    platform.until_instance(name, lambda instance: instance["observed"]["state"] == "Missing")
    return new


def test_a_vm_rebuilt_under_its_name_is_told_and_keeps_no_dead_node(platform: Platform) -> None:
    join(platform, *FIVE)
    new = rebuild(platform, "node-2")
    Cloud.of(platform.simulator).destroy("node-1")
    set_ready(platform, "node-1", ready=False)
    event = platform.until_event("node-2", "InstanceReplaced")
    assert f"VM node-2 ({new}) has its name" in event["message"]
    platform.until_gone("node-1")
    deletion, written = '"actions": ["NodeDeletion"]', platform.hooks.process.log.read_text
    polling.until(lambda: deletion in written(), "the call that deleted the Node is logged")
    log = written()
    assert log.count(deletion) == 1
    assert not [line for line in log.splitlines() if '"outcome": "retry"' in line and "404" in line]
    assert platform.nodes.get("node-2")["spec"]["providerID"] != f"external-cloudstack://{new}"
    platform.nodes.delete("node-2")
    join(platform, "node-2")
    assert platform.nodes.get("node-2")["spec"]["providerID"] == f"external-cloudstack://{new}"


def test_a_node_that_is_held_goes_when_a_person_confirms_it(platform: Platform) -> None:
    join(platform, "node-1", "node-2", "node-3")
    cloud = Cloud.of(platform.simulator)
    cloud.destroy("node-1")
    cloud.destroy("node-2")
    set_ready(platform, "node-1", ready=False)
    event = platform.until_event("node-1", "NodeDeletionHeld")
    assert "1 of 3 nodes that are Ready (node-2)" in event["message"]
    assert f"{ANNOTATION_CONFIRM_DELETION}=true" in event["message"]
    platform.plane.kubectl("annotate", "node", "node-1", f"{ANNOTATION_CONFIRM_DELETION}=true")
    platform.until_gone("node-1")
    platform.until_event("node-1", "DeletingNode")
    assert platform.nodes.find("node-2") is not None


def test_a_node_whose_vm_was_never_seen_waits_for_a_person(platform: Platform) -> None:
    join(platform, "node-1")
    unknown = "cloudstack:///00000000-0000-4000-8000-000000000000"
    register(platform, "stranger", provider_id=unknown, ready=False)
    event = platform.until_event("stranger", "NodeDeletionHeld")
    assert "it never had this VM" in event["message"]
    [found] = platform.instances.get("stranger")["observed"]["conditions"]
    assert (found["type"], found["reason"]) == ("VMFound", "NeverSeen")
    platform.plane.kubectl("annotate", "node", "stranger", f"{ANNOTATION_CONFIRM_DELETION}=true")
    platform.until_gone("stranger")


def test_a_new_node_outlives_calls_for_the_one_before_it(platform: Platform) -> None:
    join(platform, *FIVE)
    former = platform.nodes.get("node-1")
    new = rebuild(platform, "node-1")
    former["status"]["conditions"][0]["status"] = "False"
    platform.nodes.delete("node-1")
    register(platform, "node-1", ready=False)
    uid = platform.nodes.get("node-1")["metadata"]["uid"]
    stale: Object = {"object": former, "attachments": {INSTANCES: {}}}
    instance: Object = {}
    ends = time.monotonic() + 5  # the grace is 2 s
    while time.monotonic() < ends:
        answer = requests.post(f"{platform.hooks.url}/nodes/sync", json=stale, timeout=PATIENCE)
        assert answer.status_code == 200
        [instance] = answer.json()["attachments"]
        stale["attachments"] = {INSTANCES: {"node-1": instance}}
        time.sleep(0.3)
    assert int(instance["observed"]["missing"]["snapshots"]) > 3
    node = platform.until_node("node-1", initialised)
    assert node["metadata"]["uid"] == uid
    assert node["spec"]["providerID"] == f"external-cloudstack://{new}"


def test_a_node_that_claims_another_ones_vm_is_left_and_both_are_told(platform: Platform) -> None:
    join(platform, "node-1", "node-2")
    owner = platform.nodes.get("node-1")
    time.sleep(1.1)  # for so long a list of Instances without a node is used
    register(platform, "thief", provider_id=owner["spec"]["providerID"])
    event = platform.until_event("thief", "InstanceClaimedTwice")
    assert "node-1 keeps it" in event["message"]
    platform.until_event("node-1", "InstanceClaimedTwice")
    thief = platform.nodes.get("thief")
    assert has_taint(thief, UNINITIALIZED)
    assert "addresses" not in thief["status"]
    served = {each["metadata"]["name"]: each["observed"] for each in platform.instances.list()}
    assert served["node-1"]["servesLoadBalancers"] is True
    assert served["thief"]["servesLoadBalancers"] is False
    assert platform.nodes.get("node-1")["spec"] == owner["spec"]


@pytest.mark.parametrize("names", [("node-1", "thief"), ("b-thief", "a-thief")])
def test_of_two_nodes_that_claim_one_vm_at_once_one_is_initialised(
    platform: Platform, names: tuple[str, str]
) -> None:
    provider_id = f"external-cloudstack://{Cloud.of(platform.simulator).find('node-1')['id']}"
    with ThreadPoolExecutor() as executor:
        list(executor.map(partial(register, platform, provider_id=provider_id), names))
    for name in names:
        platform.until_event(name, "InstanceClaimedTwice", within=4 * RESYNC_SECONDS)

    def settled() -> list[str]:
        instances = {each["metadata"]["name"]: each for each in platform.instances.list()}
        served = [
            name
            for name, instance in instances.items()
            if instance["observed"]["servesLoadBalancers"]
        ]
        return served if len(served) == 1 and set(instances) == set(names) else []

    [kept_by] = polling.until(settled, "one Node keeps the VM", within=4 * RESYNC_SECONDS)
    assert kept_by == "node-1" or "node-1" not in names
    platform.until_node(kept_by, initialised)
    [other] = [platform.nodes.get(name) for name in names if name != kept_by]
    assert has_taint(other, UNINITIALIZED)
    assert "addresses" not in other["status"]


def test_kubectl_waits_for_a_vm_that_is_gone_and_shows_since_when(platform: Platform) -> None:
    join(platform, "node-1", "node-2", "node-3")
    found = "jsonpath={.observed.conditions[?(@.type=='VMFound')].status}"
    kubectl = platform.plane.kubectl
    kubectl("wait", "csvm/node-1", "--timeout=120s", f"--for={found}=True")
    assert platform.instances.get("node-1")["observed"]["address"] in kubectl("get", "csvm")
    Cloud.of(platform.simulator).destroy("node-1")
    kubectl("wait", "csvm/node-1", "--timeout=120s", f"--for={found}=False")
    header, *rows = kubectl("get", "csvm", "--no-headers=false").splitlines()
    at = header.index("MISSING")
    [row] = [row for row in rows if row.startswith("node-1 ")]
    assert row[at:].split()[0].endswith("s")
    [row] = [row for row in rows if row.startswith("node-2 ")]
    assert not row[at : at + len("MISSING")].strip()


def test_a_vm_that_is_gone_is_told_of_a_node_without_a_provider_id(platform: Platform) -> None:
    platform.nodes.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}})
    set_ready(platform, "node-1", ready=True)

    def found(status: str, instance: Object) -> bool:
        return bool(instance["observed"]["conditions"][0]["status"] == status)

    platform.until_instance("node-1", partial(found, "True"))
    Cloud.of(platform.simulator).destroy("node-1")
    platform.until_instance("node-1", partial(found, "False"))
    assert platform.nodes.find("node-1") is not None


def test_a_vm_that_runs_again_frees_its_node_before_it_is_ready(platform: Platform) -> None:
    join(platform, "node-1")
    cloud = Cloud.of(platform.simulator)
    cloud.stop("node-1")
    set_ready(platform, "node-1", ready=False)
    platform.until_node("node-1", lambda node: has_taint(node, SHUTDOWN))
    cloud.start("node-1")
    platform.until_node("node-1", lambda node: not has_taint(node, SHUTDOWN))
