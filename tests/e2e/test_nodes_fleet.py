"""Sixty-three odd nodes in one cluster: each becomes what a table of the documentation says."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hooks.names import LABEL_EXCLUDE_FROM_LOAD_BALANCERS
from simulator.model import VirtualMachine
from simulator.server import Simulator
from tests.controlplane import polling
from tests.controlplane.api import Object
from tests.documented.pages import DOCS
from tests.e2e.cloud import Cloud
from tests.e2e.nodes import SHUTDOWN, UNINITIALIZED, address, has_taint, put_taint, register
from tests.e2e.nodes import set_ready as report
from tests.e2e.platform import Platform
from tests.integration.nodes.worlds import Machine, machine, write_world

#: How many nodes there are of each kind.
OF_EACH = 3
PAGE = DOCS / "explanation/nodes.md"


@dataclass(frozen=True)
class Oddity:
    """How nodes of a kind come to be.

    Attributes:
        name: what the names of its nodes begin with.
        machines: the VMs of one node, by its name.
        node: the name of the Node for such a name.
        provider_id: the name of the VM that the Node claims when it registers; empty for none.
        before: what is done to the Node as soon as it is registered.
        after: what is done when all nodes have been looked at.
    """

    name: str
    machines: Callable[[str], list[Machine]] = lambda name: [machine(name)]
    node: str = "{}"
    provider_id: str = ""
    before: Callable[[Platform, str], object] = lambda _platform, _node: None
    after: Callable[[Platform, str], object] = lambda _platform, _node: None

    def nodes(self) -> list[str]:
        return [self.node.format(f"{self.name}-{n}") for n in range(1, OF_EACH + 1)]


def vm_of(platform: Platform, node: str) -> VirtualMachine:
    """Return a node's VM that lives."""
    name = node.partition(".")[0]
    found = (vm for vm in platform.simulator.world.vms if vm.state != "Destroyed")
    return next(vm for vm in found if vm.name.lower() == name)


def rename(platform: Platform, node: str) -> None:
    vm_of(platform, node).name = f"formerly-{node}"


def destroy(platform: Platform, node: str) -> None:
    vm_of(platform, node).state = "Destroyed"


def rebuild(platform: Platform, node: str) -> None:
    former = vm_of(platform, node)
    Cloud.of(platform.simulator).deploy_like(node)
    former.state = "Destroyed"


def stop(platform: Platform, node: str) -> None:
    vm_of(platform, node).state = "Stopped"
    report(platform, node, ready=False)


def lose(platform: Platform, node: str) -> None:
    destroy(platform, node)
    report(platform, node, ready=False)


def annotate(platform: Platform, node: str) -> None:
    wanted = {"alpha.kubernetes.io/provided-node-ip": "192.0.2.9"}
    platform.nodes.patch(node, {"metadata": {"annotations": wanted}})


def exclude(platform: Platform, node: str) -> None:
    labels = {LABEL_EXCLUDE_FROM_LOAD_BALANCERS: ""}
    platform.nodes.patch(node, {"metadata": {"labels": labels}})


def condemn(platform: Platform, node: str) -> None:
    taint = {"key": "ToBeDeletedByClusterAutoscaler", "value": "1", "effect": "NoSchedule"}
    put_taint(platform, node, taint)


def nothing(_name: str) -> list[Machine]:
    return []


ODDITIES = {
    "a VM has the node's name": Oddity("plain"),
    "the VM was renamed later": Oddity("renamed", after=rename),
    "the node's name has a domain, the VM's has none": Oddity("fqdn", node="{}.corp.example"),
    "the VM's name is in upper case": Oddity("upper", lambda name: [machine(name.upper())]),
    "the VM has two NICs": Oddity(
        "nics", lambda name: [machine(name) | {"networks": ["net-4", "net-1"]}]
    ),
    "the VM is in another zone, and found by its id": Oddity(
        "zone-id", lambda name: [machine(name, zone="zone-2")], provider_id="{}"
    ),
    "the VM is in another zone, and found by its name": Oddity(
        "zone-name", lambda name: [machine(name, zone="zone-2")]
    ),
    "the VM is another account's, and found by its id": Oddity(
        "other-id", lambda name: [machine(name, account="other")], provider_id="{}"
    ),
    "only another account's VM has the node's name": Oddity(
        "other-name", lambda name: [machine(name, account="other")]
    ),
    "no VM has the node's name": Oddity("none", nothing),
    "two VMs have the node's name": Oddity(
        "twin", lambda name: [machine(name), machine(name) | {"networks": ["net-4"]}]
    ),
    "the provider id is another cloud's": Oddity("foreign", provider_id="aws"),
    "the provider id is meant for CloudStack, and malformed": Oddity(
        "malformed", provider_id="malformed"
    ),
    "the provider id names another node's VM": Oddity("thief", nothing, provider_id="plain"),
    "kubelet's `--node-ip` is no address of the VM": Oddity("node-ip", before=annotate),
    "the node has the label that excludes it from load balancers": Oddity(
        "excluded", before=exclude
    ),
    "the node has the autoscaler's taint": Oddity("condemned", before=condemn),
    "the VM is stopped, and the node not Ready": Oddity("stopped", after=stop),
    "the VM is gone, and the node not Ready": Oddity("lost", after=lose),
    "the VM is gone, and the node Ready": Oddity("hidden", after=destroy),
    "the VM was rebuilt under its name, and the node is Ready": Oddity("rebuilt", after=rebuild),
}


def table() -> dict[str, tuple[str, ...]]:
    """Read the table: situation, and what becomes of it."""
    section = PAGE.read_text().partition("## What becomes of an odd node")[2]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
    return {row[0]: tuple(cell.strip("`") for cell in row[1:]) for row in rows}


@pytest.fixture
def fleet(operator: Platform, tmp_path: Path) -> Iterator[Platform]:
    """Make the world of the fleet, which an administrator's keys see whole."""
    names = [
        (oddity, f"{oddity.name}-{n}")
        for oddity in ODDITIES.values()
        for n in range(1, OF_EACH + 1)
    ]
    machines = [each for oddity, name in names for each in oddity.machines(name)]
    with Simulator(write_world(tmp_path, machines)) as simulator:
        operator.move(simulator)
        operator.hooks.configure(simulator.admin, account="user", zone="zone-1")
        yield operator
        operator.clear()


def claim_of(platform: Platform, oddity: Oddity, node: str) -> str:
    if oddity.provider_id == "aws":
        return "aws:///eu-1a/i-0123"
    if oddity.provider_id == "malformed":
        return f"cloudstack:///{node}"
    number = node.rpartition("-")[2]
    name = f"plain-{number}" if oddity.provider_id == "plain" else node
    return f"external-cloudstack://{vm_of(platform, name).id}" if oddity.provider_id else ""


def join(platform: Platform, kind: Oddity, node: str) -> None:
    register(platform, node, provider_id=claim_of(platform, kind, node))
    kind.before(platform, node)


def become(platform: Platform, node: str) -> tuple[str, str, str]:
    """Tell what has become of a node, in the words of the table."""
    found, instance = platform.nodes.find(node), platform.instances.find(node)
    if found is None:
        return "deleted", "-", "-"
    initialised = "no" if has_taint(found, UNINITIALIZED) else "yes"
    if instance is None:
        return initialised, "-", "-"
    observed = instance["observed"]
    wanted = "yes" if observed["servesLoadBalancers"] else "no"
    conditions = {each["type"]: each["status"] for each in observed["conditions"]}
    return initialised, wanted, conditions["VMFound"]


def reasons_of(platform: Platform) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for event in platform.plane.api.resource("v1", "events").list():
        found.setdefault(event["involvedObject"]["name"], set()).add(event["reason"])
    return found


def test_each_of_many_odd_nodes_becomes_what_the_page_says(fleet: Platform) -> None:
    expected = table()
    assert list(expected) == list(ODDITIES)
    kinds = [(text, kind, node) for text, kind in ODDITIES.items() for node in kind.nodes()]
    assert len(kinds) == 63
    honest = [(kind, node) for _, kind, node in kinds if kind.name != "thief"]
    thieves = [(kind, node) for _, kind, node in kinds if kind.name == "thief"]
    for kind, node in honest:
        join(fleet, kind, node)
    # A node that is deleted in the end is initialised first.
    until_initialised(fleet, {node for text, _, node in kinds if expected[text][0] != "no"})
    time.sleep(1.1)  # for so long a list of Instances without a node is used
    for kind, node in thieves:
        join(fleet, kind, node)
    for _, kind, node in kinds:
        kind.after(fleet, node)

    def wrong() -> Object:
        events = reasons_of(fleet)
        return {
            node: (become(fleet, node), sorted(events.get(node, ())), expected[text])
            for text, _, node in kinds
            if become(fleet, node) != expected[text][:3]
            or (expected[text][3] != "-" and expected[text][3] not in events.get(node, ()))
            or (expected[text][3] == "-" and events.get(node))
        }

    left: list[Object] = [{}]

    def right() -> bool:
        left[0] = wrong()
        return not left[0]

    try:
        polling.until(right, "every node is as the table says", every=1.0)
    except AssertionError as error:
        raise AssertionError(f"{error}: {left[0]}") from error
    check_details(fleet)


def until_initialised(platform: Platform, names: set[str]) -> None:
    def done() -> bool:
        nodes = {each["metadata"]["name"]: each for each in platform.nodes.list()}
        return not any(has_taint(nodes[name], UNINITIALIZED) for name in names)

    polling.until(done, f"{len(names)} nodes are initialised", every=0.5)


def check_details(platform: Platform) -> None:
    """See what the table does not say."""
    nodes = {each["metadata"]["name"]: each for each in platform.nodes.list()}
    two = [address(each) for each in nodes["nics-1"]["status"]["addresses"]]
    assert [kind for kind, _ in two] == ["InternalIP", "InternalIP", "Hostname"]
    assert two[0][1].startswith("10.4.")
    for name in ("zone-id-1", "zone-name-1"):
        assert nodes[name]["metadata"]["labels"]["topology.kubernetes.io/zone"] == "zone-2"
    for name in ("stopped-1", "stopped-2", "stopped-3"):
        assert has_taint(nodes[name], SHUTDOWN)
    assert ("Hostname", "renamed-1") in map(address, nodes["renamed-1"]["status"]["addresses"])
    assert "addresses" not in nodes["thief-1"]["status"]
    assert platform.instances.get("plain-1")["observed"]["servesLoadBalancers"] is True
