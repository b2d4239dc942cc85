"""Items of a tier's network ACL list, and plans of them."""

from typing import Any

from hooks.cloudstack.models.firewall import NetworkAcl, PortRange
from hooks.cloudstack.models.loadbalancing import LoadBalancerRule
from hooks.cloudstack.models.network import Network, NetworkService
from hooks.cloudstack.models.tags import Tag
from hooks.loadbalancers.plan.acl import admit
from hooks.loadbalancers.plan.facts import CloudState, Facts
from hooks.loadbalancers.plan.firewall import FirewallPlan
from hooks.loadbalancers.plan.seals import item_reason
from hooks.loadbalancers.plan.tier_list import TierList
from hooks.loadbalancers.request import LoadBalancerRequest
from tests.unit.loadbalancers.builders import (
    EVERYONE,
    NET,
    SEAL_KEY,
    facts,
    our_address,
    our_tags,
    request,
    rule,
)

LIST, OTHER_LIST = "list-1", "list-2"
TIER = Network(
    id=NET,
    name="tier",
    zone_id="zone-1",
    vpc_id="vpc-1",
    acl_id=LIST,
    acl_name="k8s",
    services=(NetworkService("Lb"), NetworkService("NetworkACL")),
)
REQUEST = request()
TAGS = our_tags(REQUEST)
TEN = ("10.0.0.0/8",)


def item(number: int, start: int | None = 80, end: int = 0, **fields: Any) -> NetworkAcl:
    """Make an item that allows somebody to come in; a person's, unless it gets tags."""
    values: dict[str, Any] = {
        "id": f"item-{fields.get('acl_id', LIST)}-{number}",
        "protocol": "tcp",
        "acl_id": LIST,
        "acl_name": "k8s",
        "number": number,
        "action": "Allow",
        "traffic_type": "Ingress",
        "start_port": start,
        "end_port": end or start,
        "cidrs": EVERYONE,
        "state": "Active",
        **fields,
    }
    return NetworkAcl(**values)


def ours(number: int, start: int = 80, end: int = 0, **fields: Any) -> NetworkAcl:
    """Make an item of ours, as it is once it has its tags."""
    return item(number, start, end, **{"tags": TAGS, **fields})


def sealed(number: int, start: int = 80, end: int = 0, **fields: Any) -> NetworkAcl:
    """Make an item of ours as a call leaves it that dies before it is tagged."""
    made = item(number, start, end, **fields)
    return item(number, start, end, **{"reason": reason_of(made), **fields})


def reason_of(made: NetworkAcl, key: bytes = SEAL_KEY) -> str:
    owner = facts(REQUEST).owner
    ports = PortRange("tcp", made.start_port or 0, made.end_port or 0, made.cidrs)
    return item_reason(owner.mark, key, made.acl_id, made.number, ports)


def denying(number: int, start: int | None = None, end: int = 0, **fields: Any) -> NetworkAcl:
    """Make an item of a person that denies something; everything unless it names ports."""
    return item(number, start, end, **{"action": "Deny", "protocol": "all", **fields})


def on_tier(
    *items: NetworkAcl, asked: LoadBalancerRequest = REQUEST, tier: Network = TIER, **fields: Any
) -> Facts:
    """Make facts on a tier whose list has these items."""
    address = our_address(asked, vpc_id="vpc-1")
    state = CloudState((address,), acl=items, **fields.pop("state", {}))
    return facts(asked, state=state, network=tier, **fields)


def plan(
    rules: list[LoadBalancerRule], *items: NetworkAcl, tier: Network = TIER, **fields: Any
) -> FirewallPlan:
    known = on_tier(*items, tier=tier, **fields)
    return admit(known, TierList.of(known, tier), rules)


def rules(*public: int) -> list[LoadBalancerRule]:
    return [rule(each) for each in public]


def tags(**values: str) -> tuple[Tag, ...]:
    return our_tags(REQUEST, **values)
