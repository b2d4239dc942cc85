"""Firewall rules: ranges of ports, several ranges of clients in one."""

from typing import Any

import pytest

from tests.contract.cloud import Cloud, Json

NOBODY = "00000000-0000-4000-8000-000000000000"
KEY = "firewallrule"


def wanted(address: Json, **fields: object) -> dict[str, Any]:
    """Return the parameters of a plain rule, with these changes."""
    return {
        "ipaddressid": address["id"],
        "protocol": "tcp",
        "startport": 80,
        "endport": 89,
        "cidrlist": "10.0.0.0/8",
        **fields,
    }


def created(cloud: Cloud, address: Json, **fields: object) -> Json:
    """Create a rule and return it."""
    return dict(cloud.done("createFirewallRule", **wanted(address, **fields))["firewallrule"])


def test_a_rule_shows_its_ports_as_numbers_and_its_ranges_in_a_comma_list(
    cloud: Cloud, address: Json, network: Json
) -> None:
    ranges = ["10.0.0.0/8", "192.168.0.0/16"]
    rule = created(cloud, address, cidrlist=ranges)
    assert (rule["startport"], rule["endport"], rule["state"]) == (80, 89, "Active")
    assert sorted(rule["cidrlist"].split(",")) == ranges
    assert (rule["ipaddress"], rule["networkid"]) == (address["ipaddress"], network["id"])
    assert rule["traffictype"] == "Ingress"


def test_creating_answers_the_id_at_once(cloud: Cloud, address: Json) -> None:
    answer = cloud.ok("createFirewallRule", **wanted(address))
    assert set(answer) == {"id", "jobid"}
    [found] = cloud.list("listFirewallRules", KEY, id=answer["id"])
    assert found["cidrlist"] == "10.0.0.0/8"


def test_without_ranges_a_rule_is_open_to_everybody_and_without_an_end_it_is_one_port(
    cloud: Cloud, address: Json
) -> None:
    rule = created(cloud, address, cidrlist=None, endport=None)
    assert rule["cidrlist"] == "0.0.0.0/0"
    assert (rule["startport"], rule["endport"]) == (80, 80)


def test_the_same_range_of_clients_on_the_same_ports_is_a_conflict(
    cloud: Cloud, address: Json
) -> None:
    rule = created(cloud, address)
    again = wanted(address, startport=85, endport=95, cidrlist="10.0.0.0/8,172.16.0.0/12")
    text = cloud.refused("createFirewallRule", 537, **again)
    assert text.startswith("The range specified, 85-95, conflicts with rule FirewallRule")
    assert rule["id"] in text


@pytest.mark.parametrize(
    "fields",
    [{"cidrlist": "10.0.0.0/9"}, {"protocol": "udp"}, {"startport": 90, "endport": 90}],
    ids=["other clients", "another protocol", "another port"],
)
def test_what_differs_may_stand_beside_it(
    cloud: Cloud, address: Json, fields: dict[str, object]
) -> None:
    created(cloud, address)
    created(cloud, address, **fields)
    assert len(cloud.list("listFirewallRules", KEY, ipaddressid=address["id"])) == 2


def test_without_ports_a_rule_shows_none_and_one_with_ports_may_stand_beside_it(
    cloud: Cloud, address: Json
) -> None:
    rule = created(cloud, address, startport=None, endport=None)
    assert not {"startport", "endport"} & rule.keys()
    created(cloud, address)
    text = cloud.refused("createFirewallRule", 537, **wanted(address, startport=None, endport=None))
    assert text == "There is already a firewall rule specified with protocol = tcp and no ports"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"protocol": "bogus"}, "Protocol bogus is not supported in zone"),
        ({"cidrlist": "x"}, "Source CIDRs formatting error x"),
        ({"startport": 9, "endport": 1}, "Start port can't be bigger than end port"),
        ({"startport": 99999, "endport": 99999}, "is an invalid value: 99999"),
        ({"ipaddressid": NOBODY}, "Invalid parameter ipaddressid"),
        ({"protocol": None}, "due to missing parameter protocol"),
    ],
    ids=lambda value: None if isinstance(value, str) else "-".join(value),
)
def test_a_wrong_rule_is_refused(
    cloud: Cloud, address: Json, fields: dict[str, object], text: str
) -> None:
    assert text in cloud.refused("createFirewallRule", 431, **wanted(address, **fields))
    assert cloud.ok("listFirewallRules", ipaddressid=address["id"]) == {}


def test_rules_carry_tags_and_are_found_by_them(cloud: Cloud, address: Json, network: Json) -> None:
    rule = created(cloud, address)
    tags = {"example.com/service": address["id"]}
    cloud.done("createTags", resourcetype="FirewallRule", resourceids=rule["id"], tags=tags)
    for filters in ({"tags": tags}, {"networkid": network["id"]}, {"id": rule["id"]}):
        found = cloud.list("listFirewallRules", KEY, listall=True, **filters)
        assert rule["id"] in [one["id"] for one in found]
    [one] = cloud.list("listFirewallRules", KEY, id=rule["id"])
    assert one["tags"] == [{"key": "example.com/service", "value": address["id"]}]


def test_a_deleted_rule_is_unknown(cloud: Cloud, address: Json) -> None:
    rule = created(cloud, address)
    assert cloud.done("deleteFirewallRule", id=rule["id"]) == {"success": True}
    assert "Invalid parameter id" in cloud.refused("deleteFirewallRule", 431, id=rule["id"])
    cloud.refused("deleteFirewallRule", 431, id=NOBODY)
    cloud.refused("listFirewallRules", 431, ipaddressid=NOBODY)


def test_anothers_rule_is_not_listed_and_not_to_be_touched(
    cloud: Cloud, other: Cloud, address: Json
) -> None:
    rule = created(cloud, address)
    assert other.ok("listFirewallRules", id=rule["id"]) == {}
    other.refused("deleteFirewallRule", 531, id=rule["id"])
    other.refused("createFirewallRule", 531, **wanted(address))
