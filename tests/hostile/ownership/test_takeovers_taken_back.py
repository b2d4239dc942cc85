"""A change onto another cluster's address that is taken back: the address stays allocated."""

import pytest

from tests.hostile.ownership.stage import Tenant, cluster, fresh_world, ip_of, new_uid, told
from tests.integration.loadbalancers.changing import Changing, ips

PORTS = [
    {"name": "http", "port": 80, "protocol": "TCP", "nodePort": 30080},
    {"name": "https", "port": 443, "protocol": "TCP", "nodePort": 30443},
]


@pytest.mark.parametrize("is_deleted", [False, True], ids=["taken back", "deleted"])
def test_an_address_that_was_taken_over_and_never_served_is_not_released(
    is_deleted: bool,
) -> None:
    with fresh_world() as (world, hook), cluster(world, "c-2") as (elsewhere, theirs):
        service = Changing(world, hook)
        service.ask("", ports=PORTS)
        service.wait(120)
        own = service.ip
        other = Tenant(elsewhere, "web", namespace="default", uid=new_uid("theirs"))
        other.settle(theirs)
        taken = ip_of(other.lb)

        # One of two ports cannot be served there, so the Service stays where it is.
        world.simulator.control.fault("createLoadBalancerRule", "error", code=530, times=999)
        service.annotate("takeover-from", "c-2")
        service.ask(taken)
        service.wait(60)
        assert service.ip == own
        if is_deleted:
            service.lb.delete()
            service.lb.settle(hook)
            assert ips(world) == [taken]
        else:
            service.annotate("takeover-from", "")
            service.ask("")
            service.wait(60)
            assert ips(world) == sorted([own, taken])
        assert f"AddressKept: Address {taken} was taken over and never served here" in told(world)

        world.simulator.control.clear_faults()
        other.settle(theirs)
        assert other.lb.reason() == "Serving"
        assert ip_of(other.lb) == taken
