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

from hooks.http.texts import join_sentences
from hooks.kube.conditions import Condition
from hooks.loadbalancers.plan.actions import Action
from hooks.loadbalancers.plan.address import (
    NOTHING_BESIDE,
    AddressPlan,
    Beside,
)
from hooks.loadbalancers.plan.claims import (
    CHANGING_ADDRESS,
    not_ready,
)
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.firewall import is_open
from hooks.loadbalancers.plan.ownership import port_key
from hooks.loadbalancers.plan.status import Stages
from hooks.loadbalancers.plan.unread import refuse_change
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
class Other:
    """An address of ours, as a change from or to another one sees it.

    Attributes:
        kept: what keeps it right.
        down: what takes it down next; empty where it is not wholly ours.
        listed: all that takes it down, for plan mode.
        why_kept: why an address that goes is not released; empty if it is, or stays as asked.
    """

    ip: str
    kept: AddressPlan
    down: tuple[Action, ...] = ()
    listed: tuple[Action, ...] = ()
    why_kept: str = ""


@dataclass(frozen=True, slots=True)
class Others:
    """The address that serves, and those of ours beside it.

    Attributes:
        held: the one that serves.
        asked: the one that the Service asks for.
        former: the one that served before, and may be shown or in use.
        extras: neither: of a change that was taken back, or of two replicas that each got one.
        going: removes those.
        undoing: makes ours, or gives back, what a change began with that is asked for no more.
        why_kept: why one of the extras is not released.
    """

    held: Other
    asked: Other | None = None
    former: Other | None = None
    extras: tuple[Other, ...] = ()
    going: tuple[Action, ...] = ()
    undoing: tuple[Action, ...] = ()
    why_kept: str = ""


def change_address(
    facts: Facts, held: Stages, others: Others, plan_at: PlanAt, get: Callable[[], AddressPlan]
) -> Stages:
    """Add to the stages of the address that serves what a change from or to another one asks for.

    Args:
        facts: the facts.
        held: the stages at the address that serves.
        others: the addresses of ours.
        plan_at: plans stages at another address.
        get: gets the address that the Service asks for.
    """
    refused, change = refuse_change(facts), facts.request.recorded.change

    def plan_other(address: AddressPlan) -> Stages:
        """Plan the stages at another address; a tier's list is one for both."""
        stages = plan_at(address)
        if facts.tier is None:
            return stages
        return stages._replace(firewall=replace(stages.firewall, actions=(), closing=()))

    is_new_share = bool(facts.owner.share and facts.request.asks_another and not others.former)
    stays = refused or facts.request.spec.invalid or is_new_share or not held.address.is_ours
    if stays:  # each is kept right where it is: both shut out what the Service does
        kept = [plan_other(each.kept) for each in (others.asked, others.former) if each]
        extras = _beside(*(plan_other(each.kept) for each in others.extras))
        return _with(held, refused, change=change, beside=_beside(*kept).with_safe(extras))
    is_free = others.former is None or others.former.ip == facts.request.spec.address
    if facts.request.asks_another and is_free and not facts.owner.share:
        new = plan_other(others.asked.kept if others.asked else get())
        return _approach(facts, held, others, new)
    if others.former:
        held = _retire(facts, held, others.former, plan_other(others.former.kept), others.going)
        return _wait(facts, held, others.former) if facts.request.asks_another else held
    return _clear(facts, held, others)


def _clear(facts: Facts, held: Stages, others: Others) -> Stages:
    """Undo what a change began that is asked for no more, until nothing is left of it."""
    beside = Beside((*others.going, *others.undoing), why_kept=others.why_kept)
    is_over = not (others.undoing or others.extras)
    change = None if is_over else facts.request.recorded.change
    return _with(held, change=change, beside=beside)


def _approach(facts: Facts, held: Stages, others: Others, new: Stages) -> Stages:
    """Build the address that the Service asks for, and change to it once it serves.

    It is in the status before anything is done in CloudStack: so a later call looks for it, also if
    the Service does not ask for it any more.
    """
    spec, change, going = facts.request.spec, facts.request.recorded.change, others.going
    if spec.plan_only:
        down = others.held.listed
        return _with(held, _until(facts, new), change, Beside((*going, *new.actions, *down)))
    is_written = change is not None and change.to == spec.address
    if not is_written and (new.actions or new.address.awaits_status):
        noted = msgspec.structs.replace(change or RecordedChange(), to=spec.address)
        waiting = _with(held, _until(facts, new), noted, Beside(going))
        return waiting._replace(address=replace(waiting.address, awaits_status=True))
    if not new.actions and _serves_as(facts, held, new):
        return _switch(facts, held, new, going)
    return _with(held, _until(facts, new), change, _beside(new, more=going))


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
    former: Other,
    here: Stages,
    going: tuple[Action, ...],
) -> Stages:
    """Withdraw the former address, and take it down; until then it is kept as right as the new one.

    It is taken down after the status says that it is not shown, and the Service shows that too.
    Neither happens while it serves a port that the new one does not.
    """
    change, kept = facts.request.recorded.change or RecordedChange(), former.kept
    known = facts.request.recorded.former
    if facts.request.spec.plan_only:
        return _with(held, None, change, Beside((*going, *former.listed)))
    since = _since(facts)
    elapsed = facts.now - since
    serves = _serves_as(facts, here, held)
    is_shown = elapsed < SHOWN_TOGETHER or bool(known and known.published and not serves)
    record = msgspec.structs.replace(
        known or kept.recorded or RecordedAddress(), published=is_shown
    )
    noted = msgspec.structs.replace(change, former=record, switched_at=Time(since))
    due = SHOWN_TOGETHER - elapsed if is_shown else SHOWN_TOGETHER + SERVES_ON - elapsed
    was_withdrawn = known is not None and not known.published
    is_waiting = due > 0 or not was_withdrawn or not serves
    if is_waiting or not kept.is_ours or not may_go(facts, former.ip):
        beside = _beside(here, more=going)
        return _with(held, None, noted, beside, due=max(due, LOOK_AGAIN))
    beside = Beside((*going, *facts.not_refused(former.down)), why_kept=former.why_kept)
    condition = _refused(held.address.condition, facts.complaints(former.down))
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


def _wait(facts: Facts, held: Stages, former: Other) -> Stages:
    """Let a third address wait until the former one has gone: no more than two at a time."""
    message = f"{facts.request.spec.address} comes once {former.ip} has gone"
    return _with_condition(held, not_ready(CHANGING_ADDRESS, message))


def may_go(facts: Facts, ip: str) -> bool:
    """Tell whether the Service, as it was just read, neither shows an address nor asks for it.

    A call may have been shown an older load balancer, from before the Service asked for it.
    """
    if facts.request.spec.plan_only:
        return True
    service = facts.service
    return (
        service is not None and service.still_wants and ip not in (service.address, *service.shown)
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
