"""Who may connect on a VPC tier: items in the tier's network ACL list, beside people's."""

from pathlib import Path

import yaml

from tests.controlplane import ControlPlane
from tests.controlplane.api import Object, Objects
from tests.e2e.platform import PROJECT
from tests.e2e.site import Site, site
from tests.e2e.watching import PREFIX, Namespace, namespace, own_condition

#: The machines on the tier that has a list of its own, in the simulator's world with a VPC.
TIER, LIST, NODES = "tier-1", "acl-1", ("node-1", "node-2")
#: The Service of the example, which names that tier of the simulator's world.
EXAMPLE = yaml.safe_load((PROJECT / "examples/15-vpc-source-ranges/service.yaml").read_text())
NAME, SPEC = EXAMPLE["metadata"]["name"], EXAMPLE["spec"]
RANGES, PORTS = SPEC["loadBalancerSourceRanges"], SPEC["ports"]


def test_items_of_the_tiers_list_are_planned_made_changed_repaired_and_removed(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    with (
        site(control_plane, tmp_path, NODES, world="vpc", DRIFT_RESYNC="10s") as place,
        namespace(place.cluster) as shop,
    ):
        before = items(place)
        notes = {
            key.removeprefix(PREFIX): text
            for key, text in EXAMPLE["metadata"]["annotations"].items()
        }
        shop.create(NAME, notes, loadBalancerSourceRanges=RANGES, ports=PORTS)
        planned(shop, place)
        shop.change(NAME, {"mode": None})
        shop.await_ready(NAME)
        assert opened(place) == [(8080, 8081, RANGES), (9443, 9443, RANGES)]
        changed(shop, place)
        repaired(place)
        given_another_list(shop, place)
        shop.services.delete(NAME, shop.name)
        shop.await_no_load_balancer(NAME)
        assert [one for one in items(place, "") if one["tags"]] == []
        assert items(place) == before
        assert place.simulator.control.ignored_parameters() == []


def items(place: Site, name: str = LIST) -> Objects:
    """List the items of a network ACL list, or of all lists."""
    lists = place.simulator.control.state()["networkacllists"]
    return [item for one in lists if name in ("", one["name"]) for item in one["items"]]


def ours(place: Site, name: str = LIST) -> Objects:
    return [one for one in items(place, name) if one["tags"]]


def opened(place: Site, name: str = LIST) -> list[tuple[int, int, list[str]]]:
    """Return the ports and ranges of the items with tags."""
    return sorted((one["startport"], one["endport"], one["cidrlist"]) for one in ours(place, name))


def planned(shop: Namespace, place: Site) -> None:
    plan = shop.await_load_balancer(
        NAME, lambda one: bool(one.get("status", {}).get("plan")), "plans"
    )["status"]["plan"]
    told = [each for each in plan if "ACL item" in each]
    ends = [f"to {LIST}: {each} for {', '.join(RANGES)}" for each in ("8080-8081/tcp", "9443/tcp")]
    assert len(told) == len(ends)
    assert all(each.endswith(end) for each, end in zip(told, ends, strict=True)), told
    assert ours(place) == []


def changed(shop: Namespace, place: Site) -> None:
    """Other ranges change the items in place."""
    before = {one["id"]: one["number"] for one in ours(place)}
    shop.change(NAME, loadBalancerSourceRanges=RANGES[:1])
    place.awaited(
        lambda: opened(place) == [(8080, 8081, RANGES[:1]), (9443, 9443, RANGES[:1])],
        "the items are changed",
    )
    assert {one["id"]: one["number"] for one in ours(place)} == before


def repaired(place: Site) -> None:
    """Undo what somebody does to the items, and leave a person's own."""
    first, second = ours(place)
    place.job("deleteNetworkACL", id=first["id"])
    place.job("updateNetworkACLItem", id=second["id"], cidrlist="0.0.0.0/0")
    place.awaited(
        lambda: opened(place) == [(8080, 8081, RANGES[:1]), (9443, 9443, RANGES[:1])],
        "the items are right again",
    )


def given_another_list(shop: Namespace, place: Site) -> None:
    """In a list that takes no items, the condition says so; in another one the items are made."""
    give(place, "default_deny")
    told: Object = own_condition(
        shop.await_service(
            NAME,
            lambda one: own_condition(one)["reason"] == "DeniedByList",
            "says that it is denied",
        )
    )
    assert told["status"] == "True"
    assert "replaceNetworkACLList" in told["message"]
    place.awaited(lambda: ours(place) == [], "the list before is cleared")
    (vpc,) = place.cloud.list("listVPCs", "vpc", name="vpc-1")
    place.job("createNetworkACLList", name="acl-new", vpcid=vpc["id"])
    give(place, "acl-new")
    place.awaited(
        lambda: opened(place, "acl-new") == [(8080, 8081, RANGES[:1]), (9443, 9443, RANGES[:1])],
        "the items are in the new list",
    )
    shop.await_service(
        NAME, lambda one: own_condition(one)["reason"] != "DeniedByList", "is not denied any more"
    )


def give(place: Site, name: str) -> None:
    (found,) = place.cloud.list("listNetworkACLLists", "networkacllist", name=name)
    place.job("replaceNetworkACLList", aclid=found["id"], networkid=place.network(TIER))
