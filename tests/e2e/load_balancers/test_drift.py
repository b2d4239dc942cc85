"""Whatever is changed in CloudStack behind our back is repaired, and what people add stays."""

from collections.abc import Callable

from tests.controlplane.api import Object
from tests.controlplane.polling import until
from tests.e2e.load_balancers.conftest import NODES
from tests.e2e.site import Site
from tests.e2e.watching import Namespace

EVERYBODY = ("0.0.0.0/0",)


def firewall_rule(place: Site, address: str) -> str:
    """Return the id of the only firewall rule of an address."""
    (found,) = (
        rule
        for rule in place.simulator.control.state()["firewallrules"]
        if rule["address"] == address
    )
    return str(found["id"])


def delete_rule(place: Site, rule: Object) -> None:
    place.job("deleteLoadBalancerRule", id=rule["id"])


def remove_member(place: Site, rule: Object) -> None:
    machine = place.machine("node-2")
    place.job("removeFromLoadBalancerRule", id=rule["id"], virtualmachineids=machine)


def change_rule(place: Site, rule: Object) -> None:
    place.job("updateLoadBalancerRule", id=rule["id"], algorithm="source", name="mine")


def narrow_rule(place: Site, rule: Object) -> None:
    place.job("updateLoadBalancerRule", id=rule["id"], cidrlist="10.0.0.0/8")


def close_firewall(place: Site, rule: Object) -> None:
    place.job("deleteFirewallRule", id=firewall_rule(place, rule["address"]))


def lose_tags(place: Site, rule: Object) -> None:
    place.job("deleteTags", resourcetype="PublicIpAddress", resourceids=rule["addressid"])


CHANGES: dict[str, Callable[[Site, Object], None]] = {
    "rule-deleted": delete_rule,
    "member-removed": remove_member,
    "rule-changed": change_rule,
    "rule-narrowed": narrow_rule,
    "firewall-closed": close_firewall,
    "tags-lost": lose_tags,
}
#: What the Event says of each.
TOLD = {
    "rule-deleted": "create rule",
    "member-removed": "assign node-2",
    "rule-changed": "change rule mine",
    "rule-narrowed": "cidrs 0.0.0.0/0",
    "firewall-closed": "open firewall port 80/tcp",
    "tags-lost": "tag address",
}


def right(place: Site, service: str, made: Object) -> bool:
    """Tell whether everything of a Service is in CloudStack as it was made."""
    address = made["address"]
    rules = place.rules(made["name"].removesuffix("-tcp-80"))
    found = place.address(address)
    return bool(
        found
        and service in found["tags"].values()
        and [rule["name"] for rule in rules] == [made["name"]]
        and set(rules[0]["members"]) == set(NODES)
        and (rules[0]["algorithm"], rules[0]["address"]) == ("roundrobin", address)
        and rules[0]["cidrlist"] == made["cidrlist"]
        and place.firewall(address) == [("tcp", 80, 80, EVERYBODY)]
    )


def test_what_is_changed_in_cloudstack_is_repaired_and_told(shop: Namespace, place: Site) -> None:
    for service in CHANGES:
        shop.create(service)
    before: dict[str, Object] = {}
    for service in CHANGES:
        shop.await_ready(service)
        (before[service],) = place.rules_of(shop, service)
    place.await_quiet()
    for service, change in CHANGES.items():
        assert right(place, service, before[service])
        change(place, before[service])
        assert not right(place, service, before[service])
    place.awaited(
        lambda: all(right(place, service, rule) for service, rule in before.items()),
        "everything is repaired",
    )
    until(lambda: not untold(shop), "an Event names each repair")


def untold(shop: Namespace) -> list[str]:
    """List the Services whose repair no Event names."""
    return [
        service
        for service, told in TOLD.items()
        if not any(told in each for each in shop.messages(service, "RepairedLoadBalancer"))
    ]


def serve_ssh(place: Site, address_id: str) -> None:
    """Add a rule and a hole in the firewall, as people do."""
    place.job(
        "createLoadBalancerRule",
        publicipid=address_id,
        name="theirs",
        algorithm="roundrobin",
        publicport=2222,
        privateport=22,
        openfirewall="false",
    )
    place.job(
        "createFirewallRule",
        ipaddressid=address_id,
        protocol="tcp",
        startport=2222,
        endport=2222,
        cidrlist="192.0.2.0/24",
    )


def test_what_people_add_to_an_address_stays_and_the_address_with_it(
    shop: Namespace, place: Site
) -> None:
    shop.create("web")
    shop.await_ready("web")
    (ours,) = place.rules_of(shop, "web")
    serve_ssh(place, ours["addressid"])
    close_to = [("tcp", 2222, 2222, ("192.0.2.0/24",))]
    shop.change("web", ports=[{"name": "alt", "port": 8080, "protocol": "TCP"}])
    place.awaited(
        lambda: place.firewall(ours["address"]) == [*close_to, ("tcp", 8080, 8080, EVERYBODY)],
        "only our own port has changed",
    )
    changed = shop.await_load_balancer(
        "web", lambda one: one["status"]["ruleSummary"] == "1/1", "has changed"
    )
    checked = changed["status"]["lastCheckTime"]
    shop.await_load_balancer(
        "web", lambda one: one["status"]["lastCheckTime"] > checked, "is checked"
    )
    (theirs,) = place.rules("theirs")
    assert (theirs["publicport"], theirs["tags"], theirs["members"]) == (2222, {}, {})
    assert place.firewall(ours["address"])[0] == close_to[0]

    shop.services.delete("web", shop.name)
    shop.await_no_load_balancer("web")
    assert place.rules("theirs") == [theirs]
    assert place.firewall(ours["address"]) == close_to
    left = place.address(ours["address"])
    assert left is not None
    assert left["tags"] == {}
    place.cloud.done("disassociateIpAddress", id=left["id"])
