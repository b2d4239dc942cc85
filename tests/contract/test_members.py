"""The VMs behind a rule: all of a call or none, listed with their addresses."""

import pytest

from tests.contract.cloud import Cloud, Json
from tests.contract.conftest import Maker

NOBODY = "00000000-0000-4000-8000-000000000000"
FAILED = "Failed to assign load balancer rule"


@pytest.fixture
def rule(cloud: Cloud, address: Json) -> Json:
    """A rule without members."""
    return dict(
        cloud.done(
            "createLoadBalancerRule",
            name="m-tcp-80",
            algorithm="roundrobin",
            publicport=80,
            privateport=30080,
            publicipid=address["id"],
            openfirewall=False,
        )["loadbalancer"]
    )


def members(cloud: Cloud, rule: Json) -> list[str]:
    """Return the ids of a rule's members, sorted."""
    key = "loadbalancerruleinstance"
    found = cloud.list("listLoadBalancerRuleInstances", key, id=rule["id"], listall=True)
    return sorted(member["id"] for member in found)


def assign(cloud: Cloud, rule: Json, *vms: Json, **fields: object) -> Json:
    """Assign VMs and return the job."""
    ids = [vm["id"] for vm in vms] or None
    return cloud.job("assignToLoadBalancerRule", id=rule["id"], virtualmachineids=ids, **fields)


def state(cloud: Cloud, rule: Json) -> str:
    [found] = cloud.list("listLoadBalancerRules", "loadbalancerrule", id=rule["id"])
    return str(found["state"])


def test_a_rule_is_active_while_it_has_members(cloud: Cloud, rule: Json, vms: list[Json]) -> None:
    assert cloud.ok("listLoadBalancerRuleInstances", id=rule["id"]) == {}
    assert assign(cloud, rule, *vms)["jobresult"] == {"success": True}
    assert members(cloud, rule) == sorted(vm["id"] for vm in vms)
    assert state(cloud, rule) == "Active"
    ids = [vm["id"] for vm in vms]
    cloud.done("removeFromLoadBalancerRule", id=rule["id"], virtualmachineids=ids)
    assert members(cloud, rule) == []
    assert state(cloud, rule) == "Add"


def test_members_may_be_assigned_before_the_rules_job_ends(
    cloud: Cloud, address: Json, vms: list[Json]
) -> None:
    answer = cloud.ok(
        "createLoadBalancerRule",
        name="early",
        algorithm="roundrobin",
        publicport=90,
        privateport=30090,
        publicipid=address["id"],
        openfirewall=False,
    )
    assert assign(cloud, answer, vms[0])["jobstatus"] == 1
    assert members(cloud, answer) == [vms[0]["id"]]


def test_one_member_that_is_in_already_fails_the_whole_call(
    cloud: Cloud, rule: Json, vms: list[Json]
) -> None:
    assign(cloud, rule, vms[0])
    job = assign(cloud, rule, *vms)
    assert job["jobresult"] == {"errorcode": 530, "errortext": FAILED}
    assert members(cloud, rule) == [vms[0]["id"]]


def test_a_vm_of_another_network_or_none_fails_in_the_job(
    cloud: Cloud, rule: Json, stranger: Json
) -> None:
    assert assign(cloud, rule, stranger)["jobresult"]["errortext"] == FAILED
    assert assign(cloud, rule)["jobresult"]["errortext"] == FAILED
    assert members(cloud, rule) == []


def test_an_unknown_vm_or_rule_is_refused_at_once(
    cloud: Cloud, rule: Json, vms: list[Json]
) -> None:
    for command in ("assignToLoadBalancerRule", "removeFromLoadBalancerRule"):
        text = cloud.refused(command, 431, id=rule["id"], virtualmachineids=NOBODY)
        assert "Invalid parameter virtualmachineids" in text
        cloud.refused(command, 431, id=NOBODY, virtualmachineids=vms[0]["id"])
    cloud.refused("listLoadBalancerRuleInstances", 431, id=NOBODY)
    cloud.refused("listLoadBalancerRuleInstances", 431)


def test_removing_one_that_is_not_in_is_no_failure(
    cloud: Cloud, rule: Json, vms: list[Json]
) -> None:
    wanted = {"id": rule["id"], "virtualmachineids": vms[0]["id"]}
    assert cloud.done("removeFromLoadBalancerRule", **wanted) == {"success": True}


def test_members_are_listed_with_their_addresses_where_asked(
    cloud: Cloud, rule: Json, vms: list[Json]
) -> None:
    assign(cloud, rule, *vms)
    answer = cloud.ok("listLoadBalancerRuleInstances", id=rule["id"], lbvmips=True)
    assert answer["count"] == len(vms)
    found = {
        entry["loadbalancerruleinstance"]["id"]: entry["lbvmipaddresses"]
        for entry in answer["lbrulevmidip"]
    }
    assert found == {vm["id"]: [vm["ipaddress"]] for vm in vms}


def test_the_page_of_a_member_list_is_ignored(cloud: Cloud, rule: Json, vms: list[Json]) -> None:
    assign(cloud, rule, *vms)
    answer = cloud.ok("listLoadBalancerRuleInstances", id=rule["id"], page=1, pagesize=1)
    assert len(answer["loadbalancerruleinstance"]) == len(vms)


def test_members_that_are_not_applied_are_another_list(
    cloud: Cloud, rule: Json, vms: list[Json]
) -> None:
    assign(cloud, rule, *vms)
    assert cloud.ok("listLoadBalancerRuleInstances", id=rule["id"], applied=False) == {}


def test_an_address_may_be_named_if_it_is_the_vms(
    cloud: Cloud, rule: Json, vms: list[Json]
) -> None:
    foreign = {"vmidipmap[0].vmid": vms[0]["id"], "vmidipmap[0].vmip": "10.9.9.9"}
    assert assign(cloud, rule, **foreign)["jobresult"]["errortext"] == FAILED
    own = {"vmidipmap[0].vmid": vms[0]["id"], "vmidipmap[0].vmip": vms[0]["ipaddress"]}
    assert assign(cloud, rule, **own)["jobstatus"] == 1
    assert members(cloud, rule) == [vms[0]["id"]]


def test_a_stopped_vm_can_be_assigned_and_stays(
    cloud: Cloud, rule: Json, maker: Maker, network: Json
) -> None:
    vm = maker.vm(network)
    cloud.done("stopVirtualMachine", id=vm["id"])
    assert assign(cloud, rule, vm)["jobstatus"] == 1
    assert members(cloud, rule) == [vm["id"]]


def test_a_destroyed_vm_leaves_its_rules_and_cannot_come_back(
    cloud: Cloud, rule: Json, maker: Maker, network: Json
) -> None:
    vm = maker.vm(network)
    assign(cloud, rule, vm)
    cloud.done("destroyVirtualMachine", id=vm["id"])
    maker.made.pop()
    assert members(cloud, rule) == []
    assert assign(cloud, rule, vm)["jobstatus"] == 2


def test_rules_are_found_by_a_member(cloud: Cloud, rule: Json, vms: list[Json]) -> None:
    assign(cloud, rule, vms[0])
    found = cloud.list("listLoadBalancerRules", "loadbalancerrule", virtualmachineid=vms[0]["id"])
    assert rule["id"] in [one["id"] for one in found]


def test_anothers_rule_takes_no_members_and_shows_none(
    other: Cloud, rule: Json, vms: list[Json]
) -> None:
    wanted = {"id": rule["id"], "virtualmachineids": vms[0]["id"]}
    other.refused("assignToLoadBalancerRule", 531, **wanted)
    other.refused("listLoadBalancerRuleInstances", 531, id=rule["id"])
