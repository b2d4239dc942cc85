"""Tells people what others did to a load balancer, what becomes theirs, and what is forgotten.

That an address was lost, is back, changes, is the user's from now on, or may have been acquired,
nothing else shows afterwards.
"""

from collections.abc import Iterable, Iterator

from hooks.kube.events import Event
from hooks.loadbalancers.plan.actions import Action, Associate, KeepAddress, Rerecord
from hooks.loadbalancers.plan.address import AddressPlan, find_left, refuse_left
from hooks.loadbalancers.plan.change import SERVES_ON, SHOWN_TOGETHER
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.firewall import FirewallPlan
from hooks.loadbalancers.plan.leftovers import unconfirmed_record
from hooks.loadbalancers.recorded import RecordedAddress
from hooks.names import (
    EVENT_ADDRESS_CHANGED,
    EVENT_ADDRESS_CHANGING,
    EVENT_ADDRESS_KEPT,
    EVENT_ADDRESS_LOST,
    EVENT_ADDRESS_NAMED,
    EVENT_ADDRESS_REGAINED,
    EVENT_DENIED_BY_LIST,
    EVENT_OPENED_BY_OTHERS,
    REASON_DENIED_BY_LIST,
    REASON_OPENED_BY_OTHERS,
)


def address_events(facts: Facts, address: AddressPlan) -> Iterator[Event]:
    """Return the Events about an address that was the Service's, or that it showed before.

    Each is due once: the answer's status does not hold the lost address as ours any more, and an
    address that is published before it is claimed is one that was lost.
    """
    request, service = facts.request, facts.request.service
    recorded, adopted = request.recorded.address, request.spec.adopt.address
    planned = address.recorded
    if recorded and address.is_ours and _was_lost(facts, recorded):
        message = f"{recorded.ip} is this Service's address again"
        yield Event(service, EVENT_ADDRESS_REGAINED, message)
    elif recorded and request.recorded.claimed:
        if planned is not None and not planned.id:
            message = f"CloudStack does not show {recorded.ip} as this Service's address any more"
            yield _lost(facts, f"{message}: somebody released it, or removed its tags", address)
        elif (
            planned
            and recorded.is_internal
            and not {planned.ip} & {recorded.ip, request.spec.address}
        ):
            message = f"{recorded.ip} is not this Service's internal address any more"
            whole = f"{message}: its load balancers were deleted. {planned.ip} is, from now on"
            yield Event(service, EVENT_ADDRESS_LOST, whole, type="Warning")
    elif not recorded and adopted and planned and planned.ip != adopted:
        yield _lost(facts, f"{adopted}, which the Service showed, {_why_lost(facts)}", address)


def change_events(facts: Facts, planned: AddressPlan) -> Iterator[Event]:
    """Return the Events that a change begins, and that the new address serves."""
    request, before, now = facts.request, facts.request.recorded.change, planned.change
    if now is None or planned.recorded is None:
        return
    claimed, new = request.recorded.claimed, planned.recorded.ip
    old = claimed.ip if claimed else new
    if new != old:
        message = f"{new} serves in the place of {old}"
        if now.former and request.spec.hostname:
            message += (
                f". The Service shows {request.spec.hostname} all along: move that name to {new}, "
                f"{old} serves for another {SHOWN_TOGETHER + SERVES_ON:.0f} s"
            )
        elif now.former:
            message += (
                f". The Service shows both for {SHOWN_TOGETHER:.0f} s, and {old} serves for "
                f"another {SERVES_ON:.0f} s"
            )
        yield Event(request.service, EVENT_ADDRESS_CHANGED, message)
    elif now.to != old and (before is None or before.to != now.to):
        message = f"The Service asks for {now.to}: {old} serves until that one does"
        yield Event(request.service, EVENT_ADDRESS_CHANGING, message)
    if why := planned.beside.why_kept:
        yield Event(request.service, EVENT_ADDRESS_KEPT, why, type="Warning")


def naming_events(facts: Facts, actions: Iterable[Action]) -> Iterator[Event]:
    """Return the Event that an address becomes the user's by these actions."""
    if any(isinstance(each, KeepAddress) for each in actions):
        ip = facts.request.spec.address
        message = f"The Service names {ip}, which it has: it stays allocated when the Service goes"
        yield Event(facts.request.service, EVENT_ADDRESS_NAMED, message)


def opening_events(facts: Facts, firewall: FirewallPlan) -> Iterator[Event]:
    """Return the Event that others admit more clients than the Service asks, or deny some.

    It is due when that begins.
    """
    request, condition = facts.request, firewall.condition
    kinds = {
        REASON_OPENED_BY_OTHERS: EVENT_OPENED_BY_OTHERS,
        REASON_DENIED_BY_LIST: EVENT_DENIED_BY_LIST,
    }
    kind = kinds.get(condition.reason)
    if kind and condition.reason != request.recorded.condition("FirewallReady").reason:
        yield Event(request.service, kind, condition.message, type="Warning")


def record_events(facts: Facts, actions: Iterable[Action]) -> Iterator[Event]:
    """Return the Event of an address that only a record names, which these actions remove.

    It is due before that: nothing else names the address afterwards.
    """
    records = (each.record if isinstance(each, Associate) else each for each in actions)
    removed = [each.before for each in records if isinstance(each, Rerecord)]
    if facts.acquiring.text in removed:
        yield from unconfirmed_record(facts)


def _was_lost(facts: Facts, recorded: RecordedAddress) -> bool:
    """Tell whether the recorded address was the Service's before, and then was not."""
    is_unclaimed = recorded.published and not recorded.id
    return is_unclaimed or recorded.ip == facts.request.recorded.withdrawn_address


def _is_another(facts: Facts, planned: RecordedAddress) -> bool:
    """Tell whether an address is neither the recorded one nor the one that the Service asks for."""
    recorded = facts.request.recorded.address
    return planned.ip not in (recorded.ip if recorded else "", facts.request.spec.address)


def _why_lost(facts: Facts) -> str:
    """Say why the address that another provider left is not the Service's."""
    left = find_left(facts)
    refused = refuse_left(facts, left) if left else None
    if refused is None:
        return "is not its address in CloudStack"
    return f"is not taken over, and stays as it is with its rules: {refused.message}"


def _lost(facts: Facts, message: str, address: AddressPlan) -> Event:
    ip = address.recorded.ip if address.recorded else ""
    whole = f"{message}. {ip} is being acquired"
    return Event(facts.request.service, EVENT_ADDRESS_LOST, whole, type="Warning")
