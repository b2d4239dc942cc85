"""Guest networks: what they can do, when they can go."""

import json

from tests.contract.cloud import Cloud, Json
from tests.contract.conftest import Maker, unique

NOBODY = "00000000-0000-4000-8000-000000000000"


def services(network: Json) -> dict[str, dict[str, str]]:
    """Return a network's services, each with its capabilities."""
    return {
        service["name"]: {one["name"]: one["value"] for one in service.get("capability", [])}
        for service in network["service"]
    }


def test_a_network_is_allocated_until_a_vm_needs_it(cloud: Cloud, maker: Maker) -> None:
    made = maker.network()
    assert (made["state"], made["type"]) == ("Allocated", "Isolated")
    maker.vm(made)
    [found] = cloud.list("listNetworks", "network", id=made["id"])
    assert found["state"] == "Implemented"
    sources = cloud.list(
        "listPublicIpAddresses",
        "publicipaddress",
        associatednetworkid=made["id"],
        issourcenat=True,
    )
    assert [address["associatednetworkid"] for address in sources] == [made["id"]]


def test_a_network_tells_what_its_load_balancer_can_do(cloud: Cloud, network: Json) -> None:
    [found] = cloud.list("listNetworks", "network", id=network["id"])
    lb = services(found)["Lb"]
    assert set(lb["SupportedLbAlgorithms"].split(",")) >= {"roundrobin", "leastconn", "source"}
    methods = {method["methodname"] for method in json.loads(lb["SupportedStickinessMethods"])}
    assert methods >= {"SourceBased"}
    assert "SupportedProtocols" in lb
    assert "Firewall" in services(found)


def test_networks_are_found_by_id_keyword_and_services(cloud: Cloud, network: Json) -> None:
    for wanted in (
        {"id": network["id"]},
        {"keyword": network["name"]},
        {"supportedservices": "Lb,Firewall"},
        {"zoneid": network["zoneid"], "type": "Isolated"},
    ):
        found = cloud.list("listNetworks", "network", listall=True, **wanted)
        assert network["id"] in [one["id"] for one in found]
    assert cloud.ok("listNetworks", keyword="there-is-none") == {}


def test_a_network_needs_an_offering_and_a_zone(cloud: Cloud, network_offering: Json) -> None:
    text = cloud.refused("createNetwork", 431, name=unique("net"), displaytext="x")
    assert text.endswith("due to missing parameter networkofferingid")
    wanted = {"name": unique("net"), "displaytext": "x"}
    cloud.refused("createNetwork", 431, networkofferingid=network_offering["id"], **wanted)
    cloud.refused("createNetwork", 431, networkofferingid=NOBODY, **wanted)


def test_an_empty_network_can_be_deleted(cloud: Cloud, maker: Maker) -> None:
    made = maker.network()
    maker.made.pop()
    assert cloud.done("deleteNetwork", id=made["id"]) == {"success": True}
    assert cloud.ok("listNetworks", id=made["id"]) == {}


def test_a_network_with_a_vm_cannot_be_deleted(
    cloud: Cloud, network: Json, vms: list[Json]
) -> None:
    assert vms
    text = cloud.failed("deleteNetwork", 530, id=network["id"])
    assert text == "Failed to delete network"


def test_anothers_network_is_not_listed_and_not_to_be_deleted(other: Cloud, network: Json) -> None:
    assert other.ok("listNetworks", id=network["id"]) == {}
    other.refused("deleteNetwork", 531, id=network["id"])
