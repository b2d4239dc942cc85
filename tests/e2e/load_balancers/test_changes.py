"""A live Service changes, and CloudStack follows without a gap where it need not leave one."""

import pytest

from tests.controlplane.api import Object
from tests.e2e.load_balancers.conftest import NODES
from tests.e2e.site import Site
from tests.e2e.watching import Namespace, ingress, own_condition

EVERYBODY = ("0.0.0.0/0",)
HALVES = ("0.0.0.0/1", "128.0.0.0/1")
#: What deleting a rule and creating it again may take, on a machine that has other work.
CHANGE_SECONDS = 10.0


def port(number: int, node_port: int, protocol: str = "TCP") -> Object:
    """Make a port that keeps its node port through changes."""
    name = f"{protocol.lower()}-{number}"
    return {"name": name, "port": number, "nodePort": node_port, "protocol": protocol}


def rules(shop: Namespace, place: Site, name: str = "web") -> dict[int, Object]:
    """Return the rules of a Service by their ports."""
    return {int(rule["publicport"]): rule for rule in place.rules_of(shop, name)}


def settled(shop: Namespace, place: Site, generation: int, name: str = "web") -> dict[int, Object]:
    """Wait until a change has been carried out; answer the rules."""

    def done(balancer: Object) -> bool:
        status = balancer.get("status", {})
        conditions = {one["type"]: one["status"] for one in status.get("conditions", [])}
        return (
            generation <= balancer["metadata"]["generation"] == status.get("observedGeneration")
            and conditions.get("Ready") == "True"
            and "Reconciling" not in conditions
        )

    shop.await_load_balancer(name, done, f"has carried out change {generation}")
    shop.await_ready(name)
    return rules(shop, place, name)


def test_ports_come_go_and_are_renumbered_and_the_others_stay(shop: Namespace, place: Site) -> None:
    shop.create("web", ports=[port(80, 30180), port(443, 30543)])
    before = settled(shop, place, 1)
    address = before[80]["address"]
    with place.watched() as watch:
        shop.change("web", ports=[port(80, 30180), port(8443, 30543), port(9000, 30900)])
        after = settled(shop, place, 2)
    assert sorted(after) == [80, 8443, 9000]
    assert after[80]["id"] == before[80]["id"]
    assert watch.always_there(before[80]["id"])
    assert {rule["address"] for rule in after.values()} == {address}
    assert all(set(rule["members"]) == set(NODES) for rule in after.values())
    assert place.firewall(address) == [
        ("tcp", number, number, EVERYBODY) for number in (80, 8443, 9000)
    ]


def test_a_port_that_goes_shuts_nobody_out_of_its_neighbours(shop: Namespace, place: Site) -> None:
    shop.create("web", ports=[port(number, 30700 + number) for number in (80, 81, 82)])
    before = settled(shop, place, 1)
    address = before[80]["address"]
    assert place.firewall(address) == [("tcp", 80, 82, EVERYBODY)]
    with place.watched() as watch:
        shop.change("web", ports=[port(number, 30700 + number) for number in (80, 82)])
        settled(shop, place, 2)
    assert watch.always_open(address, 80)
    assert watch.always_open(address, 82)
    assert not watch.always_open(address, 81)
    assert place.firewall(address) == [("tcp", 80, 80, HALVES), ("tcp", 82, 82, HALVES)]


def test_a_new_node_port_replaces_its_rule_and_no_other(shop: Namespace, place: Site) -> None:
    shop.create("web", ports=[port(80, 30181), port(443, 30544)])
    before = settled(shop, place, 1)
    with place.watched() as watch:
        shop.change("web", ports=[port(80, 30182), port(443, 30544)])
        after = settled(shop, place, 2)
    assert 0 < watch.longest_without(before[80]["address"], 80) < CHANGE_SECONDS
    assert watch.always_there(before[443]["id"])
    assert after[80]["privateport"] == 30182
    assert set(after[80]["members"]) == set(NODES)
    assert after[443]["id"] == before[443]["id"]
    assert after[80]["address"] == before[80]["address"]


def test_tcp_becomes_proxy_and_tcp_again_in_place(shop: Namespace, place: Site) -> None:
    shop.create("web")
    before = settled(shop, place, 1)[80]
    with place.watched() as watch:
        shop.change("web", {"proxy-protocol": "true"})
        proxied = settled(shop, place, 2)[80]
        shown = shop.await_service(
            "web", lambda one: ingress(one)[0]["ipMode"] == "Proxy", "shows ipMode Proxy"
        )
        shop.change("web", {"proxy-protocol": None})
        after = settled(shop, place, 3)[80]
    assert (proxied["protocol"], after["protocol"]) == ("tcp-proxy", "tcp")
    assert before["id"] == proxied["id"] == after["id"]
    assert proxied["name"].endswith("-tcp-proxy-80")
    assert after["name"] == before["name"]
    assert watch.always_there(before["id"])
    assert [one["ip"] for one in ingress(shown)] == [before["address"]]


def test_proxy_moves_from_port_to_port_and_no_rule_is_made_anew(
    shop: Namespace, place: Site
) -> None:
    ports = [port(number, 30800 + number) for number in (80, 81, 82)]
    shop.create("web", {"proxy-protocol": "81, tcp-80"}, ports=ports)
    before = settled(shop, place, 1)
    with place.watched() as watch:
        shop.change("web", {"proxy-protocol": "tcp-82,81"})
        after = settled(shop, place, 2)
        shown = ingress(shop.service("web"))
        shop.change("web", {"proxy-protocol": "83"})
        shop.await_service(
            "web",
            lambda one: "'83' is no port of the Service" in own_condition(one).get("message", ""),
            "names the port that does not exist",
        )
        refused = rules(shop, place)
    protocols = [[one[number]["protocol"] for number in (80, 81, 82)] for one in (before, after)]
    assert protocols == [["tcp-proxy", "tcp-proxy", "tcp"], ["tcp", "tcp-proxy", "tcp-proxy"]]
    assert [one["ipMode"] for one in shown] == ["Proxy"]
    assert {number: one["id"] for number, one in before.items()} == {
        number: one["id"] for number, one in after.items()
    }
    assert refused == after
    assert all(watch.always_there(one["id"]) for one in before.values())
    assert all(watch.always_open(before[80]["address"], number) for number in (80, 81, 82))


@pytest.mark.parametrize(
    ("change", "algorithm", "ranges"),
    [
        pytest.param({"sessionAffinity": "ClientIP"}, "source", EVERYBODY, id="affinity"),
        pytest.param(
            {"loadBalancerSourceRanges": ["10.0.0.0/8"]}, "roundrobin", ("10.0.0.0/8",), id="ranges"
        ),
    ],
)
def test_a_rule_is_changed_in_place(
    shop: Namespace, place: Site, change: Object, algorithm: str, ranges: tuple[str, ...]
) -> None:
    shop.create("web")
    before = settled(shop, place, 1)[80]
    with place.watched() as watch:
        shop.change("web", **change)
        after = settled(shop, place, 2)[80]
    assert watch.always_there(before["id"])
    assert after["algorithm"] == algorithm
    assert place.firewall(after["address"]) == [("tcp", 80, 80, ranges)]


def test_a_service_gives_its_load_balancer_up_and_gets_another(
    shop: Namespace, place: Site
) -> None:
    shop.create("web")
    before = settled(shop, place, 1)[80]
    shop.change("web", type="ClusterIP")
    shop.await_no_load_balancer("web")
    assert place.address(before["address"]) is None
    left = shop.await_service("web", lambda one: not own_condition(one), "is nobody's")
    assert left["status"] == {"loadBalancer": {}}
    shop.change("web", type="LoadBalancer")
    shop.await_ready("web")
    assert set(rules(shop, place)[80]["members"]) == set(NODES)
    assert shop.events("web") == [
        "DeletedLoadBalancer",
        "DeletingLoadBalancer",
        "EnsuredLoadBalancer",
        "EnsuringLoadBalancer",
    ]


def test_a_namesake_made_at_once_has_nothing_of_the_one_before(
    shop: Namespace, place: Site
) -> None:
    first = shop.create("web")
    settled(shop, place, 1)
    old = f"a{first['metadata']['uid'].replace('-', '')}"[:32]
    shop.services.delete("web", shop.name)
    second = shop.create("web")
    new = f"a{second['metadata']['uid'].replace('-', '')}"[:32]
    place.awaited(lambda: place.rules(new) and not place.rules(old), "one has taken over")
    shop.await_ready("web")
    place.awaited(
        lambda: [one["metadata"]["name"] for one in shop.load_balancers.list(shop.name)] == [new],
        "the old load balancer is gone",
    )


def test_a_change_that_cannot_be_served_only_narrows_and_keeps_the_members_right(
    shop: Namespace, place: Site
) -> None:
    shop.create("web", {"node-selector": "pool=edge"})
    shop.await_load_balancer("web", lambda one: "conditions" in one["status"], "has answered")
    place.label("node-1", pool="edge")
    before = settled(shop, place, 1)[80]
    assert set(before["members"]) == {"node-1"}
    shop.change("web", {"algorithm": "fastest"}, loadBalancerSourceRanges=["10.0.0.0/8"])
    shop.await_service(
        "web", lambda one: own_condition(one).get("reason") == "InvalidService", "is refused"
    )
    place.label("node-2", pool="edge")
    place.awaited(
        lambda: set(rules(shop, place)[80]["members"]) == {"node-1", "node-2"}, "a member joins"
    )
    narrowed = [("tcp", 80, 80, ("10.0.0.0/8",))]
    place.awaited(lambda: place.firewall(before["address"]) == narrowed, "the sources narrow")
    assert ingress(shop.service("web"))[0]["ip"] == before["address"]
    for node in ("node-1", "node-2"):
        place.label(node, pool=None)


def test_a_node_port_that_was_given_back_is_another_services_and_not_led_to(
    shop: Namespace, place: Site
) -> None:
    shop.create("web", ports=[port(80, 30281), port(8443, 30843)])
    before = settled(shop, place, 1)
    shop.change("web", {"algorithm": "fastest"}, ports=[port(80, 30281)])
    other = {"type": "NodePort", "ports": [{"port": 9, "nodePort": 30843}]}
    metadata = {"name": "other", "namespace": shop.name}
    shop.services.create(
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": other}
    )
    place.awaited(lambda: set(rules(shop, place)) == {80}, "nothing leads to the other's node port")
    opened = [("tcp", 80, 80, ("0.0.0.0/0",))]
    place.awaited(lambda: place.firewall(before[80]["address"]) == opened, "its firewall closes")
    assert own_condition(shop.service("web"))["reason"] == "InvalidService"
