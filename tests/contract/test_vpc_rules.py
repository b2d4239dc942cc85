"""Load balancer rules on a tier: bound to it by the first one, without a firewall."""

from typing import Any

import pytest

from tests.contract.cloud import Cloud, Json
from tests.contract.conftest import ON_VPC, Maker

KEY = "loadbalancerrule"
FAILED = "Failed to assign load balancer rule"
pytestmark = ON_VPC


def wanted(address: Json, tier: Json | None, **fields: object) -> dict[str, Any]:
    """Return the parameters of a plain rule, with these changes."""
    return {
        "name": "a-tcp-80",
        "algorithm": "roundrobin",
        "publicport": 80,
        "privateport": 30080,
        "publicipid": address["id"],
        "networkid": None if tier is None else tier["id"],
        **fields,
    }


def created(cloud: Cloud, address: Json, tier: Json | None, **fields: object) -> Json:
    """Create a rule and return it."""
    answer = cloud.done("createLoadBalancerRule", **wanted(address, tier, **fields))
    return dict(answer["loadbalancer"])


def listed(cloud: Cloud, rule: Json) -> Json:
    """Return a rule as a list by id shows it."""
    [found] = cloud.list("listLoadBalancerRules", KEY, id=rule["id"])
    return found


def test_the_first_rule_names_its_tier_and_the_next_need_not(
    cloud: Cloud, vpc_address: Json, tier: Json
) -> None:
    text = cloud.refused("createLoadBalancerRule", 431, **wanted(vpc_address, None))
    assert text.endswith("is not associated with any network")
    assert created(cloud, vpc_address, tier)["networkid"] == tier["id"]
    assert created(cloud, vpc_address, None, publicport=81)["networkid"] == tier["id"]


def test_a_rule_for_a_second_tier_goes_to_the_first_and_takes_no_vm_of_the_second(
    cloud: Cloud, maker: Maker, bare_tier: Json, vpc_address: Json, tier: Json
) -> None:
    vm = maker.vm(bare_tier)
    created(cloud, vpc_address, tier)
    misled = created(cloud, vpc_address, bare_tier, publicport=81)
    assert misled["networkid"] == tier["id"]
    text = cloud.failed(
        "assignToLoadBalancerRule", 530, id=misled["id"], virtualmachineids=vm["id"]
    )
    assert text == FAILED


def test_vms_of_the_tier_are_members_and_others_fail_in_the_job(
    cloud: Cloud, vpc_address: Json, tier: Json, tier_vms: list[Json], stranger: Json
) -> None:
    rule = created(cloud, vpc_address, tier)
    assert rule["state"] == "Add"
    text = cloud.failed(
        "assignToLoadBalancerRule", 530, id=rule["id"], virtualmachineids=stranger["id"]
    )
    assert text == FAILED
    ids = [vm["id"] for vm in tier_vms]
    cloud.done("assignToLoadBalancerRule", id=rule["id"], virtualmachineids=ids)
    assert listed(cloud, rule)["state"] == "Active"


def test_a_tier_in_default_deny_takes_rules_and_members_and_nothing_warns(
    cloud: Cloud, maker: Maker, vpc: Json, tier_offering: Json, vpc_address: Json
) -> None:
    lists = cloud.list("listNetworkACLLists", "networkacllist", name="default_deny")
    closed = maker.tier(vpc, tier_offering, aclid=lists[0]["id"])
    rule = created(cloud, vpc_address, closed)
    vm = maker.vm(closed)
    cloud.done("assignToLoadBalancerRule", id=rule["id"], virtualmachineids=vm["id"])
    assert listed(cloud, rule)["state"] == "Active"


@pytest.mark.parametrize("openfirewall", [None, False])
def test_a_rule_is_created_unless_it_is_to_open_the_firewall(
    cloud: Cloud, vpc_address: Json, tier: Json, openfirewall: bool | None
) -> None:
    text = cloud.refused(
        "createLoadBalancerRule", 431, **wanted(vpc_address, tier, openfirewall=True)
    )
    assert text == "Can't have openFirewall=true when IP address belongs to VPC"
    assert created(cloud, vpc_address, tier, openfirewall=openfirewall)
    assert cloud.ok("listFirewallRules", ipaddressid=vpc_address["id"]) == {}


def test_the_router_of_a_vpc_takes_tcp_proxy_and_refuses_udp(
    cloud: Cloud, vpc_address: Json, tier: Json
) -> None:
    rule = created(cloud, vpc_address, tier, protocol="tcp-proxy")
    assert rule["protocol"] == "tcp-proxy"
    text = cloud.refused(
        "createLoadBalancerRule", 431, **wanted(vpc_address, tier, protocol="udp", publicport=53)
    )
    assert text == "LB service provider cannot support this rule"
    text = cloud.failed("updateLoadBalancerRule", 431, id=rule["id"], protocol="udp")
    assert text.endswith("are not supported.")


def test_a_forwarding_rule_binds_the_address_to_its_tier_too(
    cloud: Cloud, vpc_address: Json, tier: Json, tier_vms: list[Json]
) -> None:
    forwarded = {
        "ipaddressid": vpc_address["id"],
        "protocol": "tcp",
        "publicport": 22,
        "privateport": 22,
        "virtualmachineid": tier_vms[0]["id"],
    }
    cloud.refused("createPortForwardingRule", 431, **forwarded)
    made = cloud.done("createPortForwardingRule", **forwarded, networkid=tier["id"])
    assert created(cloud, vpc_address, None)["networkid"] == tier["id"]
    cloud.done("deletePortForwardingRule", id=made["portforwardingrule"]["id"])


def test_ranges_are_written_with_blanks_after_create_and_with_commas_after_update(
    cloud: Cloud, vpc_address: Json, tier: Json
) -> None:
    ranges = ["10.0.0.0/8", "192.168.0.0/16"]
    rule = created(cloud, vpc_address, tier, cidrlist=ranges)
    assert listed(cloud, rule)["cidrlist"] == " ".join(ranges)
    cloud.done("updateLoadBalancerRule", id=rule["id"], cidrlist=ranges)
    assert listed(cloud, rule)["cidrlist"] == ",".join(ranges)


def test_no_ranges_are_a_missing_field_after_create_and_an_empty_one_after_update(
    cloud: Cloud, vpc_address: Json, tier: Json
) -> None:
    rule = created(cloud, vpc_address, tier)
    assert "cidrlist" not in listed(cloud, rule)
    cloud.done("updateLoadBalancerRule", id=rule["id"], cidrlist="10.0.0.0/8")
    cloud.done("updateLoadBalancerRule", id=rule["id"], cidrlist="")
    assert listed(cloud, rule)["cidrlist"] == ""


def test_an_update_takes_no_ipv6_range_though_a_create_does(
    cloud: Cloud, vpc_address: Json, tier: Json
) -> None:
    rule = created(cloud, vpc_address, tier, cidrlist="2001:db8::/32")
    for ranges in ("2001:db8::/32", "10.0.0.0/33"):
        text = cloud.failed("updateLoadBalancerRule", 431, id=rule["id"], cidrlist=ranges)
        assert text == f"Invalid CIDR list: {ranges}"
    assert listed(cloud, rule)["cidrlist"] == "2001:db8::/32"


def test_the_job_of_an_update_shows_a_state_that_the_rule_does_not_have(
    cloud: Cloud, vpc_address: Json, tier: Json, tier_vms: list[Json]
) -> None:
    rule = created(cloud, vpc_address, tier)
    cloud.done("assignToLoadBalancerRule", id=rule["id"], virtualmachineids=tier_vms[0]["id"])
    changed = cloud.done("updateLoadBalancerRule", id=rule["id"], algorithm="leastconn")
    assert changed["loadbalancer"]["state"] == "Add"
    assert listed(cloud, rule)["state"] == "Active"


def test_the_tags_of_a_rule_outlive_it_and_can_be_deleted_then(
    cloud: Cloud, vpc_address: Json, tier: Json
) -> None:
    rule = created(cloud, vpc_address, tier)
    tagged = {"resourcetype": "LoadBalancer", "resourceids": rule["id"]}
    cloud.done("createTags", **tagged, tags={"example.com/service": "web"})
    cloud.done("deleteLoadBalancerRule", id=rule["id"])
    of_rule = {"resourcetype": "LoadBalancer", "resourceid": rule["id"]}
    [left] = cloud.list("listTags", "tag", **of_rule)
    assert (left["key"], left["value"]) == ("example.com/service", "web")
    gone = {**tagged, "tags[0].key": "example.com/service"}
    assert cloud.done("deleteTags", **gone) == {"success": True}
    assert cloud.ok("listTags", **of_rule) == {}
