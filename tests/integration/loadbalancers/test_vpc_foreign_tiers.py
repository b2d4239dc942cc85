"""What becomes of the rules on a VPC tier that all nodes leave."""

from collections.abc import Iterator

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from tests.integration.loadbalancers.driver import LoadBalancer, World, port
from tests.integration.loadbalancers.vpc import (
    DENYING,
    LIST,
    LISTLESS,
    TIER,
    give_list,
    tiers_of_rules,
    vpc_world,
)


@pytest.fixture
def world() -> Iterator[World]:
    with vpc_world() as made:
        give_list(made, "", DENYING)
        yield made


def leave_tier(world: World) -> None:
    """Let every node be on another tier than before."""
    for node in world.nodes.values():
        node["observed"]["networks"] = [{"id": world.network(LISTLESS), "default": True}]


def opened(world: World) -> list[tuple[str, str, str]]:
    """Return list, first and last port of each tagged item."""
    tagged = [each for each in world.items() if each["tags"]]
    return [(each["list"], str(each["startport"]), str(each["endport"])) for each in tagged]


def test_a_status_moves_no_rules_to_a_tier_without_nodes(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world, ports=[port(22)]).settle(hook)
    leave_tier(world)
    lb.parent["status"]["address"]["networkID"] = world.network(DENYING)
    lb.wait(hook)
    assert lb.reason() == "NetworkWithoutNodes"
    assert f"on network {DENYING}" in lb.condition("Ready")["message"]
    assert DENYING not in tiers_of_rules(world)
    assert [each for each in opened(world) if each[0] != LIST] == []


def test_a_new_port_waits_for_a_node_on_the_tier(world: World, hook: LoadBalancersHook) -> None:
    lb = LoadBalancer(world, ports=[port(22)]).settle(hook)
    before = {name: dict(node["observed"]) for name, node in world.nodes.items()}
    leave_tier(world)
    lb.change(ports=[port(22), port(23)])
    lb.settle(hook)
    assert lb.reason() == "RulesRefused"
    assert f"on tier {TIER}" in lb.condition("Ready")["message"]
    assert tiers_of_rules(world) == [TIER]
    assert opened(world) == [(LIST, "22", "22")]
    for name, node in world.nodes.items():
        node["observed"] = before[name]
    lb.settle(hook)
    assert lb.is_ready(), lb.condition("Ready")
    assert opened(world) == [(LIST, "22", "23")]
