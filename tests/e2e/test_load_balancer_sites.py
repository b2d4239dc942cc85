"""Load balancers on other sites: in a project, and where CloudStack balances UDP."""

from pathlib import Path

from tests.controlplane import ControlPlane
from tests.e2e.site import site
from tests.e2e.watching import ingress, namespace

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
