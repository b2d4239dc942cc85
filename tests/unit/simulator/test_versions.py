"""Older servers: what is newer than the version is refused, and the server names its version."""

import pytest

from simulator.server import Simulator
from tests.contract.cloud import Cloud, Json
from tests.unit.simulator.conftest import Connect


def address(cloud: Cloud) -> Json:
    network = cloud.list("listNetworks", "network", keyword="net-1")[0]
    return dict(cloud.done("associateIpAddress", networkid=network["id"])["ipaddress"])


def wish(address: Json) -> dict[str, object]:
    return {
        "name": "a",
        "algorithm": "roundrobin",
        "publicport": 80,
        "privateport": 80,
        "publicipid": address["id"],
    }


@pytest.mark.parametrize(("version", "kept"), [("4.17", {"team": "red"}), ("4.18", {})])
def test_tags_of_an_address_go_with_it_since_their_version(
    connect: Connect, version: str, kept: Json
) -> None:
    with Simulator(api_version=version, job_delay=0.001) as simulator:
        cloud = connect(simulator, simulator.user)
        made = address(cloud)
        tags = {"team": "red"}
        cloud.done("createTags", resourcetype="PublicIpAddress", resourceids=made["id"], tags=tags)
        cloud.done("disassociateIpAddress", id=made["id"])
        [found] = [each for each in simulator.world.addresses if each.id == made["id"]]
        assert found.tags == kept


@pytest.mark.parametrize(
    ("version", "on_create", "on_update"),
    [("4.16", False, False), ("4.18", True, False), ("4.22", True, True)],
)
def test_ranges_are_taken_since_their_versions(
    connect: Connect, version: str, *, on_create: bool, on_update: bool
) -> None:
    with Simulator(api_version=version, job_delay=0.001) as simulator:
        cloud = connect(simulator, simulator.user)
        named = cloud.ok("listCapabilities")["capability"]["cloudstackversion"]
        assert named == f"{version}.0.0"
        there = address(cloud)
        made = cloud.call("createLoadBalancerRule", cidrlist="10.0.0.0/8", **wish(there))
        assert made.status == (200 if on_create else 431)
        if not on_create:
            assert "cidrlist of createLoadBalancerRule came with 4.18" in made.error
            made = cloud.call("createLoadBalancerRule", **wish(there))
        changed = cloud.call("updateLoadBalancerRule", id=made.body["id"], cidrlist="10.0.0.0/9")
        assert changed.status == (200 if on_update else 431)


def test_more_ranges_than_a_router_takes_are_refused(connect: Connect) -> None:
    ranges = [f"10.{each}.0.0/24" for each in range(61)]
    with Simulator(job_delay=0.001) as simulator:
        cloud = connect(simulator, simulator.user)
        there = address(cloud)
        many, most = ",".join(ranges), ",".join(ranges[:60])
        refused = cloud.refused("createLoadBalancerRule", 530, cidrlist=many, **wish(there))
        assert "61 ranges" in refused
        made = cloud.done("createLoadBalancerRule", cidrlist=most, **wish(there))["loadbalancer"]
        assert "61 ranges" in cloud.failed(
            "updateLoadBalancerRule", 530, id=made["id"], cidrlist=many
        )
