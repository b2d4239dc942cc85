"""Load balancers on other sites: in a project, and where CloudStack balances UDP."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.controlplane import ControlPlane
from tests.controlplane.api import Object
from tests.e2e.site import Site, site
from tests.e2e.watching import Namespace, ingress, namespace

EVERYBODY = ("0.0.0.0/0",)
OUR_CLASS = "cloudstack.targetcluster.example.com/loadbalancer"
#: Addresses that are asked for.
ASKED, KEPT = "198.51.100.198", "198.51.100.199"

DNS = [
    {"name": "udp", "port": 53, "protocol": "UDP", "nodePort": 31553},
    {"name": "tcp", "port": 53, "protocol": "TCP", "nodePort": 31554},
]


def test_in_a_project_everything_is_made_changed_and_released_there(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    with (
        site(control_plane, tmp_path, ["project-node-1"], project="project-1") as place,
        namespace(place.cluster) as shop,
    ):
        shop.create("web", {"source-cidrs": "10.0.0.0/8"})
        (shown,) = ingress(shop.await_ready("web"))
        (rule,) = place.rules()
        address = place.address(shown["ip"])
        assert address
        assert (address["project"], rule["project"]) == ("project-1", "project-1")
        assert set(rule["members"]) == {"project-node-1"}
        assert place.firewall(shown["ip"]) == [("tcp", 80, 80, ("10.0.0.0/8",))]
        shop.change("web", {"proxy-protocol": "true"})
        shop.await_service("web", lambda one: ingress(one)[0]["ipMode"] == "Proxy", "speaks PROXY")
        assert [one["id"] for one in place.rules()] == [rule["id"]]
        shop.services.delete("web", shop.name)
        shop.await_no_load_balancer("web")
        assert place.rules() == []
        assert place.address(shown["ip"]) is None
        assert place.simulator.control.ignored_parameters() == []


@dataclass(frozen=True)
class Wish:
    """What a Service asks for, and what its rules and the firewall are to be."""

    annotations: dict[str, str] = field(default_factory=dict)
    spec: Object = field(default_factory=dict)
    protocol: str = "tcp"
    algorithm: str = "roundrobin"
    firewall: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (("tcp", 80, 80, EVERYBODY),)


RANGES = ("10.0.0.0/8", "192.0.2.0/24")
WISHES = {
    "asked": Wish(spec={"loadBalancerIP": ASKED}),
    "kept": Wish({"address": KEPT, "keep-ip": "true"}),
    "several": Wish(
        spec={"ports": [{"name": f"p{port}", "port": port} for port in (8080, 8081, 9000)]},
        firewall=(("tcp", 8080, 8081, EVERYBODY), ("tcp", 9000, 9000, EVERYBODY)),
    ),
    "proxy": Wish({"proxy-protocol": "true"}, protocol="tcp-proxy"),
    "sticky": Wish(spec={"sessionAffinity": "ClientIP"}, algorithm="source"),
    "field": Wish(
        spec={"loadBalancerSourceRanges": list(RANGES)}, firewall=(("tcp", 80, 80, RANGES),)
    ),
    "annotated": Wish(
        {"source-cidrs": ",".join(RANGES), "algorithm": "leastconn"},
        algorithm="leastconn",
        firewall=(("tcp", 80, 80, RANGES),),
    ),
    "classed": Wish(spec={"loadBalancerClass": OUR_CLASS}),
    "named": Wish({"hostname": "shop.example.com"}),
}


def test_in_a_project_every_wish_is_served_as_outside(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    with (
        site(control_plane, tmp_path, ["project-node-1"], project="project-1") as place,
        namespace(place.cluster) as shop,
    ):
        shop.create("opted-out", {"disabled": "true"})
        for name, wish in WISHES.items():
            shop.create(name, wish.annotations, **wish.spec)
            if name in ("asked", "kept"):  # before others choose at random
                shop.await_ready(name)
        for name, wish in WISHES.items():
            assert served_as(shop, place, name) == wish
        assert ips(shop, "asked") == [ASKED]
        assert ips(shop, "kept") == [KEPT]
        assert ingress(shop.service("named")) == [{"hostname": "shop.example.com"}]
        assert ingress(shop.service("proxy"))[0]["ipMode"] == "Proxy"
        assert shop.load_balancer("opted-out") is None
        assert {one["project"] for one in (*place.rules(), *place.addresses())} == {"project-1"}
        for name in WISHES:
            shop.services.delete(name, shop.name)
        for name in WISHES:
            shop.await_no_load_balancer(name)
        assert place.rules() == []
        assert [(one["ipaddress"], one["tags"]) for one in place.addresses()] == [(KEPT, {})]
        assert place.simulator.control.ignored_parameters() == []


def served_as(shop: Namespace, place: Site, name: str) -> Wish:
    """Wait until a Service serves; answer what CloudStack has for it as what was asked for."""
    shop.await_ready(name)
    balancer = shop.load_balancer(name)
    assert balancer
    rules = place.rules(balancer["metadata"]["name"])
    (address,) = {rule["address"] for rule in rules}
    row = shop.cluster.kubectl("get", "cslb", balancer["metadata"]["name"], "-n", shop.name)
    count = f"{len(rules)}/{len(rules)}"
    assert row.splitlines()[1].split()[1:6] == [name, address, count, "1/1", "True"]
    assert all(set(rule["members"]) == {"project-node-1"} for rule in rules)
    ((protocol, algorithm),) = {(rule["protocol"], rule["algorithm"]) for rule in rules}
    wish = WISHES[name]
    return replace(
        wish,
        protocol=protocol,
        algorithm=algorithm,
        firewall=tuple(place.firewall(address)),
    )


def ips(shop: Namespace, name: str) -> list[str]:
    return [str(one["ip"]) for one in ingress(shop.service(name))]


def test_where_cloudstack_balances_udp_both_protocols_share_a_port(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    with (
        site(control_plane, tmp_path, ["node-1"], world="udp") as place,
        namespace(place.cluster) as shop,
    ):
        place.simulator.control.settings(mixed_ports=True)
        shop.create("dns", {"proxy-protocol": "true"}, ports=DNS)
        (shown,) = ingress(shop.await_ready("dns"))
        rules = place.rules()
        assert [
            (rule["protocol"], rule["publicport"], rule["privateport"], set(rule["members"]))
            for rule in rules
        ] == [("tcp-proxy", 53, 31554, {"node-1"}), ("udp", 53, 31553, {"node-1"})]
        assert {rule["name"].split("-", 1)[1] for rule in rules} == {"tcp-proxy-53", "udp-53"}
        assert [entry[:3] for entry in place.firewall(shown["ip"])] == [
            ("tcp", 53, 53),
            ("udp", 53, 53),
        ]
        assert shown["ipMode"] == "Proxy"
        shop.change("dns", ports=DNS[:1])
        place.awaited(lambda: [one["protocol"] for one in place.rules()] == ["udp"], "UDP stays")
        shop.services.delete("dns", shop.name)
        shop.await_no_load_balancer("dns")
        assert place.rules() == []


def test_a_member_on_page_two_stays_one_while_that_page_cannot_be_read(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    nodes = {"node-00001", "node-00600"}
    with (
        site(control_plane, tmp_path, sorted(nodes), world="large", DRIFT_RESYNC="10s") as place,
        namespace(place.cluster) as shop,
    ):
        shop.create("web")
        shop.await_ready("web")
        assert set(place.rules()[0]["members"]) == nodes
        control = place.simulator.control
        control.fault("listVirtualMachines", "error", code=530, when={"page": "2"}, times=None)
        control.clear_calls()
        place.label("node-00600", touched="true")
        place.awaited(
            lambda: 530 in {call["status"] for call in control.calls("listVirtualMachines")},
            "page two is asked for in vain",
        )
        checked = shop.await_load_balancer("web", bool, "is there")["status"]["lastCheckTime"]
        shop.await_load_balancer(
            "web", lambda one: one["status"]["lastCheckTime"] > checked, "is checked"
        )
        assert set(place.rules()[0]["members"]) == nodes
        control.clear_faults()
        shop.services.delete("web", shop.name)
        shop.await_no_load_balancer("web")
