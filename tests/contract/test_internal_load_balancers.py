"""Load balancers of the scheme Internal, on a tier whose offering has them."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from tests.contract.cloud import Cloud, Json
from tests.contract.conftest import ON_VPC, Maker

KEY = "loadbalancer"
pytestmark = ON_VPC


@pytest.fixture(scope="session")
def inner_offering(cloud: Cloud, zone: Json) -> Json:
    """An offering for tiers whose load balancers are internal."""
    found = cloud.list(
        "listNetworkOfferings",
        "networkoffering",
        forvpc=True,
        state="Enabled",
        zoneid=zone["id"],
        supportedservices="Lb,NetworkACL",
    )
    inner = [
        offering
        for offering in found
        for service in offering["service"]
        if service.get("name") == "Lb" and service["provider"][0]["name"] == "InternalLbVm"
    ]
    if not inner:
        pytest.skip("the zone has no offering for tiers with internal load balancers")
    return inner[0]


@pytest.fixture(scope="session")
def inner(maker: Maker, vpc: Json, inner_offering: Json, acl_list: Json) -> Json:
    """A tier with internal load balancers."""
    return maker.tier(vpc, inner_offering, aclid=acl_list["id"])


@pytest.fixture(scope="session")
def inner_vms(maker: Maker, inner: Json) -> list[Json]:
    """Two running VMs of that tier."""
    return [maker.vm(inner) for _ in range(2)]


@pytest.fixture(autouse=True)
def cleaned(cloud: Cloud, inner: Json, inner_vms: list[Json]) -> Iterator[None]:
    """Leave no load balancer of the tier behind."""
    assert inner_vms
    yield
    for each in cloud.list("listLoadBalancers", KEY, networkid=inner["id"]):
        cloud.done("deleteLoadBalancer", id=each["id"])


def wanted(tier: Json, **fields: object) -> dict[str, Any]:
    """Return the parameters of a plain load balancer, with these changes."""
    return {
        "name": "inner-80",
        "scheme": "Internal",
        "algorithm": "roundrobin",
        "sourceport": 80,
        "instanceport": 30080,
        "networkid": tier["id"],
        "sourceipaddressnetworkid": tier["id"],
        **fields,
    }


def created(cloud: Cloud, tier: Json, **fields: object) -> Json:
    """Create a load balancer and return it."""
    return dict(cloud.done("createLoadBalancer", **wanted(tier, **fields))["loadbalancer"])


def refused(cloud: Cloud, code: int, tier: Json, **fields: object) -> str:
    """Have a creation refused, and return the words."""
    return cloud.refused("createLoadBalancer", code, **wanted(tier, **fields))


def listed(cloud: Cloud, balancer: Json) -> Json:
    """Return a load balancer as a list by id shows it."""
    [found] = cloud.list("listLoadBalancers", KEY, id=balancer["id"])
    return found


def free_ip(tier: Json) -> str:
    """Return an address of a tier that nobody has yet."""
    return str(IPv4Network(tier["cidr"])[200])


def test_a_load_balancer_shows_its_ports_as_numbers_and_no_protocol(
    cloud: Cloud, inner: Json
) -> None:
    ip = free_ip(inner)
    answer = cloud.done("createLoadBalancer", **wanted(inner, sourceipaddress=ip))
    made = answer["loadbalancer"]
    assert (made["sourceipaddress"], made["networkid"]) == (ip, inner["id"])
    assert made["sourceipaddressnetworkid"] == inner["id"]
    assert made["loadbalancerrule"] == [{"sourceport": 80, "instanceport": 30080, "state": "Add"}]
    assert (made["loadbalancerinstance"], made["tags"]) == ([], [])
    assert not {"protocol", "publicip", "state", "scheme"} & set(made)
    assert listed(cloud, made) == made


def test_the_address_may_be_left_to_the_server(cloud: Cloud, inner: Json) -> None:
    ips = {created(cloud, inner)["sourceipaddress"] for _ in range(2)}
    assert len(ips) == 2
    assert all(IPv4Address(ip) in IPv4Network(inner["cidr"]) for ip in ips)


def test_several_ports_share_an_address_and_one_port_is_had_once(cloud: Cloud, inner: Json) -> None:
    ip = free_ip(inner)
    first = created(cloud, inner, sourceipaddress=ip)
    created(cloud, inner, sourceipaddress=ip, sourceport=81)
    text = refused(cloud, 537, inner, sourceipaddress=ip, instanceport=30081)
    assert text.startswith("The range specified, 80-80, conflicts with rule ApplicationLoadB")
    assert first["id"] in text
    named = cloud.list("listLoadBalancers", KEY, name="inner-80", networkid=inner["id"])
    assert len(named) == 2, "names are not unique"


def test_the_address_of_a_vm_the_gateway_and_one_elsewhere_are_refused(
    cloud: Cloud, inner: Json, inner_vms: list[Json]
) -> None:
    for ip in (inner_vms[0]["nic"][0]["ipaddress"], inner["gateway"]):
        text = refused(cloud, 533, inner, sourceipaddress=ip)
        assert text.startswith("Unable to acquire IP address for network Network {")
    text = refused(cloud, 431, inner, sourceipaddress="10.99.0.1")
    assert text == "The requested IP is not in the network's CIDR subnet."


def test_another_scheme_and_another_algorithm_are_refused(cloud: Cloud, inner: Json) -> None:
    text = refused(cloud, 431, inner, scheme="Public")
    assert text == "Invalid value for scheme. Supported value is internal"
    assert refused(cloud, 431, inner, algorithm="bogus") == "Invalid algorithm: bogus"


def test_other_networks_have_no_internal_ones_and_this_tier_no_public_ones(
    cloud: Cloud, inner: Json, tier: Json, network: Json, vpc_address: Json
) -> None:
    for other in (tier, network):
        text = refused(cloud, 431, other)
        assert text.startswith("Scheme Internal is not supported by the network offering")
    text = cloud.refused(
        "createLoadBalancerRule",
        431,
        name="x",
        algorithm="roundrobin",
        publicport=80,
        privateport=30080,
        publicipid=vpc_address["id"],
        networkid=inner["id"],
    )
    assert text.startswith("Scheme Public is not supported by the network offering")


def test_the_address_may_be_of_another_tier_where_no_vm_of_this_one_is_reached(
    cloud: Cloud, inner: Json, tier: Json
) -> None:
    made = created(cloud, inner, sourceipaddressnetworkid=tier["id"])
    assert IPv4Address(made["sourceipaddress"]) in IPv4Network(tier["cidr"])
    assert made["sourceipaddressnetworkid"] == made["networkid"] == inner["id"]


def test_lists_of_rules_do_not_show_it_and_members_are_listed_by_both(
    cloud: Cloud, inner: Json, inner_vms: list[Json]
) -> None:
    made = created(cloud, inner)
    for where in ({"networkid": inner["id"]}, {"id": made["id"]}):
        assert cloud.ok("listLoadBalancerRules", listall=True, **where) == {}
    ids = [vm["id"] for vm in inner_vms]
    cloud.done("assignToLoadBalancerRule", id=made["id"], virtualmachineids=ids)
    found = listed(cloud, made)
    assert found["loadbalancerrule"][0]["state"] == "Active"
    assert {each["id"] for each in found["loadbalancerinstance"]} == set(ids)
    members = cloud.list(
        "listLoadBalancerRuleInstances", "lbrulevmidip", id=made["id"], lbvmips=True
    )
    assert {each["loadbalancerruleinstance"]["id"] for each in members} == set(ids)
    text = cloud.failed("assignToLoadBalancerRule", 530, id=made["id"], virtualmachineids=ids[0])
    assert text == "Failed to assign load balancer rule"
    cloud.done("removeFromLoadBalancerRule", id=made["id"], virtualmachineids=ids[0])
    assert [each["id"] for each in listed(cloud, made)["loadbalancerinstance"]] == ids[1:]


def test_an_update_of_the_rule_fails_and_has_changed_the_algorithm(
    cloud: Cloud, inner: Json
) -> None:
    made = created(cloud, inner)
    text = cloud.failed("updateLoadBalancerRule", 530, id=made["id"], algorithm="leastconn")
    assert "LoadBalancerVO.getLbProtocol()" in text
    assert listed(cloud, made)["algorithm"] == "leastconn"
    shown = cloud.done("updateLoadBalancer", id=made["id"], fordisplay=True)["loadbalancer"]
    assert shown["algorithm"] == "leastconn"


def test_it_is_found_by_network_name_and_tag_and_not_by_its_address(
    cloud: Cloud, inner: Json
) -> None:
    made = created(cloud, inner)
    tagged = {"resourcetype": "LoadBalancer", "resourceids": made["id"]}
    cloud.done("createTags", **tagged, tags={"example.com/service": "default/inner"})
    for where in (
        {"networkid": inner["id"]},
        {"name": "inner-80"},
        {"tags": {"example.com/service": "default/inner"}},
    ):
        found = cloud.list("listLoadBalancers", KEY, listall=True, **where)
        assert [each["id"] for each in found] == [made["id"]]
        [tag] = found[0]["tags"]
        assert (tag["key"], tag["value"]) == ("example.com/service", "default/inner")
    other = {"tags": {"example.com/service": "default/other"}}
    assert cloud.ok("listLoadBalancers", listall=True, **other) == {}
    where = {"sourceipaddress": made["sourceipaddress"], "networkid": inner["id"]}
    cloud.refused("listLoadBalancers", 530, **where)


def test_it_takes_a_stickiness_policy(cloud: Cloud, inner: Json) -> None:
    made = created(cloud, inner)
    wanted = {"lbruleid": made["id"], "methodname": "SourceBased", "name": "s"}
    cloud.done("createLBStickinessPolicy", **wanted)
    found = cloud.list("listLBStickinessPolicies", "stickinesspolicies", lbruleid=made["id"])
    assert [each["name"] for each in found[0]["stickinesspolicy"]] == ["s"]


@pytest.mark.parametrize("command", ["deleteLoadBalancer", "deleteLoadBalancerRule"])
def test_a_deleted_one_is_unknown_and_its_address_free(
    cloud: Cloud, inner: Json, command: str
) -> None:
    ip = free_ip(inner)
    made = created(cloud, inner, sourceipaddress=ip)
    assert cloud.done(command, id=made["id"]) == {"success": True}
    cloud.refused("deleteLoadBalancer", 431, id=made["id"])
    cloud.refused("listLoadBalancers", 431, id=made["id"])
    assert created(cloud, inner, sourceipaddress=ip)["sourceipaddress"] == ip


def test_the_vm_that_balances_is_no_users_to_see(cloud: Cloud) -> None:
    cloud.refused("listInternalLoadBalancerVMs", 432)


def test_anothers_is_not_listed_and_not_to_be_touched(
    cloud: Cloud, other: Cloud, inner: Json
) -> None:
    made = created(cloud, inner)
    assert other.ok("listLoadBalancers", networkid=inner["id"]) == {}
    other.refused("deleteLoadBalancer", 531, id=made["id"])
    refused(other, 531, inner)
