"""Public addresses: chosen, associated, found, mapped to a VM, given back with all their rules."""

import pytest

from tests.contract.cloud import Cloud, Json
from tests.contract.conftest import Maker, unique

NOBODY = "00000000-0000-4000-8000-000000000000"
KEY = "publicipaddress"


@pytest.fixture
def free(cloud: Cloud, zone: Json) -> list[Json]:
    """Free addresses of the zone."""
    found = cloud.list(
        "listPublicIpAddresses", KEY, state="Free", zoneid=zone["id"], page=1, pagesize=50
    )
    if len(found) < 2:
        pytest.skip("the zone has fewer than two free public addresses")
    return found


def test_a_user_may_look_for_free_addresses_of_a_zone(free: list[Json], zone: Json) -> None:
    for address in free:
        assert (address["state"], address["zoneid"]) == ("Free", zone["id"])
        assert not {"account", "allocated", "associatednetworkid"} & set(address)


def test_the_free_addresses_of_a_guest_network_are_none(cloud: Cloud, network: Json) -> None:
    assert cloud.ok("listPublicIpAddresses", state="Free", networkid=network["id"]) == {}


def test_an_address_that_was_chosen_is_associated(
    cloud: Cloud, network: Json, vms: list[Json], free: list[Json], maker: Maker
) -> None:
    assert vms, "the network has its source NAT address"
    chosen = free[-1]
    answer = cloud.ok("associateIpAddress", networkid=network["id"], ipaddress=chosen["ipaddress"])
    assert answer["id"] == chosen["id"]
    maker.made.append(("disassociateIpAddress", {"id": chosen["id"]}))
    tags = {"example.com/lock": unique("t")}
    wanted = {"resourcetype": "PublicIpAddress", "resourceids": chosen["id"]}
    cloud.done("createTags", tags=tags, **wanted)
    [found] = cloud.list("listPublicIpAddresses", KEY, tags=tags, listall=True)
    assert (found["ipaddress"], found["state"]) == (chosen["ipaddress"], "Allocated")
    assert found["associatednetworkid"] == network["id"]
    assert (found["issourcenat"], found["isstaticnat"]) == (False, False)


def test_the_job_shows_the_address_while_it_is_allocated(cloud: Cloud, address: Json) -> None:
    assert address["state"] == "Allocating"
    [found] = cloud.list("listPublicIpAddresses", KEY, id=address["id"])
    assert found["state"] == "Allocated"


@pytest.mark.parametrize("whose", ["mine", "others"])
def test_an_address_that_is_taken_is_refused_whoever_has_it(
    cloud: Cloud, network: Json, address: Json, stranger: Json, whose: str
) -> None:
    where = network["id"] if whose == "mine" else stranger["nic"][0]["networkid"]
    text = cloud.refused("associateIpAddress", 533, networkid=where, ipaddress=address["ipaddress"])
    assert text == "Insufficient address capacity"


def test_an_address_of_no_range_is_refused(cloud: Cloud, network: Json) -> None:
    text = cloud.refused("associateIpAddress", 533, networkid=network["id"], ipaddress="9.9.9.9")
    assert text == "Insufficient address capacity"


def test_an_address_for_nothing_is_refused(cloud: Cloud) -> None:
    text = cloud.refused("associateIpAddress", 431)
    assert text.startswith("Unable to figure out zone to assign IP to.")
    cloud.refused("associateIpAddress", 431, networkid=NOBODY)


def test_an_address_for_anothers_network_is_refused(other: Cloud, network: Json) -> None:
    text = other.refused("associateIpAddress", 531, networkid=network["id"])
    assert text == "Caller does not have permission to operate with provided resource."


def test_addresses_are_found_by_id_address_and_network(
    cloud: Cloud, network: Json, address: Json
) -> None:
    for wanted in (
        {"id": address["id"]},
        {"ipaddress": address["ipaddress"]},
        {"associatednetworkid": network["id"], "issourcenat": False},
    ):
        found = cloud.list("listPublicIpAddresses", KEY, listall=True, **wanted)
        assert address["id"] in [one["id"] for one in found]
    assert cloud.ok("listPublicIpAddresses", ipaddress="9.9.9.9") == {}


def test_anothers_address_is_not_listed_and_not_to_be_released(other: Cloud, address: Json) -> None:
    assert other.ok("listPublicIpAddresses", id=address["id"]) == {}
    other.refused("disassociateIpAddress", 531, id=address["id"])


def test_releasing_takes_rules_and_tags_along(
    cloud: Cloud, maker: Maker, network: Json, vms: list[Json]
) -> None:
    address = maker.address(network)
    maker.made.pop()
    rule = cloud.done(
        "createLoadBalancerRule",
        name="r-tcp-80",
        algorithm="roundrobin",
        publicport=80,
        privateport=30080,
        publicipid=address["id"],
    )["loadbalancer"]
    cloud.done("assignToLoadBalancerRule", id=rule["id"], virtualmachineids=vms[0]["id"])
    tags = {"example.com/lock": unique("t")}
    wanted = {"resourcetype": "PublicIpAddress", "resourceids": address["id"]}
    cloud.done("createTags", tags=tags, **wanted)
    assert cloud.done("disassociateIpAddress", id=address["id"]) == {"success": True}
    assert cloud.ok("listPublicIpAddresses", id=address["id"]) == {}
    assert cloud.ok("listPublicIpAddresses", tags=tags, listall=True) == {}
    assert cloud.ok("listLoadBalancerRules", publicipid=address["id"]) == {}
    cloud.refused("listLoadBalancerRules", 431, id=rule["id"])
    cloud.refused("listFirewallRules", 431, ipaddressid=address["id"])
    text = cloud.refused("disassociateIpAddress", 530, id=address["id"])
    assert text.startswith("Internal error executing command")


def test_an_address_comes_back_without_its_tags(
    cloud: Cloud, maker: Maker, network: Json, vms: list[Json]
) -> None:
    assert vms
    first = maker.address(network)
    wanted = {"resourcetype": "PublicIpAddress", "resourceids": first["id"]}
    cloud.done("createTags", tags={"example.com/lock": "x"}, **wanted)
    cloud.done("disassociateIpAddress", id=first["id"])
    maker.made.pop()
    again = maker.address(network, ipaddress=first["ipaddress"])
    assert (again["id"], again["tags"]) == (first["id"], [])


def test_releasing_nothing_is_refused(cloud: Cloud) -> None:
    cloud.refused("disassociateIpAddress", 431, id=NOBODY)


def test_the_source_nat_address_is_not_released(
    cloud: Cloud, network: Json, vms: list[Json]
) -> None:
    assert vms
    [source] = cloud.list(
        "listPublicIpAddresses", KEY, associatednetworkid=network["id"], issourcenat=True
    )
    text = cloud.failed("disassociateIpAddress", 530, id=source["id"])
    assert text == "ip address is used for source nat purposes and can not be disassociated."


def test_the_first_address_of_a_fresh_network_becomes_its_source_nat_address(
    cloud: Cloud, maker: Maker, free: list[Json]
) -> None:
    fresh = maker.network()
    first = cloud.done(
        "associateIpAddress", networkid=fresh["id"], ipaddress=free[-1]["ipaddress"]
    )["ipaddress"]
    second = maker.address(fresh)
    listed = cloud.list("listPublicIpAddresses", KEY, associatednetworkid=fresh["id"])
    assert {one["id"]: one["issourcenat"] for one in listed} == {
        first["id"]: True,
        second["id"]: False,
    }
    rule = {"name": "x", "algorithm": "roundrobin", "publicport": 80, "privateport": 80}
    text = cloud.refused("createLoadBalancerRule", 537, **rule, publicipid=first["id"])
    assert text.startswith("Can't do load balance on ip address")


def test_an_address_can_be_mapped_to_a_vm(cloud: Cloud, address: Json, vms: list[Json]) -> None:
    wanted = {"ipaddressid": address["id"], "virtualmachineid": vms[0]["id"]}
    assert cloud.ok("enableStaticNat", **wanted)["success"] in {True, "true"}
    [vm] = cloud.list("listVirtualMachines", "virtualmachine", id=vms[0]["id"])
    assert (vm["publicipid"], vm["publicip"]) == (address["id"], address["ipaddress"])
    [found] = cloud.list("listPublicIpAddresses", KEY, id=address["id"])
    assert (found["isstaticnat"], found["virtualmachineid"]) == (True, vms[0]["id"])
    cloud.refused(
        "createLoadBalancerRule",
        431,
        name="x",
        algorithm="roundrobin",
        publicport=80,
        privateport=80,
        publicipid=address["id"],
    )
    assert cloud.done("disableStaticNat", ipaddressid=address["id"]) == {"success": True}
    [vm] = cloud.list("listVirtualMachines", "virtualmachine", id=vms[0]["id"])
    assert "publicip" not in vm
