"""World files: what comes along, made to size, refused by field."""

import time
from pathlib import Path

import pytest

from simulator.loading import WorldError, load_world, world_names

WORLD = """
zones: [{name: zone-1}]
accounts: [{name: admin, role: Admin}, {name: user}]
serviceofferings: [{name: Small, cpunumber: 1, cpuspeed: 500, memory: 512}]
templates: [{name: Linux}]
publicaddresses: [{first: 198.51.100.10, last: 198.51.100.12}]
networks: [{name: net-1, cidr: 10.1.1.0/24}]
"""


def test_the_worlds_that_come_along_have_names() -> None:
    assert world_names() == ["groups", "kubernetes", "large", "small", "two-zones", "udp", "vpc"]


def test_the_small_world_is_what_the_examples_count_on() -> None:
    world = load_world("small")
    nodes = {vm.name: vm for vm in world.vms if vm.account.name == "user"}
    assert list(nodes) == ["node-1", "node-2", "node-3", "node-4", "node-5.example.com"]
    assert {vm.state for vm in nodes.values()} == {"Running"}
    assert [nic.network.name for nic in nodes["node-2"].nics] == ["net-1", "net-2"]
    assert [nic.ip6address for nic in nodes["node-3"].nics] == ["2001:db8:1:1::4"]
    assert nodes["node-4"].offering.name == "Small Instance (1 vCPU)"
    assert nodes["node-1"].id == "920ccd77-3985-59c0-a17b-d277cf1410b0"
    assert [vm.name for vm in world.vms if vm.account.project] == ["project-node-1"]
    assert sum(address.state == "Free" for address in world.addresses) > 150


def test_the_vpc_world_has_a_tier_of_each_kind() -> None:
    world = load_world("vpc")
    tiers = {
        network.name: network.acl and network.acl.name
        for network in world.networks
        if network.vpc is not None and network.vpc.name == "vpc-1"
    }
    assert tiers == {
        "tier-1": "acl-1",
        "tier-2": "default_deny",
        "tier-3": None,
        "tier-internal": "acl-internal",
    }
    nodes = {vm.name: vm.nics[0].network.name for vm in world.vms if vm.account.name == "user"}
    assert nodes == {
        "node-1": "tier-1",
        "node-2": "tier-1",
        "node-3": "tier-2",
        "node-4": "tier-3",
        "node-5": "net-1",
        "node-6": "tier-internal",
        "node-7": "tier-internal",
    }
    items = [item.position for item in world.acl_items if item.acl.name == "acl-1"]
    assert sorted(items) == [10, 100]


def test_ids_are_the_same_in_every_run_and_unlike_in_every_world() -> None:
    ids = [{vm.id for vm in load_world(name).vms} for name in ("small", "small", "udp")]
    assert ids[0] == ids[1]
    assert not ids[0] & ids[2]


@pytest.mark.parametrize(("vms", "count"), [(None, 600), (3, 3), (0, 0)])
def test_the_large_world_is_made_to_size(vms: int | None, count: int) -> None:
    world = load_world("large", vms=vms)
    assert len(world.vms) == count
    assert [vm.name for vm in world.vms][:1] == ["node-00001"][:count]


def test_the_time_of_a_world_grows_with_its_vms() -> None:
    def seconds(vms: int) -> float:
        began = time.process_time()
        load_world("large", vms=vms)
        return time.process_time() - began

    few, many = (min(seconds(vms) for _ in range(3)) for vms in (1000, 5000))
    assert many < 5 * few * 2.5
    world = load_world("large", vms=5000)
    assert len({nic.ipaddress for vm in world.vms for nic in vm.nics}) == 5000


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ("bogus: 1", "bogus: not a field of a world"),
        ("projects: 1", "projects: a list, not 1"),
        ("projects: [1]", r"projects\[0\]: an object, not 1"),
        (
            "projects: [{name: p, owner: nobody}]",
            r"projects\[0\].owner: 'nobody' does not exist; known: 'admin', 'user'",
        ),
        (
            "virtualmachines: [{name: a, offering: Huge, networks: [net-1]}]",
            r"virtualmachines\[0\].offering: 'Huge' does not exist; known: 'Small'",
        ),
        (
            "virtualmachines: [{name: a, offering: Small, networks: [net-9]}]",
            r"virtualmachines\[0\].networks: 'net-9' does not exist; known: 'net-1'",
        ),
        (
            "vpcs: [{name: v, cidr: 10.30.0.0/16}]\nnetworkacllists: [{name: a, vpc: w}]",
            r"networkacllists\[0\].vpc: 'w' does not exist; known: 'v'",
        ),
        (
            "virtualmachines: [{name: a, networks: [net-1]}]",
            r"virtualmachines\[0\].offering: missing",
        ),
    ],
)
def test_a_wrong_world_is_refused_by_its_field(tmp_path: Path, more: str, text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(WORLD + more, encoding="utf-8")
    with pytest.raises(WorldError, match=f"mine.yaml: {text}"):
        load_world(str(path))


def test_a_world_of_ones_own_is_loaded_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(WORLD + "mixedports: true\nexpunge: true\n", encoding="utf-8")
    world = load_world(str(path))
    assert (world.name, world.settings.mixed_ports, world.settings.expunge) == ("mine", True, True)


@pytest.mark.parametrize(
    ("name", "vms", "text"),
    [
        ("nope", None, "known: groups, kubernetes, large, small, two-zones, udp, vpc"),
        ("small", 3, "generate: missing: this world has a fixed number of VMs"),
    ],
)
def test_a_world_that_is_none_or_has_no_size_is_refused(
    name: str, vms: int | None, text: str
) -> None:
    with pytest.raises(WorldError, match=text):
        load_world(name, vms=vms)


def test_what_is_no_yaml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    for content in ("{", "[]"):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(WorldError, match=r"mine\.yaml"):
            load_world(str(path))
