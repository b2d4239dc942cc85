"""What other providers left on a VPC tier is taken over in place, and becomes narrower.

They leave the tier open to everybody, whatever ranges the Service has (measured).
"""

from collections.abc import Iterator

import pytest

from tests.controlplane import ControlPlane
from tests.controlplane.api import Object, Objects
from tests.e2e.former import Naming, existing, fork, hand_over
from tests.e2e.site import Site, site
from tests.e2e.watching import Namespace, ingress, namespace

#: The machines on the tier that has a list of its own, in the simulator's world with a VPC.
TIER, NODES = "tier-1", ("node-1", "node-2")
RANGES = ["10.0.0.0/8", "192.168.0.0/16"]
PORTS = [{"name": f"port-{number}", "port": number} for number in (80, 443)]
EVERYBODY = "0.0.0.0/0"


@pytest.fixture(scope="module")
def place(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run the site."""
    with site(control_plane, tmp_path_factory.mktemp("tier"), NODES, world="vpc") as made:
        yield made
        assert made.simulator.control.ignored_parameters() == []


def left_behind(place: Site, service: Object, naming: Naming, *, opens: bool) -> Object:
    """Make on the tier what another provider made for a Service; return its address.

    `opens` as the existing one does: its rules have the list of everybody, and an item without tags
    opens the tier's list for each port. The fork does neither.
    """
    (vpc,) = place.cloud.list("listVPCs", "vpc", name="vpc-1")
    address: Object = place.job("associateIpAddress", vpcid=vpc["id"])["ipaddress"]
    members = ",".join(map(place.machine, NODES))
    tier = {"networkid": place.network(TIER)}
    everybody = {"cidrlist": EVERYBODY} if opens else {}
    for port in service["spec"]["ports"]:
        rule = place.job(
            "createLoadBalancerRule",
            publicipid=address["id"],
            name=naming(service, port["port"]),
            algorithm="roundrobin",
            publicport=port["port"],
            privateport=port["nodePort"],
            **tier,
            **everybody,
        )["loadbalancer"]
        place.job("assignToLoadBalancerRule", id=rule["id"], virtualmachineids=members)
        if opens:
            ends = {"startport": port["port"], "endport": port["port"]}
            place.job("createNetworkACL", protocol="tcp", **ends, **tier, **everybody)
    return address


def on(place: Site, address: Object) -> Objects:
    """List the rules on an address, by their ports."""
    found = [rule for rule in place.rules() if rule["addressid"] == address["id"]]
    return sorted(found, key=lambda rule: int(rule["publicport"]))


def own_items(place: Site) -> Objects:
    """List the items of ours in all network ACL lists."""
    lists = place.simulator.control.state()["networkacllists"]
    return [one for each in lists for one in each["items"] if one["tags"] or one["reason"]]


@pytest.mark.parametrize(
    ("naming", "opens"),
    [
        pytest.param(existing, True, id="existing provider"),
        pytest.param(fork, False, id="its fork"),
    ],
)
def test_a_service_on_a_tier_is_taken_over_in_place_and_admits_its_ranges_alone(
    place: Site, naming: Naming, *, opens: bool
) -> None:
    with namespace(place.cluster) as shop:
        wanted = {"ports": PORTS, "loadBalancerSourceRanges": RANGES}
        service = shop.create("web", {"disabled": "true"}, **wanted)
        address = left_behind(place, service, naming, opens=opens)
        before = on(place, address)
        assert [rule["cidrlist"] for rule in before] == [[EVERYBODY] if opens else []] * 2
        with place.watched() as watch:
            hand_over(shop, service, address, {})
            is_ours(shop, place, service, address)
        assert [rule["id"] for rule in on(place, address)] == [rule["id"] for rule in before]
        assert all(watch.always_there(rule["id"]) for rule in before)
        shop.services.delete("web", shop.name)
        shop.await_no_load_balancer("web")
        assert place.address(address["ipaddress"]) is None
        assert place.rules() == []
        assert own_items(place) == []


def is_ours(shop: Namespace, place: Site, service: Object, address: Object) -> None:
    """Wait until the Service is handed over, and look at what CloudStack has for it."""
    shop.await_service("web", lambda one: "finalizers" not in one["metadata"], "is handed over")
    assert [one["ip"] for one in ingress(shop.await_ready("web"))] == [address["ipaddress"]]
    for rule in on(place, address):
        assert rule["name"] == existing(service, int(rule["publicport"]))
        assert (set(rule["members"]), rule["cidrlist"]) == (set(NODES), RANGES)
        assert service["metadata"]["uid"] in rule["tags"].values()
