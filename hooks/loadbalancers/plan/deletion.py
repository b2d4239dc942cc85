"""What is taken down with a load balancer, in which order, and when nothing is left of it."""

from collections.abc import Sequence

from hooks.cloudstack.models import PublicIpAddress
from hooks.kube.conditions import Condition
from hooks.kube.events import Event
from hooks.loadbalancers.plan import status, tags
from hooks.loadbalancers.plan.actions import (
    Action,
    DeleteRule,
    HoldService,
    Release,
    TagAddress,
    UntagAddress,
)
from hooks.loadbalancers.plan.address import by_controller, came_of, is_fresh_choice, is_recorded
from hooks.loadbalancers.plan.facts import Facts, LoadBalancerRequest
from hooks.loadbalancers.plan.fingerprint import fingerprint
from hooks.loadbalancers.plan.firewall import close_all
from hooks.loadbalancers.plan.rules import ours
from hooks.loadbalancers.plan.service import LiveService
from hooks.loadbalancers.plan.waits import OUTAGE, REFUSED, Waits
from hooks.names import CLEANUP_FINALIZER, EVENT_DELETED, EVENT_DELETING
from hooks.webhook.contract import CompositeResponse, Plan

#: Seconds that a deletion waits for a network that CloudStack does not show: with another
#: project's or account's key, everything looks as if it were gone.
NETWORK_PATIENCE = 600.0


def teardown(facts: Facts) -> Plan[Action]:
    """Answer a deletion: clean up in CloudStack, and let go once nothing is seen there.

    A load balancer whose Service still wants it is let go as it is: the one that is made again
    finds address and rules by their tags. Until then our finalizer holds the Service.
    """
    if facts.service and facts.service.wants:
        return _let_go(facts, facts.service)
    address = _yours(facts)
    if address is None:
        return _gone(facts)
    if address.state == "Releasing":
        said = f"Address {address.ip_address} is being released"
        return Plan(_stopped(facts, "Releasing", said, waits=OUTAGE))
    actions = _cleanup(facts, address)
    if not actions:
        return _gone(facts)
    event = Event(facts.request.service, EVENT_DELETING, "Deleting load balancer")
    response = _deleting(facts, f"Address {address.ip_address} and its rules are being taken down")
    if complaints := facts.complaints(actions):
        response = _stopped(facts, "DeletionRefused", "; ".join(complaints))
    return Plan(response, facts.untried(actions), (event,))


def _let_go(facts: Facts, service: LiveService) -> Plan[Action]:
    """Touch nothing in CloudStack, once the Service is held."""
    if CLEANUP_FINALIZER in service.finalizers:
        return Plan(_finalized(facts))
    request = facts.request
    hold = HoldService(
        request.namespace,
        request.spec.service_name,
        service.resource_version,
        (*service.finalizers, CLEANUP_FINALIZER),
    )
    return Plan(_deleting(facts, "The Service wants it; it is let go as it is"), (hold,))


def candidate(
    request: LoadBalancerRequest, addresses: Sequence[PublicIpAddress]
) -> PublicIpAddress | None:
    """Pick an address that is surely this Service's, else one that may have come of its choice."""
    recorded = request.recorded.address
    sure = [each for each in addresses if is_recorded(request, each)]
    maybe = [
        each
        for each in addresses
        if came_of(recorded, each) and not tags.is_others(request, each.tags)
    ]
    return min(sure or maybe, key=lambda each: each.ip_address, default=None)


def releases_whole(request: LoadBalancerRequest, address: PublicIpAddress) -> bool:
    """Tell whether the address goes with the Service, and all that is on it with the address."""
    return (
        is_recorded(request, address)
        and by_controller(request, address)
        and not request.spec.keep_address
    )


def _yours(facts: Facts) -> PublicIpAddress | None:
    """Find the next address to take down; one that was chosen counts if it came of the choice."""
    found = candidate(facts.request, facts.state.addresses)
    if found and (is_recorded(facts.request, found) or is_fresh_choice(facts, found)):
        return found
    return None


def _cleanup(facts: Facts, address: PublicIpAddress) -> tuple[Action, ...]:
    """Release the address whole where it is ours alone; else take off it what is ours.

    Nothing, where an address that stays has nothing of ours on it any more.
    """
    request = facts.request
    if not is_recorded(request, address):
        marks = tags.address_tags(request, facts.settings, by_controller=True)
        return (TagAddress(address.id, address.ip_address, marks),)
    if releases_whole(request, address):
        return (Release(address.id, address.ip_address),)
    rules = ours(request, facts.state.rules)
    left: tuple[Action, ...] = (
        *close_all(facts, rules),
        *(DeleteRule(rule.id, rule.name) for rule in rules),
    )
    keys = {tag.key for tag in address.tags}
    worn = tuple(key for key in tags.ADDRESS_KEYS if key in keys)
    if left or not worn:
        return left
    return (UntagAddress(address.id, address.ip_address, worn),)


def _gone(facts: Facts) -> Plan[Action]:
    """Let go, unless nothing is seen only because nothing can be seen."""
    request = facts.request
    recorded = request.recorded.address
    if recorded and not recorded.is_choice and facts.network is None:
        waited = facts.now - (request.deleted_at or facts.now)
        if waited < NETWORK_PATIENCE:
            said = (
                f"CloudStack shows neither address {recorded.ip} nor "
                f"network {recorded.network_id}: "
                "is the project or account right?"
            )
            return Plan(_stopped(facts, "NetworkNotVisible", said))
    event = Event(request.service, EVENT_DELETED, "Deleted load balancer")
    return Plan(_finalized(facts), events=(event,))


def _deleting(facts: Facts, said: str) -> CompositeResponse:
    why = Condition("Ready", "False", "Deleting", said)
    response = status.unfinished(facts.request, facts.now, None, said, ready=why)
    return {**response, "finalized": False}


def _stopped(facts: Facts, reason: str, said: str, *, waits: Waits = REFUSED) -> CompositeResponse:
    why = Condition("Ready", "False", reason, said)
    asked = fingerprint(facts.request)
    response = status.stopped(facts.request, asked, facts.now, why, waits=waits)
    return {**response, "finalized": False}


def _finalized(facts: Facts) -> CompositeResponse:
    return {"status": dict(facts.request.recorded.status), "children": [], "finalized": True}
