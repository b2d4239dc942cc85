"""Decides which address of a VPC tier a Service's internal load balancers have.

CloudStack gives them an address of the tier with the first of them, and takes it back with the
last. So there is nothing to acquire or to release, and nobody's mark is on an address: each load
balancer is of one port and one Service, by its tags, or by its name until it has them. What others
have on the same address stays.
"""

from collections.abc import Sequence
from dataclasses import replace

from hooks.cloudstack.errors import ADDRESS_TAKEN, INVALID_PARAMETER
from hooks.cloudstack.models.loadbalancing import InternalLoadBalancer, LoadBalancerRule
from hooks.kube.conditions import Condition
from hooks.kube.events import Event
from hooks.kube.services import load_balancer_name
from hooks.loadbalancers.plan.actions import CreateRule
from hooks.loadbalancers.plan.address import AddressPlan, claim_unproven, is_published
from hooks.loadbalancers.plan.claims import (
    find_held,
    not_ready,
    refuse_unconfirmed,
    refuse_without_nodes,
)
from hooks.loadbalancers.plan.enforcement import enforcement
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.kept_address import keep
from hooks.loadbalancers.plan.rules import new_balancer, own_rules
from hooks.loadbalancers.plan.share_tags import describe
from hooks.loadbalancers.plan.whose import Whose
from hooks.loadbalancers.recorded import RecordedAddress
from hooks.names import EVENT_ADDRESS_KEPT


def plan_internal_address(facts: Facts) -> AddressPlan:
    """Keep the address that load balancers of ours are on, or get one with the first of them.

    One that no status had, where the Service asks for another one, is recorded first.
    """
    own = own_balancers(facts)
    if not own:
        return _obtain(facts)
    held = find_held_ip(facts, own)
    is_other = facts.request.spec.address not in ("", held)
    awaits = is_other and facts.request.recorded.claimed is None
    return replace(keep_internal(facts, held), awaits_status=awaits)


def find_other(facts: Facts) -> AddressPlan | None:
    """Find the address that the Service has and no status has: of the other kind, or elsewhere.

    It is recorded. The next call plans for its network, and a Service that asks for the other kind
    keeps what it has: the services hook refuses the change. None if there is no such address.
    """
    request, own, held = facts.request, own_balancers(facts), None
    is_internal = request.spec.internal
    if request.recorded.has_claimed(internal=is_internal):
        return None
    if is_internal:
        held = find_held(facts)
        own = tuple(each for each in own if each.network_id not in ("", request.network_id))
    if held is not None:
        recorded = keep(facts, held).recorded
        what = f"Public address {held.ip_address} is this Service's"
    elif own:
        first = min(own, key=lambda each: (each.network_id, each.public_ip_id, each.id))
        recorded = record_internal(facts, first.public_ip_id, first.network_id)
        what = f"Internal load balancer {first.name} on {first.public_ip_id} is this Service's"
    else:
        return None
    is_same_kind = is_internal and held is None
    condition = not_ready("AddressFound", f"{what}, which keeps it")
    return AddressPlan(condition, recorded=recorded, awaits_status=is_same_kind)


def own_balancers(facts: Facts) -> tuple[LoadBalancerRule, ...]:
    """Return the internal load balancers that are ours."""
    found = (each for each in facts.state.rules if isinstance(each, InternalLoadBalancer))
    return own_rules(facts.owner, found)


def left_balancers(facts: Facts) -> tuple[Event, ...]:
    """Return an Event about those with the Service's name that nothing proves to be ours."""
    name = load_balancer_name(facts.request.spec.service.uid)
    own = own_balancers(facts)
    left = [
        f"{each.name} on {each.public_ip}"
        for each in facts.state.rules
        if isinstance(each, InternalLoadBalancer)
        and each not in own
        and facts.owner.whose(each) in (Whose.UNMARKED, Whose.PARTLY)
        and each.name.startswith(f"{name}-tcp-")
    ]
    if not left:
        return ()
    message = (
        f"Nothing proves any more that this Service's is: internal load balancer {', '.join(left)}."
        " The CloudStack key may have been replaced. It stays: delete it by hand if nobody needs it"
    )
    return (Event(facts.request.service, EVENT_ADDRESS_KEPT, message, type="Warning"),)


def find_held_ip(facts: Facts, own: Sequence[LoadBalancerRule]) -> str:
    """Return the address that the Service has: the recorded one, else the first that it shows.

    Else it is the one that it asks for, or the one with the most load balancers, or the first.
    """
    recorded, ips = facts.request.recorded.address, [each.public_ip_id for each in own]
    shown = facts.service.shown if facts.service else ()

    def rank(ip: str) -> tuple[bool, int, bool, int, str]:
        is_known = recorded is not None and recorded.ip == ip
        place = (*shown, ip).index(ip)
        return not is_known, place, ip != facts.request.spec.address, -ips.count(ip), ip

    return min(ips, key=rank, default="")


def keep_internal(facts: Facts, ip: str) -> AddressPlan:
    """Keep an address that load balancers of ours are on."""
    condition = Condition("AddressReady", "True", "AddressAllocated", ip)
    recorded = record_internal(facts, ip)
    return AddressPlan(condition, address_id=ip, is_ours=True, recorded=recorded)


def get_asked(facts: Facts) -> AddressPlan:
    """Get the address that the Service asks for, beside the one that it has."""
    wanted = facts.request.spec.address
    if refused := _refuse(facts) or refuse_without_nodes(facts):
        return AddressPlan(refused)
    if others := _others_at(facts, wanted):
        return AddressPlan(not_ready("AddressInUse", others))
    planned = _create_first(facts, wanted)
    return replace(planned, recorded=record_internal(facts, wanted))


def _obtain(facts: Facts) -> AddressPlan:
    """Get the address that is asked for, else the one of before, else any."""
    request, recorded = facts.request, _had(facts)
    if refused := _refuse(facts):
        return AddressPlan(refused, recorded=recorded)
    if unproven := claim_unproven(facts):
        return unproven
    if without_nodes := refuse_without_nodes(facts):
        return AddressPlan(without_nodes, recorded=recorded)
    wanted = request.spec.address
    if wanted and (others := _others_at(facts, wanted)):
        return AddressPlan(not_ready("AddressInUse", others), recorded=recorded)
    if wanted or recorded is None or _others_at(facts, recorded.ip):
        return _create_first(facts, wanted)
    refusal = facts.refusal(_first(facts, recorded.ip))
    is_lost = refusal is not None and refusal.code in (ADDRESS_TAKEN, INVALID_PARAMETER)
    return _create_first(facts, "" if is_lost else recorded.ip)


def _refuse(facts: Facts) -> Condition | None:
    """Return the condition that says why nothing is made; None if something may be."""
    if nothing := _why_nothing(facts):
        return not_ready("NothingToServe", nothing)
    return None if facts.still_wants else refuse_unconfirmed(facts.request)


def _had(facts: Facts) -> RecordedAddress | None:
    """Return the address that load balancers of ours had on the tier; a public one is none."""
    claimed = facts.request.recorded.claimed
    is_here = claimed and claimed.network_id == facts.request.network_id
    return claimed if claimed and is_here and claimed.is_internal else None


def _create_first(facts: Facts, ip: str) -> AddressPlan:
    """Create the load balancer of the first port; the others follow on its address."""
    action, recorded = _first(facts, ip), _had(facts)
    condition = not_ready("AssociatingAddress", f"{ip or 'An address of the tier'} is being taken")
    if refusal := facts.refusal(action):
        reason = "AddressNotFree" if refusal.code == ADDRESS_TAKEN else "AddressRefused"
        condition = not_ready(reason, f"{action}: {refusal.text}")
    known = record_internal(facts, ip) if recorded and recorded.ip == ip else None
    return AddressPlan(condition, facts.not_refused((action,)), address_id=ip, recorded=known)


def _first(facts: Facts, ip: str) -> CreateRule:
    return CreateRule(new_balancer(facts, facts.request.spec.ports[0], ip))


def _why_nothing(facts: Facts) -> str:
    """Say why no load balancer can be made, without which there is no address; empty if one can."""
    port = next(iter(facts.request.spec.ports), None)
    if port is None:
        return "the Service has no port that can be served"
    if port.rule_protocol != "tcp":
        return f"an internal load balancer has no protocol {port.rule_protocol}"
    return enforcement(facts).impossible


def _others_at(facts: Facts, ip: str) -> str:
    """Say whose load balancers are on an address; empty if none is. None of them is ours."""
    found = next((each for each in facts.state.rules if each.public_ip_id == ip), None)
    if found is None:
        return ""
    whose = f" of {describe(found.tags)}" if facts.owner.has_another_mark(found) else ""
    return f"{ip} is in use by internal load balancer {found.name}{whose}"


def record_internal(facts: Facts, ip: str, network_id: str = "") -> RecordedAddress:
    """Return what the status holds of the address, which has no id: it is the IP.

    It is on the request's network unless another one is given.
    """
    return RecordedAddress(
        ip,
        id=ip,
        network_id=network_id or facts.request.network_id,
        associated_by_controller=True,
        published=is_published(facts.request.recorded.address, ip),
        named=facts.request.spec.address == ip,
    )
