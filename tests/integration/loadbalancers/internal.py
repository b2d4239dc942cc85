"""A cluster whose nodes are on a VPC tier with internal load balancers, and what is there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hooks.http.bounded_json import Json
from tests.controlplane.polling import until
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World
from tests.integration.loadbalancers.vpc import vpc_world

#: The tier with internal load balancers, its list, and two addresses of its range.
TIER, LIST = "tier-internal", "acl-internal"
FREE, OTHER = "10.30.4.200", "10.30.4.201"


@contextmanager
def internal_world(**settings: Any) -> Iterator[World]:
    """Make a world in which the VMs on the tier are a cluster's nodes."""
    with vpc_world(TIER, **settings) as world:
        yield world


def internal(world: World, name: str = "web", **spec: Any) -> LoadBalancer:
    """Make an object that asks for internal load balancers."""
    return LoadBalancer(world, name, internal=True, **spec)


def balancers(world: World) -> list[Json]:
    """Return the internal load balancers, by port."""
    return sorted(world.state()["loadbalancers"], key=lambda each: each["publicport"])


def ports(world: World) -> dict[int, int]:
    """Return node ports by ports."""
    return {each["publicport"]: each["privateport"] for each in balancers(world)}


def sources(world: World) -> set[str]:
    """Return the addresses that load balancers are on."""
    return {each["address"] for each in balancers(world)}


def create(
    world: World, port: int, ip: str = FREE, name: str = "theirs", *, node: int = 30000
) -> str:
    """Create one as a person does; return its id."""
    tier = world.network(TIER)
    made = world.human.done(
        "createLoadBalancer",
        name=name,
        scheme="Internal",
        algorithm="roundrobin",
        sourceport=port,
        instanceport=node,
        sourceipaddress=ip,
        networkid=tier,
        sourceipaddressnetworkid=tier,
    )
    return str(made["loadbalancer"]["id"])


def await_nothing(world: World) -> None:
    """Wait until nothing is left: nobody waits for the job that takes the last tags off."""
    assert world.remains() == NOTHING
    until(lambda: not world.human.list("listTags", "tag"), "no tag is left in CloudStack")
