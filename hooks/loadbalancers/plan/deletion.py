"""Decides what is removed with a load balancer, in which order, and when nothing is left."""

from collections.abc import Sequence

from hooks.cloudstack.models.network import PublicIpAddress
from hooks.kube.conditions import Condition
from hooks.kube.events import Event
from hooks.loadbalancers.plan import actions, status, tags
from hooks.loadbalancers.plan.actions import Action
from hooks.loadbalancers.plan.address import (
    is_by_controller,
    is_our_choice,
    is_own,
    may_be_our_choice,
)
from hooks.loadbalancers.plan.facts import Facts, LiveService
from hooks.loadbalancers.plan.firewall import close_ports
from hooks.loadbalancers.plan.rules import own_rules
from hooks.loadbalancers.plan.schedule import OUTAGE
from hooks.loadbalancers.request import LoadBalancerRequest
from hooks.names import CLEANUP_FINALIZER, EVENT_DELETED, EVENT_DELETING
from hooks.webhook.contract import CompositeResponse, Plan

#: Seconds that a deletion waits for a network that CloudStack does not show. With another project's
#: or account's key, everything looks deleted.
NETWORK_TIMEOUT = 600.0


def plan_deletion(facts: Facts) -> Plan[Action]:
    """Clean up in CloudStack, and finalize once nothing is seen there.

    If the Service still wants the load balancer, nothing is touched, and our finalizer holds the
    Service. The object that is made again finds the address and the rules by their tags.
    """
    if facts.service and facts.service.wants:
        return _keep_everything(facts, facts.service)
    address = select_for_deletion(facts.request, facts.state.addresses)
    if not address or not (is_own(facts.request, address) or is_our_choice(facts, address)):
        return _nothing_left(facts)
    if address.state == "Releasing":
        message = f"Address {address.ip_address} is being released"
        return Plan(status.stopped(facts, "Releasing", message, back_off=OUTAGE))
    cleaning = _cleanup(facts, address)
    if not cleaning:
        return _nothing_left(facts)
    event = Event(facts.request.service, EVENT_DELETING, "Deleting load balancer")
    response = _deleting(facts, f"Address {address.ip_address} and its rules are being deleted")
    if complaints := facts.complaints(cleaning):
        response = status.stopped(facts, "DeletionRefused", "; ".join(complaints))
    return Plan(response, facts.not_refused(cleaning), (event,))


def select_for_deletion(
    request: LoadBalancerRequest, addresses: Sequence[PublicIpAddress]
) -> PublicIpAddress | None:
    """Return an address that is this Service's, else one that may come of its choice."""
    own = [each for each in addresses if is_own(request, each)]
    chosen = [
        each
        for each in addresses
        if may_be_our_choice(request.recorded.address, each) and not tags.is_foreign(request, each)
    ]
    return min(own or chosen, key=lambda each: each.ip_address, default=None)


def is_released(request: LoadBalancerRequest, address: PublicIpAddress) -> bool:
    """Tell whether the address is released with the Service, and everything on it as well."""
    return (
        is_own(request, address)
        and is_by_controller(request, address)
        and not request.spec.keep_address
    )


def _keep_everything(facts: Facts, service: LiveService) -> Plan[Action]:
    """Finalize without touching CloudStack, after our finalizer is on the Service."""
    if CLEANUP_FINALIZER in service.finalizers:
        return Plan(_finalized(facts))
    request = facts.request
    hold = actions.HoldService(
        request.metadata.namespace,
        request.spec.service.name,
        service.resource_version,
        (*service.finalizers, CLEANUP_FINALIZER),
    )
    message = "The Service still wants its load balancer; CloudStack is left as it is"
    return Plan(_deleting(facts, message), (hold,))


def _cleanup(facts: Facts, address: PublicIpAddress) -> tuple[Action, ...]:
    """Release the address if we acquired it, else remove what is ours from it: the tags last."""
    request = facts.request
    if not is_own(request, address):
        wanted = tags.address_tags(facts, by_controller=True)
        return (actions.AddTags("address", (address.id,), (address.ip_address,), wanted),)
    if is_released(request, address):
        return (actions.Release(address.id, address.ip_address),)
    rules = own_rules(request, facts.state.rules)
    deletions = (actions.DeleteRule(rule.id, rule.name) for rule in rules)
    cleaning = (*close_ports(facts, rules), *deletions)
    keys = {tag.key for tag in address.tags}
    own_keys = tuple(key for key in tags.ADDRESS_KEYS if key in keys)
    if cleaning or not own_keys:
        return cleaning
    return (actions.UntagAddress(address.id, address.ip_address, own_keys),)


def _nothing_left(facts: Facts) -> Plan[Action]:
    """Finalize, unless nothing is seen because CloudStack does not show us the network."""
    request = facts.request
    recorded = request.recorded.address
    if recorded and not recorded.is_unclaimed and facts.network is None:
        waited = facts.now - (request.deleted_at or facts.now)
        if waited < NETWORK_TIMEOUT:
            message = (
                f"CloudStack shows neither address {recorded.ip} nor network "
                f"{recorded.network_id}: is the project or account right?"
            )
            return Plan(status.stopped(facts, "NetworkNotVisible", message))
    event = Event(request.service, EVENT_DELETED, "Deleted load balancer")
    return Plan(_finalized(facts), events=(event,))


def _deleting(facts: Facts, message: str) -> CompositeResponse:
    ready = Condition("Ready", "False", "Deleting", message)
    return status.unfinished(facts.request, facts.now, message, ready=ready)


def _finalized(facts: Facts) -> CompositeResponse:
    return {"status": dict(facts.request.status), "children": [], "finalized": True}
