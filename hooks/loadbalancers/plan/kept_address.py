"""Decides what becomes of an address that is ours, and which one the Service has.

Once an address has our tags, they alone say that it is ours.
"""

from dataclasses import replace

from hooks.cloudstack.models.network import PublicIpAddress
from hooks.kube.conditions import Condition
from hooks.loadbalancers.plan import tags
from hooks.loadbalancers.plan.actions import Action
from hooks.loadbalancers.plan.address import AddressPlan, is_published, obtain, rerecord
from hooks.loadbalancers.plan.claims import (
    find_held,
    find_unproven,
    is_left_behind,
    network_of,
    not_ready,
    unsettled,
)
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.ownership import is_by_controller
from hooks.loadbalancers.plan.sharing import (
    find_earlier,
    is_leaving,
    is_shared,
    join_share,
    refuse_change,
    serves_until,
)
from hooks.loadbalancers.plan.takedown import take_down
from hooks.loadbalancers.plan.whose import Whose
from hooks.loadbalancers.recorded import LONGEST_CALL, RecordedAddress
from hooks.loadbalancers.request import LoadBalancerRequest
from hooks.webhook.requests import Time


def plan_address(facts: Facts) -> AddressPlan:
    """Keep the address that is ours, or get one; go to the first of several of a share.

    One that no status had, where the Service asks for another one, is recorded first.
    """
    held = find_held(facts)
    if held is None:
        return obtain(facts)
    kept = keep(facts, held)
    earlier = None if facts.state.unread else find_earlier(facts, held)
    joining = facts.not_refused((join_share(facts, earlier),) if earlier else ())
    is_other = facts.request.spec.address not in ("", held.ip_address)
    awaits = kept.awaits_status or (is_other and facts.request.recorded.claimed is None)
    return replace(kept, actions=(*kept.actions, *joining), awaits_status=awaits)


def keep(facts: Facts, found: PublicIpAddress) -> AddressPlan:
    """Keep an address that is ours.

    If it lost tags that say whose it is, they are restored before anything else is done. If the
    Service names it later than it got it, it becomes the user's. A takeover ends when everything
    on the address has our mark, and nothing is unknown there.
    """
    request = facts.request
    by_controller = is_by_controller(found)
    wanted = tags.address_tags(facts, by_controller=by_controller, address=found)
    actions: tuple[Action, ...] = tags.complete(
        facts, "address", [found], lambda each: each.ip_address, wanted
    )
    condition = _kept_condition(facts, found, actions)
    is_proven = facts.owner.whose(found) is Whose.OURS
    is_given = is_proven and by_controller and request.names_anew(found.ip_address)
    if is_given:
        actions = (*actions, tags.give_to_user(facts, found))
    if is_proven and not facts.state.unread:
        actions = (*actions, *_endings(facts, found))
    recorded = RecordedAddress(
        ip=found.ip_address,
        id=found.id,
        network_id=network_of(facts, found),
        associated_by_controller=by_controller,
        allocated_at=None if found.allocated_at is None else Time(found.allocated_at),
        published=is_published(request.recorded.address, found.ip_address),
        named=_is_named(request, found.ip_address) and not is_given,
    )
    if is_proven and request.network_id and recorded.network_id not in ("", request.network_id):
        return _find_network(found, recorded)
    return AddressPlan(
        condition=condition,
        actions=facts.not_refused(actions),
        address_id=found.id,
        is_ours=is_proven and found.state == "Allocated" and not is_leaving(facts, found),
        recorded=recorded,
    )


def _endings(facts: Facts, found: PublicIpAddress) -> tuple[Action, ...]:
    """End what has begun with an address that is wholly ours.

    A takeover ends once the address serves: until then the Service may ask for another one, and
    this one is no new one of ours to be released.
    """
    leaving = tags.drop_earlier_users(facts, found)
    if found != find_held(facts):
        return leaving
    return (*tags.end_takeover(facts, found), *leaving, *_settle(facts, found))


def _find_network(found: PublicIpAddress, recorded: RecordedAddress) -> AddressPlan:
    """Record an address of ours that no status had: the next call plans for its network."""
    message = f"{found.ip_address} serves network {recorded.network_id}"
    condition = not_ready("AddressFound", message)
    return AddressPlan(condition, address_id=found.id, recorded=recorded, awaits_status=True)


def _kept_condition(facts: Facts, found: PublicIpAddress, tagging: tuple[Action, ...]) -> Condition:
    """Return what an address that is ours comes to; `tagging` restores tags that it lost."""
    if complaints := facts.complaints(tagging):
        return not_ready("TagRefused", "; ".join(complaints))
    if found.state != "Allocated":
        return unsettled(found)
    if is_leaving(facts, found):
        message = f"{found.ip_address} may be about to be released by another Service"
        return not_ready("AddressLeased", message)
    if refused := refuse_change(facts, found):
        return refused
    return Condition("AddressReady", "True", "AddressAllocated", found.ip_address)


def _settle(facts: Facts, held: PublicIpAddress) -> tuple[Action, ...]:
    """Release other addresses of a share, and forget what a call was acquiring."""
    second = _release_others(facts, held) if is_shared(held) else ()
    return (*second, *_settle_record(facts))


def _release_others(facts: Facts, kept: PublicIpAddress) -> tuple[Action, ...]:
    """Release the other addresses of a share: two Services may each have acquired one."""
    return tuple(
        action
        for each in facts.state.addresses
        if each.id != kept.id
        and each.state == "Allocated"
        and (facts.owner.whose(each) is Whose.OURS or is_left_behind(facts, each))
        and not serves_until(facts, each, kept)
        for action in take_down(facts.on(each.id), each, is_second=True)
    )


def _is_named(request: LoadBalancerRequest, ip: str) -> bool:
    """Tell whether the Service names an address, or did so until it named another one."""
    claimed = request.recorded.claimed
    if request.asks_another and claimed is not None and claimed.ip == ip:
        return claimed.named
    return request.spec.address == ip


def _settle_record(facts: Facts) -> tuple[Action, ...]:
    """Forget that a call acquires an address, once nothing more can come of that call."""
    record = facts.acquiring
    is_over = any(map(record.names, facts.state.addresses))
    is_over = is_over or abs(facts.now - record.since) > LONGEST_CALL
    return (rerecord(facts),) if record.text and is_over and not find_unproven(facts) else ()
