"""Clients stay with their nodes: a policy is made, changed, put back, planned, and goes."""

from tests.controlplane.api import Object
from tests.controlplane.polling import until
from tests.e2e.load_balancers.conftest import NODES
from tests.e2e.site import Site
from tests.e2e.watching import Namespace, serves

EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
PORTS = [
    {"name": "http", "port": 80},
    {"name": "https", "port": 443},
]
BY_SOURCE = ("SourceBased", {"expire": "3600s"})
COOKIE = ("LbCookie", {"cookie-name": "SRV", "nocache": "true"})


def policies(place: Site, shop: Namespace) -> dict[int, tuple[str, Object] | None]:
    """Return the policies of the Service's rules by port, as CloudStack has them."""
    found: dict[int, tuple[str, Object] | None] = {}
    for rule in place.rules_of(shop, "web"):
        newest = rule["stickiness"][-1:]
        found[rule["publicport"]] = None
        for policy in newest:
            found[rule["publicport"]] = (policy["methodname"], policy["params"])
    return found


def await_policies(
    place: Site, shop: Namespace, http: tuple[str, Object] | None, https: tuple[str, Object] | None
) -> None:
    wanted = {80: http, 443: https}
    until(lambda: policies(place, shop) == wanted, f"the rules have {wanted}")


def is_member(place: Site, shop: Namespace, node: str) -> bool:
    return any(node in each["members"] for each in place.rules_of(shop, "web"))


def remove_by_hand(place: Site, shop: Namespace, port: int) -> None:
    for rule in place.rules_of(shop, "web"):
        for policy in rule["stickiness"] if rule["publicport"] == port else ():
            place.job("deleteLBStickinessPolicy", id=policy["id"])


def is_planned(balancer: Object) -> bool:
    entries = balancer.get("status", {}).get("plan") or []
    return sum("remove stickiness of rule" in each for each in entries) == 2


def test_a_service_gets_keeps_changes_and_loses_its_policies(shop: Namespace, place: Site) -> None:
    timeout = {"clientIP": {"timeoutSeconds": 3600}}
    none = {"sessionAffinity": "None", "sessionAffinityConfig": None}
    shop.create("web", ports=PORTS, sessionAffinity="ClientIP", sessionAffinityConfig=timeout)
    shop.await_ready("web")
    await_policies(place, shop, BY_SOURCE, BY_SOURCE)
    made = {rule["id"]: rule for rule in place.rules_of(shop, "web")}
    assert {rule["algorithm"] for rule in made.values()} == {"source"}

    with place.watched() as watch:
        shop.change("web", {"stickiness": "LbCookie cookie-name=SRV nocache ports=http"})
        await_policies(place, shop, COOKIE, BY_SOURCE)
        shop.change("web", {"stickiness": "AppCookie"})
        shop.await_service("web", lambda one: not serves(one), "is refused")
        place.label(NODES[0], **{EXCLUDED: ""})
        try:
            until(lambda: not is_member(place, shop, NODES[0]), "a node leaves meanwhile")
        finally:
            place.label(NODES[0], **{EXCLUDED: None})
        assert policies(place, shop) == {80: COOKIE, 443: BY_SOURCE}
        shop.change("web", {"stickiness": "LbCookie cookie-name=SRV nocache ports=http"})
        shop.await_ready("web")

        remove_by_hand(place, shop, 80)
        await_policies(place, shop, COOKIE, BY_SOURCE)

        shop.change("web", {"stickiness": None, "mode": "plan"}, **none)
        shop.await_load_balancer("web", is_planned, "plans to remove both policies")
        assert policies(place, shop) == {80: COOKIE, 443: BY_SOURCE}
        shop.change("web", {"mode": None})
        await_policies(place, shop, None, None)
    assert all(watch.always_there(rule_id) for rule_id in made)
    assert {rule["id"] for rule in place.rules_of(shop, "web")} == set(made)


def test_nothing_of_it_is_left_with_the_service(shop: Namespace, place: Site) -> None:
    hour = ("SourceBased", {"expire": "1h"})
    shop.create("web", {"stickiness": "SourceBased expire=1h"}, ports=PORTS)
    shop.await_ready("web")
    await_policies(place, shop, hour, hour)
    rules = {rule["id"] for rule in place.rules_of(shop, "web")}
    shop.services.delete("web", shop.name)
    shop.await_no_load_balancer("web")
    assert not rules & {rule["id"] for rule in place.rules()}
