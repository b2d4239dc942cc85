"""VPCs, their tiers, and the public addresses that serve one tier while they have rules."""

from tests.contract.cloud import Cloud, Json
from tests.contract.conftest import ON_VPC, Maker

NOBODY = "00000000-0000-4000-8000-000000000000"
KEY = "publicipaddress"
pytestmark = ON_VPC


def listed(cloud: Cloud, address: Json) -> Json:
    """Return an address as a list by id shows it."""
    [found] = cloud.list("listPublicIpAddresses", KEY, id=address["id"])
    return found


def rule(cloud: Cloud, address: Json, tier: Json, **fields: object) -> Json:
    """Create a rule on a tier and return it."""
    plain = {"name": "v-tcp-80", "algorithm": "roundrobin", "publicport": 80, "privateport": 30080}
    wanted = {**plain, "publicipid": address["id"], "networkid": tier["id"], **fields}
    return dict(cloud.done("createLoadBalancerRule", **wanted)["loadbalancer"])


def test_a_vpc_shows_its_tiers_and_its_services(cloud: Cloud, vpc: Json, tier: Json) -> None:
    [found] = cloud.list("listVPCs", "vpc", id=vpc["id"])
    assert tier["id"] in [network["id"] for network in found["network"]]
    services = {service.get("name") for service in found["service"]}
    assert {"Lb", "NetworkACL"} <= services
    assert cloud.ok("listVPCs", keyword="there-is-none") == {}
    assert "Invalid parameter id" in cloud.refused("listVPCs", 431, id=NOBODY)


def test_a_tier_names_its_vpc_and_its_list_and_has_no_firewall(
    cloud: Cloud, vpc: Json, tier: Json, acl_list: Json
) -> None:
    [found] = cloud.list("listNetworks", "network", id=tier["id"])
    assert (found["vpcid"], found["vpcname"]) == (vpc["id"], vpc["name"])
    assert (found["aclid"], found["aclname"]) == (acl_list["id"], acl_list["name"])
    services = {service["name"]: service for service in found["service"]}
    assert "Firewall" not in services
    assert services["Lb"]["provider"] == [{"name": "VpcVirtualRouter"}]
    protocols = {one["name"]: one["value"] for one in services["NetworkACL"]["capability"]}
    assert protocols["SupportedProtocols"] == "tcp,udp,icmp"


def test_tiers_are_found_by_their_vpc_and_an_isolated_network_is_none(
    cloud: Cloud, vpc: Json, tier: Json, network: Json
) -> None:
    for filters in ({"vpcid": vpc["id"]}, {"forvpc": True}):
        ids = [one["id"] for one in cloud.list("listNetworks", "network", **filters)]
        assert tier["id"] in ids
        assert network["id"] not in ids
    [isolated] = cloud.list("listNetworks", "network", id=network["id"])
    assert not {"vpcid", "aclid"} & set(isolated)


def test_vms_are_found_by_their_vpc(cloud: Cloud, vpc: Json, tier_vms: list[Json]) -> None:
    found = cloud.list("listVirtualMachines", "virtualmachine", vpcid=vpc["id"])
    assert {vm["id"] for vm in tier_vms} <= {vm["id"] for vm in found}
    assert found[0]["nic"][0]["vpcid"] == vpc["id"]


def test_a_tier_without_a_list_has_no_field_for_it(cloud: Cloud, bare_tier: Json) -> None:
    assert bare_tier["state"] == "Allocated"
    assert not {"aclid", "aclname"} & set(bare_tier)
    assert cloud.ok("listNetworkACLs", networkid=bare_tier["id"]) == {}


def test_a_tier_of_a_range_that_is_taken_or_outside_is_refused(
    cloud: Cloud, vpc: Json, tier: Json, tier_offering: Json, zone: Json
) -> None:
    for gateway in (tier["gateway"], "192.0.2.1"):
        cloud.refused(
            "createNetwork",
            431,
            name="x",
            displaytext="x",
            networkofferingid=tier_offering["id"],
            zoneid=zone["id"],
            vpcid=vpc["id"],
            gateway=gateway,
            netmask="255.255.255.0",
        )


def test_a_tier_with_a_vm_cannot_be_deleted(cloud: Cloud, tier: Json, tier_vms: list[Json]) -> None:
    assert tier_vms
    assert cloud.failed("deleteNetwork", 530, id=tier["id"]) == "Failed to delete network"


def test_an_address_of_a_vpc_is_of_no_tier_until_it_has_a_rule_and_again_after_the_last(
    cloud: Cloud, vpc: Json, tier: Json, vpc_address: Json
) -> None:
    found = listed(cloud, vpc_address)
    assert (found["vpcid"], found["vpcname"]) == (vpc["id"], vpc["name"])
    assert (found["state"], found["hasrules"], found["issourcenat"]) == ("Allocated", False, False)
    assert not {"associatednetworkid", "associatednetworkname"} & set(found)
    first, second = (rule(cloud, vpc_address, tier, publicport=port) for port in (80, 81))
    found = listed(cloud, vpc_address)
    assert (found["associatednetworkid"], found["hasrules"]) == (tier["id"], True)
    cloud.done("deleteLoadBalancerRule", id=first["id"])
    assert listed(cloud, vpc_address)["associatednetworkid"] == tier["id"]
    cloud.done("deleteLoadBalancerRule", id=second["id"])
    found = listed(cloud, vpc_address)
    assert found["hasrules"] is False
    assert not {"associatednetworkid", "associatednetworkname"} & set(found)


def test_an_address_without_rules_may_serve_another_tier(
    cloud: Cloud, tier: Json, bare_tier: Json, vpc_address: Json
) -> None:
    cloud.done("deleteLoadBalancerRule", id=rule(cloud, vpc_address, tier)["id"])
    assert rule(cloud, vpc_address, bare_tier)["networkid"] == bare_tier["id"]
    assert listed(cloud, vpc_address)["associatednetworkid"] == bare_tier["id"]


def test_addresses_are_found_by_vpc_always_and_by_tier_while_they_have_rules(
    cloud: Cloud, vpc: Json, tier: Json, vpc_address: Json
) -> None:
    def found(**filters: object) -> list[str]:
        return [one["id"] for one in cloud.list("listPublicIpAddresses", KEY, **filters)]

    assert vpc_address["id"] in found(vpcid=vpc["id"])
    assert vpc_address["id"] not in found(associatednetworkid=tier["id"])
    rule(cloud, vpc_address, tier)
    assert vpc_address["id"] in found(vpcid=vpc["id"])
    assert vpc_address["id"] in found(associatednetworkid=tier["id"])


def test_a_vpc_has_a_source_nat_address_of_its_own(cloud: Cloud, vpc: Json) -> None:
    [source] = cloud.list("listPublicIpAddresses", KEY, vpcid=vpc["id"], issourcenat=True)
    assert "associatednetworkid" not in source
    cloud.failed("disassociateIpAddress", 530, id=source["id"])


def test_the_free_addresses_of_a_vpc_are_those_of_the_zone(cloud: Cloud, vpc: Json) -> None:
    page = {"state": "Free", "page": 1, "pagesize": 1}
    of_vpc = cloud.ok("listPublicIpAddresses", vpcid=vpc["id"], **page)
    assert of_vpc == cloud.ok("listPublicIpAddresses", zoneid=vpc["zoneid"], **page)


def test_an_address_for_a_tier_alone_fails_in_the_job_and_leaves_nothing(
    cloud: Cloud, tier: Json
) -> None:
    job = cloud.job("associateIpAddress", networkid=tier["id"])
    assert job["jobresultcode"] == 431
    assert job["jobresult"]["errortext"].startswith("Can't assign ip to the network directly")
    assert cloud.ok("listPublicIpAddresses", id=job["jobinstanceid"]) == {}
    cloud.refused("disassociateIpAddress", 530, id=job["jobinstanceid"])


def test_an_address_for_a_vpc_and_a_tier_is_the_vpcs(maker: Maker, vpc: Json, tier: Json) -> None:
    made = maker.associated(vpcid=vpc["id"], networkid=tier["id"])
    assert (made["vpcid"], made["state"]) == (vpc["id"], "Allocated")
    assert "associatednetworkid" not in made


def test_a_taken_address_and_an_unknown_vpc_are_refused(
    cloud: Cloud, vpc: Json, vpc_address: Json
) -> None:
    again = {"vpcid": vpc["id"], "ipaddress": vpc_address["ipaddress"]}
    assert cloud.refused("associateIpAddress", 533, **again) == "Insufficient address capacity"
    cloud.refused("associateIpAddress", 431, vpcid=NOBODY)


def test_anothers_vpc_is_not_listed_and_gets_no_address(other: Cloud, vpc: Json) -> None:
    assert other.ok("listVPCs", id=vpc["id"]) == {}
    other.refused("associateIpAddress", 531, vpcid=vpc["id"])


def test_an_address_of_a_vpc_takes_no_firewall_rule_and_lists_none(
    cloud: Cloud, tier: Json, vpc_address: Json
) -> None:
    rule(cloud, vpc_address, tier)
    wanted = {"ipaddressid": vpc_address["id"], "protocol": "tcp", "startport": 80, "endport": 80}
    text = cloud.refused("createFirewallRule", 431, **wanted, cidrlist="0.0.0.0/0")
    assert text.startswith("There is no new provider for IP")
    assert cloud.ok("listFirewallRules", ipaddressid=vpc_address["id"]) == {}


def test_releasing_takes_the_rules_along_and_leaves_the_acl_items(
    cloud: Cloud, maker: Maker, vpc: Json, tier: Json, acl_list: Json
) -> None:
    address = maker.associated(vpcid=vpc["id"])
    made = rule(cloud, address, tier)
    item = cloud.done(
        "createNetworkACL", aclid=acl_list["id"], protocol="tcp", startport=30080, number=900
    )["networkacl"]
    assert cloud.done("disassociateIpAddress", id=address["id"]) == {"success": True}
    maker.made.pop()
    assert cloud.ok("listPublicIpAddresses", id=address["id"]) == {}
    cloud.refused("listLoadBalancerRules", 431, id=made["id"])
    [left] = cloud.list("listNetworkACLs", "networkacl", id=item["id"])
    assert left["state"] == "Active"
    cloud.done("deleteNetworkACL", id=item["id"])


def test_deleting_a_tier_leaves_the_address_with_the_vpc(
    cloud: Cloud, maker: Maker, vpc: Json, tier_offering: Json, vpc_address: Json
) -> None:
    made = maker.tier(vpc, tier_offering)
    rule(cloud, vpc_address, made)
    cloud.done("deleteNetwork", id=made["id"])
    maker.made.pop()
    found = listed(cloud, vpc_address)
    assert (found["vpcid"], found["hasrules"]) == (vpc["id"], False)
