"""Plans of a load balancer at an address that is ours, and parts of them."""

from typing import Any

from hooks.cloudstack.models.firewall import FirewallRule
from hooks.cloudstack.models.loadbalancing import LoadBalancerRule
from hooks.http.bounded_json import Json
from hooks.loadbalancers.plan.actions import Action
from hooks.loadbalancers.plan.facts import CloudState
from hooks.loadbalancers.plan.plan import plan
from hooks.loadbalancers.request import LoadBalancerRequest
from hooks.webhook.contract import Plan
from tests.unit.loadbalancers.builders import (
    NOW,
    facts,
    firewall_rule,
    our_address,
    our_tags,
    request,
    rule,
)

REQUEST = request()
TAGS = our_tags(REQUEST)
ALL = frozenset({"vm-n1", "vm-n2", "vm-n3"})


def state(
    *rules: LoadBalancerRule,
    firewall_rules: tuple[FirewallRule, ...] = (),
    members: frozenset[str] = ALL,
    by_controller: bool = True,
) -> CloudState:
    """Show an address that is ours, with rules that all have the same members."""
    return CloudState(
        addresses=(our_address(REQUEST, by_controller=by_controller),),
        rules=rules,
        members={each.id: dict.fromkeys(members, "") for each in rules},
        firewall=firewall_rules,
    )


RIGHT = state(rule(80, tags=TAGS), firewall_rules=(firewall_rule(80, tags=TAGS),))


def planned(asked: LoadBalancerRequest, existing: CloudState, **fields: Any) -> Plan[Action]:
    return plan(facts(asked, state=existing, **fields))


def status(made: Plan[Action]) -> Json:
    return dict(made.response.get("status") or {})


def condition(made: Plan[Action], kind: str = "Ready") -> Json:
    return next((dict(c) for c in status(made)["conditions"] if c["type"] == kind), {})


def wait(made: Plan[Action]) -> float:
    return float(made.response.get("resyncAfterSeconds") or 0)


def later(made: Plan[Action], *, seconds: float = 400.0) -> tuple[Json, float]:
    """Return a status as it is recorded, and a time at which the next check is due."""
    return status(made), NOW + seconds
