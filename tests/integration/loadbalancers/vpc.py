"""A cluster whose nodes are on one tier of a VPC, and what people do in that VPC."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.integration.loadbalancers.driver import LoadBalancer, World, start_simulator

#: The tier with a list of its own, and two others of its VPC: in default_deny, and without a list.
TIER, DENYING, LISTLESS = "tier-1", "tier-2", "tier-3"
#: The list of the first.
LIST = "acl-1"
#: An address that the VPC's world has free.
FREE = "198.51.100.77"
#: The address that another provider leaves.
LEFT = "198.51.100.50"


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


def leave_behind(
    world: World,
    lb: LoadBalancer,
    name: Callable[[LoadBalancer, int], str],
    *,
    cidr: str = "",
    opens: bool = False,
) -> list[str]:
    """Make what another provider leaves on a tier; return the ids of the rules.

    Measured: the existing one gives its rules the list 0.0.0.0/0, and opens the tier's list by an
    item without tags for each port; the fork does neither.

    Args:
        world: the world.
        lb: for whose ports.
        name: how the provider names rules.
        cidr: of the rules' list; empty for none.
        opens: whether there are items.
    """
    address_id, made = allocate(world, LEFT), []
    members = ",".join(node["spec"]["instanceID"] for node in world.nodes.values())
    for each in lb.parent["spec"]["ports"]:
        public = each["publicPort"]
        rule = world.human.done(
            "createLoadBalancerRule",
            name=name(lb, public),
            algorithm="roundrobin",
            protocol="tcp",
            publicipid=address_id,
            networkid=world.network(TIER),
            publicport=public,
            privateport=each["nodePort"],
            **({"cidrlist": cidr} if cidr else {}),
        )
        made.append(str(rule["loadbalancer"]["id"]))
        world.human.done("assignToLoadBalancerRule", id=made[-1], virtualmachineids=members)
        if opens:
            tier = {"networkid": world.network(TIER), "protocol": "tcp", "cidrlist": "0.0.0.0/0"}
            world.human.done("createNetworkACL", startport=public, endport=public, **tier)
    world.simulator.control.clear_calls()
    return made


def tiers_of_rules(world: World) -> list[str]:
    """Return the network of each rule."""
    rules = world.human.list("listLoadBalancerRules", "loadbalancerrule")
    names = {each["id"]: each["name"] for each in world.state()["networks"]}
    return [names[each["networkid"]] for each in rules]


def ranges(world: World) -> dict[str, str | None]:
    """Return the list of each rule, by public port, as CloudStack shows it."""
    rules = world.human.list("listLoadBalancerRules", "loadbalancerrule")
    return {each["publicport"]: each.get("cidrlist") for each in rules}


def list_id(world: World, name: str = LIST) -> str:
    """Return the id of a network ACL list."""
    lists = world.state()["networkacllists"]
    return next(str(each["id"]) for each in lists if each["name"] == name)


def give_list(world: World, name: str = "", tier: str = TIER) -> str:
    """Give a tier another list, a new one unless a name is given; return the list's id."""
    if not name:
        name = "acl-new"
        world.human.done("createNetworkACLList", name=name, vpcid=vpc_id(world))
    found = list_id(world, name)
    world.human.done("replaceNetworkACLList", aclid=found, networkid=world.network(tier))
    return found
