"""Port forwarding rules: ports of an address that go to one VM, whoever else has rules on it."""

from typing import Any

from tests.contract.cloud import Cloud, Json
from tests.contract.conftest import Maker, unique

KEY = "portforwardingrule"


def wanted(address: Json, vm: Json, **fields: object) -> dict[str, Any]:
    """Return the parameters of a plain rule, with these changes."""
    return {
        "ipaddressid": address["id"],
        "virtualmachineid": vm["id"],
        "protocol": "tcp",
        "publicport": 2222,
        "privateport": 22,
        "openfirewall": False,
        **fields,
    }


def created(cloud: Cloud, address: Json, vm: Json, **fields: object) -> Json:
    """Create a rule and return it."""
    return dict(cloud.done("createPortForwardingRule", **wanted(address, vm, **fields))[KEY])


def test_a_rule_shows_its_ports_as_strings_and_its_vm(
    cloud: Cloud, address: Json, vms: list[Json]
) -> None:
    answer = cloud.ok("createPortForwardingRule", **wanted(address, vms[0]))
    assert set(answer) == {"id", "jobid"}
    [rule] = cloud.list("listPortForwardingRules", KEY, id=answer["id"])
    assert (rule["publicport"], rule["privateport"]) == ("2222", "22")
    assert (rule["protocol"], rule["virtualmachineid"]) == ("tcp", vms[0]["id"])
    assert (rule["ipaddressid"], rule["ipaddress"]) == (address["id"], address["ipaddress"])
    assert rule["tags"] == []


def test_rules_are_found_by_address_and_tag(cloud: Cloud, address: Json, vms: list[Json]) -> None:
    rule = created(cloud, address, vms[0])
    [found] = cloud.list("listPortForwardingRules", KEY, listall=True, ipaddressid=address["id"])
    assert found["id"] == rule["id"]
    tags = {"example.com/owner": unique("t")}
    kind = {"resourcetype": "PortForwardingRule", "resourceids": rule["id"]}
    cloud.done("createTags", tags=tags, **kind)
    [found] = cloud.list("listPortForwardingRules", KEY, listall=True, tags=tags)
    assert {tag["key"]: tag["value"] for tag in found["tags"]} == tags
    assert cloud.ok("listLoadBalancerRules", publicipid=address["id"]) == {}


def test_a_port_belongs_to_one_rule_of_either_kind(
    cloud: Cloud, address: Json, vms: list[Json]
) -> None:
    balanced = {"name": "r-tcp-80", "algorithm": "roundrobin", "privateport": 30080}
    balanced |= {"publicipid": address["id"], "openfirewall": "false"}
    rule = created(cloud, address, vms[0])
    text = cloud.refused("createLoadBalancerRule", 537, publicport=2222, **balanced)
    assert rule["id"] in text
    cloud.done("createLoadBalancerRule", publicport=80, **balanced)
    cloud.refused("createPortForwardingRule", 537, **wanted(address, vms[0], publicport=80))


def test_a_rule_opens_the_firewall_unless_told_otherwise(
    cloud: Cloud, address: Json, vms: list[Json]
) -> None:
    created(cloud, address, vms[0])
    assert cloud.ok("listFirewallRules", ipaddressid=address["id"]) == {}
    rule = created(cloud, address, vms[0], publicport=2223, openfirewall=True)
    [opened] = cloud.list("listFirewallRules", "firewallrule", ipaddressid=address["id"])
    assert (opened["startport"], opened["endport"]) == (2223, 2223)
    cloud.done("deletePortForwardingRule", id=rule["id"])
    assert cloud.ok("listFirewallRules", ipaddressid=address["id"]) == {}


def test_a_deleted_rule_is_unknown(cloud: Cloud, address: Json, vms: list[Json]) -> None:
    rule = created(cloud, address, vms[0])
    assert cloud.done("deletePortForwardingRule", id=rule["id"]) == {"success": True}
    cloud.refused("listPortForwardingRules", 431, id=rule["id"])
    assert cloud.ok("listPortForwardingRules", ipaddressid=address["id"]) == {}


def test_releasing_an_address_takes_its_forwardings_along(
    cloud: Cloud, maker: Maker, network: Json, vms: list[Json]
) -> None:
    address = maker.address(network)
    maker.made.pop()
    rule = created(cloud, address, vms[0], openfirewall=True)
    assert cloud.done("disassociateIpAddress", id=address["id"]) == {"success": True}
    cloud.refused("listPortForwardingRules", 431, id=rule["id"])


def test_anothers_address_is_not_to_be_forwarded(
    other: Cloud, address: Json, vms: list[Json]
) -> None:
    other.refused("createPortForwardingRule", 531, **wanted(address, vms[0]))
