"""A cluster whose nodes are on one tier of a VPC, and what people do in that VPC."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.integration.loadbalancers.driver import World, start_simulator

#: The tier with a list of its own, and two others of its VPC: in default_deny, and without a list.
TIER, DENYING, LISTLESS = "tier-1", "tier-2", "tier-3"
#: An address that the VPC's world has free.
FREE = "198.51.100.77"


@contextmanager
def vpc_world(tier: str = TIER, **settings: Any) -> Iterator[World]:
    """Make a world in which the VMs on one tier are a cluster's nodes."""
    with start_simulator("vpc", **settings) as simulator:
        world = World(simulator)
        keep_nodes(world, tier)
        yield world
        world.close()
        assert simulator.control.ignored_parameters() == []


def keep_nodes(world: World, *networks: str) -> None:
    """Let only the VMs on these networks be nodes."""
    ids = {world.network(name) for name in networks}
    for name, node in list(world.nodes.items()):
        if not ids & {each["id"] for each in node["observed"]["networks"]}:
            del world.nodes[name]


def vpc_id(world: World, name: str = "vpc-1") -> str:
    [found] = world.human.list("listVPCs", "vpc", name=name)
    return str(found["id"])


def allocate(world: World, ip: str = FREE) -> str:
    """Allocate an address for the VPC, as a person does; return its id."""
    made = world.human.done("associateIpAddress", ipaddress=ip, vpcid=vpc_id(world))
    return str(made["ipaddress"]["id"])


def create_rule(world: World, address_id: str, tier: str, public: int, name: str = "theirs") -> str:
    """Create a rule as a person does; return its id."""
    made = world.human.done(
        "createLoadBalancerRule",
        name=name,
        algorithm="roundrobin",
        publicipid=address_id,
        networkid=world.network(tier),
        publicport=str(public),
        privateport="30000",
        openfirewall="false",
    )
    return str(made["loadbalancer"]["id"])


def tiers_of_rules(world: World) -> list[str]:
    """Return the network of each rule."""
    rules = world.human.list("listLoadBalancerRules", "loadbalancerrule")
    names = {each["id"]: each["name"] for each in world.state()["networks"]}
    return [names[each["networkid"]] for each in rules]


def ranges(world: World) -> dict[str, str | None]:
    """Return the list of each rule, by public port, as CloudStack shows it."""
    rules = world.human.list("listLoadBalancerRules", "loadbalancerrule")
    return {each["publicport"]: each.get("cidrlist") for each in rules}
