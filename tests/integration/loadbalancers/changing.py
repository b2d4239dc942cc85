"""A Service whose address changes, with both hooks, and what it shows at every step."""

from collections.abc import Sequence
from typing import Any

from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.loadbalancers.plan.change import SERVES_ON, SHOWN_TOGETHER
from tests.hostile.ownership.stage import PREFIX, Tenant
from tests.integration.loadbalancers.driver import World

#: Seconds after which a change is over, and everything has come to its end.
WHOLE = SHOWN_TOGETHER + SERVES_ON + 60


class Changing(Tenant):
    """A Service whose address changes.

    Attributes:
        hook: of its load balancer.
        seen: what the Service showed, each time that it changed.
    """

    def __init__(
        self,
        world: World,
        hook: LoadBalancersHook,
        *,
        uid: str = "",
        ranges: Sequence[str] = (),
        **annotations: str,
    ) -> None:
        spec: dict[str, Any] = {"loadBalancerSourceRanges": list(ranges)} if ranges else {}
        super().__init__(world, namespace="default", uid=uid, annotations=annotations, **spec)
        self.hook = hook
        self.seen: list[list[str]] = []
        self.settle(hook)
        self._look()

    def ask(self, ip: str = "", **spec: object) -> None:
        """Let the Service name another address, or none, and change its spec."""
        self.annotate("address", ip)
        self.service["spec"] |= spec
        self.refresh()

    def annotate(self, name: str, text: str) -> None:
        """Write an annotation; an empty one is removed."""
        notes = self.service["metadata"]["annotations"]
        notes.pop(PREFIX + name, None)
        notes |= {PREFIX + name: text} if text else {}

    def step(self) -> None:
        """Let both hooks be called once."""
        self.lb.call(self.hook)
        self.refresh()
        self._look()

    def wait(self, seconds: float = WHOLE) -> None:
        """Let time pass, and both hooks be called when they ask for it."""
        until = self.world.now + seconds
        while self.world.now < until and not self.lb.is_finalized():
            self.step()
            self.world.advance(max(1.0, min(self.lb.next_look(), until - self.world.now)))

    def until_switched(self) -> None:
        """Call until the new address serves."""
        for _ in range(20):
            if "switchedAt" in (self.lb.status.get("addressChange") or {}):
                return
            self.step()
        raise AssertionError(self.lb.status)

    @property
    def ip(self) -> str:
        return str(self.lb.status["address"]["ip"])

    @property
    def shown(self) -> list[str]:
        ingress = self.service["status"]["loadBalancer"].get("ingress", [])
        return [each.get("ip") or each["hostname"] for each in ingress]

    @property
    def serving(self) -> list[str]:
        """Return the addresses on which each port has a rule with all members, and is open.

        Those of a VPC have no firewall.
        """
        state = self.world.state()
        opened = {each["address"] for each in state["firewallrules"]}
        opened |= {each["ipaddress"] for each in state["addresses"] if each["vpc"]}
        ports = [each["port"] for each in self.service["spec"]["ports"]]
        full = [
            each["address"]
            for each in self.world.rules(self.lb.name)
            if set(each["members"]) == set(self.world.nodes) and each["publicport"] in ports
        ]
        return sorted(ip for ip in opened if full.count(ip) == len(ports))

    def _look(self) -> None:
        """Note what is shown; all that is shown serves."""
        assert set(self.shown) <= set(self.serving)
        if not self.seen or self.seen[-1] != self.shown:
            self.seen.append(self.shown)


def ips(world: World) -> list[str]:
    return sorted(each["ipaddress"] for each in world.addresses())
