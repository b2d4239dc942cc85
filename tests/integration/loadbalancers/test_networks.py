"""Of the nodes' networks, one that can balance is chosen, or the one that the Service names."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from simulator.loading import FOLDER
from tests.integration.loadbalancers.driver import (
    NOTHING,
    LoadBalancer,
    World,
    make_hook,
    start_simulator,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Make a world whose nodes have a shared network without load balancing as their default."""
    path = tmp_path / "shared.yaml"
    text = (FOLDER / "small.yaml").read_text()
    shared = text.replace(
        "{name: net-1, ", "{name: net-1, offering: DefaultSharedNetworkOffering, "
    )
    path.write_text(shared.replace("networks: [net-1]", "networks: [net-1, net-2]"))
    with start_simulator(str(path)) as simulator:
        made = World(simulator)
        yield made
        made.close()


def test_a_network_that_can_balance_is_preferred(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world).settle(hook)
    assert lb.is_ready()
    assert lb.status["networkID"] == world.network("net-2")
    assert lb.status["memberSummary"] == "5/5"
    world.simulator.control.clear_calls()
    lb.call(hook)
    assert world.simulator.control.counts() == {}


def test_a_network_that_cannot_be_read_is_told_and_no_other_one_chosen(
    world: World, hook: LoadBalancersHook
) -> None:
    wanted = world.network("net-2")
    world.simulator.control.fault("listNetworks", "error", code=530, when={"id": wanted}, times=9)
    lb = LoadBalancer(world).settle(hook)
    ready = lb.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("Unknown", "CloudStackRefused")
    assert "530" in ready["message"]
    assert world.writes() == {}
    world.simulator.control.clear_faults()
    lb.wait(hook)
    assert lb.is_ready()


def test_another_process_chooses_the_same(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world)
    lb.call(hook)
    cloud = world.open_cloud()
    lb.settle(make_hook(world, cloud), hook)
    assert lb.is_ready()
    assert len(world.addresses()) == 1
    cloud.close()


def test_a_service_may_name_the_network(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world, network=world.network("net-1")).settle(hook)
    assert lb.reason() == "NetworkNotServed"
    assert "net-1 offers no load balancing" in lb.condition("Ready")["message"]
    lb.change(network=world.network("net-2"))
    lb.settle(hook)
    assert lb.is_ready()


def test_a_network_that_no_node_is_on_gets_no_address(
    world: World, hook: LoadBalancersHook
) -> None:
    elsewhere = world.network("net-2")
    for node in world.nodes.values():
        node["observed"]["networks"] = node["observed"]["networks"][:1]
    lb = LoadBalancer(world, network=elsewhere).settle(hook)
    assert lb.reason("AddressReady") == "NetworkWithoutNodes"
    assert world.network("net-1") in lb.condition("Ready")["message"]
    assert world.writes() == {}
    world.nodes["node-1"]["observed"]["networks"].append({"id": elsewhere, "default": False})
    lb.wait(hook)
    assert lb.status["members"]["assigned"] == 1, lb.condition("Ready")


def test_a_network_that_the_service_names_gets_no_address_while_no_node_is_known(
    world: World, hook: LoadBalancersHook
) -> None:
    nodes = dict(world.nodes)
    world.nodes.clear()
    lb = LoadBalancer(world, network=world.network("net-2")).settle(hook)
    assert lb.reason() == lb.reason("AddressReady") == "NoInstances"
    assert "net-2" in lb.condition("Ready")["message"]
    assert world.writes() == {}
    assert "address" not in lb.status
    world.nodes.update(nodes)
    lb.settle(hook)
    assert lb.is_ready()
    assert lb.status["networkID"] == world.network("net-2")


def test_an_address_stays_when_all_nodes_have_left_its_network(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    [before] = world.addresses()
    for node in world.nodes.values():
        node["observed"]["networks"] = node["observed"]["networks"][:1]
    lb.settle(hook)
    assert lb.reason() == "NoMembers"
    assert [each["id"] for each in world.addresses()] == [before["id"]]
    assert lb.status["address"]["id"] == before["id"]


def test_where_no_network_can_balance_the_first_is_named(
    world: World, hook: LoadBalancersHook
) -> None:
    for node in world.nodes.values():
        node["observed"]["networks"] = node["observed"]["networks"][:1]
    lb = LoadBalancer(world).settle(hook)
    assert lb.reason() == "NetworkNotServed"
    assert world.writes() == {}


def test_without_a_status_a_network_that_is_not_shown_holds_nothing_where_the_nodes_are(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, network="00000000-0000-4000-8000-000000000000")
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert world.writes() == {}


def test_without_a_status_an_address_is_found_though_the_network_that_is_named_is_not_shown(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    lb.parent.pop("status")
    lb.change(network="00000000-0000-4000-8000-000000000000")
    lb.delete()
    lb.settle(hook)
    assert lb.is_finalized()
    assert world.remains() == NOTHING


@pytest.mark.parametrize("command", ["listPublicIpAddresses", "listVirtualMachines"])
def test_without_a_status_and_without_a_list_a_network_that_is_not_shown_holds_a_deletion(
    world: World, hook: LoadBalancersHook, command: str
) -> None:
    lb = LoadBalancer(world, network="00000000-0000-4000-8000-000000000000")
    world.simulator.control.fault(command, "error", code=530, times=None)
    lb.delete()
    lb.settle(hook)
    assert not lb.is_finalized()
    world.simulator.control.clear_faults()
    lb.wait(hook)
    assert lb.is_finalized()


def test_without_a_status_and_with_another_projects_key_nothing_counts_as_gone(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    lb.parent.pop("status")
    [project] = world.state()["projects"]
    world.project_id = project["id"]
    elsewhere = world.open_cloud()
    lb.delete()
    lb.settle(make_hook(world, elsewhere))
    assert lb.reason() == "NetworkNotVisible"
    lb.wait(hook)
    assert lb.is_finalized()
    assert world.remains() == NOTHING
    elsewhere.close()
