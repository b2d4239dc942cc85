"""Decides how a Service changes to another address, which serves before the old one goes.

```text
asked for  ->  written to the status  ->  built beside the old one  ->  serves all that the old does
                                                                                 |
    old one taken down  <-  not shown, serves  <-  both are shown, new one first  <-
                       300 s                  60 s
```

Tags alone say whose an address is. The status says in which order things happen to addresses of
ours, and no more: who forges it can make his own Service lose an address of its own too early.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from math import inf

import msgspec

from hooks.cloudstack.models.network import PublicIpAddress
from hooks.http.texts import join_sentences
from hooks.kube.conditions import Condition
from hooks.loadbalancers.plan.actions import Action
from hooks.loadbalancers.plan.address import (
    NOTHING_BESIDE,
    AddressPlan,
    Beside,
    claim_unproven,
    obtain,
    undo_takeover,
)
from hooks.loadbalancers.plan.claims import (
    CHANGING_ADDRESS,
    find_held,
    may_have_served,
    not_ready,
    own_addresses,
)
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.firewall import is_open
from hooks.loadbalancers.plan.kept_address import keep
from hooks.loadbalancers.plan.ownership import port_key
from hooks.loadbalancers.plan.sharing import is_shared
from hooks.loadbalancers.plan.status import Stages
from hooks.loadbalancers.plan.takedown import (
    hand_back,
    list_takedown,
    take_down,
    why_kept,
    why_returned,
)
from hooks.loadbalancers.plan.unread import refuse_change
from hooks.loadbalancers.plan.whose import Whose
from hooks.loadbalancers.recorded import RecordedAddress, RecordedChange
from hooks.webhook.requests import Time

#: Seconds for which a Service shows both addresses. Programs that write names into the DNS look
#: once a minute (external-dns, by default): each sees the new address before the old one goes.
SHOWN_TOGETHER = 60.0
#: Seconds for which the old address serves on after that: the time to live of most such names.
SERVES_ON = 300.0
#: Seconds until the Service is read again that still shows an address which it should not.
LOOK_AGAIN = 10.0

#: Plans the stages at an address.
PlanAt = Callable[[AddressPlan], Stages]


@dataclass(frozen=True, slots=True)
class _Others:
    """The addresses of ours beside the one that serves.

    Attributes:
        asked: the one that the Service asks for.
        former: the one that served before, and may be shown or in use.
        extras: neither: of a change that was taken back, or of two replicas that each got one.
    """

    asked: PublicIpAddress | None
    former: PublicIpAddress | None
    extras: tuple[PublicIpAddress, ...]


def plan_change(facts: Facts, held: Stages, plan_at: PlanAt) -> Stages:
    """Add to the stages of the address that serves what a change from or to another one asks for.

    Args:
        facts: the facts.
        held: the stages at the address that serves.
        plan_at: plans them at another.
    """
    found, change = find_held(facts), facts.request.recorded.change
    if found is None or is_shared(found):
        return held
    others = _find_others(facts, found)
    refused = refuse_change(facts)

    def plan_other(address: AddressPlan) -> Stages:
        """Plan the stages at another address; a tier's list is one for both."""
        stages = plan_at(address)
        if facts.tier is None:
            return stages
        return stages._replace(firewall=replace(stages.firewall, actions=(), closing=()))

    is_new_share = bool(facts.owner.share and facts.request.asks_another and not others.former)
    stays = refused or facts.request.spec.invalid or is_new_share or not held.address.is_ours
    if stays:  # each is kept right where it is: whom the Service shuts out, both do
        kept = [plan_other(keep(facts, each)) for each in (others.asked, others.former) if each]
        extras = _beside(*(plan_other(keep(facts, each)) for each in others.extras))
        return _with(held, refused, change=change, beside=_beside(*kept).with_safe(extras))
    going = tuple(action for each in others.extras for action in _remove_extra(facts, each))
    is_free = others.former is None or others.former.ip_address == facts.request.spec.address
    if facts.request.asks_another and is_free and not facts.owner.share:
        return _approach(facts, held, others, plan_other, going)
    if others.former:
        held = _retire(facts, held, others.former, plan_other, going)
        return _wait(facts, held, others.former) if facts.request.asks_another else held
    return _clear(facts, held, others, going)


def _clear(facts: Facts, held: Stages, others: _Others, going: tuple[Action, ...]) -> Stages:
    """Undo what a change began that is asked for no more, until nothing is left of it."""
    undoing = _undo(facts)
    is_over = not (undoing or others.extras)
    whys = (
        why_returned(facts, each) or why_kept(facts.on(each.id), each, is_second=True)
        for each in others.extras
    )
    beside = Beside((*going, *undoing), why_kept=next(filter(None, whys), ""))
    return _with(held, change=None if is_over else facts.request.recorded.change, beside=beside)


def _find_others(facts: Facts, held: PublicIpAddress) -> _Others:
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
    extras = tuple(each for each in others if each not in (asked, former))
    return _Others(asked, former, extras)


def _approach(
    facts: Facts,
    held: Stages,
    others: _Others,
    plan_at: PlanAt,
    going: tuple[Action, ...],
) -> Stages:
    """Build the address that the Service asks for, and change to it once it serves.

    It is in the status before anything is done in CloudStack: so a later call looks for it, also if
    the Service does not ask for it any more.
    """
    spec, change = facts.request.spec, facts.request.recorded.change
    new = plan_at(keep(facts, others.asked) if others.asked else obtain(facts))
    if spec.plan_only:
        down = _take_down_held(facts)
        return _with(held, _until(facts, new), change, Beside((*going, *new.actions, *down)))
    is_written = change is not None and change.to == spec.address
    if not is_written and (new.actions or new.address.awaits_status):
        noted = msgspec.structs.replace(change or RecordedChange(), to=spec.address)
        waiting = _with(held, _until(facts, new), noted, Beside(going))
        return waiting._replace(address=replace(waiting.address, awaits_status=True))
    if not new.actions and _serves_as(facts, held, new):
        return _switch(facts, held, new, going)
    return _with(held, _until(facts, new), change, _beside(new, more=going))


def _take_down_held(facts: Facts) -> tuple[Action, ...]:
    """List in plan mode what is taken down in the end."""
    held = find_held(facts)
    if held is None or facts.owner.whose(held) is not Whose.OURS:
        return ()
    return list_takedown(facts.on(held.id), held)


def _until(facts: Facts, new: Stages) -> Condition:
    """Return the condition that says what the new address lacks."""
    claimed = facts.request.recorded.claimed
    old, asked = claimed.ip if claimed else "The present address", facts.request.spec.address
    lacking = next((each.condition for each in new if each.condition.status != "True"), None)
    message = f"{old} serves until {asked} does"
    if lacking is None:
        return not_ready(CHANGING_ADDRESS, message)
    return not_ready(lacking.reason, f"{message}: {lacking.message}")


def _serves_as(facts: Facts, held: Stages, new: Stages) -> bool:
    """Tell whether the new address serves each port that the old one serves, with its members."""
    if not new.address.is_ours:
        return False
    here, there = facts.on(held.address.address_id), facts.on(new.address.address_id)
    nodes = {each.vm_id for each in facts.request.members}
    found = {port_key(rule): rule for rule in new.rules.serving}
    for rule in held.rules.existing:
        is_unread = rule.id in facts.state.unread_members
        members = nodes if is_unread else facts.state.members_of(rule.id)
        members = members & nodes if facts.request.instances else members
        if not members or not is_open(here, (rule,)):
            continue
        same = found.get(port_key(rule))
        if same is None or not members <= facts.state.members_of(same.id):
            return False
        if not is_open(there, (same,)):
            return False
    return True


def _switch(facts: Facts, held: Stages, new: Stages, going: tuple[Action, ...]) -> Stages:
    """Change to the address that serves as the old one does. What was never shown goes at once."""
    old, fresh = held.address.recorded, new.address.recorded
    if old is None or fresh is None:
        return held
    before = facts.request.recorded.former
    is_back = before is not None and before.ip == fresh.ip
    named = before.named if is_back and before else True
    change = RecordedChange(fresh.ip)
    if old.published:
        change = RecordedChange(fresh.ip, old, Time(facts.now))
    address = replace(
        new.address,
        recorded=msgspec.structs.replace(fresh, published=old.published, named=named),
        change=change,
        beside=_beside(held, more=going),
        due=SHOWN_TOGETHER if old.published else 0.0,
    )
    return new._replace(address=address)


def _retire(
    facts: Facts,
    held: Stages,
    former: PublicIpAddress,
    plan_at: PlanAt,
    going: tuple[Action, ...],
) -> Stages:
    """Withdraw the former address, and take it down; until then it is kept as right as the new one.

    It is taken down after the status says that it is not shown, and the Service shows that too.
    Neither happens while it serves a port that the new one does not.
    """
    change, kept = facts.request.recorded.change or RecordedChange(), keep(facts, former)
    known = facts.request.recorded.former
    if facts.request.spec.plan_only:
        is_ours = facts.owner.whose(former) is Whose.OURS
        down = list_takedown(facts.on(former.id), former) if is_ours else ()
        return _with(held, None, change, Beside((*going, *down)))
    since = _since(facts)
    elapsed = facts.now - since
    here = plan_at(kept)
    serves = _serves_as(facts, here, held)
    is_shown = elapsed < SHOWN_TOGETHER or bool(known and known.published and not serves)
    record = msgspec.structs.replace(
        known or kept.recorded or RecordedAddress(), published=is_shown
    )
    noted = msgspec.structs.replace(change, former=record, switched_at=Time(since))
    due = SHOWN_TOGETHER - elapsed if is_shown else SHOWN_TOGETHER + SERVES_ON - elapsed
    was_withdrawn = known is not None and not known.published
    is_waiting = due > 0 or not was_withdrawn or not serves
    if is_waiting or not kept.is_ours or not _may_go(facts, former):
        beside = _beside(here, more=going)
        return _with(held, None, noted, beside, due=max(due, LOOK_AGAIN))
    down = take_down(facts.on(former.id), former)
    beside = Beside(
        (*going, *facts.not_refused(down)), why_kept=why_kept(facts.on(former.id), former)
    )
    condition = _refused(held.address.condition, facts.complaints(down))
    return _with(held, condition, noted, beside, due=SHOWN_TOGETHER)


def _since(facts: Facts) -> float:
    """Return since when the new address serves, by which the waits of the former one are counted.

    Something may have held up the withdrawal: names in the DNS follow from then on.
    """
    change, known = facts.request.recorded.change, facts.request.recorded.former
    if change is None or known is None or change.switched_at is None:
        return facts.now
    since = min(facts.now, change.switched_at)
    return max(since, facts.now - SHOWN_TOGETHER) if known.published else since


def _wait(facts: Facts, held: Stages, former: PublicIpAddress) -> Stages:
    """Let a third address wait until the former one has gone: no more than two at a time."""
    message = f"{facts.request.spec.address} comes once {former.ip_address} has gone"
    return _with_condition(held, not_ready(CHANGING_ADDRESS, message))


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
    if not is_whole or not _may_go(facts, extra):
        return ()
    down = hand_back(facts, extra) or take_down(facts.on(extra.id), extra, is_second=True)
    return facts.not_refused(down)


def _may_go(facts: Facts, address: PublicIpAddress) -> bool:
    """Tell whether the Service, as it was just read, neither shows an address nor asks for it.

    A call may have been shown an older load balancer, from before the Service asked for it.
    """
    if facts.request.spec.plan_only:
        return True
    service = facts.service
    return (
        service is not None
        and service.still_wants
        and address.ip_address not in (service.address, *service.shown)
    )


def _refused(condition: Condition, complaints: tuple[str, ...]) -> Condition:
    """Add to the condition of the address that serves what was refused of the former one's end."""
    if not complaints:
        return condition
    return replace(condition, message=join_sentences([condition.message, *complaints], limit=5))


def _beside(*stages: Stages, more: tuple[Action, ...] = ()) -> Beside:
    return Beside(
        (*chain.from_iterable(each.actions for each in stages), *more),
        tuple(chain.from_iterable(each.safe_actions for each in stages)),
        tuple(chain.from_iterable(each.closing_actions for each in stages)),
    )


def _with_condition(stages: Stages, condition: Condition) -> Stages:
    """Show a condition of the change, unless the address that serves has trouble of its own."""
    if stages.address.condition.status != "True":
        return stages
    return stages._replace(address=replace(stages.address, condition=condition))


def _with(
    stages: Stages,
    condition: Condition | None = None,
    change: RecordedChange | None = None,
    beside: Beside = NOTHING_BESIDE,
    *,
    due: float = inf,
) -> Stages:
    """Return the stages of the address that serves, with what a change adds."""
    address = replace(stages.address, change=change, beside=beside, due=due)
    stages = stages._replace(address=address)
    return _with_condition(stages, condition) if condition else stages
