"""Two replicas, stale requests, lost answers and deaths in random orders, on a tier of a VPC.

A person allocates addresses of the VPC that are chosen and not associated yet, and another cluster
has a load balancer on another tier of it.
"""

import time
from collections.abc import Iterator

import pytest

from simulator.clock import Clock
from simulator.server import Simulator
from tests.hostile.ownership.stage import cluster
from tests.hostile.ownership.test_interleavings import Play, play_part
from tests.integration.loadbalancers.driver import DAY, LoadBalancer, World
from tests.integration.loadbalancers.vpc import (
    DENYING,
    FREE,
    TIER,
    allocate,
    create_rule,
    keep_nodes,
)

PARTS = 4


class TierPlay(Play):
    """An interleaving on a tier."""

    def hold(self, ip: str) -> None:
        """Allocate an address for the VPC."""
        allocate(self.world, ip)

    def check_served(self, bystanders: list[str]) -> None:
        super().check_served(bystanders)
        tier, state = self.world.network(TIER), self.world.state()
        names = [each.lb.name for each in self.services]
        ours = [each for each in state["loadbalancerrules"] if each["name"][:32] in names]
        assert {each["network"] for each in ours} <= {tier}
        ports = {(each["address"], each["publicport"]) for each in ours}
        assert len(ports) == len(ours)
        assert len(self.items()) >= len({each["address"] for each in ours})

    def check_gone(self, bystanders: list[str]) -> None:
        super().check_gone(bystanders)
        assert self.items() == []

    def items(self) -> list[str]:
        """Return the ACL items of these Services."""
        uids = {each.lb.service_uid for each in self.services}
        return [each["id"] for each in self.world.items() if uids & set(each["tags"].values())]


@pytest.fixture(scope="module")
def shared_vpc() -> Iterator[tuple[World, list[str]]]:
    """A VPC with others in it: an address by hand, and a second cluster on another tier."""
    clock = Clock(lambda: time.time() - 2000 * DAY)
    with Simulator("vpc", job_delay=0.0, clock=clock) as simulator:
        world = World(simulator)
        keep_nodes(world, TIER)
        create_rule(world, allocate(world), TIER, 8080)
        with cluster(world, "c-2") as (elsewhere, hook):
            keep_nodes(elsewhere, DENYING)
            theirs = LoadBalancer(elsewhere, "theirs").settle(hook)
        yield world, [FREE, theirs.status["address"]["ip"]]
        world.close()


@pytest.mark.parametrize("part", range(PARTS))
def test_any_order_ends_well(shared_vpc: tuple[World, list[str]], part: int) -> None:
    play_part(*shared_vpc, part, TierPlay)
