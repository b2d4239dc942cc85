"""Deletions that CloudStack refuses: nothing stays open meanwhile, and they are tried again."""

import pytest

from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.names import EVENT_SYNC_FAILED
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World, port


def test_a_refused_deletion_is_reported_and_tried_again(
    world: World, hook: LoadBalancersHook
) -> None:
    lb = LoadBalancer(world).settle(hook)
    world.simulator.control.fault(
        "disassociateIpAddress", "job-failed", code=530, text="the router is busy"
    )
    lb.delete()
    lb.call(hook)
    assert lb.reason() == "DeletionRefused"
    assert "the router is busy" in lb.condition("Ready")["message"]
    lb.wait(hook)
    assert lb.is_finalized()
    assert world.remains() == NOTHING


@pytest.mark.parametrize("fault", ["error", "job-failed"])
def test_while_a_release_is_refused_nothing_of_the_service_stays_open(
    world: World, hook: LoadBalancersHook, fault: str
) -> None:
    """Its node ports are free, and the next Service that gets them may be an internal one."""
    lb = LoadBalancer(world, ports=[port(80), port(443)]).settle(hook)
    world.simulator.control.fault(
        "disassociateIpAddress", fault, code=530, text="it is used by a VPN", times=None
    )
    lb.delete()
    lb.settle(hook)
    assert (world.rules(), world.firewall()) == ([], [])
    assert len(world.addresses()) == 1
    assert (lb.reason(), lb.is_finalized()) == ("DeletionRefused", False)
    [warning] = [event for event in world.cluster.events if event.type == "Warning"]
    assert (warning.reason, "it is used by a VPN" in warning.message) == (EVENT_SYNC_FAILED, True)
    world.simulator.control.clear_faults()
    lb.wait(hook)
    assert lb.is_finalized()
    assert world.remains() == NOTHING
