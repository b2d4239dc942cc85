"""Several Services of a namespace on one address: they come, change and go, and it stays theirs."""

import json
from functools import partial

from hooks.names import TAG_USER_PREFIX
from tests.controlplane.api import Object
from tests.controlplane.polling import until
from tests.e2e.load_balancers.conftest import NODES
from tests.e2e.site import Site
from tests.e2e.watching import Namespace, ingress, own_condition

EVERYBODY = ("0.0.0.0/0",)
SHARED = {"shared-address": "front"}


def ports(*numbers: int) -> list[Object]:
    """Make named TCP ports."""
    return [{"name": f"port-{number}", "port": number} for number in numbers]


def address_of(shop: Namespace, *services: str) -> str:
    """Wait until Services are ready; answer the one address that all of them show."""
    (shown,) = {ingress(shop.await_ready(service))[0]["ip"] for service in services}
    return str(shown)


def users(place: Site, address: str) -> set[str]:
    """Return the names of the Services that use an address, by its tags."""
    tags = (place.address(address) or {"tags": {}})["tags"]
    return {text for key, text in tags.items() if key.startswith(TAG_USER_PREFIX)}


def has_left(place: Site, address: str, name: str) -> bool:
    """Tell whether a Service uses an address no more."""
    return name not in users(place, address)


def test_services_share_an_address_from_the_first_to_the_last(shop: Namespace, place: Site) -> None:
    shop.create("web", SHARED, ports=ports(80, 81))
    shop.create("mail", SHARED, ports=ports(82), loadBalancerSourceRanges=["10.0.0.0/8"])
    shop.create("other", ports=ports(80))
    address = address_of(shop, "web", "mail")
    assert address_of(shop, "other") != address
    assert users(place, address) == {"web", "mail"}
    assert place.firewall(address) == [
        ("tcp", 80, 81, EVERYBODY),
        ("tcp", 82, 82, ("10.0.0.0/8",)),
    ]
    for name in ("web", "mail"):
        assert all(set(rule["members"]) == set(NODES) for rule in place.rules_of(shop, name))

    shop.create("planned", SHARED | {"mode": "plan"}, ports=ports(83))
    shop.await_load_balancer(
        "planned",
        lambda one: f"join shared address front, {address}" in one["status"].get("plan", []),
        "plans to join",
    )
    shop.create("late", SHARED, ports=ports(80, 84))
    late = shop.await_service(
        "late", lambda one: "is taken by" in own_condition(one).get("message", ""), "is refused"
    )
    assert f"of Service {shop.name}/web" in own_condition(late)["message"]
    until(lambda: len(place.rules_of(shop, "late")) == 1, "its other port is served")

    mail = place.rules_of(shop, "mail")
    with place.watched() as watch:
        shop.services.delete("web", shop.name)
        assert address_of(shop, "late", "mail") == address
        assert users(place, address) == {"mail", "late"}
        assert sorted(rule["publicport"] for rule in place.rules_of(shop, "late")) == [80, 84]
    assert place.rules_of(shop, "mail") == mail
    assert all(watch.always_there(rule["id"]) for rule in mail)
    for name in ("late", "planned", "mail"):
        assert place.address(address)
        if name == "planned":
            shop.change(name, {"mode": "apply"})
            assert address_of(shop, name) == address
        shop.services.delete(name, shop.name)
        left = partial(has_left, place, address, name)
        place.awaited(left, f"{name} has left")
    place.awaited(lambda: place.address(address) is None, "the address is released")
    assert address_of(shop, "other")


def test_what_somebody_removed_from_a_shared_address_is_repaired(
    shop: Namespace, place: Site
) -> None:
    for number, name in enumerate(("web", "mail")):
        shop.create(name, SHARED, ports=ports(80 + number))
    address = address_of(shop, "web", "mail")
    found = place.address(address)
    assert found
    tags = {key: text for key, text in found["tags"].items() if text == "mail"}
    [rule] = place.rules_of(shop, "mail")
    place.job("deleteTags", resourcetype="PublicIpAddress", resourceids=found["id"], tags=tags)
    place.job("deleteLoadBalancerRule", id=rule["id"])
    place.awaited(lambda: users(place, address) == {"web", "mail"}, "the tag is back")
    place.awaited(lambda: len(place.rules_of(shop, "mail")) == 1, "the rule is back")
    assert address_of(shop, "web", "mail") == address


def test_a_node_leaves_a_change_is_planned_and_made_and_both_go_at_once(
    shop: Namespace, place: Site
) -> None:
    for number, name in enumerate(("web", "mail")):
        shop.create(name, SHARED, ports=ports(80 + number))
    address = address_of(shop, "web", "mail")
    [web], [mail] = (place.rules_of(shop, name) for name in ("web", "mail"))
    with place.watched() as watch:
        place.nodes.delete(NODES[0])
        await_members(place, address, *NODES[1:])
        place.join(NODES[0])
        await_members(place, address, *NODES)

        narrow = ["10.0.0.0/8"]
        shop.change("mail", {"mode": "plan"}, ports=ports(81, 82), loadBalancerSourceRanges=narrow)
        planned = shop.await_load_balancer("mail", lambda one: one["status"].get("plan"), "plans")
        assert f"{mail['name'].removesuffix('81')}82" in "; ".join(planned["status"]["plan"])
        assert place.rules_of(shop, "mail") == [mail]
        assert place.firewall(address) == [("tcp", 80, 80, EVERYBODY), ("tcp", 81, 81, EVERYBODY)]
        shop.change("mail", {"mode": None})
        until(lambda: len(place.rules_of(shop, "mail")) == 2, "mail has another port")
        assert address_of(shop, "web", "mail") == address
        assert place.firewall(address) == [
            ("tcp", 80, 80, EVERYBODY),
            ("tcp", 81, 82, ("10.0.0.0/8",)),
        ]
    assert watch.always_open(address, 80)
    assert all(watch.always_there(rule["id"]) for rule in (web, mail))
    assert place.rules_of(shop, "web") == [web]

    for name in ("web", "mail"):
        shop.services.delete(name, shop.name)
    for name in ("web", "mail"):
        shop.await_no_load_balancer(name)
    assert place.address(address) is None
    assert place.firewall(address) == []
    assert not [rule for rule in place.rules() if rule["address"] == address]


def await_members(place: Site, address: str, *names: str) -> None:
    """Wait until all rules of an address have these members."""
    place.awaited(
        lambda: all(
            set(rule["members"]) == set(names)
            for rule in place.rules()
            if rule["address"] == address
        ),
        f"members are {', '.join(names)}",
    )


def test_a_service_that_is_replaced_by_force_keeps_its_place(shop: Namespace, place: Site) -> None:
    # A deletion waits 0.6 s for the Service: a machine that stalls for so long tells nothing.
    shop.create("mail", SHARED, ports=ports(25))
    names = ("one", "two", "three")
    assert any(is_kept_when_replaced(shop, place, names[i], 80 + i) for i in range(3))


def is_kept_when_replaced(shop: Namespace, place: Site, name: str, port: int) -> bool:
    """Replace a Service by force; tell whether it has its rule, and always had."""
    made = shop.create(name, SHARED, ports=ports(port))
    address = address_of(shop, name, "mail")
    [before] = place.rules_of(shop, name)
    [old] = (one["metadata"]["uid"] for one in of_service(shop, name))
    written = json.dumps(
        {key: made[key] for key in ("apiVersion", "kind", "spec")}
        | {
            "metadata": {
                "name": name,
                "namespace": shop.name,
                "annotations": made["metadata"]["annotations"],
            }
        }
    )
    with place.watched() as watch:
        shop.cluster.kubectl("replace", "--force", "-f", "-", stdin=written)
        until(lambda: is_another(shop, name, old), "the old load balancer is gone")
        assert address_of(shop, name, "mail") == address
    [after] = until(lambda: place.rules_of(shop, name), "the rule is the new one's")
    assert {name, "mail"} <= users(place, address)
    return bool(after["id"] == before["id"]) and watch.always_there(before["id"])


def of_service(shop: Namespace, name: str) -> list[Object]:
    """Return the load balancers of a Service: while one is replaced, two or none."""
    found = shop.load_balancers.list(shop.name)
    return [one for one in found if one["spec"]["service"]["name"] == name]


def is_another(shop: Namespace, name: str, uid: str) -> bool:
    """Tell whether a Service has one load balancer, and not the one with this UID."""
    found = [one["metadata"]["uid"] for one in of_service(shop, name)]
    return len(found) == 1 and found != [uid]
