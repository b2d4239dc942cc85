"""Internal load balancers of a cluster whose nodes are on a tier of a VPC that has them."""

from pathlib import Path

import yaml

from tests.controlplane import ControlPlane
from tests.controlplane.api import Object
from tests.e2e.platform import PROJECT
from tests.e2e.site import Site, site
from tests.e2e.watching import PREFIX, Namespace, ingress, namespace

#: The machines on the tier, in the simulator's world with a VPC.
TIER, NODES = "tier-internal", ("node-6", "node-7")
#: The Service of the example, which names that tier of the simulator's world.
EXAMPLE = yaml.safe_load((PROJECT / "examples/23-internal/service.yaml").read_text())
NAME, SPEC = EXAMPLE["metadata"]["name"], EXAMPLE["spec"]
RANGES, PORTS = SPEC["loadBalancerSourceRanges"], SPEC["ports"]
MOVED = "10.30.4.200"
OTHER = {"name": "http", "port": 80, "targetPort": 8080}


def test_a_service_is_planned_served_changed_repaired_and_removed(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    with (
        site(control_plane, tmp_path, NODES, world="vpc", DRIFT_RESYNC="10s") as place,
        namespace(place.cluster) as shop,
    ):
        only_planned(shop, place)
        ip = served(shop, place)
        changed(shop, place)
        repaired(shop, place, ip)
        moved(shop, place, ip)
        made_public_is_refused(shop, place)
        shop.services.delete(NAME, shop.name)
        shop.await_no_load_balancer(NAME)
        assert balancers(place) == []
        assert items(place) == []
        assert place.simulator.control.ignored_parameters() == []


def balancers(place: Site) -> list[Object]:
    """List the internal load balancers, by port."""
    found = place.simulator.control.state()["loadbalancers"]
    return sorted(found, key=lambda one: int(one["publicport"]))


def items(place: Site) -> list[Object]:
    """List the items of ours in all network ACL lists."""
    lists = place.simulator.control.state()["networkacllists"]
    return [one for each in lists for one in each["items"] if one["tags"] or one["reason"]]


def only_planned(shop: Namespace, place: Site) -> None:
    notes = EXAMPLE["metadata"]["annotations"]
    asked = {key.removeprefix(PREFIX): text for key, text in notes.items()}
    shop.create(NAME, {**asked, "mode": "plan"}, loadBalancerSourceRanges=RANGES, ports=PORTS)
    planned = shop.await_load_balancer(
        NAME, lambda one: bool(one.get("status", {}).get("plan")), "plans"
    )["status"]["plan"]
    assert any(each.startswith("create internal load balancer") for each in planned), planned
    assert balancers(place) == []


def served(shop: Namespace, place: Site) -> str:
    """Apply the plan; return the address."""
    shop.change(NAME, {"mode": None})
    (shown,) = ingress(shop.await_ready(NAME))
    (found,) = balancers(place)
    assert (found["address"], set(found["members"])) == (shown["ip"], set(NODES))
    assert found["network"] == place.network(TIER)
    assert [(one["startport"], one["cidrlist"]) for one in items(place)] == [(443, RANGES)]
    assert place.rules() == []
    assert [one["tags"] for one in place.addresses() if one["tags"]] == []
    return str(shown["ip"])


def changed(shop: Namespace, place: Site) -> None:
    """Add a port; a node leaves and comes back."""
    shop.change(NAME, {}, ports=[*PORTS, OTHER])
    place.awaited(lambda: len(balancers(place)) == 2, "there are two ports")
    place.nodes.delete(NODES[1])
    await_members(place, NODES[0])
    place.join(NODES[1])
    await_members(place, *NODES)
    assert len({one["address"] for one in balancers(place)}) == 1


def repaired(shop: Namespace, place: Site, ip: str) -> None:
    """Undo what somebody does in CloudStack, on the same address."""
    first, second = balancers(place)
    machine, item = place.machine(NODES[0]), items(place)[0]["id"]
    place.job("removeFromLoadBalancerRule", id=second["id"], virtualmachineids=machine)
    place.job("updateNetworkACLItem", id=item, cidrlist="0.0.0.0/0")
    await_members(place, *NODES)
    place.awaited(
        lambda: (
            {(each["startport"], tuple(each["cidrlist"])) for each in items(place)}
            == {(80, tuple(RANGES)), (443, tuple(RANGES))}
        ),
        "the items admit the ranges alone again",
    )
    assert [each["id"] for each in balancers(place)] == [first["id"], second["id"]]
    place.job("deleteLoadBalancer", id=first["id"])
    place.job("deleteLoadBalancer", id=second["id"])

    def is_right() -> bool:
        found = balancers(place)
        return [(one["publicport"], one["address"]) for one in found] == [(80, ip), (443, ip)]

    place.awaited(is_right, "the load balancers are there again")
    await_members(place, *NODES)
    (shown,) = ingress(shop.await_ready(NAME))
    assert shown["ip"] == ip


def moved(shop: Namespace, place: Site, before: str) -> None:
    """Go to another address: both serve, and the Service shows both."""
    shop.change(NAME, {"address": MOVED})

    def both() -> bool:
        return [each["ip"] for each in ingress(shop.await_ready(NAME))] == [MOVED, before]

    place.awaited(both, "the Service shows both addresses")
    await_members(place, *NODES)
    assert [one["address"] for one in balancers(place)].count(MOVED) == 2


def made_public_is_refused(shop: Namespace, place: Site) -> None:
    """It serves on, and the Service says what would be right."""
    before = [one["id"] for one in balancers(place)]
    shop.change(NAME, {"internal": "false"})
    refused = shop.await_load_balancer(
        NAME,
        lambda one: any(
            each["type"] == "Ready" and each["reason"] == "InvalidService"
            for each in one.get("status", {}).get("conditions", [])
        ),
        "is refused",
    )
    (told,) = refused["spec"]["invalid"]
    assert "cannot change on a live Service" in told["message"]
    assert [one["id"] for one in balancers(place)] == before


def await_members(place: Site, *names: str) -> None:
    place.awaited(
        lambda: all(set(one["members"]) == set(names) for one in balancers(place)),
        f"members are {', '.join(names)}",
    )
