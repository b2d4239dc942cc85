"""A live Service changes to another address, which serves before the old one goes."""

from tests.controlplane.api import Object
from tests.e2e.load_balancers.conftest import NODES
from tests.e2e.site import Site
from tests.e2e.watching import LOAD_BALANCERS, Namespace, ingress

#: When the new address took over, long enough ago that the old one may go.
LONG_AGO = "2026-01-01T00:00:00Z"


def shown(service: Object) -> list[str]:
    return [str(each.get("ip")) for each in ingress(service)]


def hasten(shop: Namespace, place: Site) -> None:
    """Let the next check be due, and the time at which the old address may go.

    What a status says counts for the order alone: the address goes by its tags, and once the
    Service does not show it.
    """
    balancer = shop.load_balancer("web")
    assert balancer
    change = {"switchedAt": LONG_AGO}
    place.cluster.api.resource(*LOAD_BALANCERS).patch(
        balancer["metadata"]["name"],
        {"status": {"addressChange": change, "nextCheckTime": None, "checkedFor": None}},
        shop.name,
        subresource="status",
    )


def test_the_new_address_is_shown_and_serves_before_the_old_one_goes(
    shop: Namespace, place: Site
) -> None:
    shop.create("web")
    (old,) = shown(shop.await_ready("web"))
    (before,) = place.rules_of(shop, "web")
    new = place.free_address()

    with place.watched() as watch:
        shop.change("web", {"address": new})
        shop.await_service("web", lambda one: shown(one) == [new, old], "shows both")
        assert watch.always_there(before["id"])
        assert watch.always_open(old, 80)
    rules = place.rules_of(shop, "web")
    assert {rule["address"] for rule in rules} == {old, new}
    assert all(set(rule["members"]) == set(NODES) for rule in rules)
    assert place.firewall(new) == place.firewall(old)
    shop.await_ready("web")

    hasten(shop, place)
    shop.await_service("web", lambda one: shown(one) == [new], "shows the new one alone")
    hasten(shop, place)
    place.awaited(lambda: place.address(old) is None, "the old address is released")
    (rule,) = place.rules_of(shop, "web")
    assert rule["address"] == new
    events = shop.events("web")
    assert "AddressChanging" in events
    assert "AddressChanged" in events
    shop.await_load_balancer(
        "web", lambda one: "addressChange" not in one["status"], "the change is over"
    )


def test_a_change_that_is_taken_back_leaves_nothing(shop: Namespace, place: Site) -> None:
    shop.create("web")
    (old,) = shown(shop.await_ready("web"))
    new = place.free_address()
    shop.change("web", {"address": new})
    shop.await_service("web", lambda one: shown(one) == [new, old], "shows both")
    shop.change("web", {"address": old})
    shop.await_service("web", lambda one: shown(one) == [old, new], "shows the old one first")
    shop.services.delete("web", shop.name)
    place.awaited(lambda: place.address(new) is None, "the new address is released")
    kept = place.awaited(lambda: _untagged(place, old), "the Service names the old one: it stays")
    place.job("disassociateIpAddress", id=kept["id"])


def test_a_change_is_planned_and_both_addresses_are_kept_right_meanwhile(
    shop: Namespace, place: Site
) -> None:
    shop.create("web", {"mode": "plan"})
    shop.await_load_balancer("web", lambda one: one["status"].get("plan"), "plans")
    shop.change("web", {"mode": None})
    (old,) = shown(shop.await_ready("web"))
    new = place.free_address()
    shop.change("web", {"address": new, "mode": "plan"})
    planned = shop.await_load_balancer("web", lambda one: _names(one, new, old), "plans the change")
    assert planned["status"]["address"]["ip"] == old
    assert place.address(new) is None
    shop.change("web", {"mode": None})
    shop.await_service("web", lambda one: shown(one) == [new, old], "shows both")
    shop.await_ready("web")

    with place.excluded(NODES[0]):
        await_members(shop, place, *NODES[1:])
    await_members(shop, place, *NODES)
    shop.await_ready("web")
    place.await_quiet()
    for rule in place.rules_of(shop, "web"):
        place.job("deleteLoadBalancerRule", id=rule["id"])
    await_members(shop, place, *NODES)
    assert {rule["address"] for rule in place.rules_of(shop, "web")} == {old, new}
    shop.services.delete("web", shop.name)
    gone = "both addresses are released"
    place.awaited(lambda: not (place.address(old) or place.address(new)), gone)


def await_members(shop: Namespace, place: Site, *names: str) -> None:
    """Wait until each of two addresses has a rule with these members."""

    def has_them() -> bool:
        rules = place.rules_of(shop, "web")
        return len(rules) == 2 and all(set(rule["members"]) == set(names) for rule in rules)

    place.awaited(has_them, f"both rules have {', '.join(names)}")


def _names(balancer: Object, *ips: str) -> bool:
    """Tell whether a plan is about each of these addresses."""
    text = "; ".join(balancer["status"].get("plan", []))
    return all(ip in text for ip in ips)


def _untagged(place: Site, ip: str) -> Object | None:
    found = place.address(ip)
    return found if found and not found["tags"] else None
