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
from hooks.loadbalancers.plan.facts import Facts, LoadBalancerRequest, RecordedAddress, Refusal
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
    recorded: RecordedAddress | None = None
    actions: tuple[Action, ...] = ()
    waiting: bool = False


def select(
    request: LoadBalancerRequest, addresses: Sequence[PublicIpAddress]
) -> PublicIpAddress | None:
    """Pick the address that the plan will look at: the one we have, are to have, or may adopt."""
    by_ip = {each.ip_address: each for each in addresses}
    recorded, spec = request.recorded.address, request.spec
    if recorded and not recorded.is_choice and recorded.ip in by_ip:
        return by_ip[recorded.ip]
    tagged = [each for each in addresses if tags.is_ours(request, each.tags)]
    if tagged:
        return min(tagged, key=lambda each: each.ip_address)
    fresh = [each for each in addresses if came_of(recorded, each)]
    if fresh:
        return min(fresh, key=lambda each: each.ip_address)
    if spec.address:
        return by_ip.get(spec.address)
    return by_ip.get(recorded.ip if recorded else spec.adopt.address)


def is_recorded(request: LoadBalancerRequest, address: PublicIpAddress) -> bool:
    """Tell whether an address is ours: by its tag, or by being the very allocation we remember."""
    recorded = request.recorded.address
    if tags.is_ours(request, address.tags):
        return True
    return (
        recorded is not None
        and not recorded.is_choice
        and recorded.ip == address.ip_address
        and recorded.allocated_at == address.allocated_at
        and not tags.is_others(request, address.tags)
    )


def came_of(recorded: RecordedAddress | None, address: PublicIpAddress) -> bool:
    """Tell whether an address may be what came of a choice: allocated since, and for nothing else.

    Its rules, which would speak against it, are not looked at here.
    """
    if (
        recorded is None
        or recorded.chosen_at is None
        or recorded.ip not in ("", address.ip_address)
    ):
        return False
    since = address.allocated_at
    slack = CLOCK_SLACK if recorded.ip else ANY_SLACK
    allocated_since = since is None or since >= recorded.chosen_at - slack
    return allocated_since and not address.is_source_nat and not address.is_static_nat


def is_fresh_choice(facts: Facts, address: PublicIpAddress) -> bool:
    """Tell whether an address is what came of our choice, as far as can be told before tagging."""
    return came_of(facts.request.recorded.address, address) and not facts.state.rules


def by_controller(request: LoadBalancerRequest, address: PublicIpAddress) -> bool:
    """Tell whether we allocated an address of ours, so that it goes with the Service."""
    origin = tags.value(address.tags, TAG_ORIGIN)
    if origin:
        return origin == TAG_ORIGIN_CONTROLLER
    recorded = request.recorded.address
    return recorded is not None and recorded.associated_by_controller


def plan_address(facts: Facts, network_id: str) -> AddressPlan:
    """Find or get the Service's address.

    The one we have; else one with our tag; else the one the Service asks for; else the one that
    another provider left; else a new one.
    """
    request = facts.request
    recorded, wanted = request.recorded.address, request.spec.address
    found = select(request, facts.state.addresses)
    if found is None:
        return _acquire(facts, wanted or (recorded.ip if recorded else ""), network_id)
    if is_recorded(request, found):
        return _keep(facts, found)
    unfit = _unfit(request, found, network_id)
    if not unfit and is_fresh_choice(facts, found):
        return _claim(facts, found, by_us=True)
    if found.ip_address == wanted:
        return _bring(facts, found, unfit)
    if wanted:
        return AddressPlan(_not("AddressNotFree", f"{found.ip_address} is taken"), waiting=True)
    if recorded is None and (ours(request, facts.state.rules) or not (unfit or facts.state.rules)):
        return _bring(facts, found, unfit)
    return _choose(facts, network_id)


def _keep(facts: Facts, found: PublicIpAddress) -> AddressPlan:
    """Go on with an address that is ours; tags that it lost are put back."""
    request = facts.request
    wanted = tags.address_tags(request, facts.settings, by_controller=by_controller(request, found))
    lacking = tags.missing(wanted, found.tags)
    actions = (TagAddress(found.id, found.ip_address, lacking),) if lacking else ()
    condition = Condition("AddressReady", "True", "AddressAllocated", found.ip_address)
    if request.spec.address not in ("", found.ip_address):
        said = (
            f"The Service asks for {request.spec.address} and has {found.ip_address}: changing the "
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
        recorded=_recorded(request, found, associated=by_controller(request, found)),
        actions=facts.untried(actions),
    )


def _bring(facts: Facts, found: PublicIpAddress, unfit: Condition | None) -> AddressPlan:
    """Take an address that the Service asks for, or had from another provider, if it is fit."""
    adopt = facts.request.spec.adopt
    if unfit:
        return AddressPlan(unfit, recorded=_choice(facts.request, found.ip_address))
    by_other = found.ip_address == adopt.address and adopt.associated_by_controller
    return _claim(facts, found, by_us=by_other)


def _claim(facts: Facts, found: PublicIpAddress, *, by_us: bool) -> AddressPlan:
    """Make an address ours by tagging it; what another provider left on it is tagged before."""
    request = facts.request
    marks = tags.address_tags(request, facts.settings, by_controller=by_us)
    rules = ours(request, facts.state.rules)
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
        condition, candidate=found, recorded=_choice(request, found.ip_address), actions=actions
    )


def _acquire(facts: Facts, wanted: str, network_id: str) -> AddressPlan:
    """Get an address that nobody has: the one asked for, the one chosen before, or another."""
    request = facts.request
    recorded = request.recorded.address
    action = Associate(wanted, network_id)
    refusal = facts.refused(action)
    if not wanted or (refusal and refusal.code == TAKEN and not request.spec.address):
        return _choose(facts, network_id)
    if refusal:
        return _refused(facts, action, refusal)
    if request.spec.plan_only or (
        recorded and recorded.ip == wanted and recorded.chosen_at is not None
    ):
        condition = _not("AssociatingAddress", f"{wanted} is being associated")
        return AddressPlan(condition, recorded=recorded, actions=(action,))
    return _choice_made(facts, wanted, tries=0)


def _choose(facts: Facts, network_id: str) -> AddressPlan:
    """Choose a free address, or leave the choice to CloudStack after a few that were taken.

    That it is left to CloudStack is written down before, too: an address without a tag that
    turns up then is what came of it.
    """
    request = facts.request
    recorded = request.recorded.address
    tries = recorded.tries + 1 if recorded and recorded.is_choice else 0
    candidates = [
        ip for ip in _preferred(request, facts.state.free) if not recorded or ip != recorded.ip
    ]
    is_written = recorded is not None and recorded.ip == "" and recorded.chosen_at is not None
    if not is_written and not request.spec.plan_only:
        if candidates and tries < CHOICES:
            return _choice_made(facts, candidates[0], tries=tries)
        return _choice_made(facts, "", tries=tries)
    marks = tags.address_tags(request, facts.settings, by_controller=True)
    action = AssociateAny(network_id, marks)
    if refusal := facts.refused(action):
        return _refused(facts, action, refusal)
    condition = _not("AssociatingAddress", "A free address is being associated")
    return AddressPlan(condition, recorded=recorded, actions=(action,))


def _preferred(request: LoadBalancerRequest, ips: Sequence[str]) -> list[str]:
    """Put addresses into an order of the Service's own, the same in every call.

    So two Services that choose at once seldom choose the same, and one that chooses twice does:
    Metacontroller may show a status from before the choice, once more, when it is written already.
    """
    uid = request.spec.service_uid
    return sorted(ips, key=lambda ip: hashlib.sha256(f"{uid} {ip}".encode()).digest())


def _choice_made(facts: Facts, ip: str, *, tries: int) -> AddressPlan:
    recorded = facts.request.recorded.address
    published = recorded is not None and recorded.published and recorded.ip == ip
    choice = RecordedAddress(ip, chosen_at=facts.now, tries=tries, published=published)
    said = f"{ip or 'Any address'} is chosen, and associated when that is written down"
    condition = _not("AddressChosen", said)
    return AddressPlan(condition, recorded=choice, waiting=True)


def _refused(facts: Facts, action: Action, refusal: Refusal) -> AddressPlan:
    reason = {TAKEN: "AddressNotFree", LIMIT_REACHED: "QuotaExceeded"}.get(refusal.code)
    limit, said = facts.address_limit, f"{action}: {refusal.text}"
    if limit and limit.limit is not None:
        said = f"{limit.used} of {limit.limit} public addresses are used; {said}"
    return AddressPlan(
        _not(reason or "AddressRefused", said), recorded=facts.request.recorded.address
    )


def _unfit(
    request: LoadBalancerRequest, found: PublicIpAddress, network_id: str
) -> Condition | None:
    """Say why an address cannot take this Service's rules; None where it can."""
    ip = found.ip_address
    if tags.is_others(request, found.tags):
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


def _recorded(
    request: LoadBalancerRequest, found: PublicIpAddress, *, associated: bool
) -> RecordedAddress:
    before = request.recorded.address
    return RecordedAddress(
        ip=found.ip_address,
        id=found.id,
        network_id=found.network_id,
        associated_by_controller=associated,
        allocated_at=found.allocated_at,
        published=before is not None and before.published and before.ip == found.ip_address,
    )


def _choice(request: LoadBalancerRequest, ip: str) -> RecordedAddress | None:
    """Keep what is known of an address that is not ours yet."""
    recorded = request.recorded.address
    return replace(recorded, id="") if recorded and recorded.ip in ("", ip) else None


def _not(reason: str, message: str) -> Condition:
    return Condition("AddressReady", "False", reason, message)
