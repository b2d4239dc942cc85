"""Decides which address the Service may show, and which it must not show any more.

What is shown stays through errors and doubt. It is withdrawn when CloudStack shows that somebody
else has it: nodes, and names in the DNS, would send to this Service what is meant for the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

import msgspec

from hooks.cloudstack.models.loadbalancing import InternalLoadBalancer
from hooks.cloudstack.models.network import PublicIpAddress
from hooks.http.bounded_json import Json
from hooks.kube.events import Event
from hooks.kube.times import timestamp
from hooks.loadbalancers.plan.actions import Associate
from hooks.loadbalancers.plan.address import AddressPlan
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.ownership import value
from hooks.loadbalancers.plan.rules import own_rules
from hooks.loadbalancers.plan.share_tags import Share, describe
from hooks.loadbalancers.plan.whose import Whose
from hooks.loadbalancers.recorded import RecordedAddress, RecordedChange
from hooks.names import EVENT_ADDRESS_WITHDRAWN, TAG_SERVICE_UID

#: Seconds after the rules are created at which an address is published without a member.
PUBLISH_AFTER = 30.0


@dataclass(frozen=True, slots=True)
class Taken:
    """An address that the Service must not show any more.

    Attributes:
        whose: says that it is somebody else's.
    """

    ip: str
    whose: str


def publish(
    facts: Facts, planned: AddressPlan, rules_since: float | None, *, has_members: bool
) -> RecordedAddress | None:
    """Return the address as it is to be recorded, published or not.

    It is published once a member is in, or after a while; plan mode publishes nothing. If members
    are nodes with an endpoint, it does not wait: there may be none before it is published.

    Args:
        facts: what was planned from.
        planned: the address stage.
        rules_since: epoch seconds since when every rule has existed; None if one is missing.
        has_members: a member is in every rule.
    """
    address, taken = planned.recorded, find_taken(facts, planned)
    if address is None:
        return None
    if taken and taken.ip == address.ip:
        return msgspec.structs.replace(address, published=False)
    if rules_since is None or not planned.is_ours:
        return address
    has_waited = facts.request.spec.is_local or facts.now - rules_since >= PUBLISH_AFTER
    if address.published or facts.request.spec.plan_only or not (has_waited or has_members):
        return address
    return msgspec.structs.replace(address, published=True)


def until_published(
    facts: Facts, planned: AddressPlan, address: RecordedAddress | None, rules_since: float | None
) -> float:
    """Return the seconds until the address may be published, infinite if nothing waits for that."""
    if address is None or address.published or rules_since is None or not planned.is_ours:
        return inf
    return rules_since + PUBLISH_AFTER - facts.now


def address_fields(facts: Facts, planned: AddressPlan, address: RecordedAddress | None) -> Json:
    """Write what a status says of the address, and of the one that the Service must not show."""
    fields = {} if address is None else {"address": _address(address)}
    taken, before = find_taken(facts, planned), facts.request.recorded.withdrawn_address
    is_ours = address is not None and planned.is_ours
    is_replaced = address is not None and (address.published or (is_ours and address.ip == before))
    withdrawn = taken.ip if taken else "" if is_replaced else before
    fields |= {"addressChange": _change(planned.change)} if planned.change else {}
    return fields | ({"withdrawnAddress": withdrawn} if withdrawn else {})


def withdrawal_events(facts: Facts, planned: AddressPlan) -> Iterator[Event]:
    """Return the Event that the Service must not show an address any more, when that begins."""
    taken = find_taken(facts, planned)
    if taken is None or taken.ip == facts.request.recorded.withdrawn_address:
        return
    message = f"{taken.ip} {taken.whose} in CloudStack: this Service does not show it any more"
    yield Event(facts.request.service, EVENT_ADDRESS_WITHDRAWN, message, type="Warning")


def find_taken(facts: Facts, planned: AddressPlan) -> Taken | None:
    """Return the address that the Service may show and that is surely somebody else's now.

    None if there is none, or if there is a doubt.
    """
    ip = _shown(facts)
    if ip and facts.request.spec.internal:
        return _find_taken_internal(facts, ip)
    for each in facts.state.addresses if ip else ():
        is_taken = each.ip_address == ip and each.state == "Allocated"
        if is_taken and each.id != planned.address_id and _is_others(facts, each):
            whose = "was allocated again by somebody else"
            if facts.owner.has_another_mark(each):
                whose = f"belongs to {describe(each.tags)}"
            return Taken(ip, whose)
    return None


def _find_taken_internal(facts: Facts, ip: str) -> Taken | None:
    """Return an internal address that others have load balancers on, and we have none.

    Such an address is a Service's by its load balancers alone, and where others are we make none.
    """
    there = facts.on(ip)
    rules = [each for each in there.state.rules if isinstance(each, InternalLoadBalancer)]
    if not rules or own_rules(there.owner, rules):
        return None
    return Taken(ip, f"has internal load balancer {rules[0].name}, which is not this Service's,")


def _shown(facts: Facts) -> str:
    """Return the address that was ours, else the one that another provider left; empty if none."""
    request = facts.request
    recorded = request.recorded.address
    if recorded is None:
        return "" if request.spec.plan_only else request.spec.adopt.address
    return recorded.ip if recorded.published or recorded.id else ""


def _is_others(facts: Facts, found: PublicIpAddress) -> bool:
    """Tell whether an address has another Service's mark, or is another allocation than ours was.

    A mark with our UID is no such proof: somebody may have changed the cluster's id.
    """
    owner, whose = facts.owner, facts.owner.whose(found)
    if whose in (Whose.OTHER, Whose.FOREIGN_CLUSTER) and not Share.read(found.tags):
        return value(found, TAG_SERVICE_UID) not in ("", owner.uid)
    recorded = facts.request.recorded.address
    is_next = whose in (Whose.INHERITED, Whose.FROM_TAKEOVER, Whose.SHARED)
    if recorded is None or is_next or found.allocated_at is None:
        return False
    is_acquiring = any(isinstance(each, Associate) for each in facts.call_state.done)
    if is_acquiring or facts.acquiring.names(found):
        return False
    # A claimed one without a time was recorded when CloudStack showed none.
    is_known = recorded.allocated_at is not None or not recorded.id
    return is_known and not recorded.is_of(found)


def _change(change: RecordedChange) -> Json:
    return {
        "to": change.to,
        **({"former": _address(change.former)} if change.former else {}),
        **({"switchedAt": timestamp(change.switched_at)} if change.switched_at else {}),
    }


def _address(address: RecordedAddress) -> Json:
    written: Json = {"ip": address.ip, "published": address.published}
    if address.id:
        written |= {"id": address.id, "networkID": address.network_id}
        written["associatedByController"] = address.associated_by_controller
        written |= {"named": True} if address.named else {}
    if address.allocated_at is not None:
        written["allocatedAt"] = timestamp(address.allocated_at)
    if address.chosen_at is not None:
        written |= {"chosenAt": timestamp(address.chosen_at), "tries": address.tries}
    return written
