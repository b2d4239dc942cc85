"""The simulator's times beside those of a real CloudStack 4.22, of the same calls."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.server import Simulator
from tests.contract.cloud import Cloud, Credentials
from tests.controlplane import ControlPlane

#: Seconds measured on a quiet server with simulated hypervisors. The real lists of 100 members
#: took 0.28 to 0.5 s, the real pages of ten addresses 0.028 to 0.06 s.
RECORDED = {
    "associate an address": 0.13,
    "tag it": 0.027,
    "create a rule": 0.12,
    "assign 5 members": 0.15,
    "open the firewall": 0.11,
    "list 5 members": 0.04,
    "assign 100 members": 0.67,
    "list 100 members": 0.4,
    "remove one of 100 members": 0.35,
    "remove one that is no member": 0.35,
    "release the address, 100 members": 0.45,
    "list 189 free addresses": 0.82,
    "list a page of 10 free addresses": 0.045,
    "list rules": 0.006,
    "list 105 VMs, min": 0.26,
}
#: Seconds between two polls of a job.
POLL = 0.01
MEMBERS = 105


def bench_cloudstack_times(plane: ControlPlane, folder: Path) -> Iterator[str]:
    """Make each call once on the simulator, line by line of a table."""
    del plane, folder
    yield "| call | simulated, s | recorded, s |\n|---|---|---|"
    with Simulator("large", vms=MEMBERS, timing="real") as simulator:
        user = simulator.user
        cloud = Cloud(simulator.url, Credentials(user.api_key, user.secret_key), POLL)
        for name, seconds in _calls(_Place.of(cloud)):
            yield f"| {name} | {seconds:.3f} | {RECORDED[name]} |"
        cloud.close()


@dataclass(frozen=True)
class _Place:
    """Where the calls are made: a network and its machines."""

    cloud: Cloud
    network: str
    machines: list[str]

    @classmethod
    def of(cls, cloud: Cloud) -> "_Place":
        [network] = cloud.list("listNetworks", "network")
        machines = cloud.list("listVirtualMachines", "virtualmachine", details="min")
        return cls(cloud, network["id"], [each["id"] for each in machines])


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.monotonic()
    result = work()
    return result, time.monotonic() - began


def _calls(place: _Place) -> Iterator[tuple[str, float]]:
    cloud = place.cloud

    def job(command: str, **params: object) -> tuple[dict[str, Any], float]:
        return _timed(lambda: cloud.done(command, **params))

    def listed(command: str, **params: object) -> float:
        return _timed(lambda: cloud.ok(command, **params))[1]

    done, seconds = job("associateIpAddress", networkid=place.network)
    yield "associate an address", seconds
    address = done["ipaddress"]["id"]
    tagged = {"resourcetype": "PublicIpAddress", "resourceids": address, "tags": {"a": "b"}}
    yield "tag it", job("createTags", **tagged)[1]
    rule = {"algorithm": "roundrobin", "name": "r", "openfirewall": False}
    rule |= {"publicipid": address, "publicport": 80, "privateport": 80}
    done, seconds = job("createLoadBalancerRule", **rule)
    yield "create a rule", seconds
    few = done["loadbalancer"]["id"]
    machines = ",".join(place.machines[:5])
    yield (
        "assign 5 members",
        job("assignToLoadBalancerRule", id=few, virtualmachineids=machines)[1],
    )
    ports = {"protocol": "tcp", "startport": 80, "endport": 80, "cidrlist": "0.0.0.0/0"}
    yield "open the firewall", job("createFirewallRule", ipaddressid=address, **ports)[1]
    yield "list 5 members", listed("listLoadBalancerRuleInstances", id=few)
    cloud.done("deleteLoadBalancerRule", id=few)
    wide = cloud.done("createLoadBalancerRule", **rule)["loadbalancer"]["id"]
    machines = ",".join(place.machines[:100])
    yield (
        "assign 100 members",
        job("assignToLoadBalancerRule", id=wide, virtualmachineids=machines)[1],
    )
    yield "list 100 members", listed("listLoadBalancerRuleInstances", id=wide)
    for name, machine in (
        ("remove one that is no member", place.machines[104]),
        ("remove one of 100 members", place.machines[0]),
    ):
        yield name, job("removeFromLoadBalancerRule", id=wide, virtualmachineids=machine)[1]
    yield "release the address, 100 members", job("disassociateIpAddress", id=address)[1]
    free = {"state": "Free", "forvirtualnetwork": True, "page": 1}
    yield "list 189 free addresses", listed("listPublicIpAddresses", **free, pagesize=189)
    yield "list a page of 10 free addresses", listed("listPublicIpAddresses", **free, pagesize=10)
    yield "list rules", listed("listLoadBalancerRules", networkid=place.network)
    yield "list 105 VMs, min", listed("listVirtualMachines", details="min")
