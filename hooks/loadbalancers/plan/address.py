"""Decides which public address is the Service's, and how it gets one.

A new address is chosen first and written to the status. A later call associates it. A crash at any
point leaves an address that is found again. If the chosen address turns up allocated, the tag
decides whether it is ours: a second `createTags` of a key fails, so only one Service gets it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from hooks.cloudstack.errors import ADDRESS_TAKEN, LIMIT_REACHED
from hooks.cloudstack.models.network import PublicIpAddress
from hooks.kube.conditions import Condition
from hooks.loadbalancers.plan import tags
from hooks.loadbalancers.plan.actions import AddTags, Associate, AssociateAny, StagePlan
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.firewall import tag_others_firewall
from hooks.loadbalancers.plan.rules import own_rules, tag_rules
from hooks.loadbalancers.request import LoadBalancerRequest, RecordedAddress
from hooks.names import TAG_ORIGIN, TAG_ORIGIN_CONTROLLER
from hooks.webhook.requests import Time

#: Seconds that CloudStack's clock may be behind ours in the time of an allocation.
CLOCK_SLACK = 300.0
#: The same if the choice was left to CloudStack, and any address on the network may be the one.
ANY_SLACK = 2.0
#: Choices that may turn out to be taken before CloudStack is left to choose.
CHOICES = 3


@dataclass(frozen=True, slots=True)
class AddressPlan(StagePlan):
    """The address stage: what to do, and what is known of the address.

    Attributes:
        address_id: of the address that is, or is about to be, the Service's; empty if unallocated.
        is_ours: it has our tag, so rules may be put on it.
        recorded: the address as the status is to record it.
        awaits_status: nothing can be done before the status is written.
    """

    address_id: str = ""
    is_ours: bool = False
    recorded: RecordedAddress | None = None
    awaits_status: bool = False

    @property
    def leaves_choice(self) -> bool:
        """Tell whether CloudStack is left to choose, because no free address is known."""
        return self.awaits_status and self.recorded is not None and not self.recorded.ip


def select_address(
    request: LoadBalancerRequest, addresses: Sequence[PublicIpAddress]
) -> PublicIpAddress | None:
    """Return the address to plan for.

    The first of: the recorded one, one with our tag, one that may come of our choice, the one that
    the Service asks for, the one that another provider left.
    """
    by_ip = {each.ip_address: each for each in addresses}
    recorded, spec = request.recorded.address, request.spec
    if recorded and not recorded.is_unclaimed and recorded.ip in by_ip:
        return by_ip[recorded.ip]
    tagged = [each for each in addresses if tags.is_ours(request, each)]
    chosen = [each for each in addresses if may_be_our_choice(recorded, each)]
    if tagged or chosen:
        return min(tagged or chosen, key=lambda each: each.ip_address)
    return by_ip.get(spec.address or (recorded.ip if recorded else spec.adopt.address))


def is_own(request: LoadBalancerRequest, address: PublicIpAddress) -> bool:
    """Tell whether an address is ours: it has our tag, or it is the recorded allocation."""
    recorded = request.recorded.address
    if tags.is_ours(request, address):
        return True
    return (
        recorded is not None
        and not recorded.is_unclaimed
        and recorded.ip == address.ip_address
        and recorded.allocated_at == address.allocated_at
        and not tags.is_foreign(request, address)
    )


def may_be_our_choice(recorded: RecordedAddress | None, address: PublicIpAddress) -> bool:
    """Tell whether an address may be our choice: allocated since, and for no other purpose.

    Rules on the address, which rule that out, are not considered here.
    """
    if recorded is None or recorded.chosen_at is None:
        return False
    if recorded.ip not in ("", address.ip_address):
        return False
    slack = CLOCK_SLACK if recorded.ip else ANY_SLACK
    since = address.allocated_at
    is_newer = since is None or since >= recorded.chosen_at - slack
    return is_newer and not address.is_source_nat and not address.is_static_nat


def is_our_choice(facts: Facts, address: PublicIpAddress) -> bool:
    """Tell whether an address is our choice, as far as that is known before it is tagged."""
    return may_be_our_choice(facts.request.recorded.address, address) and not facts.state.rules


def is_by_controller(request: LoadBalancerRequest, address: PublicIpAddress) -> bool:
    """Tell whether we acquired an address of ours, so that it is released with the Service."""
    if origin := tags.value(address, TAG_ORIGIN):
        return origin == TAG_ORIGIN_CONTROLLER
    recorded = request.recorded.address
    return recorded is not None and recorded.associated_by_controller


def plan_address(facts: Facts) -> AddressPlan:
    """Keep, claim or acquire the Service's address; see `select_address` for the order."""
    request = facts.request
    recorded, wanted = request.recorded.address, request.spec.address
    found = select_address(request, facts.state.addresses)
    if found is None:
        return _acquire(facts, wanted or (recorded.ip if recorded else ""))
    if is_own(request, found):
        return _keep(facts, found)
    unfit = _unfit(facts, found)
    if not unfit and is_our_choice(facts, found):
        return _claim(facts, found, is_released_by_us=True)
    if found.ip_address == wanted:
        return _take_over(facts, found, unfit)
    if wanted:
        condition = _not_ready("AddressNotFree", f"{found.ip_address} is taken")
        return AddressPlan(condition, awaits_status=True)
    has_own_rules = bool(own_rules(request, facts.state.rules))
    if recorded is None and (has_own_rules or not (unfit or facts.state.rules)):
        return _take_over(facts, found, unfit)
    return _choose(facts)


def _keep(facts: Facts, found: PublicIpAddress) -> AddressPlan:
    """Keep an address that is ours, and restore the tags that it lost."""
    request = facts.request
    by_controller = is_by_controller(request, found)
    wanted = tags.address_tags(facts, by_controller=by_controller)
    actions = tags.add_missing("address", [found], wanted, lambda each: each.ip_address)
    condition = Condition("AddressReady", "True", "AddressAllocated", found.ip_address)
    if request.spec.address not in ("", found.ip_address):
        message = (
            f"The Service asks for {request.spec.address} and has {found.ip_address}. The address "
            "of a live Service cannot change yet: delete the Service and create it again"
        )
        condition = _not_ready("AddressChangeNotServed", message)
    if found.state != "Allocated":
        condition = _unsettled(found)
    if complaints := facts.complaints(actions):
        condition = _not_ready("TagRefused", "; ".join(complaints))
    recorded = RecordedAddress(
        ip=found.ip_address,
        id=found.id,
        network_id=found.network_id,
        associated_by_controller=by_controller,
        allocated_at=None if found.allocated_at is None else Time(found.allocated_at),
        published=_is_published(request.recorded.address, found.ip_address),
    )
    return AddressPlan(
        condition=condition,
        actions=facts.not_refused(actions),
        address_id=found.id,
        is_ours=found.state == "Allocated",
        recorded=recorded,
    )


def _take_over(facts: Facts, found: PublicIpAddress, unfit: Condition | None) -> AddressPlan:
    """Take an address that the Service asks for, or that another provider left to it."""
    adopt = facts.request.spec.adopt
    if unfit:
        return AddressPlan(unfit, recorded=_choice(facts, found))
    by_other = found.ip_address == adopt.address and adopt.associated_by_controller
    return _claim(facts, found, is_released_by_us=by_other)


def _claim(facts: Facts, found: PublicIpAddress, *, is_released_by_us: bool) -> AddressPlan:
    """Make an address ours by its tag, after the rules that another provider left on it."""
    request = facts.request
    wanted = tags.address_tags(facts, by_controller=is_released_by_us)
    rules = own_rules(request, facts.state.rules)
    actions = (
        *tag_others_firewall(facts, rules),
        *tag_rules(facts, rules),
        AddTags("address", (found.id,), (found.ip_address,), wanted),
    )
    condition = _not_ready("ClaimingAddress", f"{found.ip_address} is being tagged")
    if complaints := facts.complaints(actions):
        condition = _not_ready("TagRefused", "; ".join(complaints))
        actions = ()
    recorded = _choice(facts, found)
    return AddressPlan(condition, actions, address_id=found.id, recorded=recorded)


def _acquire(facts: Facts, ip: str) -> AddressPlan:
    """Acquire a free address: the one asked for, the one chosen before, or another."""
    spec, recorded = facts.request.spec, facts.request.recorded.address
    action = Associate(ip, facts.request.network_id)
    refusal = facts.refusal(action)
    if not ip or (refusal and refusal.code == ADDRESS_TAKEN and not spec.address):
        return _choose(facts)
    is_written = recorded is not None and recorded.ip == ip and recorded.chosen_at is not None
    if refusal or spec.plan_only or is_written:
        return _associate(facts, action, f"{ip} is being associated")
    return _choice_made(facts, ip, tries=0)


def _choose(facts: Facts) -> AddressPlan:
    """Choose a free address, or leave the choice to CloudStack after a few that were taken.

    The status records that as well: an untagged address that turns up then may be the result.
    """
    request, recorded = facts.request, facts.request.recorded.address
    is_written = recorded is not None and recorded.ip == "" and recorded.chosen_at is not None
    if is_written or request.spec.plan_only:
        action = AssociateAny(request.network_id, tags.address_tags(facts, by_controller=True))
        return _associate(facts, action, "A free address is being associated")
    tries = recorded.tries + 1 if recorded and recorded.is_unclaimed else 0
    before = recorded.ip if recorded else ""
    free = [ip for ip in _in_own_order(request, facts.state.free) if ip != before]
    return _choice_made(facts, free[0] if free and tries < CHOICES else "", tries=tries)


def _associate(facts: Facts, action: Associate | AssociateAny, message: str) -> AddressPlan:
    recorded = facts.request.recorded.address
    refusal = facts.refusal(action)
    if not refusal:
        condition = _not_ready("AssociatingAddress", message)
        return AddressPlan(condition, (action,), recorded=recorded)
    reasons = {ADDRESS_TAKEN: "AddressNotFree", LIMIT_REACHED: "QuotaExceeded"}
    limit, message = facts.address_limit, f"{action}: {refusal.text}"
    if limit and limit.limit is not None:
        message = f"{limit.used} of {limit.limit} public addresses are used; {message}"
    condition = _not_ready(reasons.get(refusal.code, "AddressRefused"), message)
    return AddressPlan(condition, recorded=recorded)


def _in_own_order(request: LoadBalancerRequest, ips: Sequence[str]) -> list[str]:
    """Sort addresses in an order of the Service's own, the same in every call.

    Two Services that choose at the same time seldom choose the same address. One Service that
    chooses twice does: Metacontroller may show it the status from before its first choice again.
    """
    uid = request.spec.service.uid
    return sorted(ips, key=lambda ip: hashlib.sha256(f"{uid} {ip}".encode()).digest())


def _choice_made(facts: Facts, ip: str, *, tries: int) -> AddressPlan:
    published = _is_published(facts.request.recorded.address, ip)
    choice = RecordedAddress(ip, chosen_at=Time(facts.now), tries=tries, published=published)
    message = f"{ip or 'Any address'} is chosen; it is associated after the status is written"
    return AddressPlan(_not_ready("AddressChosen", message), recorded=choice, awaits_status=True)


def _is_published(recorded: RecordedAddress | None, ip: str) -> bool:
    return recorded is not None and recorded.published and recorded.ip == ip


def _unfit(facts: Facts, found: PublicIpAddress) -> Condition | None:
    """Return the condition that says why an address cannot have our rules; None if it can."""
    ip = found.ip_address
    if tags.is_foreign(facts.request, found):
        return _not_ready("AddressInUse", f"{ip} belongs to Service {tags.owner(found)}")
    if found.is_source_nat:
        return _not_ready("AddressIsSourceNAT", f"{ip} is the source NAT address of its network")
    if found.is_static_nat:
        return _not_ready("AddressIsStaticNAT", f"{ip} is the static NAT address of a VM")
    if found.vpc_id or found.network_id not in ("", facts.request.network_id):
        place = f"VPC {found.vpc_id}" if found.vpc_id else f"network {found.network_id}"
        message = f"{ip} belongs to {place}, the members to network {facts.request.network_id}"
        return _not_ready("AddressElsewhere", message)
    return _unsettled(found) if found.state == "Releasing" else None


def _unsettled(found: PublicIpAddress) -> Condition:
    message = f"{found.ip_address} is in state {found.state} in CloudStack"
    return _not_ready(f"Address{found.state}", message)


def _choice(facts: Facts, found: PublicIpAddress) -> RecordedAddress | None:
    """Return what is recorded of an address that is not ours yet."""
    recorded = facts.request.recorded.address
    if not recorded or recorded.ip not in ("", found.ip_address):
        return None
    return msgspec.structs.replace(recorded, id="")


def _not_ready(reason: str, message: str) -> Condition:
    return Condition("AddressReady", "False", reason, message)
