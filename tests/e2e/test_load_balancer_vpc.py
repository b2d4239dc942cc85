"""Load balancers of a cluster whose nodes are on a tier of a VPC."""

from pathlib import Path

import yaml

from tests.controlplane import ControlPlane
from tests.controlplane.api import Object
from tests.e2e.platform import PROJECT
from tests.e2e.site import Site, site
from tests.e2e.watching import PREFIX, Namespace, ingress, namespace

#: The machines on the tier that has a list of its own, in the simulator's world with a VPC.
TIER, NODES = "tier-1", ("node-1", "node-2")
#: The Service of the example, which names that tier of the simulator's world.
EXAMPLE = yaml.safe_load((PROJECT / "examples/14-vpc-tier/service.yaml").read_text())
NAME, SPEC = EXAMPLE["metadata"]["name"], EXAMPLE["spec"]
RANGES, PORTS = SPEC["loadBalancerSourceRanges"], SPEC["ports"]


def test_a_service_is_served_changed_repaired_and_removed_on_a_tier(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    with (
        site(control_plane, tmp_path, NODES, world="vpc", DRIFT_RESYNC="10s") as place,
        namespace(place.cluster) as shop,
    ):
        only_planned(shop, place)
        ip = served(shop, place)
        changed(shop, place)
        repaired(shop, place)
        taken_by_another_tier_is_refused(shop, place)
        for name in (NAME, "elsewhere"):
            shop.services.delete(name, shop.name)
            shop.await_no_load_balancer(name)
        assert place.rules() == []
        assert place.address(ip) is None
        assert [one["tags"] for one in place.addresses() if one["tags"]] == []
        assert items(place) == []
        assert place.simulator.control.ignored_parameters() == []


def notes() -> dict[str, str]:
    return dict(EXAMPLE["metadata"]["annotations"])


def only_planned(shop: Namespace, place: Site) -> None:
    asked = {key.removeprefix(PREFIX): text for key, text in notes().items()}
    shop.create(NAME, {**asked, "mode": "plan"}, loadBalancerSourceRanges=RANGES, ports=PORTS)
    planned = shop.await_load_balancer(
        NAME, lambda one: bool(one.get("status", {}).get("plan")), "plans"
    )["status"]["plan"]
    (vpc,) = place.cloud.list("listVPCs", "vpc", name="vpc-1")
    assert f"with VPC {vpc['id']}" in planned[0]
    assert any(each.endswith(f"for {', '.join(RANGES)}") for each in planned), planned
    assert [one for one in place.addresses() if one["tags"]] == []


def served(shop: Namespace, place: Site) -> str:
    """Apply the plan; return the address."""
    shop.change(NAME, {"mode": None})
    (shown,) = ingress(shop.await_ready(NAME))
    for rule in place.rules_of(shop, NAME):
        assert (set(rule["members"]), rule["cidrlist"]) == (set(NODES), RANGES)
        assert rule["network"] == place.network(TIER)
    admitted = {(one["startport"], one["endport"]) for one in items(place)}
    assert admitted == {(80, 80), (443, 443)}
    assert {tuple(one["cidrlist"]) for one in items(place)} == {tuple(RANGES)}
    return str(shown["ip"])


def changed(shop: Namespace, place: Site) -> None:
    """Change ranges and protocol in place; a node leaves and comes back."""
    before = ids(place, shop)
    shop.change(NAME, {"proxy-protocol": "true"}, loadBalancerSourceRanges=RANGES[:1])
    place.awaited(
        lambda: all(
            (one["protocol"], one["cidrlist"]) == ("tcp-proxy", RANGES[:1])
            for one in place.rules_of(shop, NAME)
        ),
        "the rules are changed",
    )
    place.awaited(
        lambda: {tuple(one["cidrlist"]) for one in items(place)} == {tuple(RANGES[:1])},
        "the items are changed",
    )
    place.nodes.delete("node-2")
    await_members(shop, place, "node-1")
    place.join("node-2")
    await_members(shop, place, *NODES)
    assert ids(place, shop) == before


def repaired(shop: Namespace, place: Site) -> None:
    """Undo what somebody does in CloudStack."""
    first, second = place.rules_of(shop, NAME)
    place.job("deleteLoadBalancerRule", id=first["id"])
    place.job("updateLoadBalancerRule", id=second["id"], cidrlist="0.0.0.0/0")

    def is_right() -> bool:
        rules = place.rules_of(shop, NAME)
        return len(rules) == len(PORTS) and all(
            (set(one["members"]), one["cidrlist"]) == (set(NODES), RANGES[:1]) for one in rules
        )

    place.awaited(is_right, "the rules are right again")


def taken_by_another_tier_is_refused(shop: Namespace, place: Site) -> None:
    """An address with a rule of another tier is left as it is."""
    (vpc,) = place.cloud.list("listVPCs", "vpc", name="vpc-1")
    address: Object = place.job("associateIpAddress", vpcid=vpc["id"])["ipaddress"]
    other = place.network("tier-2")
    rule = {"algorithm": "roundrobin", "publicport": 80, "privateport": 30000}
    made = place.job(
        "createLoadBalancerRule", name="other", publicipid=address["id"], networkid=other, **rule
    )["loadbalancer"]
    shop.create("elsewhere", {"address": address["ipaddress"]})
    refused = shop.await_load_balancer(
        "elsewhere",
        lambda one: any(
            each["type"] == "Ready" and each["reason"] == "AddressElsewhere"
            for each in one.get("status", {}).get("conditions", [])
        ),
        "is refused",
    )
    (told,) = (one for one in refused["status"]["conditions"] if one["type"] == "Ready")
    assert f"tier {other} of the VPC" in told["message"]
    place.job("deleteLoadBalancerRule", id=made["id"])
    place.job("disassociateIpAddress", id=address["id"])


def items(place: Site) -> list[Object]:
    """List the items of ours in all network ACL lists."""
    lists = place.simulator.control.state()["networkacllists"]
    return [one for each in lists for one in each["items"] if one["tags"] or one["reason"]]


def ids(place: Site, shop: Namespace) -> set[str]:
    return {str(one["id"]) for one in place.rules_of(shop, NAME)}


def await_members(shop: Namespace, place: Site, *names: str) -> None:
    place.awaited(
        lambda: all(set(one["members"]) == set(names) for one in place.rules_of(shop, NAME)),
        f"members are {', '.join(names)}",
    )
