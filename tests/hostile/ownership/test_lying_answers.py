"""CloudStack, or a proxy before it, names another's address as the one that we acquired."""

from collections.abc import Mapping

from hooks.http.bounded_json import Json
from hooks.loadbalancers.hook import LoadBalancersHook
from tests.hostile.ownership.stage import Tap, call_for, holdings, ip_of, settled, tapped
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
