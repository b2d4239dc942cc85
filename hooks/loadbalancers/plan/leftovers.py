"""Tells what is left in CloudStack because nothing proves that it is ours, and what may be."""

from collections.abc import Iterator

from hooks.cloudstack.models.network import PublicIpAddress
from hooks.http.texts import join_names
from hooks.kube.events import Event
from hooks.loadbalancers.plan.actions import UntagAddress
from hooks.loadbalancers.plan.claims import find_unclaimed
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.ownership import MARK_KEYS, takeover_on, value
from hooks.loadbalancers.plan.rules import own_rules
from hooks.loadbalancers.plan.share_tags import Share
from hooks.loadbalancers.plan.takedown import BY_HAND
from hooks.loadbalancers.plan.whose import Whose
from hooks.names import (
    EVENT_ADDRESS_KEPT,
    EVENT_NOT_PROVEN,
    TAG_NAMESPACE,
    TAG_ORIGIN,
    TAG_ORIGIN_USER,
    TAG_SERVICE,
    TAG_SERVICE_UID,
)

#: How many rules an Event names.
_NAMED = 5


def kept_addresses(facts: Facts) -> Iterator[Event]:
    """Return an Event for each address that stays with traces of this Service.

    A trace is a part of our mark, or a rule by our name where there is no mark. Our status counts
    only for the allocation that it records.
    """
    shown = {each.ip_address: _traces(facts, each) for each in facts.state.addresses}
    elsewhere = {each.public_ip for each in own_rules(facts.owner, facts.state.rules)}
    hidden = {ip: _named_rules(facts, ip) for ip in sorted(elsewhere - {"", *shown})}
    for ip, why in {**shown, **hidden}.items():
        if why:
            message = f"Address {ip} {why}, so what is on it stays too: {BY_HAND}"
            yield Event(facts.request.service, EVENT_ADDRESS_KEPT, message, type="Warning")


def unconfirmed_record(facts: Facts) -> Iterator[Event]:
    """Return the Event of an address that a call may have acquired, and nothing proves it."""
    if found := find_unclaimed(facts):
        message = (
            f"Address {found.ip_address} is allocated and has no tags. By a record, a call was "
            "acquiring it for this Service, but the record is more than a day old, or the "
            f"CloudStack key was replaced since. It is not claimed: {BY_HAND}"
        )
        yield Event(facts.request.service, EVENT_NOT_PROVEN, message, type="Warning")


def may_exist(facts: Facts) -> bool:
    """Tell whether something of this load balancer may be in CloudStack that it does not show.

    A status without an address proves that none was chosen, unless the status was lost: then it has
    no condition of the address either. But what we make has our tags, or is on a network of a node:
    where the nodes' VMs are shown, so is that.
    """
    request = facts.request
    was_chosen = bool(request.recorded.address or request.acquiring.text)
    is_known = bool(request.recorded.condition("AddressReady").status) or facts.sees_nodes
    return was_chosen or not is_known or not request.is_owned or bool(request.spec.adopt.address)


def _traces(facts: Facts, address: PublicIpAddress) -> str:
    """Say what shows that an address was ours, and what is missing.

    Empty if nothing shows it, or the address stays as asked.
    """
    here = own_rules(facts.owner, facts.on(address.id).state.rules)
    ours = set(facts.owner.mark)
    present = {tag.key for tag in address.tags if (tag.key, tag.value) in ours}
    is_named = TAG_SERVICE_UID in present or {TAG_NAMESPACE, TAG_SERVICE} <= present
    uid = value(address, TAG_SERVICE_UID)
    if uid and facts.owner.whose(address) is Whose.INHERITED and facts.owner.is_sole:
        return f"has the mark of an earlier Service of this name, UID {uid}"
    is_others = address.state == "Releasing" or facts.owner.has_another_mark(address)
    is_others = is_others or (Share.read(address.tags) is not None and not here)
    if is_others or takeover_on(address) or _is_expected(facts, address):
        return ""
    if is_named:
        lacking = [key.rpartition("/")[2] for key in MARK_KEYS if key not in present]
        return f"has lost tags that say whose it is ({', '.join(lacking)})"
    if _is_recorded(facts, address):
        return "has lost the tags that say whose it is"
    return _named_rules(facts, address.ip_address)


def _is_expected(facts: Facts, address: PublicIpAddress) -> bool:
    """Tell whether this call let go of an address, or it stays as asked, without rules of ours."""
    recorded, done = facts.request.recorded.claimed_as(address.ip_address), facts.call_state.done
    if any(isinstance(each, UntagAddress) and each.own.id == address.id for each in done):
        return True
    is_brought = value(address, TAG_ORIGIN) == TAG_ORIGIN_USER
    if recorded is not None:
        is_brought = not recorded.associated_by_controller
    is_asked = facts.request.spec.keep_address or is_brought
    return is_asked and not own_rules(facts.owner, facts.on(address.id).state.rules)


def _is_recorded(facts: Facts, address: PublicIpAddress) -> bool:
    """Tell whether the status has this very allocation as ours."""
    recorded = facts.request.recorded.claimed_as(address.ip_address)
    return recorded is not None and recorded.is_of(address)


def _named_rules(facts: Facts, ip: str) -> str:
    """Say which rules of ours are on an address that has no tag of ours; empty if none is."""
    rules = own_rules(facts.owner, facts.state.rules)
    names = sorted(each.name for each in rules if each.public_ip == ip)
    if not names:
        return ""
    word = "rule" if len(names) == 1 else "rules"
    return f"has {word} {join_names(names, limit=_NAMED)} and no tags that say whose it is"
