"""What a Service asks for is right in CloudStack, in `kubectl get cslb` and in its own status."""

import pytest

from tests.controlplane.api import Object
from tests.e2e.load_balancers.conftest import NODES, STATIC_ADDRESS
from tests.e2e.platform import PROJECT
from tests.e2e.site import Site
from tests.e2e.watching import Namespace, ingress, own_condition

EVERYBODY = ("0.0.0.0/0",)
OUR_CLASS = "cloudstack.targetcluster.example.com/loadbalancer"


def ports(*numbers: int) -> list[Object]:
    """Make named TCP ports."""
    return [{"name": f"port-{number}", "port": number} for number in numbers]


def served(shop: Namespace, place: Site, name: str) -> tuple[Object, list[Object]]:
    """Wait until a Service is ready; answer it and its rules in CloudStack.

    `kubectl get cslb` and the Service's condition say the same of them.
    """
    ready = shop.await_ready(name)
    balancer = shop.load_balancer(name)
    assert balancer
    rules = place.rules(balancer["metadata"]["name"])
    (address,) = {rule["address"] for rule in rules}
    assert all(set(rule["members"]) == set(NODES) for rule in rules)
    count, members = f"{len(rules)}/{len(rules)}", f"{len(NODES)}/{len(NODES)}"
    assert len(rules) == len(ready["spec"]["ports"])
    row = shop.cluster.kubectl(
        "get", "cslb", balancer["metadata"]["name"], "-n", shop.name, "--no-headers"
    )
    assert row.split()[1:6] == [name, address, count, members, "True"]
    said = f"{address}: rules {count}, members {members}"
    assert own_condition(ready)["message"] == said
    return ready, rules


def test_a_plain_service_has_an_address_a_rule_members_and_an_open_port(
    shop: Namespace, place: Site
) -> None:
    created = shop.create("web")
    ready, (rule,) = served(shop, place, "web")
    (shown,) = ingress(ready)
    uid = created["metadata"]["uid"].replace("-", "")
    assert rule["name"] == f"a{uid}"[:32] + "-tcp-80"
    assert (rule["protocol"], rule["publicport"]) == ("tcp", 80)
    assert rule["privateport"] == created["spec"]["ports"][0]["nodePort"]
    assert (rule["algorithm"], rule["state"]) == ("roundrobin", "Active")
    assert set(rule["members"]) == set(NODES)
    assert shown == {"ip": rule["address"], "ipMode": "VIP"}
    assert place.firewall(rule["address"]) == [("tcp", 80, 80, EVERYBODY)]
    assert shop.events("web") == ["EnsuredLoadBalancer", "EnsuringLoadBalancer"]


def test_everything_in_cloudstack_says_whose_it_is(shop: Namespace, place: Site) -> None:
    created = shop.create("web")
    _, (rule,) = served(shop, place, "web")
    address = place.address(rule["address"])
    assert address
    firewall = [
        one
        for one in place.simulator.control.state()["firewallrules"]
        if one["address"] == rule["address"]
    ]
    for tagged in (address, rule, *firewall):
        assert created["metadata"]["uid"] in tagged["tags"].values()
        assert shop.name in tagged["tags"].values()


def test_runs_of_ports_share_a_firewall_rule(shop: Namespace, place: Site) -> None:
    shop.create("web", ports=ports(8080, 8081, 8082, 9000))
    _, rules = served(shop, place, "web")
    assert sorted(rule["publicport"] for rule in rules) == [8080, 8081, 8082, 9000]
    assert place.firewall(rules[0]["address"]) == [
        ("tcp", 8080, 8082, EVERYBODY),
        ("tcp", 9000, 9000, EVERYBODY),
    ]


def test_the_proxy_protocol_is_spoken_and_nodes_do_not_short_circuit_it(
    shop: Namespace, place: Site
) -> None:
    shop.create("web", {"proxy-protocol": "true"})
    ready, (rule,) = served(shop, place, "web")
    assert rule["protocol"] == "tcp-proxy"
    assert rule["name"].endswith("-tcp-proxy-80")
    assert ingress(ready) == [{"ip": rule["address"], "ipMode": "Proxy"}]


@pytest.mark.parametrize(
    ("annotations", "spec", "algorithm"),
    [
        pytest.param({}, {"sessionAffinity": "ClientIP"}, "source", id="affinity"),
        pytest.param({"algorithm": "leastconn"}, {}, "leastconn", id="annotation"),
    ],
)
def test_connections_are_spread_as_asked(
    shop: Namespace, place: Site, annotations: dict[str, str], spec: Object, algorithm: str
) -> None:
    shop.create("web", annotations, **spec)
    _, (rule,) = served(shop, place, "web")
    assert rule["algorithm"] == algorithm


@pytest.mark.parametrize(
    ("annotations", "spec"),
    [
        pytest.param({}, {"loadBalancerSourceRanges": ["10.0.0.0/8", "192.0.2.0/24"]}, id="field"),
        pytest.param({"source-cidrs": "192.0.2.0/24,10.0.0.0/8"}, {}, id="annotation"),
        pytest.param(
            {"source-cidrs": "192.0.2.0/24, 10.0.0.0/8"},
            {"loadBalancerSourceRanges": ["10.0.0.0/8", "192.0.2.0/24"]},
            id="both, which agree",
        ),
    ],
)
def test_only_the_source_ranges_are_let_in(
    shop: Namespace, place: Site, annotations: dict[str, str], spec: Object
) -> None:
    shop.create("web", annotations, **spec)
    _, (rule,) = served(shop, place, "web")
    assert place.firewall(rule["address"]) == [("tcp", 80, 80, ("10.0.0.0/8", "192.0.2.0/24"))]


@pytest.mark.parametrize("by_field", [False, True], ids=["annotation", "field"])
def test_a_free_address_that_is_asked_for_is_allocated_and_released(
    shop: Namespace, place: Site, *, by_field: bool
) -> None:
    wanted = place.free_address()
    if by_field:
        shop.create("web", loadBalancerIP=wanted)
    else:
        shop.create("web", {"address": wanted})
    ready, _ = served(shop, place, "web")
    assert [one["ip"] for one in ingress(ready)] == [wanted]
    shop.services.delete("web", shop.name)
    place.awaited(lambda: place.address(wanted) is None, f"{wanted} is released")


def test_an_address_that_was_there_before_stays_with_a_persons_rules(
    shop: Namespace, place: Site
) -> None:
    brought = place.job("associateIpAddress", networkid=place.network("net-1"))["ipaddress"]
    place.job(
        "createFirewallRule", ipaddressid=brought["id"], protocol="tcp", startport=22, endport=22
    )
    theirs = place.firewall(brought["ipaddress"])
    assert [entry[:3] for entry in theirs] == [("tcp", 22, 22)]
    shop.create("web", {"address": brought["ipaddress"]})
    ready, _ = served(shop, place, "web")
    assert [one["ip"] for one in ingress(ready)] == [brought["ipaddress"]]
    shop.services.delete("web", shop.name)
    shop.await_no_load_balancer("web")
    kept = place.address(brought["ipaddress"])
    assert kept
    assert kept["tags"] == {}
    assert place.firewall(brought["ipaddress"]) == theirs
    place.job("disassociateIpAddress", id=kept["id"])


def test_an_address_that_is_to_be_kept_is_kept(shop: Namespace, place: Site) -> None:
    shop.create("web", {"keep-ip": "true"})
    _, (rule,) = served(shop, place, "web")
    shop.services.delete("web", shop.name)
    shop.await_no_load_balancer("web")
    kept = place.address(rule["address"])
    assert kept
    assert kept["tags"] == {}
    assert place.rules(rule["name"]) == []
    assert place.firewall(rule["address"]) == []
    place.job("disassociateIpAddress", id=kept["id"])


def test_a_hostname_is_shown_in_place_of_the_address(shop: Namespace, place: Site) -> None:
    shop.create("web", {"hostname": "shop.example.com"})
    ready, (rule,) = served(shop, place, "web")
    assert ingress(ready) == [{"hostname": "shop.example.com"}]
    assert rule["address"] in own_condition(ready)["message"]


def test_services_of_our_class_are_served_and_others_left_alone(
    shop: Namespace, place: Site
) -> None:
    shop.create("theirs", loadBalancerClass="example.com/other")
    shop.create("disabled", {"disabled": "true"})
    shop.create("ours", loadBalancerClass=OUR_CLASS)
    served(shop, place, "ours")
    for name in ("theirs", "disabled"):
        assert shop.load_balancer(name) is None
        assert shop.service(name)["status"] == {"loadBalancer": {}}


def test_ports_without_node_ports_are_refused_and_nothing_is_made(
    shop: Namespace, place: Site
) -> None:
    shop.create("web", allocateLoadBalancerNodePorts=False)
    refused = shop.await_service(
        "web", lambda one: own_condition(one).get("reason") == "InvalidService", "is refused"
    )
    assert "spec.ports[0].nodePort: port 80 has no node port" in own_condition(refused)["message"]
    balancer = shop.await_load_balancer(
        "web", lambda one: "conditions" in one["status"], "has answered"
    )
    assert place.rules(balancer["metadata"]["name"]) == []
    assert ingress(refused) == []

    shop.change("web", ports=[{"port": 80, "nodePort": 30999, "protocol": "TCP"}])
    _, (rule,) = served(shop, place, "web")
    assert rule["privateport"] == 30999


def test_a_port_that_cloudstack_refuses_says_so_and_the_others_are_served(
    shop: Namespace, place: Site
) -> None:
    shop.create("dns", ports=[{"name": "udp", "port": 53, "protocol": "UDP"}, *ports(53)])
    told = shop.await_service(
        "dns",
        lambda one: own_condition(one).get("status") == "False" and ingress(one),
        "says what is refused",
    )
    assert "cannot support" in own_condition(told)["message"]
    balancer = shop.load_balancer("dns")
    assert balancer
    (rule,) = place.rules(balancer["metadata"]["name"])
    assert (rule["protocol"], set(rule["members"])) == ("tcp", set(NODES))
    assert balancer["status"]["ruleSummary"] == "1/2"
    shop.await_event("dns", "SyncLoadBalancerFailed")


def test_plan_mode_lists_the_changes_and_makes_none(shop: Namespace, place: Site) -> None:
    shop.create("web", {"mode": "plan"})
    planned = shop.await_load_balancer(
        "web", lambda one: one.get("status", {}).get("plan"), "is planned"
    )
    assert len(planned["status"]["plan"]) >= 4
    assert place.rules(planned["metadata"]["name"]) == []
    for service in shop.services.list(
        shop.name
    ):  # one without a status may have lost it, and stays
        name = service["metadata"]["name"]
        if service["spec"].get("type") == "LoadBalancer":
            shop.await_load_balancer(name, lambda one: one.get("status"), "has a status")
    waiting = shop.await_service(
        "web", lambda one: own_condition(one).get("reason") == "PlanOnly", "says so"
    )
    assert ingress(waiting) == []
    assert "SyncLoadBalancerFailed" not in shop.events("web")

    shop.change("web", {"mode": None})
    _, (rule,) = served(shop, place, "web")
    assert set(rule["members"]) == set(NODES)


def test_the_examples_do_on_a_cluster_what_their_readmes_say(shop: Namespace, place: Site) -> None:
    manifests = sorted((PROJECT / "examples").glob("*/service.yaml"))
    [static] = [manifest for manifest in manifests if "static-address" in manifest.parent.name]
    for manifest in manifests:
        if manifest != static:
            shop.cluster.kubectl("apply", "-n", shop.name, "-f", manifest)

    _, rules = served(shop, place, "web")
    assert sorted(rule["publicport"] for rule in rules) == [80, 443]
    ready, rules = served(shop, place, "ingress")
    assert {rule["protocol"] for rule in rules} == {"tcp-proxy"}
    assert ingress(ready)[0]["ipMode"] == "Proxy"
    _, (rule,) = served(shop, place, "admin")
    assert place.firewall(rule["address"])[0][3] == ("192.0.2.0/24", "203.0.113.17/32")
    held = place.address(STATIC_ADDRESS)  # until the others have theirs, which may be any
    assert held
    place.job("disassociateIpAddress", id=held["id"])
    shop.cluster.kubectl("apply", "-n", shop.name, "-f", static)
    ready, rules = served(shop, place, "mail")
    assert ingress(ready) == [{"hostname": "mail.example.com"}]
    assert {(rule["address"], rule["algorithm"]) for rule in rules} == {(STATIC_ADDRESS, "source")}
    planned = shop.await_load_balancer(
        "shop", lambda one: one.get("status", {}).get("plan"), "is planned"
    )
    assert place.rules(planned["metadata"]["name"]) == []
    for service in shop.services.list(
        shop.name
    ):  # one without a status may have lost it, and stays
        name = service["metadata"]["name"]
        if service["spec"].get("type") == "LoadBalancer":
            shop.await_load_balancer(name, lambda one: one.get("status"), "has a status")
