"""Which public address is the Service's: found again, taken over, brought by the user, or chosen.

An address that nobody has is chosen first and written to the status, and associated by its
address in a later call: a crash at any point leaves nothing that is not found again. Whether an
address that turns up associated is ours is settled by the tag: a second `createTags` of a key
fails, so of two that want it only one gets it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hooks.cloudstack.models import PublicIpAddress
from hooks.kube.conditions import Condition
from hooks.loadbalancers.plan import tags
from hooks.loadbalancers.plan.actions import Action, Associate, AssociateAny, TagAddress
from hooks.loadbalancers.plan.facts import Facts, KnownAddress, Order, Refusal
from hooks.loadbalancers.plan.firewall import firewall_tagging, left_by_others
from hooks.loadbalancers.plan.rules import ours, tagging
from hooks.names import TAG_ORIGIN, TAG_ORIGIN_CONTROLLER

#: Seconds that CloudStack's clock may be behind ours when it says since when an address is taken.
CLOCK_SLACK = 300.0
#: The same where any address could be the one, so that nobody else's is taken for it.
ANY_SLACK = 2.0
#: Choices that may turn out to be taken before CloudStack is left to choose.
CHOICES = 3
#: CloudStack's code for an address that is taken, and for none being left.
TAKEN = 533
#: CloudStack's code for an account, project or domain that has as many as it may.
LIMIT_REACHED = 535


@dataclass(frozen=True, slots=True)
class AddressPlan:
    """What to do for the address, and what is so now.

    Attributes:
        candidate: the address that is, or is about to be, the Service's; None while unallocated.
        ours: it carries our tag, so rules may be put on it.
        known: what the status is to remember.
        waiting: nothing can be done before that has been written.
    """

    condition: Condition
    candidate: PublicIpAddress | None = None
    ours: bool = False
    known: KnownAddress | None = None
    actions: tuple[Action, ...] = ()
    waiting: bool = False


def select(order: Order, addresses: Sequence[PublicIpAddress]) -> PublicIpAddress | None:
    """Pick the address that the plan will look at: the one we have, are to have, or may adopt."""
    by_ip = {each.ip_address: each for each in addresses}
    known, spec = order.known.address, order.spec
    if known and not known.is_choice and known.ip in by_ip:
        return by_ip[known.ip]
    tagged = [each for each in addresses if tags.is_ours(order, each.tags)]
    if tagged:
        return min(tagged, key=lambda each: each.ip_address)
    fresh = [each for each in addresses if came_of(known, each)]
    if fresh:
        return min(fresh, key=lambda each: each.ip_address)
    if spec.address:
        return by_ip.get(spec.address)
    return by_ip.get(known.ip if known else spec.adopt.address)


def is_known(order: Order, address: PublicIpAddress) -> bool:
    """Tell whether an address is ours: by its tag, or by being the very allocation we remember."""
    known = order.known.address
    if tags.is_ours(order, address.tags):
        return True
    return (
        known is not None
        and not known.is_choice
        and known.ip == address.ip_address
        and known.allocated_at == address.allocated_at
        and not tags.is_others(order, address.tags)
    )


def came_of(known: KnownAddress | None, address: PublicIpAddress) -> bool:
    """Tell whether an address may be what came of a choice: allocated since, and for nothing else.

    Its rules, which would speak against it, are not looked at here.
    """
    if known is None or known.chosen_at is None or known.ip not in ("", address.ip_address):
        return False
    since = address.allocated_at
    slack = CLOCK_SLACK if known.ip else ANY_SLACK
    allocated_since = since is None or since >= known.chosen_at - slack
    return allocated_since and not address.is_source_nat and not address.is_static_nat


def is_fresh_choice(facts: Facts, address: PublicIpAddress) -> bool:
    """Tell whether an address is what came of our choice, as far as can be told before tagging."""
    return came_of(facts.order.known.address, address) and not facts.seen.rules


def by_controller(order: Order, address: PublicIpAddress) -> bool:
    """Tell whether we allocated an address of ours, so that it goes with the Service."""
    origin = tags.value(address.tags, TAG_ORIGIN)
    if origin:
        return origin == TAG_ORIGIN_CONTROLLER
    known = order.known.address
    return known is not None and known.associated_by_controller


def plan_address(facts: Facts, network_id: str) -> AddressPlan:
    """Find or get the Service's address.

    The one we have; else one with our tag; else the one the Service asks for; else the one that
    another provider left; else a new one.
    """
    order = facts.order
    known, wanted = order.known.address, order.spec.address
    found = select(order, facts.seen.addresses)
    if found is None:
        return _acquire(facts, wanted or (known.ip if known else ""), network_id)
    if is_known(order, found):
        return _keep(facts, found)
    unfit = _unfit(order, found, network_id)
    if not unfit and is_fresh_choice(facts, found):
        return _claim(facts, found, by_us=True)
    if found.ip_address == wanted:
        return _bring(facts, found, unfit)
    if wanted:
        return AddressPlan(_not("AddressNotFree", f"{found.ip_address} is taken"), waiting=True)
    if known is None and (ours(order, facts.seen.rules) or not (unfit or facts.seen.rules)):
        return _bring(facts, found, unfit)
    return _choose(facts, network_id)


def _keep(facts: Facts, found: PublicIpAddress) -> AddressPlan:
    """Go on with an address that is ours; tags that it lost are put back."""
    order = facts.order
    wanted = tags.address_tags(order, facts.settings, by_controller=by_controller(order, found))
    lacking = tags.missing(wanted, found.tags)
    actions = (TagAddress(found.id, found.ip_address, lacking),) if lacking else ()
    condition = Condition("AddressReady", "True", "AddressAllocated", found.ip_address)
    if order.spec.address not in ("", found.ip_address):
        said = (
            f"The Service asks for {order.spec.address} and has {found.ip_address}: changing the "
            "address of a live Service is not served yet; delete the Service and create it anew"
        )
        condition = _not("AddressChangeNotServed", said)
    if found.state != "Allocated":
        condition = _unsettled(found)
    if complaints := facts.complaints(actions):
        condition = _not("TagRefused", "; ".join(complaints))
    return AddressPlan(
        condition=condition,
        candidate=found,
        ours=found.state == "Allocated",
        known=_known(order, found, associated=by_controller(order, found)),
        actions=facts.untried(actions),
    )


def _bring(facts: Facts, found: PublicIpAddress, unfit: Condition | None) -> AddressPlan:
    """Take an address that the Service asks for, or had from another provider, if it is fit."""
    adopt = facts.order.spec.adopt
    if unfit:
        return AddressPlan(unfit, known=_choice(facts.order, found.ip_address))
    by_other = found.ip_address == adopt.address and adopt.associated_by_controller
    return _claim(facts, found, by_us=by_other)


def _claim(facts: Facts, found: PublicIpAddress, *, by_us: bool) -> AddressPlan:
    """Make an address ours by tagging it; what another provider left on it is tagged before."""
    order = facts.order
    marks = tags.address_tags(order, facts.settings, by_controller=by_us)
    rules = ours(order, facts.seen.rules)
    left = left_by_others(facts, rules) if rules else ()
    actions = (
        *firewall_tagging(facts, left),
        *tagging(facts, rules),
        TagAddress(found.id, found.ip_address, marks),
    )
    condition = _not("ClaimingAddress", f"{found.ip_address} is being tagged")
    if complaints := facts.complaints(actions):
        condition = _not("TagRefused", "; ".join(complaints))
        actions = ()
    return AddressPlan(
        condition, candidate=found, known=_choice(order, found.ip_address), actions=actions
    )


def _acquire(facts: Facts, wanted: str, network_id: str) -> AddressPlan:
    """Get an address that nobody has: the one asked for, the one chosen before, or another."""
    order = facts.order
    known = order.known.address
    action = Associate(wanted, network_id)
    refusal = facts.refused(action)
    if not wanted or (refusal and refusal.code == TAKEN and not order.spec.address):
        return _choose(facts, network_id)
    if refusal:
        return _refused(facts, action, refusal)
    if order.spec.plan_only or (known and known.ip == wanted and known.chosen_at is not None):
        condition = _not("AssociatingAddress", f"{wanted} is being associated")
        return AddressPlan(condition, known=known, actions=(action,))
    return _choice_made(facts, wanted, tries=0)


def _choose(facts: Facts, network_id: str) -> AddressPlan:
    """Choose a free address, or leave the choice to CloudStack after a few that were taken.

    That it is left to CloudStack is written down before, too: an address without a tag that
    turns up then is what came of it.
    """
    order = facts.order
    known = order.known.address
    tries = known.tries + 1 if known and known.is_choice else 0
    candidates = [ip for ip in _preferred(order, facts.seen.free) if not known or ip != known.ip]
    is_written = known is not None and known.ip == "" and known.chosen_at is not None
    if not is_written and not order.spec.plan_only:
        if candidates and tries < CHOICES:
            return _choice_made(facts, candidates[0], tries=tries)
        return _choice_made(facts, "", tries=tries)
    marks = tags.address_tags(order, facts.settings, by_controller=True)
    action = AssociateAny(network_id, marks)
    if refusal := facts.refused(action):
        return _refused(facts, action, refusal)
    condition = _not("AssociatingAddress", "A free address is being associated")
    return AddressPlan(condition, known=known, actions=(action,))


def _preferred(order: Order, ips: Sequence[str]) -> list[str]:
    """Put addresses into an order of the Service's own, the same in every call.

    So two Services that choose at once seldom choose the same, and one that chooses twice does:
    Metacontroller may show a status from before the choice, once more, when it is written already.
    """
    uid = order.spec.service_uid
    return sorted(ips, key=lambda ip: hashlib.sha256(f"{uid} {ip}".encode()).digest())


def _choice_made(facts: Facts, ip: str, *, tries: int) -> AddressPlan:
    known = facts.order.known.address
    published = known is not None and known.published and known.ip == ip
    choice = KnownAddress(ip, chosen_at=facts.now, tries=tries, published=published)
    said = f"{ip or 'Any address'} is chosen, and associated when that is written down"
    condition = _not("AddressChosen", said)
    return AddressPlan(condition, known=choice, waiting=True)


def _refused(facts: Facts, action: Action, refusal: Refusal) -> AddressPlan:
    reason = {TAKEN: "AddressNotFree", LIMIT_REACHED: "QuotaExceeded"}.get(refusal.code)
    limit, said = facts.address_limit, f"{action}: {refusal.text}"
    if limit and limit.limit is not None:
        said = f"{limit.used} of {limit.limit} public addresses are used; {said}"
    return AddressPlan(_not(reason or "AddressRefused", said), known=facts.order.known.address)


def _unfit(order: Order, found: PublicIpAddress, network_id: str) -> Condition | None:
    """Say why an address cannot take this Service's rules; None where it can."""
    ip = found.ip_address
    if tags.is_others(order, found.tags):
        return _not("AddressInUse", f"{ip} belongs to Service {tags.owner(found.tags)}")
    if found.is_source_nat:
        return _not("AddressIsSourceNAT", f"{ip} is the source NAT address of its network")
    if found.is_static_nat:
        return _not("AddressIsStaticNAT", f"{ip} is the static NAT address of a machine")
    if found.vpc_id or found.network_id not in ("", network_id):
        where = f"VPC {found.vpc_id}" if found.vpc_id else f"network {found.network_id}"
        return _not("AddressElsewhere", f"{ip} belongs to {where}, the members to {network_id}")
    if found.state == "Releasing":
        return _unsettled(found)
    return None


def _unsettled(found: PublicIpAddress) -> Condition:
    """Say that CloudStack is still busy with an address: no rule can be put on it yet."""
    reason = f"Address{found.state}"
    return _not(reason, f"{found.ip_address} is in state {found.state} in CloudStack")


def _known(order: Order, found: PublicIpAddress, *, associated: bool) -> KnownAddress:
    before = order.known.address
    return KnownAddress(
        ip=found.ip_address,
        id=found.id,
        network_id=found.network_id,
        associated_by_controller=associated,
        allocated_at=found.allocated_at,
        published=before is not None and before.published and before.ip == found.ip_address,
    )


def _choice(order: Order, ip: str) -> KnownAddress | None:
    """Keep what is known of an address that is not ours yet."""
    known = order.known.address
    return replace(known, id="") if known and known.ip in ("", ip) else None


def _not(reason: str, message: str) -> Condition:
    return Condition("AddressReady", "False", reason, message)
