"""Security groups, their rules and tags, in a zone that has them."""

from collections.abc import Iterator

import pytest

from tests.contract.cloud import Cloud, Json
from tests.contract.conftest import ON_GROUPS, unique

KEY = "securitygroup"
pytestmark = ON_GROUPS


@pytest.fixture(scope="session")
def group_zone(cloud: Cloud) -> Json:
    """A zone with security groups."""
    zones = cloud.list("listZones", "zone", available=True)
    found = [zone for zone in zones if zone["securitygroupsenabled"]]
    if not found:
        pytest.skip("there is no zone with security groups")
    return found[0]


@pytest.fixture(scope="session")
def group_network(cloud: Cloud, group_zone: Json) -> Json:
    """The network of that zone."""
    where = {"zoneid": group_zone["id"], "supportedservices": "SecurityGroup"}
    found = cloud.list("listNetworks", "network", **where)
    if not found:
        pytest.skip("the zone has no network with security groups")
    return found[0]


@pytest.fixture
def group(cloud: Cloud) -> Iterator[Json]:
    """An empty group."""
    made = cloud.ok("createSecurityGroup", name=unique("sg"), description="rec")[KEY]
    yield made
    cloud.call("deleteSecurityGroup", id=made["id"])


@pytest.fixture
def group_vm(
    cloud: Cloud, group_zone: Json, group_network: Json, group: Json, offerings: list[Json]
) -> Iterator[Json]:
    """A running VM of the group."""
    template = cloud.list("listTemplates", "template", templatefilter="executable")[0]
    made = cloud.done(
        "deployVirtualMachine",
        name=unique("vm"),
        zoneid=group_zone["id"],
        networkids=group_network["id"],
        serviceofferingid=offerings[0]["id"],
        templateid=template["id"],
        securitygroupids=group["id"],
    )["virtualmachine"]
    yield made
    cloud.call("destroyVirtualMachine", id=made["id"])


def wanted(group: Json, **fields: object) -> dict[str, object]:
    """Return the parameters that open a port of a group to a range, with these changes."""
    port = {"protocol": "tcp", "startport": 80, "endport": 80, "cidrlist": "10.0.0.0/8"}
    return {"securitygroupid": group["id"], **port, **fields}


def opened(cloud: Cloud, group: Json, **fields: object) -> list[Json]:
    """Authorise, and return the rules that were made."""
    made = cloud.done("authorizeSecurityGroupIngress", **wanted(group, **fields))[KEY]
    return list(made["ingressrule"])


def failed(cloud: Cloud, code: int, group: Json, **fields: object) -> str:
    """Have the job of an authorisation fail, and return the words."""
    return cloud.failed("authorizeSecurityGroupIngress", code, **wanted(group, **fields))


def rules(cloud: Cloud, group: Json) -> list[Json]:
    """Return the ingress rules of a group as a list shows them."""
    [found] = cloud.list("listSecurityGroups", KEY, id=group["id"])
    return list(found["ingressrule"])


def test_the_network_is_the_domains_and_balances_nothing(
    cloud: Cloud, group_network: Json, group_zone: Json
) -> None:
    assert (group_network["type"], group_network["acltype"]) == ("Shared", "Domain")
    assert (group_network["state"], "account" in group_network) == ("Setup", False)
    names = {service["name"] for service in group_network["service"]}
    assert names == {"Dns", "Dhcp", "UserData", "SecurityGroup"}
    cloud.refused("associateIpAddress", 531, networkid=group_network["id"])
    cloud.refused("associateIpAddress", 431, zoneid=group_zone["id"])
    free = cloud.ok("listPublicIpAddresses", state="Free", zoneid=group_zone["id"])
    assert free == {}


def test_a_group_is_made_at_once_and_its_name_once(cloud: Cloud, group: Json) -> None:
    assert (group["ingressrule"], group["egressrule"], group["tags"]) == ([], [], [])
    assert (group["virtualmachinecount"], group["virtualmachineids"]) == (0, [])
    for name in (group["name"], "default"):
        text = cloud.refused("createSecurityGroup", 431, name=name)
        assert text == (
            f"Unable to create security group, a group with name {name} already exists."
        )


def test_a_deleted_group_is_unknown_with_its_rules(cloud: Cloud, group: Json) -> None:
    [rule] = opened(cloud, group)
    assert cloud.ok("deleteSecurityGroup", id=group["id"]) == {"success": True}
    cloud.refused("deleteSecurityGroup", 431, id=group["id"])
    cloud.refused("revokeSecurityGroupIngress", 431, id=rule["ruleid"])


def test_each_range_is_a_rule_and_only_new_ones_are_answered(cloud: Cloud, group: Json) -> None:
    first = opened(cloud, group, protocol="TCP", cidrlist="10.0.0.0/8,192.168.0.0/16,10.0.0.0/8")
    assert [each["cidr"] for each in first] == ["10.0.0.0/8", "192.168.0.0/16"]
    assert {each["protocol"] for each in first} == {"tcp"}
    assert {(each["startport"], each["endport"]) for each in first} == {(80, 80)}
    assert "tags" not in first[0]
    [second] = opened(cloud, group, cidrlist="10.0.0.0/8,100.64.0.0/10")
    assert second["cidr"] == "100.64.0.0/10"
    assert {each["ruleid"] for each in rules(cloud, group)} == {
        each["ruleid"] for each in (*first, second)
    }
    assert {tuple(each["tags"]) for each in rules(cloud, group)} == {()}


def test_a_rule_that_is_there_fails_in_the_job(cloud: Cloud, group: Json) -> None:
    opened(cloud, group)
    text = failed(cloud, 530, group)
    assert text == "Failed to authorize security group ingress rule(s)"
    assert len(rules(cloud, group)) == 1
    assert opened(cloud, group, endport=90), "ranges may overlap"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        pytest.param(
            {"cidrlist": ""},
            "At least one cidr or at least one security group needs to be specified",
            id="no range of clients",
        ),
        pytest.param({"cidrlist": "10.0.0.0/33"}, "Invalid cidr 10.0.0.0/33", id="a bad range"),
        pytest.param(
            {"endport": ""},
            "Invalid port range specified, startPort = 80, endPort = null",
            id="no last port",
        ),
        pytest.param({"endport": 79}, "Invalid port range 80:79", id="ports upside down"),
    ],
)
def test_what_is_wrong_fails_in_the_job(cloud: Cloud, group: Json, fields: Json, text: str) -> None:
    params = {key: each for key, each in wanted(group, **fields).items() if each != ""}
    assert cloud.failed("authorizeSecurityGroupIngress", 431, **params) == text
    assert rules(cloud, group) == []


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        pytest.param({"protocol": "udp"}, {"protocol": "udp", "startport": 80}, id="udp"),
        pytest.param({"cidrlist": "2001:db8::/32"}, {"cidr": "2001:db8::/32"}, id="IPv6"),
        pytest.param({"cidrlist": "10.0.0.1/8"}, {"cidr": "10.0.0.1/8"}, id="bits of a host"),
        pytest.param({"protocol": "132"}, {"protocol": "132", "endport": 0}, id="a number"),
    ],
)
def test_what_is_unusual_is_taken(cloud: Cloud, group: Json, fields: Json, shown: Json) -> None:
    params = wanted(group, **fields)
    if fields.get("protocol") == "132":
        params = {key: params[key] for key in ("securitygroupid", "protocol", "cidrlist")}
    [rule] = cloud.done("authorizeSecurityGroupIngress", **params)[KEY]["ingressrule"]
    assert shown.items() <= rule.items()


def test_a_revoked_rule_is_unknown_and_may_be_made_again(cloud: Cloud, group: Json) -> None:
    [rule] = opened(cloud, group)
    assert cloud.done("revokeSecurityGroupIngress", id=rule["ruleid"]) == {"success": True}
    cloud.refused("revokeSecurityGroupIngress", 431, id=rule["ruleid"])
    assert rules(cloud, group) == []
    assert opened(cloud, group)[0]["ruleid"] != rule["ruleid"]


def test_rules_and_groups_carry_tags(cloud: Cloud, group: Json) -> None:
    [rule] = opened(cloud, group)
    name, tags = unique("service"), {"resourceids": rule["ruleid"]}
    mark = {"tags": {"example.com/service": name}}
    cloud.done("createTags", resourcetype="SecurityGroupRule", **tags, **mark)
    cloud.failed("createTags", 530, resourcetype="SecurityGroupRule", **tags, **mark)
    text = cloud.failed("createTags", 431, resourcetype="SecurityGroup", **tags, **mark)
    assert text == f"Unable to find resource by uuid {rule['ruleid']} and type SecurityGroup"
    [[tag]] = [each["tags"] for each in rules(cloud, group)]
    assert (tag["key"], tag["value"]) == ("example.com/service", name)
    assert (tag["resourcetype"], tag["resourceid"]) == ("SecurityGroupRule", rule["ruleid"])
    assert cloud.ok("listSecurityGroups", listall=True, **mark) == {}, "the rule's, not the group's"
    cloud.done("createTags", resourcetype="SecurityGroup", resourceids=group["id"], **mark)
    found = cloud.list("listSecurityGroups", KEY, listall=True, **mark)
    assert [each["id"] for each in found] == [group["id"]]
    cloud.done("deleteTags", resourcetype="SecurityGroupRule", **tags, **mark)
    assert rules(cloud, group)[0]["tags"] == []


def test_a_group_shows_its_vms_and_a_vm_its_groups(
    cloud: Cloud, group: Json, group_vm: Json
) -> None:
    opened(cloud, group)
    for where in ({"id": group["id"]}, {"virtualmachineid": group_vm["id"]}):
        [found] = cloud.list("listSecurityGroups", KEY, **where)
        assert (found["id"], found["virtualmachineids"]) == (group["id"], [group_vm["id"]])
    for wanted_details in ({}, {"details": "secgrp"}):
        where = {"id": group_vm["id"], **wanted_details}
        [vm] = cloud.list("listVirtualMachines", "virtualmachine", **where)
        [shown] = vm["securitygroup"]
        assert (shown["id"], shown["ingressrule"]) == (group["id"], []), "without its rules"
    for details in ("min", "nics,servoff"):
        where = {"id": group_vm["id"], "details": details}
        [vm] = cloud.list("listVirtualMachines", "virtualmachine", **where)
        assert vm["securitygroup"] == []
    vms = cloud.list("listVirtualMachines", "virtualmachine", securitygroupid=group["id"])
    assert [each["id"] for each in vms] == [group_vm["id"]]


def test_the_groups_of_a_running_vm_do_not_change(
    cloud: Cloud, group: Json, group_vm: Json
) -> None:
    where = {"id": group_vm["id"], "securitygroupids": group["id"]}
    text = cloud.refused("updateVirtualMachine", 530, **where)
    assert text.startswith("Internal error executing command")
    text = cloud.refused("deleteSecurityGroup", 536, id=group["id"])
    assert text == "Cannot delete group when it's in use by virtual machines"


def test_anothers_group_is_not_listed_and_not_to_be_touched(
    cloud: Cloud, other: Cloud, group: Json
) -> None:
    [rule] = opened(cloud, group)
    assert other.ok("listSecurityGroups", id=group["id"], listall=True) == {}
    other.refused("authorizeSecurityGroupIngress", 531, **wanted(group, startport=1))
    other.refused("revokeSecurityGroupIngress", 531, id=rule["ruleid"])
    other.refused("deleteSecurityGroup", 531, id=group["id"])
    unknown = {**wanted(group), "securitygroupid": "00000000-0000-0000-0000-000000000000"}
    cloud.refused("authorizeSecurityGroupIngress", 431, **unknown)
    assert len(rules(cloud, group)) == 1


def test_what_vms_may_connect_to_is_authorised_alike(cloud: Cloud, group: Json) -> None:
    made = cloud.done("authorizeSecurityGroupEgress", **wanted(group))[KEY]
    [rule] = made["egressrule"]
    assert (made["ingressrule"], rules(cloud, group)) == ([], [])
    cloud.failed("revokeSecurityGroupIngress", 431, id=rule["ruleid"])
    assert cloud.done("revokeSecurityGroupEgress", id=rule["ruleid"]) == {"success": True}
