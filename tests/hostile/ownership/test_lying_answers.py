"""CloudStack, or a proxy before it, names another's address as the one that we acquired."""

from collections.abc import Mapping

from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from tests.hostile.ownership.stage import (
    HELD,
    Tap,
    call_for,
    hold,
    holdings,
    ip_of,
    settled,
    tapped,
)
from tests.hostile.ownership.test_one_address import none_is_free
from tests.integration.loadbalancers.driver import LoadBalancer, World


class Liar(Tap):
    """Names one address, whatever was acquired."""

    def __init__(self, address_id: str) -> None:
        super().__init__()
        self.address_id = address_id

    def send(self, command: str, params: Mapping[str, object], seconds: float) -> Json:
        """Call once, and lie about what an association made."""
        answer = super().send(command, params, seconds)
        return answer | {"id": self.address_id} if command == "associateIpAddress" else answer


def test_the_address_of_another_service_is_not_released_for_a_refused_tag(
    world: World, hook: LoadBalancersHook
) -> None:
    victim = settled(LoadBalancer(world, "victim"), hook)
    ip = ip_of(victim)
    before = holdings(world, ip)
    assert before["loadbalancerrules"]
    with tapped(world, Liar(victim.status["address"]["id"])) as lied_to:
        lb = LoadBalancer(world, "web")
        call_for(lb, lied_to, 60)
        assert lb.is_ready(), "the record of the call finds the right one"
        assert ip_of(lb) != ip
    assert holdings(world, ip) == before


def test_an_address_of_a_person_gets_no_tag_of_ours(world: World) -> None:
    address = hold(world)
    before = holdings(world, HELD)
    with tapped(world, Liar(address)) as lied_to:
        lb = LoadBalancer(world, "web")
        call_for(lb, lied_to, 60)
        assert lb.is_ready(), "the record of the call finds the right one"
    assert holdings(world, HELD) == before


def test_an_address_that_was_allocated_before_gets_no_tag_where_cloudstack_chooses(
    world: World,
) -> None:
    address = hold(world)
    before = holdings(world, HELD)
    world.advance(60)
    liar = Liar(address)
    with none_is_free(world) as one, tapped(world, liar) as lied_to:

        def let_it_choose(_number: int, command: str) -> None:
            one.state = "Free" if command == "associateIpAddress" else one.state

        liar.before = let_it_choose
        lb = LoadBalancer(world, "web")
        lb.call(lied_to)
        assert world.simulator.control.counts()["associateIpAddress"] == 1
        assert "is not the one that was asked for" in lb.condition("Ready")["message"]
    assert holdings(world, HELD) == before
