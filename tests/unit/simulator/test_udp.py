"""A world whose load balancer can do UDP: still one rule for a port, unless it is let."""

from collections.abc import Iterator

import pytest

from simulator.server import Simulator
from tests.contract.cloud import Cloud
from tests.unit.simulator.conftest import Connect


@pytest.fixture
def world() -> Iterator[Simulator]:
    with Simulator("udp", job_delay=0.001) as simulator:
        yield simulator


@pytest.fixture
def cloud(world: Simulator, connect: Connect) -> Cloud:
    return connect(world, world.user)


def wish(cloud: Cloud, **fields: object) -> dict[str, object]:
    network = cloud.list("listNetworks", "network", keyword="net-1")[0]
    [service] = [one for one in network["service"] if one["name"] == "Lb"]
    assert service["provider"] == [{"name": "ExternalLoadBalancer"}]
    known = cloud.list("listPublicIpAddresses", "publicipaddress", issourcenat=False)
    address = (
        known[0]
        if known
        else cloud.done("associateIpAddress", networkid=network["id"])["ipaddress"]
    )
    plain = {"name": "a", "algorithm": "roundrobin", "publicport": 53, "privateport": 30053}
    return {**plain, "publicipid": address["id"], "openfirewall": False, **fields}


def test_udp_rules_are_made_and_may_become_tcp(cloud: Cloud) -> None:
    rule = cloud.done("createLoadBalancerRule", **wish(cloud, protocol="udp"))["loadbalancer"]
    assert rule["protocol"] == "udp"
    changed = cloud.done("updateLoadBalancerRule", id=rule["id"], protocol="tcp")
    assert changed["loadbalancer"]["protocol"] == "tcp"
    cloud.done("updateLoadBalancerRule", id=rule["id"], protocol="udp")


def test_two_protocols_on_one_port_are_a_conflict_unless_they_are_let(
    world: Simulator, cloud: Cloud
) -> None:
    cloud.done("createLoadBalancerRule", **wish(cloud, protocol="udp"))
    cloud.refused("createLoadBalancerRule", 537, **wish(cloud, protocol="tcp"))
    world.control.settings(mixed_ports=True)
    cloud.done("createLoadBalancerRule", **wish(cloud, protocol="tcp"))
    cloud.refused("createLoadBalancerRule", 537, **wish(cloud, protocol="tcp-proxy"))
