"""Load balancers of nodes on several networks: on the one of the setting, and on a named one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simulator.loading import FOLDER
from simulator.server import Simulator
from tests.controlplane import ControlPlane
from tests.e2e.site import Site, site
from tests.e2e.watching import Namespace, ingress, namespace

#: The network that every node is on, and the one on which some have a second card.
COMMON, STORAGE = "net-1", "net-2"
NODES, ON_STORAGE = ("node-1", "node-2", "node-3"), ("node-2", "node-3")
#: The Services by name, each with its network and the nodes that are on it.
PLACES = {"by-setting": (STORAGE, ON_STORAGE), "by-name": (COMMON, NODES)}
#: What the firewall opens: the second port comes later.
OPENED = [(80, 80), (81, 81)]


@contextmanager
def place_with_cards(plane: ControlPlane, folder: Path) -> Iterator[Site]:
    """Run a site where some nodes have two cards, and the setting names the second network."""
    world = folder / "cards.yaml"
    text = (FOLDER / "small.yaml").read_text()
    lines = [
        line.replace(f"[{COMMON}]", f"[{COMMON}, {STORAGE}]")
        if any(f"name: {node}," in line for node in ON_STORAGE)
        else line
        for line in text.splitlines()
    ]
    world.write_text("\n".join(lines))
    with Simulator(str(world)) as simulator:
        networks = simulator.control.state()["networks"]
        storage = next(each["id"] for each in networks if each["name"] == STORAGE)
        settings = {"DEFAULT_LOAD_BALANCER_NETWORK": storage, "DRIFT_RESYNC": "10s"}
        with site(plane, folder, NODES, world=simulator, **settings) as made:
            yield made


def test_a_network_is_chosen_by_the_setting_or_named_and_served_to_the_end(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    with (
        place_with_cards(control_plane, tmp_path) as place,
        namespace(place.cluster) as shop,
    ):
        only_planned(shop, place)
        for name in PLACES:
            served(shop, place, name)
        changed(shop, place)
        a_node_leaves_and_returns(shop, place)
        repaired(shop, place)
        for name in PLACES:
            shop.services.delete(name, shop.name)
            shop.await_no_load_balancer(name)
        assert place.rules() == []
        assert place.addresses() == []
        assert place.simulator.control.state()["firewallrules"] == []
        assert place.simulator.control.ignored_parameters() == []


def only_planned(shop: Namespace, place: Site) -> None:
    named = {"network": place.network(COMMON)}
    for name, asked in (("by-setting", {}), ("by-name", named)):
        shop.create(name, {**asked, "mode": "plan"})
    for name, (network, _) in PLACES.items():
        planned = shop.await_load_balancer(
            name, lambda one: bool(one.get("status", {}).get("plan")), "plans"
        )["status"]
        assert planned["networkID"] == place.network(network)
        assert place.network(network) in planned["plan"][0]
    assert place.addresses() == []


def served(shop: Namespace, place: Site, name: str) -> None:
    network, nodes = PLACES[name]
    shop.change(name, {"mode": None})
    (shown,) = ingress(shop.await_ready(name))
    found = place.address(shown["ip"])
    assert found
    assert found["network"] == place.network(network)
    (rule,) = place.rules_of(shop, name)
    assert (set(rule["members"]), rule["network"]) == (set(nodes), place.network(network))
    counted = {"assigned": len(nodes), "wanted": len(NODES)}
    balancer = shop.load_balancer(name)
    assert balancer
    assert balancer["status"]["members"].items() >= counted.items()


def changed(shop: Namespace, place: Site) -> None:
    """Add a port in place."""
    before = {rule["id"] for name in PLACES for rule in place.rules_of(shop, name)}
    for name in PLACES:
        [first] = shop.service(name)["spec"]["ports"]
        shop.change(name, ports=[first | {"name": "a"}, {"name": "b", "port": 81}])
    await_right(shop, place)
    assert before < {rule["id"] for name in PLACES for rule in place.rules_of(shop, name)}


def a_node_leaves_and_returns(shop: Namespace, place: Site) -> None:
    place.nodes.delete("node-2")
    await_right(shop, place, without="node-2")
    place.join("node-2")
    await_right(shop, place)


def repaired(shop: Namespace, place: Site) -> None:
    """Undo what somebody does in CloudStack."""
    shop.await_ready("by-setting")
    place.await_quiet()
    first, second = place.rules_of(shop, "by-setting")
    place.job("deleteLoadBalancerRule", id=first["id"])
    machine = place.machine("node-3")
    place.job("removeFromLoadBalancerRule", id=second["id"], virtualmachineids=machine)
    await_right(shop, place)


def await_right(shop: Namespace, place: Site, without: str = "") -> None:
    """Wait until each Service has its rules, with the nodes of its network, and its ports open."""

    def is_right() -> bool:
        return all(
            len(rules := place.rules_of(shop, name)) == len(OPENED)
            and all(set(rule["members"]) == {*nodes} - {without} for rule in rules)
            and all(rule["network"] == place.network(network) for rule in rules)
            and [each[1:3] for each in place.firewall(rules[0]["address"])] == OPENED
            for name, (network, nodes) in PLACES.items()
        )

    place.awaited(is_right, f"both are right, without {without or 'none'}")
