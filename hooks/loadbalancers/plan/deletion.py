"""Decides what is removed with a load balancer, in which order, and when nothing is left."""

from collections.abc import Sequence

from hooks.cloudstack.models.network import PublicIpAddress
from hooks.http.texts import join_names
from hooks.kube.conditions import Condition
from hooks.kube.events import Event
from hooks.loadbalancers.plan import actions, certificates, status, tags
from hooks.loadbalancers.plan.acl import remove_items
from hooks.loadbalancers.plan.actions import Action
from hooks.loadbalancers.plan.claims import (
    find_begun,
    find_held,
    find_unproven,
    is_second,
    own_addresses,
)
from hooks.loadbalancers.plan.facts import Facts, Heir, LiveService
from hooks.loadbalancers.plan.firewall import close_ports
from hooks.loadbalancers.plan.internal import left_balancers, own_balancers
from hooks.loadbalancers.plan.leftovers import kept_addresses, may_exist, unconfirmed_record
from hooks.loadbalancers.plan.ownership import is_by_controller, takeover_on, value
from hooks.loadbalancers.plan.rules import delete_rule, own_rules
from hooks.loadbalancers.plan.schedule import LEASED, OUTAGE, REFUSED
from hooks.loadbalancers.plan.seals import has_sealed
from hooks.loadbalancers.plan.share_tags import describe
from hooks.loadbalancers.plan.takedown import (
    BY_HAND,
    hand_back,
    list_takedown,
    marked_alone,
    take_down,
    why_kept,
    why_returned,
)
from hooks.loadbalancers.plan.whose import Whose
from hooks.loadbalancers.recorded import LONGEST_CALL
from hooks.names import (
    ANNOTATION_ABANDON,
    ANNOTATION_MODE,
    CLEANUP_FINALIZER,
    EVENT_ABANDONED,
    EVENT_ADDRESS_KEPT,
    EVENT_DELETED,
    EVENT_DELETING,
    EVENT_FOREIGN_CLUSTER,
    EVENT_SYNC_FAILED,
    TAG_ORIGIN,
    TAG_SERVICE_UID,
)
from hooks.webhook.contract import CompositeResponse, Plan

#: Reason: the Service was made again, and may take over what this one has.
_AWAITING = "AwaitingTakeover"
#: Reason: the same, and its annotation leaves everything in CloudStack if it goes before.
_LEFT_TO_HEIR = "LeftToNewService"
#: Once the seconds between two looks are more than this, rules wait no longer for that.
_RULES_STAY = 10.0
#: How many things of others on an address a message names.
_NAMED_OTHERS = 5
_LET_GO = f'annotation {ANNOTATION_ABANDON}: "true" leaves everything in CloudStack and lets go'


def plan_deletion(facts: Facts) -> Plan[Action]:
    """Clean up in CloudStack, and finalize once nothing is seen there.

    If the Service still wants the load balancer, nothing is touched, and our finalizer holds it.
    The object that is made again finds everything by its tags. Nor is anything touched if a person
    lets go, or in plan mode, or while a Service that was made again may take it over.
    """
    service, is_let_go = facts.service, is_abandoned(facts)
    unknown = None if is_let_go else _unknown_outcome(facts)
    if service and service.still_wants:
        return unknown or _keep_everything(facts, service)
    if is_let_go:
        return Plan(_finalized(facts), events=(_abandoned(facts),))
    address = select_for_deletion(facts)
    if address is None:
        undoing = _undo_takeover(facts) or _undo_claim(facts)
        return undoing or unknown or _remove_rest(facts) or _end(facts)
    if address.state == "Releasing":
        return _wait_for_release(facts, address)
    if other := _wait_for_heir(facts, address) or _hand_back(facts, address):
        return other
    here = facts.on(address.id)
    cleaning = _cleanup(facts, address)
    if _is_plan_only(facts):
        return _hold(facts, cleaning)
    response = _deleting(facts, f"Address {address.ip_address} and its rules are being deleted")
    events = [Event(facts.request.service, EVENT_DELETING, "Deleting load balancer")]
    if why_not := why_kept(here, address, is_second=is_second(facts, address)):
        response = _deleting(facts, why_not)
        events.append(Event(facts.request.service, EVENT_ADDRESS_KEPT, why_not, type="Warning"))
    elif not any(isinstance(each, actions.Release) for each in cleaning):
        what = f"What is ours on address {address.ip_address} is being deleted"
        if users := facts.owner.other_users(address):
            named = join_names(users, limit=_NAMED_OTHERS)
            what += f"; the address stays for Services that share it: {named}"
        response = _deleting(facts, what)
    return _unless_refused(facts, response, cleaning, *events)


def select_for_deletion(facts: Facts) -> PublicIpAddress | None:
    """Return an address that is ours: the Service's own after any second one."""
    held = find_held(facts)
    own = own_addresses(facts)
    return min(own, key=lambda each: (each == held, each.ip_address), default=None)


def _is_plan_only(facts: Facts) -> bool:
    """Tell whether nothing may be changed: the Service says, else the load balancer itself."""
    service = facts.service
    return service.plan_only if service and service.is_confirmed else facts.request.mode != "apply"


def _keep_everything(facts: Facts, service: LiveService) -> Plan[Action]:
    """Finalize without touching CloudStack, after our finalizer is on the Service."""
    if CLEANUP_FINALIZER in service.finalizers:
        is_forgotten = facts.request.is_abandoned and facts.acquiring.address
        events = (_abandoned(facts),) if is_forgotten else unconfirmed_record(facts)
        return Plan(_finalized(facts), events=tuple(events))
    request = facts.request
    hold = actions.HoldService(
        request.service_namespace,
        request.spec.service.name,
        service.resource_version,
        (*service.finalizers, CLEANUP_FINALIZER),
    )
    message = "The Service still wants its load balancer; CloudStack is left as it is"
    return Plan(_deleting(facts, message), (hold,))


def is_abandoned(facts: Facts) -> bool:
    """Tell whether a person lets go: by an annotation on this, on its Service, or on its heir.

    The annotation of a Service that was made again counts if that went while this waited for it.
    That of a Service that still wants its load balancer counts later. What CloudStack has matters
    for none of this.
    """
    service, request = facts.service, facts.request
    was_left = request.recorded.condition("Ready").reason == _LEFT_TO_HEIR
    is_asked = service is not None and service.is_confirmed and service.is_abandoned
    has_heir = service is not None and service.heir is not None
    is_left = not facts.still_wants and (is_asked or (was_left and not has_heir))
    return request.is_deleting and (request.is_abandoned or is_left)


def _abandoned(facts: Facts) -> Event:
    """Return the Event that tells what stays, as far as our status and record know it."""
    recorded, acquiring = facts.request.recorded.address, facts.acquiring.address
    what = f"address {recorded.ip} and its rules" if recorded else "its address and rules, if any"
    message = f"The load balancer was let go of: {what} stay in CloudStack as they are"
    if acquiring and not (recorded and recorded.ip == acquiring):
        message += f"; so does address {acquiring}, if a call of ours acquired it"
    return Event(facts.request.service, EVENT_ABANDONED, message, type="Warning")


def _hold(facts: Facts, planned: Sequence[Action]) -> Plan[Action]:
    """List a deletion in plan mode, and wait."""
    message = (
        f"{len(planned)} changes are planned, see status.plan. They wait until annotation "
        f"{ANNOTATION_MODE} says apply; {_LET_GO}"
    )
    message = "; ".join((message, *facts.state.unread.values()))
    response = status.stopped(facts, "DeletionPlanned", message)
    response["status"] |= status.plan_fields(status.plan_entries(planned))
    return Plan(response)


def _unless_refused(
    facts: Facts, response: CompositeResponse, planned: Sequence[Action], *events: Event
) -> Plan[Action]:
    """Do what was not refused in this call; say what was, or is unknown, and look again later."""
    unread = tuple(facts.state.unread.values())
    if complaints := (*facts.complaints(planned), *unread):
        message = "; ".join(complaints)
        is_refused = bool(unread) or any(map(facts.is_refused_by_cloudstack, planned))
        back_off = REFUSED if is_refused else LEASED
        response = status.stopped(facts, "DeletionRefused", message, back_off=back_off)
        message = f"The load balancer cannot be deleted: {message}"
        refused = Event(facts.request.service, EVENT_SYNC_FAILED, message, type="Warning")
        events = (*events, refused)
    return Plan(response, facts.not_refused(planned), events)


def _undo_takeover(facts: Facts) -> Plan[Action] | None:
    """Undo a takeover that has begun and came to no end; None if there is none.

    What had our mark nowhere is not ours to delete: it stays, as if nothing had begun.
    """
    found = find_begun(facts)
    if found is None:
        return None
    message = (
        f"Address {found.ip_address} was about to be taken over, and stays with its rules what it "
        f"was: {describe(found.tags)}'s"
    )
    return _return(facts, (tags.undo_takeover(facts, found),), message)


def _hand_back(facts: Facts, address: PublicIpAddress) -> Plan[Action] | None:
    """Give an address back that never served here; None if it is none."""
    returning = () if facts.state.unread else hand_back(facts, address)
    why = why_returned(facts, address)
    return _return(facts, returning, why) if why else None


def _return(facts: Facts, returning: Sequence[Action], message: str) -> Plan[Action]:
    """Let go of an address that goes back, and say so."""
    if _is_plan_only(facts):
        return _hold(facts, returning)
    event = Event(facts.request.service, EVENT_ADDRESS_KEPT, message, type="Warning")
    return _unless_refused(facts, _deleting(facts, message), returning, event)


def _undo_claim(facts: Facts) -> Plan[Action] | None:
    """Delete what has our mark on the address that a former provider left; None if nothing has.

    A claim begins with the rules, and came to no end if the address has no mark.
    """
    ips = {facts.request.spec.adopt.address, *facts.request.recorded.changing}
    left = [each for each in facts.state.addresses if each.ip_address in ips]
    marked = tuple(action for each in left for action in marked_alone(facts, each))
    if not marked:
        return None
    if _is_plan_only(facts):
        return _hold(facts, marked)
    ip = join_names([each.ip_address for each in left], limit=_NAMED_OTHERS)
    message = f"Address {ip} was about to be claimed, only what is ours on it goes: {BY_HAND}"
    event = Event(facts.request.service, EVENT_ADDRESS_KEPT, message, type="Warning")
    return _unless_refused(facts, _deleting(facts, message), marked, event)


def _remove_rest(facts: Facts) -> Plan[Action] | None:
    """Remove what is ours on no address: internal load balancers, ACL items and certificates.

    None if none is. The Service that was made again has taken an address over, and takes its items
    over with it. Its rules have our certificate until it has replaced that.
    """
    balancers = tuple(delete_rule(facts, each) for each in own_balancers(facts))
    removing: tuple[Action, ...] = (*remove_items(facts), *balancers)
    heir = facts.service.heir if facts.service else None
    is_begun = heir and any(_takes_over(heir, facts, each) for each in facts.state.addresses)
    if heir and ((removing and is_begun) or certificates.serves_heir(facts, heir)):
        message = _awaiting(heir, "and its ACL items and certificate stay")
        return Plan(status.stopped(facts, _AWAITING, message, back_off=OUTAGE))
    removing = (*removing, *certificates.remove_unused(facts))
    if not removing:
        return None
    if _is_plan_only(facts):
        return _hold(facts, removing)
    what = "internal load balancers" if balancers else "ACL items and certificates"
    response = _deleting(facts, f"Its {what} are being deleted")
    return _unless_refused(facts, response, removing)


def _takes_over(heir: Heir, facts: Facts, address: PublicIpAddress) -> bool:
    """Tell whether the Service that was made again is about to take over what is ours."""
    takeover = takeover_on(address)
    return takeover is not None and takeover.by == (facts.cluster_id, heir.uid)


def _cleanup(facts: Facts, address: PublicIpAddress) -> tuple[Action, ...]:
    """Take the address down; it gets the tags first that it lacks, so that it is surely ours.

    ACL items are on no address. They go before it, while it leads people to them.

    One that lost some of our tags, but to a takeover without an end, becomes the user's: it stays.
    """
    here = facts.on(address.id)
    if facts.owner.has_address(address):
        take = list_takedown if _is_plan_only(facts) else take_down
        taking = take(here, address, is_second=is_second(facts, address))
        return (*remove_items(facts), *taking)
    is_whole = facts.owner.whose(address) is Whose.SHARED or facts.owner.is_source_of(address)
    if is_by_controller(address) and not is_whole:
        recorded, rules = here.request.recorded.claimed_as(address.ip_address), here.state.rules
        own = here.owner.own_restorable(recorded, address, rules)
        return (actions.UntagAddress(own, (TAG_ORIGIN,)),)
    by_controller = is_by_controller(address)
    wanted = tags.address_tags(here, by_controller=by_controller, address=address)
    return tags.complete(here, "address", [address], lambda each: each.ip_address, wanted)


def _unknown_outcome(facts: Facts) -> Plan[Action] | None:
    """Wait while a call of ours may have acquired an address that has no tags; None if none has.

    Nothing proves whose it is, so it is not claimed for a release: a person decides.
    """
    record, has_acted = facts.acquiring, bool(facts.call_state.done)
    if found := find_unproven(facts):
        message = (
            f"Address {found.ip_address} was allocated when a call of ours that did not end was "
            "acquiring it, and has no tags. If nobody else uses it, release it in CloudStack; "
            f"{_LET_GO}"
        )
        return Plan(status.stopped(facts, "AddressNotProven", message))
    if not has_sealed(facts.owner.mark, facts.seal_key, record):
        return None
    if facts.network is None:
        return _wait_for_sight(facts)
    is_listed = any(map(record.names, facts.state.addresses))
    if is_listed or has_acted or abs(facts.now - record.since) > LONGEST_CALL:
        return None
    message = f"A call that acquires address {record.address} may still be running"
    return Plan(status.stopped(facts, "AcquiringAddress", message, back_off=OUTAGE))


def _wait_for_heir(facts: Facts, address: PublicIpAddress) -> Plan[Action] | None:
    """Wait while the Service that was made again may take the address over; None if it may not.

    This object stays until then: if that Service goes before, nobody else would clean up. The rules
    stay only for a moment: a Service that is refused may have given back their node ports.
    """
    heir = facts.service.heir if facts.service else None
    has_own = heir is not None and any(
        facts.owner.whose(each) is Whose.INHERITED and value(each, TAG_SERVICE_UID) == heir.uid
        for each in facts.state.addresses
    )
    if heir is None or has_own or not heir.may_have(address, facts.request.network_id):
        return None
    here, recorded = facts.on(address.id), facts.request.recorded
    is_waiting = recorded.condition("Ready").reason == _AWAITING
    is_late = is_waiting and OUTAGE.wait(facts.request) > _RULES_STAY and not _is_plan_only(facts)
    is_late = is_late and not heir.is_abandoned
    rules = own_rules(facts.owner, here.state.rules)
    closing = (
        *remove_items(here),
        *close_ports(here, rules),
        *(delete_rule(here, each) for each in rules),
    )
    what = f"{address.ip_address} {'stays, without rules,' if is_late else 'and its rules stay'}"
    reason = _LEFT_TO_HEIR if heir.is_abandoned else _AWAITING
    response = status.stopped(facts, reason, _awaiting(heir, what), back_off=OUTAGE)
    return Plan(response, facts.not_refused(closing) if is_late else ())


def _awaiting(heir: Heir, what: str) -> str:
    """Say what waits for the Service that was made again, and what keeps that from taking over."""
    messages = [
        f"The Service was made again: address {what} until its new load balancer has taken over"
    ]
    if heir.is_abandoned:
        messages.append(f"Its annotation {ANNOTATION_ABANDON} leaves them if it goes before")
    if heir.complaint:
        messages.append(f"The new load balancer says: {heir.complaint}")
    return ". ".join(messages)


def _wait_for_release(facts: Facts, address: PublicIpAddress) -> Plan[Action]:
    message = f"Address {address.ip_address} is being released"
    return Plan(status.stopped(facts, "Releasing", message, back_off=OUTAGE))


def _end(facts: Facts) -> Plan[Action]:
    """Finalize, unless something may be left that CloudStack does not list now."""
    response = _deleting(facts, "It is not known whether anything is left")
    return _unless_refused(facts, response, ()) if facts.state.unread else _nothing_left(facts)


def _nothing_left(facts: Facts) -> Plan[Action]:
    """Finalize, unless nothing is seen because CloudStack does not show us the network."""
    request, recorded = facts.request, facts.request.recorded.claimed
    if facts.network is None and may_exist(facts):
        return _wait_for_sight(facts)
    left = (*left_balancers(facts), *certificates.left_in_use(facts))
    events = [*kept_addresses(facts), *left, *unconfirmed_record(facts)]
    for each in facts.state.addresses:
        if recorded is None or each.ip_address != recorded.ip:
            continue
        if each.state == "Releasing" and each.id == recorded.id:
            return _wait_for_release(facts, each)
        if facts.owner.whose(each) is Whose.FOREIGN_CLUSTER:
            message = f"Address {each.ip_address} belongs to {describe(each.tags)}, and stays"
            events.append(Event(request.service, EVENT_FOREIGN_CLUSTER, message, type="Warning"))
    if not events:
        events = [Event(request.service, EVENT_DELETED, "Deleted load balancer")]
    return Plan(_finalized(facts), events=tuple(events))


def _wait_for_sight(facts: Facts) -> Plan[Action]:
    """Wait until CloudStack shows the network: until then, what it does not list may exist."""
    recorded, network_id = facts.request.recorded.address, facts.request.network_id
    what = f"address {recorded.ip}" if recorded else "an address of this load balancer"
    network = f"network {network_id}" if network_id else "a network of a node"
    message = (
        f"CloudStack shows neither {what} nor {network}: is the project or account right? "
        f"Nothing is let go of until it does; {_LET_GO}"
    )
    return Plan(status.stopped(facts, "NetworkNotVisible", message))


def _deleting(facts: Facts, message: str) -> CompositeResponse:
    ready = Condition("Ready", "False", "Deleting", message)
    return status.unfinished(facts.request, facts.now, message, ready=ready)


def _finalized(facts: Facts) -> CompositeResponse:
    return {"status": dict(facts.request.recorded_json), "children": [], "finalized": True}
