"""What one call works with, for tests that do an action without a hook."""

from hooks.cloudstack import Cloud
from hooks.loadbalancers.context import CallContext, RunningJobs
from hooks.loadbalancers.lanes import Lanes
from hooks.loadbalancers.memory import Choices, Leases, MemberLists
from tests.integration.loadbalancers.driver import World


def make_context(
    world: World, cloud: Cloud, *, seconds: float = 8.0, jobs: RunningJobs | None = None
) -> CallContext:
    """Make the context of a call that has so many seconds; nothing is remembered in it."""
    return CallContext(
        uid="u-1",
        network_id=world.network("net-1"),
        lanes=Lanes(),
        members=MemberLists(),
        note_lists=lambda *_: None,
        choices=Choices(world.monotonic),
        leases=Leases(world.monotonic),
        cloud=cloud,
        kube=world.cluster,
        deadline=world.deadline(seconds),
        cluster_id=lambda _: "c-1",
        jobs=jobs or RunningJobs(),
        drift_resync=300.0,
        default_class=True,
        clock=lambda: world.now,
        monotonic=world.monotonic,
        pause=lambda _seconds: None,
    )
