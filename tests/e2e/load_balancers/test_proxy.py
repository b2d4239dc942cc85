"""The PROXY protocol on some ports of a Service, from the plan to the end of the Service."""

from tests.controlplane.api import Object
from tests.e2e.load_balancers.conftest import NODES
from tests.e2e.site import Site
from tests.e2e.watching import Namespace, ingress

PORTS = [{"name": f"port-{number}", "port": number} for number in (80, 81, 82)]
#: What the rules of these ports speak, at first and after the change.
FIRST, SECOND = ("tcp", "tcp-proxy", "tcp"), ("tcp-proxy", "tcp-proxy", "tcp")


def rules(shop: Namespace, place: Site) -> list[Object]:
    """Return the rules of the Service in order of their ports."""
    return sorted(place.rules_of(shop, "web"), key=lambda rule: int(rule["publicport"]))


def await_rules(
    shop: Namespace, place: Site, protocols: tuple[str, ...], without: str = ""
) -> list[Object]:
    """Wait until the rules speak these protocols and have all nodes but one; return them."""
    members, found = set(NODES) - {without}, list[Object]()

    def are_right() -> bool:
        found[:] = rules(shop, place)
        return tuple(rule["protocol"] for rule in found) == protocols and all(
            set(rule["members"]) == members
            and rule["name"].endswith(f"-{rule['protocol']}-{rule['publicport']}")
            for rule in found
        )

    place.awaited(are_right, f"rules are {protocols}, without {without or 'none'}")
    return found


def test_ports_are_planned_served_changed_repaired_and_removed(
    shop: Namespace, place: Site
) -> None:
    only_planned(shop, place)
    ip = served(shop, place)
    changed(shop, place)
    repaired(shop, place)
    ids = {rule["id"] for rule in rules(shop, place)}
    shop.services.delete("web", shop.name)
    shop.await_no_load_balancer("web")
    assert place.address(ip) is None
    assert place.firewall(ip) == []
    assert not ids & {rule["id"] for rule in place.rules()}


def only_planned(shop: Namespace, place: Site) -> None:
    shop.create("web", {"proxy-protocol": "port-81", "mode": "plan"}, ports=PORTS)
    planned = shop.await_load_balancer(
        "web", lambda one: one.get("status", {}).get("plan"), "plans"
    )
    creations = [each for each in planned["status"]["plan"] if each.startswith("create rule")]
    assert tuple(each.split(", ")[1] for each in creations) == FIRST
    assert place.rules_of(shop, "web") == []


def served(shop: Namespace, place: Site) -> str:
    """Apply the plan; return the address."""
    shop.change("web", {"mode": None})
    (shown,) = ingress(shop.await_ready("web"))
    assert shown["ipMode"] == "Proxy"
    await_rules(shop, place, FIRST)
    return str(shown["ip"])


def changed(shop: Namespace, place: Site) -> None:
    """Plan that another port speaks it, and change it in place; a node leaves and returns."""
    before = rules(shop, place)
    shop.change("web", {"proxy-protocol": "81,80", "mode": "plan"})
    planned = shop.await_load_balancer("web", lambda one: one["status"].get("plan"), "plans")
    (entry,) = planned["status"]["plan"]
    assert before[0]["name"] in entry
    assert "tcp-proxy" in entry
    assert rules(shop, place) == before
    shop.change("web", {"mode": None})
    await_rules(shop, place, SECOND)
    place.nodes.delete(NODES[0])
    await_rules(shop, place, SECOND, without=NODES[0])
    place.join(NODES[0])
    after = await_rules(shop, place, SECOND)
    assert [rule["id"] for rule in after] == [rule["id"] for rule in before]
    shop.await_ready("web")


def repaired(shop: Namespace, place: Site) -> None:
    """Undo what somebody does to the rules: other protocols, and one is deleted."""
    place.await_quiet()
    first, second, third = rules(shop, place)
    place.job("updateLoadBalancerRule", id=first["id"], protocol="tcp")
    place.job("updateLoadBalancerRule", id=third["id"], protocol="tcp-proxy")
    place.job("deleteLoadBalancerRule", id=second["id"])
    after = await_rules(shop, place, SECOND)
    assert [after[0]["id"], after[2]["id"]] == [first["id"], third["id"]]
    (shown,) = ingress(shop.await_ready("web"))
    assert (shown["ip"], shown["ipMode"]) == (first["address"], "Proxy")
    shop.await_event("web", "RepairedLoadBalancer")
