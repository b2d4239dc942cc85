"""Decides which public addresses of ours a change of address is about, and how each goes.

Tags alone say whose an address is. The status says in which order things happen to addresses of
ours, and no more: who forges it can make his own Service lose an address of its own too early.
"""

from hooks.cloudstack.models.network import PublicIpAddress
from hooks.loadbalancers.plan.actions import Action
from hooks.loadbalancers.plan.address import claim_unproven, obtain, undo_takeover
from hooks.loadbalancers.plan.change import Other, Others, PlanAt, change_address, may_go
from hooks.loadbalancers.plan.claims import find_held, may_have_served, own_addresses
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.kept_address import keep
from hooks.loadbalancers.plan.sharing import is_shared
from hooks.loadbalancers.plan.status import Stages
from hooks.loadbalancers.plan.takedown import (
    hand_back,
    list_takedown,
    take_down,
    why_kept,
    why_returned,
)
from hooks.loadbalancers.plan.whose import Whose


def plan_change(facts: Facts, held: Stages, plan_at: PlanAt) -> Stages:
    """Add to the stages of the address that serves what a change from or to another one asks for.

    Args:
        facts: the facts.
        held: the stages at the address that serves.
        plan_at: plans them at another.
    """
    found = find_held(facts)
    if found is None or is_shared(found):
        return held
    others = _find_others(facts, found)
    return change_address(facts, held, others, plan_at, lambda: obtain(facts))


def _find_others(facts: Facts, held: PublicIpAddress) -> Others:
    """Tell the other addresses of ours apart.

    Where the status names no former one, one that the Service shows is: the status was lost, or
    this call was shown an older one. Where the Service shows none of ours, as with a host name, one
    that may have served is.
    """
    recorded = facts.request.recorded.former
    shown = facts.service.shown if facts.service else ()
    others = sorted(
        (each for each in own_addresses(facts) if each.id != held.id),
        key=lambda each: each.ip_address,
    )
    asked = next((each for each in others if each.ip_address == facts.request.spec.address), None)
    former_ips = {recorded.ip} if recorded else set(shown)
    if not former_ips & {each.ip_address for each in (held, *others)}:
        former_ips |= {each.ip_address for each in others if may_have_served(facts, each)}
    former = next((each for each in others if each.ip_address in former_ips), None)
    if asked == former and recorded is None:
        former = None
    extras = [each for each in others if each not in (asked, former)]
    whys = (
        why_returned(facts, each) or why_kept(facts.on(each.id), each, is_second=True)
        for each in extras
    )
    return Others(
        held=_other(facts, held),
        asked=_other(facts, asked) if asked else None,
        former=_other(facts, former) if former else None,
        extras=tuple(_other(facts, each) for each in extras),
        going=tuple(action for each in extras for action in _remove_extra(facts, each)),
        undoing=_undo(facts),
        why_kept=next(filter(None, whys), ""),
    )


def _other(facts: Facts, address: PublicIpAddress) -> Other:
    """Describe an address of ours to a change."""
    here, kept = facts.on(address.id), keep(facts, address)
    is_whole = facts.owner.whose(address) is Whose.OURS
    return Other(
        address.ip_address,
        kept,
        down=take_down(here, address) if kept.is_ours else (),
        listed=list_takedown(here, address) if is_whole else (),
        why_kept=why_kept(here, address),
    )


def _undo(facts: Facts) -> tuple[Action, ...]:
    """Return what makes ours, or gives back, what a change began with that is asked for no more."""
    if facts.request.recorded.change is None or not facts.still_wants:
        return ()
    undoing = undo_takeover(facts) or claim_unproven(facts)
    return undoing.actions if undoing else ()


def _remove_extra(facts: Facts, extra: PublicIpAddress) -> tuple[Action, ...]:
    """Take an address down that was never shown; it is not for the Service to keep.

    One that was another cluster's is given back.
    """
    is_whole = facts.owner.whose(extra) is Whose.OURS and extra.state == "Allocated"
    if not is_whole or not may_go(facts, extra.ip_address):
        return ()
    down = hand_back(facts, extra) or take_down(facts.on(extra.id), extra, is_second=True)
    return facts.not_refused(down)
