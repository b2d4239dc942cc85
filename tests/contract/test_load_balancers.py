"""Load balancer rules: created, refused, changed in place, found, deleted."""

from typing import Any

import pytest

from tests.contract.cloud import Cloud, Json
from tests.contract.conftest import Maker

NOBODY = "00000000-0000-4000-8000-000000000000"
KEY = "loadbalancerrule"


def wanted(address: Json, **fields: object) -> dict[str, Any]:
    """Return the parameters of a plain rule, with these changes."""
    return {
        "name": "a-tcp-80",
        "algorithm": "roundrobin",
        "publicport": 80,
        "privateport": 30080,
        "protocol": "tcp",
        "publicipid": address["id"],
        "openfirewall": False,
        **fields,
    }


def created(cloud: Cloud, address: Json, **fields: object) -> Json:
    """Create a rule and return it."""
    return dict(cloud.done("createLoadBalancerRule", **wanted(address, **fields))["loadbalancer"])


def listed(cloud: Cloud, rule: Json) -> Json:
    """Return a rule as a list by id shows it."""
    [found] = cloud.list("listLoadBalancerRules", KEY, id=rule["id"], listall=True)
    return found


def test_a_rule_shows_its_ports_as_strings_and_waits_for_members(
    cloud: Cloud, address: Json, network: Json
) -> None:
    answer = cloud.ok("createLoadBalancerRule", **wanted(address, cidrlist="0.0.0.0/0"))
    assert set(answer) == {"id", "jobid"}
    rule = listed(cloud, answer)
    assert (rule["publicport"], rule["privateport"]) == ("80", "30080")
    assert (rule["state"], rule["protocol"], rule["algorithm"]) == ("Add", "tcp", "roundrobin")
    assert (rule["publicip"], rule["networkid"]) == (address["ipaddress"], network["id"])
    assert rule["cidrlist"] == "0.0.0.0/0"


def test_several_ranges_stand_in_one_string_with_blanks_between(
    cloud: Cloud, address: Json
) -> None:
    ranges = ["10.0.0.0/8", "192.168.0.0/16"]
    rule = created(cloud, address, cidrlist=ranges, protocol="tcp-proxy", algorithm="source")
    assert rule["cidrlist"].split(" ") == ranges
    assert (rule["protocol"], rule["algorithm"]) == ("tcp-proxy", "source")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"algorithm": "bogus"}, "Invalid algorithm: bogus"),
        ({"protocol": "bogus"}, "protocol bogus is not in valid protocols"),
        ({"publicport": 99999}, "publicPort is an invalid value: 99999"),
        ({"privateport": 99999}, "privatePort is an invalid value: 99999"),
        ({"cidrlist": "300.1.1.1/0"}, "CIDR [300.1.1.1/0] is invalid."),
        ({"publicipid": NOBODY}, "Invalid parameter publicipid"),
        ({"algorithm": None}, "due to missing parameter algorithm"),
        ({"name": None}, "due to missing parameter name"),
    ],
    ids=lambda value: None if isinstance(value, str) else "-".join(value),
)
def test_a_wrong_rule_is_refused(
    cloud: Cloud, address: Json, fields: dict[str, object], text: str
) -> None:
    assert text in cloud.refused("createLoadBalancerRule", 431, **wanted(address, **fields))
    assert cloud.ok("listLoadBalancerRules", publicipid=address["id"]) == {}


def test_a_rule_on_a_free_address_is_refused(cloud: Cloud, zone: Json) -> None:
    free = cloud.list(
        "listPublicIpAddresses",
        "publicipaddress",
        state="Free",
        zoneid=zone["id"],
        page=1,
        pagesize=1,
    )
    if not free:
        pytest.skip("the zone has no free public address")
    text = cloud.refused("createLoadBalancerRule", 431, **wanted(free[0]))
    assert text.startswith("Unable to create load balancer rule, invalid IP address ID")


def test_a_rule_on_anothers_address_is_refused(other: Cloud, address: Json) -> None:
    other.refused("createLoadBalancerRule", 531, **wanted(address))


@pytest.mark.parametrize("protocol", ["tcp", "tcp-proxy"])
def test_a_port_that_is_taken_is_a_conflict(cloud: Cloud, address: Json, protocol: str) -> None:
    rule = created(cloud, address)
    text = cloud.refused(
        "createLoadBalancerRule", 537, **wanted(address, name="other", protocol=protocol)
    )
    assert text.startswith("The range specified, 80-80, conflicts with rule FirewallRule")
    assert rule["id"] in text


def test_a_name_may_come_again_and_a_private_port_be_zero(cloud: Cloud, address: Json) -> None:
    first = created(cloud, address)
    second = created(cloud, address, publicport=81, privateport=0)
    assert first["name"] == second["name"]
    assert second["privateport"] == "0"


def test_the_virtual_router_refuses_udp(cloud: Cloud, address: Json, network: Json) -> None:
    [found] = cloud.list("listNetworks", "network", id=network["id"])
    [lb] = [service for service in found["service"] if service["name"] == "Lb"]
    if lb["provider"][0]["name"] != "VirtualRouter":
        pytest.skip("the network's load balancer is not the virtual router")
    text = cloud.refused("createLoadBalancerRule", 431, **wanted(address, protocol="udp"))
    assert text == "LB service provider cannot support this rule"


def test_left_alone_a_rule_opens_the_firewall_and_closes_it_again(
    cloud: Cloud, address: Json
) -> None:
    rule = created(cloud, address, publicport=8080, openfirewall=None)
    [opened] = cloud.list("listFirewallRules", "firewallrule", ipaddressid=address["id"])
    assert (opened["startport"], opened["endport"]) == (8080, 8080)
    cloud.done("deleteLoadBalancerRule", id=rule["id"])
    assert cloud.ok("listFirewallRules", ipaddressid=address["id"]) == {}


def test_protocol_name_and_algorithm_change_in_place(
    cloud: Cloud, address: Json, vms: list[Json]
) -> None:
    rule = created(cloud, address)
    cloud.done("assignToLoadBalancerRule", id=rule["id"], virtualmachineids=vms[0]["id"])
    changed = cloud.done(
        "updateLoadBalancerRule",
        id=rule["id"],
        protocol="tcp-proxy",
        name="a-tcp-proxy-80",
        algorithm="leastconn",
    )["loadbalancer"]
    assert changed["id"] == rule["id"]
    assert (changed["protocol"], changed["name"], changed["algorithm"]) == (
        "tcp-proxy",
        "a-tcp-proxy-80",
        "leastconn",
    )
    assert listed(cloud, rule)["state"] == "Active"


def test_ranges_change_in_place_since_4_22(
    cloud: Cloud, address: Json, version: tuple[int, int]
) -> None:
    if version < (4, 22):
        pytest.skip("updateLoadBalancerRule takes no cidrlist before 4.22")
    rule = created(cloud, address, cidrlist="0.0.0.0/0")
    changed = cloud.done("updateLoadBalancerRule", id=rule["id"], cidrlist="10.0.0.0/8")
    assert changed["loadbalancer"]["cidrlist"] == "10.0.0.0/8"


def test_an_update_takes_any_algorithm_though_a_create_does_not(
    cloud: Cloud, address: Json
) -> None:
    rule = created(cloud, address)
    changed = cloud.done("updateLoadBalancerRule", id=rule["id"], algorithm="bogus")
    assert changed["loadbalancer"]["algorithm"] == "bogus"


def test_an_update_of_nothing_fails_in_the_job(cloud: Cloud, address: Json) -> None:
    rule = created(cloud, address)
    text = cloud.failed("updateLoadBalancerRule", 530, id=rule["id"])
    assert text.startswith("Failed to update load balancer rule: LoadBalancer ")


def test_an_update_to_udp_fails_in_the_job(cloud: Cloud, address: Json) -> None:
    rule = created(cloud, address)
    text = cloud.failed("updateLoadBalancerRule", 431, id=rule["id"], protocol="udp")
    assert text.startswith("Modifications in lb rule LoadBalancer ")
    assert listed(cloud, rule)["protocol"] == "tcp"


def test_rules_are_found_by_address_name_network_and_keyword(
    cloud: Cloud, address: Json, network: Json
) -> None:
    rule = created(cloud, address, name=f"kw-{address['id'][:8]}-tcp-80")
    for filters in (
        {"publicipid": address["id"]},
        {"name": rule["name"]},
        {"networkid": network["id"]},
        {"keyword": rule["name"][:-4]},
    ):
        found = cloud.list("listLoadBalancerRules", KEY, listall=True, **filters)
        assert rule["id"] in [one["id"] for one in found]
    assert cloud.ok("listLoadBalancerRules", name=rule["name"][:-1]) == {}


def test_rules_carry_tags_and_are_found_by_them(cloud: Cloud, address: Json) -> None:
    rules = [created(cloud, address, publicport=port) for port in (80, 81)]
    tags = {"example.com/service": address["id"]}
    ids = [rule["id"] for rule in rules]
    cloud.done("createTags", resourcetype="LoadBalancer", resourceids=ids, tags=tags)
    found = cloud.list("listLoadBalancerRules", KEY, listall=True, tags=tags)
    assert sorted(one["id"] for one in found) == sorted(ids)
    assert found[0]["tags"] == [{"key": "example.com/service", "value": address["id"]}]


def test_a_deleted_rule_is_unknown(cloud: Cloud, address: Json) -> None:
    rule = created(cloud, address)
    assert cloud.done("deleteLoadBalancerRule", id=rule["id"]) == {"success": True}
    for command in ("listLoadBalancerRules", "deleteLoadBalancerRule", "updateLoadBalancerRule"):
        assert "Invalid parameter id" in cloud.refused(command, 431, id=rule["id"])
    again = created(cloud, address)
    assert again["id"] != rule["id"]


def test_anothers_rule_is_not_listed_and_not_to_be_touched(
    cloud: Cloud, other: Cloud, address: Json
) -> None:
    rule = created(cloud, address)
    assert other.ok("listLoadBalancerRules", id=rule["id"]) == {}
    for command in ("deleteLoadBalancerRule", "updateLoadBalancerRule"):
        other.refused(command, 531, id=rule["id"])


def test_a_rule_on_the_wrong_network_is_refused(cloud: Cloud, maker: Maker, address: Json) -> None:
    elsewhere = maker.network()
    outcome = cloud.call("createLoadBalancerRule", **wanted(address, networkid=elsewhere["id"]))
    assert outcome.status in {200, 431}
    if outcome.status == 200:
        assert listed(cloud, outcome.body)["networkid"] == address["associatednetworkid"]
