from dataclasses import replace
from typing import Any

import pytest

from hooks.cloudstack.models.account import Capabilities, ResourceLimit
from hooks.cloudstack.models.compute import Nic, VirtualMachine
from hooks.cloudstack.models.fields import Answer
from hooks.cloudstack.models.firewall import FirewallRule, NetworkAcl
from hooks.cloudstack.models.jobs import JobStatus
from hooks.cloudstack.models.loadbalancing import (
    InternalLoadBalancer,
    LoadBalancerRule,
    Member,
    RulePolicies,
    StickinessPolicy,
)
from hooks.cloudstack.models.network import Network, PublicIpAddress
from hooks.cloudstack.models.tags import Tag

MACHINE: dict[str, Any] = {
    "id": "vm-1",
    "name": "node-1",
    "displayname": "Node one",
    "state": "Running",
    "zoneid": "zone-1",
    "zonename": "west",
    "serviceofferingid": "offering-1",
    "serviceofferingname": "Small Instance",
    "publicip": "203.0.113.7",
    "securitygroup": [{"id": "group-1", "name": "default"}],
    "nic": [
        {
            "id": "nic-1",
            "networkid": "net-1",
            "networkname": "nodes",
            "ipaddress": "10.1.1.4",
            "ip6address": "2001:db8::4",
            "isdefault": True,
            "secondaryip": [{"id": "ip-1", "ipaddress": "10.1.1.40"}],
        },
        {"id": "nic-2", "networkid": "net-2", "isdefault": False},
    ],
    "details": {},
    "unknown": "ignored",
}


def test_a_virtual_machine_has_its_nics_in_order_and_its_offering() -> None:
    assert VirtualMachine.from_json(MACHINE) == VirtualMachine(
        id="vm-1",
        name="node-1",
        state="Running",
        zone_id="zone-1",
        zone_name="west",
        offering_name="Small Instance",
        public_ip="203.0.113.7",
        nics=(
            Nic(
                "nic-1",
                "net-1",
                "10.1.1.4",
                "2001:db8::4",
                is_default=True,
                secondary_ips=("10.1.1.40",),
            ),
            Nic("nic-2", "net-2"),
        ),
    )


def test_a_machine_listed_with_the_least_details_has_no_nics_and_no_offering() -> None:
    machine = VirtualMachine.from_json({"id": "vm-1", "name": "n", "state": "Stopped", "nic": []})
    assert (machine.nics, machine.offering_name, machine.public_ip) == ((), "", "")


def test_a_network_tells_its_services_and_their_capabilities() -> None:
    network = Network.from_json(
        {
            "id": "net-1",
            "name": "tier",
            "type": "Isolated",
            "vpcid": "vpc-1",
            "aclid": "acl-1",
            "aclname": "mine",
            "service": [
                {
                    "name": "Lb",
                    "provider": [{"name": "VpcVirtualRouter"}],
                    "capability": [{"name": "SupportedLbAlgorithms", "value": "roundrobin,source"}],
                },
                {"name": "NetworkACL"},
            ],
        }
    )
    assert (network.vpc_id, network.acl_id, network.acl_name) == ("vpc-1", "acl-1", "mine")
    assert network.has("NetworkACL")
    assert not network.has("Firewall")
    assert network.services[0].providers == ("VpcVirtualRouter",)
    assert network.capability("Lb", "SupportedLbAlgorithms") == "roundrobin,source"
    assert network.capability("Lb", "SupportedProtocols") == ""


def test_an_address_is_of_the_network_it_is_associated_with_not_of_the_public_one() -> None:
    address = PublicIpAddress.from_json(
        {
            "id": "ip-1",
            "ipaddress": "203.0.113.9",
            "state": "Allocated",
            "networkid": "public-network",
            "associatednetworkid": "net-1",
            "issourcenat": True,
            "allocated": "2026-11-22T00:44:54+0000",
            "tags": [{"key": "cluster", "value": "c1"}],
        }
    )
    assert address.network_id == "net-1"
    assert address.is_source_nat
    assert not address.is_static_nat
    assert address.allocated_at == 1795308294.0
    assert address.tags == (Tag("cluster", "c1"),)


@pytest.mark.parametrize(
    "allocated",
    [
        pytest.param({}, id="free"),
        pytest.param({"allocated": "yesterday"}, id="in a form unknown to us"),
        pytest.param({"allocated": "0001-01-01T00:00:00+2359"}, id="before all times"),
    ],
)
def test_an_address_without_a_readable_time_is_of_no_known_time(allocated: Answer) -> None:
    answer = {"id": "ip-1", "ipaddress": "203.0.113.9", "state": "Free", **allocated}
    assert PublicIpAddress.from_json(answer).allocated_at is None


def test_a_load_balancer_rule_has_its_ports_as_strings_and_its_sources_in_one() -> None:
    rule = LoadBalancerRule.from_json(
        {
            "id": "rule-1",
            "name": "web",
            "publicipid": "ip-1",
            "publicport": "80",
            "privateport": "30080",
            "protocol": "tcp-proxy",
            "algorithm": "source",
            "state": "Active",
            "cidrlist": "10.0.0.0/8,192.168.0.0/16",
            "tags": [],
        }
    )
    assert (rule.public_port, rule.private_port) == (80, 30080)
    assert rule.cidrs == ("10.0.0.0/8", "192.168.0.0/16")


def test_an_internal_load_balancer_is_a_rule_on_an_address_without_an_id() -> None:
    found = InternalLoadBalancer.from_json(
        {
            "id": "lb-1",
            "name": "web",
            "algorithm": "source",
            "networkid": "tier-1",
            "sourceipaddress": "10.30.88.200",
            "sourceipaddressnetworkid": "tier-1",
            "loadbalancerrule": [{"sourceport": 80, "instanceport": 30080, "state": "Active"}],
            "loadbalancerinstance": [],
            "tags": [{"key": "a", "value": "b"}],
        }
    )
    assert (found.public_ip_id, found.public_ip) == ("10.30.88.200", "10.30.88.200")
    assert (found.public_port, found.private_port, found.state) == (80, 30080, "Active")
    assert (found.protocol, found.cidrs, found.network_id) == ("tcp", (), "tier-1")
    assert found.tags == (Tag("a", "b"),)


@pytest.mark.parametrize(
    ("shown", "cidrs"),
    [
        pytest.param({"cidrlist": "10.0.0.0/8 192.168.0.0/16"}, 2, id="as created"),
        pytest.param({"cidrlist": "10.0.0.0/8,192.168.0.0/16"}, 2, id="as updated"),
        pytest.param({"cidrlist": ""}, 0, id="emptied"),
        pytest.param({}, 0, id="created without"),
    ],
)
def test_the_sources_of_a_rule_are_read_in_each_form_and_none_are_everyone(
    shown: Answer, cidrs: int
) -> None:
    rule = {"id": "r", "name": "n", "publicipid": "i", "publicport": "80", "privateport": "1"}
    found = LoadBalancerRule.from_json({**rule, **shown})
    assert found.cidrs == ("10.0.0.0/8", "192.168.0.0/16")[:cidrs]


def test_a_firewall_rule_has_its_ports_as_numbers_and_may_have_none() -> None:
    ports = FirewallRule.from_json(
        {"id": "f", "ipaddressid": "ip-1", "protocol": "TCP", "startport": 80, "endport": 89}
    )
    assert (ports.protocol, ports.start_port, ports.end_port) == ("tcp", 80, 89)
    ping = FirewallRule.from_json({"id": "f", "ipaddressid": "ip-1", "protocol": "icmp"})
    assert (ping.start_port, ping.end_port) == (None, None)


def test_an_acl_item_has_its_ports_as_strings_and_its_number_as_a_number() -> None:
    item = NetworkAcl.from_json(
        {
            "id": "item-1",
            "protocol": "tcp",
            "startport": "30080",
            "endport": "30081",
            "cidrlist": "0.0.0.0/0",
            "number": 11,
            "action": "Allow",
            "traffictype": "Ingress",
            "aclid": "acl-1",
        }
    )
    assert (item.start_port, item.end_port, item.number) == (30080, 30081, 11)
    every = {"id": "i", "protocol": "all", "number": 2, "cidrlist": "0.0.0.0/0,::/0"}
    item = NetworkAcl.from_json(every)
    assert (item.start_port, item.cidrs, item.reason) == (None, ("0.0.0.0/0", "::/0"), "")


@pytest.mark.parametrize(
    ("protocol", "ports", "opened"),
    [
        pytest.param("tcp", (80, 89), [("tcp", 80, 89)], id="ports"),
        pytest.param("tcp", (80, None), [("tcp", 80, 80)], id="one port"),
        pytest.param("6", (80, 80), [("tcp", 80, 80)], id="by number"),
        pytest.param("17", (None, None), [("udp", 0, 65535)], id="all ports"),
        pytest.param(
            "all", (None, None), [("tcp", 0, 65535), ("udp", 0, 65535)], id="all protocols"
        ),
        pytest.param("icmp", (None, None), [], id="pings"),
        pytest.param("132", (None, None), [], id="another protocol"),
    ],
)
def test_an_acl_item_is_about_the_ports_of_its_transports(
    protocol: str, ports: tuple[int | None, int | None], opened: list[tuple[str, int, int]]
) -> None:
    start, end = ports
    item = NetworkAcl("i", protocol, action="Allow", traffic_type="Ingress", start_port=start)
    item = replace(item, end_port=end)
    assert [(each.protocol, each.start_port, each.end_port) for each in item.opened] == opened
    assert item.opens("tcp", 80) is any(protocol == "tcp" for protocol, *_ in opened)
    assert item.opens_only({("tcp", 80)}) is (opened == [("tcp", 80, 80)])


@pytest.mark.parametrize(
    ("action", "traffic", "is_allowing", "is_denying"),
    [
        ("Allow", "Ingress", True, False),
        ("Deny", "Ingress", False, True),
        ("Allow", "Egress", False, False),
    ],
)
def test_an_acl_item_allows_or_denies_what_comes_in(
    action: str, traffic: str, *, is_allowing: bool, is_denying: bool
) -> None:
    item = NetworkAcl("i", "tcp", action=action, traffic_type=traffic)
    assert (item.allows, item.denies) == (is_allowing, is_denying)


def test_a_member_is_told_with_the_addresses_that_serve() -> None:
    member = Member.from_json(
        {"loadbalancerruleinstance": MACHINE, "lbvmipaddresses": ["10.1.1.4", "10.1.1.40"]}
    )
    assert member == Member("vm-1", "node-1", ("10.1.1.4", "10.1.1.40"))


def test_stickiness_policies_are_wrapped_once_more_by_their_rule() -> None:
    of_rule = RulePolicies.from_json(
        {
            "lbruleid": "rule-1",
            "stickinesspolicy": [
                {
                    "id": "p",
                    "name": "s",
                    "methodname": "SourceBased",
                    "params": {"tablesize": "200k", "expire": "3h"},
                }
            ],
        }
    )
    params = (("expire", "3h"), ("tablesize", "200k"))
    assert of_rule.policies == (StickinessPolicy("p", "s", "SourceBased", params),)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        pytest.param("4.22.0.0-SNAPSHOT", (4, 22, 0, 0), id="snapshot"),
        pytest.param("4.16.1.0", (4, 16, 1, 0), id="release"),
        pytest.param("4.18", (4, 18), id="short"),
    ],
)
def test_the_version_is_read_as_numbers(text: str, version: tuple[int, ...]) -> None:
    assert Capabilities.from_json({"cloudstackversion": text}).version == version


@pytest.mark.parametrize(
    ("version", "least", "answer"),
    [
        pytest.param((4, 22, 0, 0), (4, 22), True, id="equal"),
        pytest.param((4, 9, 0), (4, 18), False, id="9 is less than 18"),
        pytest.param((4, 18), (4, 18), True, id="as short"),
        pytest.param((5, 0), (4, 22), True, id="next major"),
    ],
)
def test_versions_are_compared_number_by_number(
    version: tuple[int, ...], least: tuple[int, ...], answer: bool
) -> None:
    assert Capabilities(version).at_least(*least) is answer


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param({"iplimit": "20", "iptotal": 3}, ResourceLimit(3, 20), id="as a string"),
        pytest.param({"iplimit": 20, "iptotal": "3"}, ResourceLimit(3, 20), id="as a number"),
        pytest.param(
            {"iplimit": "Unlimited", "iptotal": 2}, ResourceLimit(2, None), id="unlimited"
        ),
        pytest.param({"iplimit": "-1", "iptotal": 2}, ResourceLimit(2, None), id="minus one"),
        pytest.param({"iplimit": "0", "iptotal": 0}, ResourceLimit(0, 0), id="none allowed"),
        pytest.param({}, ResourceLimit(0, None), id="not told"),
    ],
)
def test_an_account_and_a_project_tell_their_limit_of_addresses(
    answer: Answer, expected: ResourceLimit
) -> None:
    owner = {"id": "o", "name": "o", **answer}
    assert ResourceLimit.from_json(owner) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param({"jobstatus": 0}, JobStatus(pending=True), id="pending"),
        pytest.param(
            {"jobstatus": 1, "jobresultcode": 0, "jobresult": {"success": True}},
            JobStatus(pending=False),
            id="done",
        ),
        pytest.param(
            {"jobstatus": 1, "jobresult": {"loadbalancer": {"id": "r", "networkid": "n-1"}}},
            JobStatus(pending=False, network_id="n-1"),
            id="done, with what it made",
        ),
        pytest.param({"jobstatus": 1}, JobStatus(pending=False), id="done without a result"),
        pytest.param(
            {"jobstatus": "2", "jobresultcode": 533, "jobresult": {"errortext": "full"}},
            JobStatus(pending=False, code=533, text="full"),
            id="failed",
        ),
        pytest.param(
            {"jobstatus": 2, "jobresult": {"errorcode": 431, "errortext": "bad"}},
            JobStatus(pending=False, code=431, text="bad"),
            id="failed, the code in the result only",
        ),
        pytest.param(
            {"jobstatus": 2},
            JobStatus(pending=False, code=530, text="no reason given"),
            id="failed without a word",
        ),
    ],
)
def test_a_job_is_pending_done_or_failed(answer: Answer, expected: JobStatus) -> None:
    assert JobStatus.from_json(answer) == expected
