"""Plans of an address, and what decides them."""

from typing import Any

from hooks.cloudstack.models.network import PublicIpAddress
from hooks.cloudstack.models.tags import Tag
from hooks.loadbalancers.plan.actions import Action
from hooks.loadbalancers.plan.address import AddressPlan
from hooks.loadbalancers.plan.facts import CloudState, Refusal
from hooks.loadbalancers.plan.kept_address import plan_address
from hooks.loadbalancers.recorded import RecordedAddress
from hooks.loadbalancers.request import LoadBalancerRequest
from hooks.names import TAG_NAMESPACE, TAG_SERVICE, TAG_SERVICE_UID
from hooks.webhook.requests import Time
from tests.unit.loadbalancers.builders import NOW, facts

OTHER = "198.51.100.8"
FOREIGN = (
    Tag(TAG_SERVICE_UID, "another"),
    Tag(TAG_NAMESPACE, "shop"),
    Tag(TAG_SERVICE, "till"),
)


def plan(asked: LoadBalancerRequest, *addresses: PublicIpAddress, **more: Any) -> AddressPlan:
    fields = {
        name: more.pop(name) for name in ("done", "refusals", "address_limit") if name in more
    }
    return plan_address(facts(asked, state=CloudState(addresses=addresses, **more), **fields))


def refused(action: Action, code: int = 533, text: str = "no") -> tuple[Refusal, ...]:
    return (Refusal(action, code, text),)


def choice(ip: str, *, tries: int = 0) -> RecordedAddress:
    return RecordedAddress(ip, chosen_at=Time(NOW), tries=tries)
