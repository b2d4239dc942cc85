"""Decides which public address is the Service's, and how it gets one.

A new address is chosen first and written to the status. A later call records that it acquires it,
associates it and tags it. Once an address has our tags, they alone say that it is ours. A call that
dies before leaves its record: then the address may be ours as long as nobody has tagged or used it.
"""

from dataclasses import dataclass, replace
from math import inf

import msgspec

from hooks.cloudstack.errors import ADDRESS_TAKEN, LIMIT_REACHED
from hooks.cloudstack.models.network import PublicIpAddress
from hooks.kube.conditions import Condition
from hooks.loadbalancers.plan import tags
from hooks.loadbalancers.plan.actions import (
    Action,
    AddTags,
    Associate,
    Rerecord,
    StagePlan,
)
from hooks.loadbalancers.plan.adoption import is_left_by_provider, refuse_adoption
from hooks.loadbalancers.plan.claims import (
    find_begun,
    find_claimable,
    find_held,
    find_takeable,
    find_unfit,
    in_own_order,
    is_still_asked_for,
    not_ready,
    refuse_foreign,
    refuse_takeover,
    refuse_unconfirmed,
    refuse_without_nodes,
)
from hooks.loadbalancers.plan.facts import HIDDEN_FORWARDS, Facts
from hooks.loadbalancers.plan.firewall import former_firewall, tag_firewall
from hooks.loadbalancers.plan.ownership import is_by_controller
from hooks.loadbalancers.plan.rules import own_rules, tag_rules
from hooks.loadbalancers.plan.seals import seal
from hooks.loadbalancers.plan.sharing import (
    find_share,
    join_share,
    refuse_share,
)
from hooks.loadbalancers.plan.whose import Whose
from hooks.loadbalancers.recorded import NO_RECORD, Acquiring, RecordedAddress, RecordedChange
from hooks.webhook.requests import Time

#: Seconds after which the record of an address that cannot be tagged is renewed.
RENEW_AFTER = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Beside:
    """What is done on other addresses of ours, while the Service changes from one to another.

    Attributes:
        actions: all of it.
        safe: what is done for a Service that asks for what it cannot have.
        closing: what shuts out clients that the Service does not admit, by the firewall.
        why_kept: why an address that goes is not released; empty if it is, or stays as asked.
    """

    actions: tuple[Action, ...] = ()
    safe: tuple[Action, ...] = ()
    closing: tuple[Action, ...] = ()
    why_kept: str = ""

    def with_safe(self, other: "Beside") -> "Beside":
        """Add what another does for a Service that asks for what it cannot have."""
        safe, closing = (*self.safe, *other.safe), (*self.closing, *other.closing)
        return replace(self, actions=(*self.actions, *other.safe), safe=safe, closing=closing)


#: Nothing is done there.
NOTHING_BESIDE = Beside()


@dataclass(frozen=True, slots=True)
class AddressPlan(StagePlan):
    """The address stage: what to do, and what is known of the address.

    Attributes:
        address_id: of the address that is, or is about to be, the Service's; empty if unallocated.
        is_ours: it has our tags, so rules may be put on it.
        recorded: the address as the status is to record it.
        awaits_status: nothing can be done before the status is written.
        chooses: it matters which addresses are free.
        change: the change to another address, as the status is to record it.
        beside: what is done on other addresses of ours.
        due: seconds until the change goes on.
    """

    address_id: str = ""
    is_ours: bool = False
    recorded: RecordedAddress | None = None
    awaits_status: bool = False
    chooses: bool = False
    change: RecordedChange | None = None
    beside: Beside = NOTHING_BESIDE
    due: float = inf


def obtain(facts: Facts) -> AddressPlan:
    """Get an address for the Service: the one that it asks for, else any.

    The first of: one that a call of ours may have acquired, one of a Service of our name, the one
    that another provider left, the one of the share that the Service asks for, the one that it asks
    for by its IP, the one chosen before, a new one.
    """
    if not facts.still_wants:
        recorded = facts.request.recorded.address
        return AddressPlan(refuse_unconfirmed(facts.request), recorded=recorded)
    return undo_takeover(facts) or claim_unproven(facts) or _gain(facts)


def _gain(facts: Facts) -> AddressPlan:
    """Take over, share, claim or acquire an address."""
    request = facts.request
    recorded, wanted = request.recorded.address, request.spec.address
    by_ip = {each.ip_address: each for each in facts.state.addresses}
    without_nodes, found = refuse_without_nodes(facts), find_takeable(facts)
    is_inherited = found is not None and facts.owner.whose(found) is Whose.INHERITED
    if without_nodes and not is_inherited:
        return AddressPlan(without_nodes, recorded=recorded)
    if found:
        return _take_over(facts, found)
    left = find_left(facts)
    unfit = refuse_left(facts, left) if left else None
    if left and not unfit:
        return _claim(facts, left, by_controller=_is_former_providers(facts, left))
    shared = find_share(facts)
    if refused := refuse_share(facts, shared):
        return AddressPlan(refused, recorded=recorded)
    if shared:
        return _mark(facts, shared, (join_share(facts, shared),))
    claimed = request.recorded.claimed
    known = by_ip.get(claimed.ip) if claimed else None
    if known and facts.owner.whose(known) is Whose.FOREIGN_CLUSTER:
        return AddressPlan(refuse_foreign(known), recorded=recorded)
    if wanted:
        return _ask_for(facts, by_ip[wanted]) if wanted in by_ip else _acquire(facts, wanted)
    if recorded:
        return _choose(facts) if recorded.ip in by_ip else _acquire(facts, recorded.ip)
    return AddressPlan(unfit) if unfit else _choose(facts)


def _ask_for(facts: Facts, found: PublicIpAddress) -> AddressPlan:
    """Claim the allocated address that the Service asks for, if nobody else has it."""
    whose = facts.owner.whose(found)
    if whose is Whose.FOREIGN_CLUSTER:
        return AddressPlan(refuse_foreign(found), recorded=_choice(facts, found))
    if unfit := refuse_left(facts, found):
        return AddressPlan(unfit, recorded=_choice(facts, found))
    return _claim(facts, found, by_controller=_is_former_providers(facts, found))


def find_left(facts: Facts) -> PublicIpAddress | None:
    """Return the address that a former provider left with rules of ours; None if there is none.

    It comes before another one that the Service asks for: it serves, and nobody else would take it
    down. The Service changes to the other one then.
    """
    adopted = facts.request.spec.adopt.address
    for each in facts.state.addresses if not facts.request.recorded.address else ():
        is_left = each.ip_address == adopted and facts.owner.whose(each) is Whose.UNMARKED
        if is_left and own_rules(facts.owner, facts.on(each.id).state.rules):
            return each
    return None


def refuse_left(facts: Facts, found: PublicIpAddress) -> Condition | None:
    """Return the condition that says why an address with rules of others is not claimed."""
    return find_unfit(facts, found) or refuse_adoption(facts.on(found.id), found)


def _is_former_providers(facts: Facts, found: PublicIpAddress) -> bool:
    """Tell whether another provider allocated an address, and would release it with the Service."""
    adopt = facts.request.spec.adopt
    is_left = adopt.address == found.ip_address and adopt.associated_by_controller
    return is_left and is_left_by_provider(facts.on(found.id), found)


def _claim(facts: Facts, found: PublicIpAddress, *, by_controller: bool) -> AddressPlan:
    """Make an address ours by its tags, after the rules that another provider left on it."""
    wanted = tags.address_tags(facts, by_controller=by_controller)
    present = {(tag.key, tag.value) for tag in found.tags}
    lacking = tuple(each for each in wanted if each not in present)
    last = AddTags("address", (found.id,), (found.ip_address,), lacking)
    return _mark(facts, found, (*_tag_contents(facts, found), last))


def _take_over(facts: Facts, found: PublicIpAddress) -> AddressPlan:
    """Give our mark to an address of a Service of our name, after a tag shows that this begins.

    By that tag, what is on the address is ours as soon as the address is; see `keep`.
    """
    if unfit := find_unfit(facts, found) or refuse_takeover(facts, found):
        return AddressPlan(unfit, recorded=_choice(facts, found))
    wanted = tags.address_tags(facts, by_controller=is_by_controller(found))
    marking = tags.complete(facts, "address", [found], lambda each: each.ip_address, wanted)
    if facts.owner.takes_over(found):
        return _mark(facts, found, marking)
    later = marking if facts.request.spec.plan_only else ()
    return _mark(facts, found, (tags.begin_takeover(facts, found), *later))


def undo_takeover(facts: Facts) -> AddressPlan | None:
    """Give an address back that we began to take over, if the Service does not ask for it any more.

    None if there is none.
    """
    found = find_begun(facts)
    if found is None or is_still_asked_for(facts, found):
        return None
    actions = (tags.undo_takeover(facts, found),)
    condition = not_ready("UndoingTakeover", f"{found.ip_address} goes back to its Service before")
    if complaints := facts.complaints(actions):
        condition = not_ready("TagRefused", "; ".join(complaints))
    recorded = facts.request.recorded.address
    return AddressPlan(condition, facts.not_refused(actions), recorded=recorded)


def _tag_contents(facts: Facts, found: PublicIpAddress) -> tuple[Action, ...]:
    """Give our mark to what is ours on an address."""
    here = facts.on(found.id)
    rules = own_rules(facts.owner, here.state.rules)
    return (*tag_firewall(facts, former_firewall(here, rules)), *tag_rules(facts, rules))


def _mark(facts: Facts, found: PublicIpAddress, actions: tuple[Action, ...]) -> AddressPlan:
    condition = not_ready("ClaimingAddress", f"{found.ip_address} is being tagged")
    if complaints := facts.complaints(actions):
        condition = not_ready("TagRefused", "; ".join(complaints))
        actions = ()
    recorded = _choice(facts, found)
    return AddressPlan(condition, actions, address_id=found.id, recorded=recorded)


def claim_unproven(facts: Facts) -> AddressPlan | None:
    """Claim what a call of ours may have acquired, and renew its record while that cannot be.

    None if there is no such address.
    """
    found = find_claimable(facts)
    if found is None:
        return None
    planned = _claim(facts, found, by_controller=True)
    if facts.state.hides_forwards:
        message = f"{found.ip_address} may be a call's of ours. It has {HIDDEN_FORWARDS}"
        recorded = _choice(facts, found)
        planned = AddressPlan(not_ready("AddressNotProven", message), recorded=recorded)
    if facts.now - facts.acquiring.since <= RENEW_AFTER:
        return planned
    after = seal(facts.owner.mark, facts.seal_key, found.ip_address, facts.now)
    return replace(planned, actions=(rerecord(facts, after), *planned.actions))


def _acquire(facts: Facts, ip: str) -> AddressPlan:
    """Acquire a free address: the one asked for, or the one chosen before."""
    spec, recorded = facts.request.spec, facts.request.recorded.address
    action = _association(facts, ip)
    refusal = facts.refusal(action)
    if refusal and refusal.code == ADDRESS_TAKEN and not spec.address:
        return _choose(facts)
    change = facts.request.recorded.change
    is_written = recorded is not None and recorded.ip == ip and recorded.chosen_at is not None
    is_written = is_written or (change is not None and change.to == ip and bool(find_held(facts)))
    if refusal or spec.plan_only or is_written:
        return _associate(facts, action, f"{ip} is being associated")
    return _choice_made(facts, ip, tries=0)


def _choose(facts: Facts) -> AddressPlan:
    """Choose a free address; leave the choice to CloudStack only if it shows none."""
    request, recorded = facts.request, facts.request.recorded.address
    action = _association(facts)
    before = recorded.ip if recorded else ""
    free = [ip for ip in in_own_order(request, facts.state.free) if ip != before]
    # If one was associated in this call and does not show yet, no other is chosen.
    if request.spec.plan_only or action in facts.call_state.done or not free:
        planned = _associate(facts, action, "A free address is being associated")
        return replace(planned, chooses=not request.spec.plan_only)
    tries = recorded.tries + 1 if recorded and not request.recorded.claimed else 0
    return _choice_made(facts, free[0], tries=tries)


def _association(facts: Facts, ip: str = "") -> Associate:
    """Return what acquires an address, or any free one, which is recorded once it is known."""
    sealed = seal(facts.owner.mark, facts.seal_key, ip, facts.now) if ip else NO_RECORD
    record = rerecord(facts, sealed)
    wanted = tags.address_tags(facts, by_controller=True)
    vpc_id = facts.network.vpc_id if facts.network else ""
    mark = facts.owner.mark
    return Associate(ip, facts.request.network_id, wanted, mark, record, vpc_id)


def rerecord(facts: Facts, after: Acquiring = NO_RECORD) -> Rerecord:
    """Replace the record that a call acquires an address; remove it by default."""
    metadata = facts.request.metadata
    before = facts.acquiring.text
    return Rerecord(metadata.namespace, metadata.name, metadata.uid, before, after.text)


def _associate(facts: Facts, action: Associate, message: str) -> AddressPlan:
    recorded = facts.request.recorded.address
    refusal = facts.refusal(action)
    if not refusal:
        condition = not_ready("AssociatingAddress", message)
        return AddressPlan(condition, (action,), recorded=recorded)
    reasons = {ADDRESS_TAKEN: "AddressNotFree", LIMIT_REACHED: "QuotaExceeded"}
    limit, message = facts.address_limit, f"{action}: {refusal.text}"
    if limit and limit.limit is not None:
        message = f"{limit.used} of {limit.limit} public addresses are used; {message}"
    condition = not_ready(reasons.get(refusal.code, "AddressRefused"), message)
    return AddressPlan(condition, recorded=recorded)


def _choice_made(facts: Facts, ip: str, *, tries: int) -> AddressPlan:
    choice = RecordedAddress(
        ip,
        chosen_at=Time(facts.now),
        tries=tries,
        published=is_published(facts.request.recorded.address, ip),
    )
    message = f"{ip} is chosen; it is associated after the status is written"
    return AddressPlan(not_ready("AddressChosen", message), recorded=choice, awaits_status=True)


def is_published(recorded: RecordedAddress | None, ip: str) -> bool:
    """Tell whether the Service may show an address already, as the status has it."""
    return recorded is not None and recorded.published and recorded.ip == ip


def _choice(facts: Facts, found: PublicIpAddress) -> RecordedAddress | None:
    """Return what is recorded of an address that is not ours yet."""
    recorded = facts.request.recorded.address
    if not recorded or recorded.ip != found.ip_address:
        return None
    return msgspec.structs.replace(recorded, id="")
