"""Decides which internal addresses a change of address is about, and how each goes.

An address is ours by our load balancers on it, and goes with the last of them.
"""

from hooks.loadbalancers.plan.change import Other, Others, PlanAt, change_address, may_go
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.internal import (
    find_held_ip,
    get_asked,
    keep_internal,
    own_balancers,
)
from hooks.loadbalancers.plan.rules import delete_rule
from hooks.loadbalancers.plan.status import Stages


def plan_internal_change(facts: Facts, held: Stages, plan_at: PlanAt) -> Stages:
    """Add to the stages of the address that serves what a change from or to another one asks for.

    Args:
        facts: the facts.
        held: the stages at the address that serves.
        plan_at: plans them at another.
    """
    own = own_balancers(facts)
    if not own:
        return held
    others = _find_others(facts, find_held_ip(facts, own))
    return change_address(facts, held, others, plan_at, lambda: get_asked(facts))


def _find_others(facts: Facts, held: str) -> Others:
    """Tell the other addresses of ours apart.

    Where the status names no former one, one that the Service shows is: the status was lost, or
    this call was shown an older one. Where the Service shows none of ours, as with a host name, one
    with members is.
    """
    recorded, own = facts.request.recorded.former, own_balancers(facts)
    shown = facts.service.shown if facts.service else ()
    ips = sorted({each.public_ip_id for each in own} - {held})
    asked = next((ip for ip in ips if ip == facts.request.spec.address), None)
    former_ips = {recorded.ip} if recorded else set(shown)
    if not former_ips & {held, *ips} and facts.request.recorded.change is None:
        former_ips |= {each.public_ip_id for each in own if facts.state.members_of(each.id)}
    former = next((ip for ip in ips if ip in former_ips), None)
    if asked == former and recorded is None:
        former = None
    extras = tuple(_other(facts, ip) for ip in ips if ip not in (asked, former))
    return Others(
        held=_other(facts, held),
        asked=_other(facts, asked) if asked else None,
        former=_other(facts, former) if former else None,
        extras=extras,
        going=tuple(
            action
            for each in extras
            if may_go(facts, each.ip)
            for action in facts.not_refused(each.down)
        ),
    )


def _other(facts: Facts, ip: str) -> Other:
    """Describe an address of ours to a change."""
    down = tuple(delete_rule(facts, each) for each in own_balancers(facts.on(ip)))
    return Other(ip, keep_internal(facts, ip), down=down, listed=down)
