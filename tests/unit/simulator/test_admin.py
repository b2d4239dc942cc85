"""What an administrator sees and may do, beside the ordinary user of the contract tests."""

from typing import Any

import pytest

from simulator.server import Simulator
from tests.contract.cloud import Cloud, Json


def node(cloud: Cloud, name: str, **filters: object) -> Json:
    [vm] = cloud.list("listVirtualMachines", "virtualmachine", name=name, **filters)
    return vm


def names(cloud: Cloud, **filters: object) -> set[str]:
    return {vm["name"] for vm in cloud.list("listVirtualMachines", "virtualmachine", **filters)}


def test_an_administrator_sees_its_own_or_all_or_all_with_projects(admin: Cloud) -> None:
    assert names(admin) == set()
    everybody = names(admin, listall=True)
    assert {"node-1", "other-node-1"} <= everybody
    assert "project-node-1" not in everybody
    assert "project-node-1" in names(admin, listall=True, projectid=-1)
    assert names(admin, account="other", domainid=root(admin)) == {"other-node-1"}


def root(admin: Cloud) -> str:
    return str(admin.list("listAccounts", "account")[0]["domainid"])


def test_an_administrator_is_told_the_host_and_users_are_not(admin: Cloud, user: Cloud) -> None:
    seen = node(admin, "node-1", listall=True)
    assert {"hostid", "hostname", "instancename"} <= set(seen)
    assert not {"hostid", "hostname", "instancename"} & set(node(user, "node-1"))


def test_an_administrator_finds_anything_by_id(admin: Cloud, user: Cloud) -> None:
    vm = node(user, "node-1")
    [found] = admin.list("listVirtualMachines", "virtualmachine", id=vm["id"])
    assert found["account"] == "user"


def test_destroyed_vms_are_shown_to_administrators_until_expunged(
    admin: Cloud, user: Cloud
) -> None:
    vm = node(user, "node-4")
    user.done("destroyVirtualMachine", id=vm["id"])
    [found] = admin.list("listVirtualMachines", "virtualmachine", id=vm["id"])
    assert found["state"] == "Destroyed"
    assert admin.ok("recoverVirtualMachine", id=vm["id"])["virtualmachine"]["state"] == "Stopped"
    assert node(user, "node-4")["state"] == "Stopped"
    done = admin.done("destroyVirtualMachine", id=vm["id"], expunge=True)
    assert "id" not in done["virtualmachine"]
    assert admin.ok("listVirtualMachines", id=vm["id"]) == {}
    text = admin.refused("destroyVirtualMachine", 431, id=vm["id"])
    assert text.startswith("Unable to find UUID for id [")


def test_expunging_needs_a_destroyed_vm(admin: Cloud, user: Cloud) -> None:
    vm = node(user, "node-4")
    admin.failed("expungeVirtualMachine", 431, id=vm["id"])
    user.done("destroyVirtualMachine", id=vm["id"])
    assert admin.done("expungeVirtualMachine", id=vm["id"]) == {"success": True}


def test_users_may_expunge_where_the_installation_lets_them(
    simulator: Simulator, user: Cloud
) -> None:
    simulator.control.settings(expunge=True)
    assert user.ok("listCapabilities")["capability"]["allowuserexpungerecovervm"] is True
    user.done("destroyVirtualMachine", id=node(user, "node-4")["id"], expunge=True)


def test_expunging_lets_the_network_go(admin: Cloud, user: Cloud) -> None:
    vm = node(user, "node-2")
    second = vm["nic"][1]["networkid"]
    user.failed("deleteNetwork", 530, id=second)
    user.done("destroyVirtualMachine", id=vm["id"])
    user.failed("deleteNetwork", 530, id=second)
    admin.done("expungeVirtualMachine", id=vm["id"])
    assert user.done("deleteNetwork", id=second) == {"success": True}


@pytest.mark.parametrize(
    ("kind", "number"), [("public_ip", 1), ("network", 6), ("user_vm", 0)], ids=str
)
def test_a_limit_refuses_one_more(admin: Cloud, user: Cloud, kind: str, number: int) -> None:
    account = user.list("listAccounts", "account")[0]
    total = {"public_ip": "iptotal", "network": "networktotal", "user_vm": "vmtotal"}[kind]
    changed = admin.ok(
        "updateResourceLimit",
        resourcetype=number,
        max=account[total],
        account="user",
        domainid=account["domainid"],
    )["resourcelimit"]
    assert (changed["resourcetypename"], changed["max"]) == (kind, account[total])
    text = user.refused(more(kind), 535, **wish(user, kind))
    assert text.startswith(f"Maximum amount of resources of Type = '{kind}'")
    assert f"Account Resource Limit = {account[total]}" in text
    admin.ok(
        "updateResourceLimit",
        resourcetype=number,
        max=-1,
        account="user",
        domainid=account["domainid"],
    )
    user.ok(more(kind), **wish(user, kind))


def more(kind: str) -> str:
    """Return the command that makes one more of a kind."""
    return {
        "public_ip": "associateIpAddress",
        "network": "createNetwork",
        "user_vm": "deployVirtualMachine",
    }[kind]


def wish(user: Cloud, kind: str) -> dict[str, Any]:
    """Return what makes one more of a kind."""
    vm = node(user, "node-1")
    network = vm["nic"][0]["networkid"]
    if kind == "public_ip":
        return {"networkid": network}
    if kind == "network":
        offering = user.list("listNetworkOfferings", "networkoffering")[0]
        return {"name": "n", "networkofferingid": offering["id"], "zoneid": vm["zoneid"]}
    fields = ("serviceofferingid", "templateid", "zoneid")
    return {name: vm[name] for name in fields} | {"networkids": network}


def test_administrators_have_no_limit(admin: Cloud) -> None:
    [limit] = admin.list("listResourceLimits", "resourcelimit", resourcetype=1)
    assert limit["max"] == -1
    assert admin.list("listAccounts", "account")[0]["iplimit"] == "Unlimited"


def test_a_real_command_that_the_simulator_lacks_says_so_to_an_administrator(
    admin: Cloud,
) -> None:
    text = admin.refused("listHosts", 530)
    assert text == "The simulator does not implement listHosts"


def test_addresses_run_out(admin: Cloud, user: Cloud) -> None:
    zone = user.list("listZones", "zone")[0]
    admin.ok("updateResourceLimit", resourcetype=1, max=-1, account="user", domainid=root(admin))
    network = node(user, "node-1")["nic"][0]["networkid"]
    free = user.ok("listPublicIpAddresses", state="Free", zoneid=zone["id"])["count"]
    for _ in range(free):
        user.ok("associateIpAddress", networkid=network)
    assert user.ok("listPublicIpAddresses", state="Free", zoneid=zone["id"]) == {}
    text = user.refused("associateIpAddress", 533, networkid=network)
    assert text == "Insufficient address capacity"


@pytest.mark.parametrize("name", ["default_allow", "default_deny"])
def test_administrators_do_not_change_the_default_lists_either(admin: Cloud, name: str) -> None:
    [acl] = admin.list("listNetworkACLLists", "networkacllist", name=name)
    [first, _] = admin.list("listNetworkACLs", "networkacl", aclid=acl["id"])
    assert (acl["fordisplay"], first["fordisplay"]) == (True, True)
    text = "Default ACL cannot be modified"
    item = {"aclid": acl["id"], "protocol": "tcp", "startport": 80}
    assert admin.refused("createNetworkACL", 431, **item) == text
    assert admin.failed("updateNetworkACLItem", 431, id=first["id"], action="Allow") == text
    admin.failed("deleteNetworkACL", 431, id=first["id"])
    admin.failed("deleteNetworkACLList", 431, id=acl["id"])
