"""What the contract tests stand on: the simulator, or the CloudStack that the environment names.

With CLOUDSTACK_URL (whole, with `/client/api`), CLOUDSTACK_API_KEY and CLOUDSTACK_SECRET_KEY of
an ordinary user the same tests run on a real CloudStack. They make the network, VMs and
addresses they need and remove them; what the zone lacks is skipped with the reason.
"""

import logging
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

import pytest

from simulator.server import Simulator
from simulator.world import NEWEST
from tests.contract.cloud import Cloud, Credentials, Json

#: Worlds of one zone and of two, and the versions of CloudStack that the first one is of, besides
#: the simulator's own: the oldest that is promised, and one between.
WORLDS = ("small", "two-zones", "small of 4.18", "small of 4.20")
LOG = logging.getLogger(__name__)
REAL_URL = os.environ.get("CLOUDSTACK_URL")
#: Marks tests that need a VPC: they run on the world that has one.
ON_VPC = pytest.mark.parametrize(
    "users", ["real" if REAL_URL else "vpc"], indirect=True, scope="session"
)
#: Marks tests that need security groups: they run on the world whose zone has them.
ON_GROUPS = pytest.mark.parametrize(
    "users", ["real" if REAL_URL else "groups"], indirect=True, scope="session"
)
#: Marks tests that need clusters that CloudStack manages: nobody makes one for them.
ON_KUBERNETES = pytest.mark.parametrize(
    "users", ["real" if REAL_URL else "kubernetes"], indirect=True, scope="session"
)


@dataclass(frozen=True)
class Users:
    """The user that the tests are, and another one to be kept out."""

    url: str
    user: Credentials
    other: Credentials | None
    poll: float


@pytest.fixture(scope="session", params=["real"] if REAL_URL else WORLDS)
def users(request: pytest.FixtureRequest) -> Iterator[Users]:
    if REAL_URL is not None:
        other = None
        if "CLOUDSTACK_OTHER_API_KEY" in os.environ:
            other = Credentials(
                os.environ["CLOUDSTACK_OTHER_API_KEY"], os.environ["CLOUDSTACK_OTHER_SECRET_KEY"]
            )
        user = Credentials(os.environ["CLOUDSTACK_API_KEY"], os.environ["CLOUDSTACK_SECRET_KEY"])
        yield Users(REAL_URL, user, other, poll=0.5)
        return
    world, _, version = request.param.partition(" of ")
    with Simulator(world, api_version=version or NEWEST, job_delay=0.005) as simulator:
        mine, others = (
            Credentials(simulator.keys[name].api_key, simulator.keys[name].secret_key)
            for name in ("user", "other")
        )
        yield Users(simulator.url, mine, others, poll=0.005)


@pytest.fixture(scope="session")
def cloud(users: Users) -> Iterator[Cloud]:
    cloud = Cloud(users.url, users.user, users.poll)
    yield cloud
    cloud.close()


@pytest.fixture(scope="session")
def other(users: Users) -> Iterator[Cloud]:
    """Another ordinary user, who may touch nothing of the first."""
    if users.other is None:
        pytest.skip("CLOUDSTACK_OTHER_API_KEY names no second user")
    cloud = Cloud(users.url, users.other, users.poll)
    yield cloud
    cloud.close()


@pytest.fixture(scope="session")
def capability(cloud: Cloud) -> Json:
    return dict(cloud.ok("listCapabilities")["capability"])


@pytest.fixture(scope="session")
def version(capability: Json) -> tuple[int, int]:
    """The CloudStack's version, as (4, 22)."""
    major, minor = capability["cloudstackversion"].split(".")[:2]
    return int(major), int(minor)


@pytest.fixture(scope="session")
def zone(cloud: Cloud) -> Json:
    zones = [
        zone
        for zone in cloud.list("listZones", "zone", available=True)
        if zone["networktype"] == "Advanced" and not zone["securitygroupsenabled"]
    ]
    if not zones:
        pytest.skip("there is no advanced zone without security groups")
    return zones[0]


@pytest.fixture(scope="session")
def offerings(cloud: Cloud) -> list[Json]:
    """The two smallest sizes."""
    found = cloud.list("listServiceOfferings", "serviceoffering")
    fixed = [one for one in found if not one["iscustomized"]]
    if not fixed:
        pytest.skip("there is no service offering of a fixed size")
    return sorted(fixed, key=lambda one: (one["memory"], one["cpuspeed"]))[:2]


@pytest.fixture(scope="session")
def template(cloud: Cloud, zone: Json) -> Json:
    found = cloud.list("listTemplates", "template", templatefilter="executable", zoneid=zone["id"])
    ready = [one for one in found if one["isready"]]
    if not ready:
        pytest.skip("the zone has no template that is ready")
    return ready[0]


@pytest.fixture(scope="session")
def network_offering(cloud: Cloud, zone: Json) -> Json:
    found = cloud.list(
        "listNetworkOfferings",
        "networkoffering",
        guestiptype="Isolated",
        state="Enabled",
        zoneid=zone["id"],
        forvpc=False,
        supportedservices="Lb,Firewall,SourceNat",
    )
    if not found:
        pytest.skip("the zone has no offering for isolated networks with Lb, Firewall, SourceNat")
    return found[0]


@dataclass(frozen=True)
class Maker:
    """Makes what tests need, and removes it all when they are done."""

    cloud: Cloud
    place: dict[str, str]
    network_offering: Json
    expunge: bool
    made: list[tuple[str, dict[str, str]]]

    def acl_list(self, vpc: Json) -> Json:
        """Make an empty list of network ACL items in a VPC."""
        made = self.cloud.done("createNetworkACLList", name=unique("acl"), vpcid=vpc["id"])
        self.made.append(("deleteNetworkACLList", {"id": made["networkacllist"]["id"]}))
        return dict(made["networkacllist"])

    def tier(self, vpc: Json, offering: Json, **fields: object) -> Json:
        """Make a tier of a VPC, in a range that no other tier has."""
        [found] = self.cloud.list("listVPCs", "vpc", id=vpc["id"])
        taken = [IPv4Network(tier["cidr"]) for tier in found["network"]]
        ranges = IPv4Network(vpc["cidr"]).subnets(new_prefix=24)
        free = next(one for one in ranges if not any(one.overlaps(other) for other in taken))
        made = self.cloud.ok(
            "createNetwork",
            name=unique("tier"),
            displaytext="contract test",
            networkofferingid=offering["id"],
            zoneid=self.place["zoneid"],
            vpcid=vpc["id"],
            gateway=free[1],
            netmask=free.netmask,
            **fields,
        )["network"]
        self.made.append(("deleteNetwork", {"id": made["id"]}))
        return dict(made)

    def network(self, **fields: object) -> Json:
        """Make an isolated network."""
        made = self.cloud.ok(
            "createNetwork",
            name=unique("net"),
            displaytext="contract test",
            networkofferingid=self.network_offering["id"],
            zoneid=self.place["zoneid"],
            **fields,
        )["network"]
        self.made.append(("deleteNetwork", {"id": made["id"]}))
        return dict(made)

    def vm(self, network: Json, **fields: object) -> Json:
        """Deploy a VM in a network."""
        wanted = {"name": unique("vm"), "networkids": network["id"], **self.place, **fields}
        made = self.cloud.done("deployVirtualMachine", **wanted)["virtualmachine"]
        options = {"expunge": "true"} if self.expunge else {}
        self.made.append(("destroyVirtualMachine", {"id": made["id"], **options}))
        return dict(made)

    def address(self, network: Json, **fields: object) -> Json:
        """Associate a public address with a network."""
        return self.associated(networkid=network["id"], **fields)

    def associated(self, **fields: object) -> Json:
        """Associate a public address with what the fields name."""
        made = self.cloud.done("associateIpAddress", **fields)["ipaddress"]
        self.made.append(("disassociateIpAddress", {"id": made["id"]}))
        return dict(made)

    def release(self, address: Json) -> None:
        """Release a public address that a test no longer needs, unless it did so itself."""
        entry = ("disassociateIpAddress", {"id": address["id"]})
        if entry in self.made:
            self.made.remove(entry)
            self.cloud.job("disassociateIpAddress", id=address["id"])

    def remove(self) -> None:
        """Remove everything, the last first.

        Where users may not expunge, networks with destroyed VMs stay until the server expunges
        those: said in the log, no failure.
        """
        for command, params in reversed(self.made):
            outcome = self.cloud.call(command, **params)
            if outcome.status == 200 and "jobid" in outcome.body:
                wait = {"jobid": outcome.body["jobid"]}
                while (job := self.cloud.ok("queryAsyncJobResult", **wait))["jobstatus"] == 0:
                    pass
                if job["jobstatus"] == 2:
                    LOG.warning("%s %s: %s", command, params["id"], job["jobresult"])


def unique(kind: str) -> str:
    """Return a name that nothing else has."""
    return f"ct-{kind}-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="session")
def place(zone: Json, offerings: list[Json], template: Json) -> dict[str, str]:
    """What a VM is deployed with, besides its name and networks."""
    return {
        "zoneid": zone["id"],
        "serviceofferingid": offerings[0]["id"],
        "templateid": template["id"],
    }


@pytest.fixture(scope="session")
def maker(
    cloud: Cloud, place: dict[str, str], network_offering: Json, capability: Json
) -> Iterator[Maker]:
    expunge = bool(capability["allowuserexpungerecovervm"])
    maker = Maker(cloud, place, network_offering, expunge, [])
    yield maker
    maker.remove()


@pytest.fixture(scope="session")
def network(maker: Maker) -> Json:
    """An isolated network with load balancer and firewall."""
    return maker.network()


@pytest.fixture(scope="session")
def vms(maker: Maker, network: Json) -> list[Json]:
    """Two running VMs of the network."""
    return [maker.vm(network) for _ in range(2)]


@pytest.fixture(scope="session")
def stranger(maker: Maker) -> Json:
    """A VM of another network."""
    return maker.vm(maker.network())


@pytest.fixture
def address(maker: Maker, network: Json, vms: list[Json]) -> Iterator[Json]:
    """A public address of the network, without rules."""
    assert vms, "an address can be used when the network is implemented"
    made = maker.address(network)
    yield made
    maker.release(made)


@pytest.fixture(scope="session")
def vpc(cloud: Cloud, zone: Json) -> Json:
    """A VPC of the user's own."""
    found = cloud.list("listVPCs", "vpc", zoneid=zone["id"], state="Enabled")
    if not found:
        pytest.skip("the user has no VPC in the zone")
    return found[0]


@pytest.fixture(scope="session")
def tier_offering(cloud: Cloud, zone: Json) -> Json:
    """An offering for tiers whose load balancer is the VPC's router."""
    found = cloud.list(
        "listNetworkOfferings",
        "networkoffering",
        forvpc=True,
        state="Enabled",
        zoneid=zone["id"],
        supportedservices="Lb,NetworkACL",
    )
    routed = [
        offering
        for offering in found
        for service in offering["service"]
        if service.get("name") == "Lb" and service["provider"][0]["name"] == "VpcVirtualRouter"
    ]
    if not routed:
        pytest.skip("the zone has no offering for tiers with load balancing by the router")
    return routed[0]


@pytest.fixture(scope="session")
def acl_list(maker: Maker, vpc: Json) -> Json:
    """A list of network ACL items, empty at first."""
    return maker.acl_list(vpc)


@pytest.fixture(scope="session")
def tier(maker: Maker, vpc: Json, tier_offering: Json, acl_list: Json) -> Json:
    """A tier with a list of its own."""
    return maker.tier(vpc, tier_offering, aclid=acl_list["id"])


@pytest.fixture
def bare_tier(maker: Maker, vpc: Json, tier_offering: Json) -> Json:
    """Another tier of the VPC, without a list."""
    return maker.tier(vpc, tier_offering)


@pytest.fixture(scope="session")
def tier_vms(maker: Maker, tier: Json) -> list[Json]:
    """Two running VMs of the tier."""
    return [maker.vm(tier) for _ in range(2)]


@pytest.fixture
def vpc_address(maker: Maker, vpc: Json) -> Iterator[Json]:
    """A public address of the VPC, without rules."""
    made = maker.associated(vpcid=vpc["id"])
    yield made
    maker.release(made)


@pytest.fixture(scope="module")
def vm(maker: Maker, network: Json) -> Json:
    """A VM that the tests of a file start and stop."""
    return maker.vm(network)


def shown(cloud: Cloud, vm: Json, **fields: object) -> Json:
    """Return a VM as a list by id shows it."""
    [found] = cloud.list("listVirtualMachines", "virtualmachine", id=vm["id"], **fields)
    return found


@pytest.fixture
def stopped(cloud: Cloud, vm: Json) -> Json:
    return dict(cloud.done("stopVirtualMachine", id=vm["id"])["virtualmachine"])


@pytest.fixture
def running(cloud: Cloud, vm: Json) -> Json:
    if shown(cloud, vm)["state"] != "Running":
        return dict(cloud.done("startVirtualMachine", id=vm["id"])["virtualmachine"])
    return shown(cloud, vm)
