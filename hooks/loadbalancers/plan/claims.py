"""Decides which of the addresses that CloudStack shows is ours, or may become ours."""

import hashlib
import re
from collections.abc import Sequence

from hooks.cloudstack.models.network import PublicIpAddress
from hooks.cloudstack.models.tags import MAX_TAG_LENGTH, Resource
from hooks.http.texts import join_names
from hooks.kube.conditions import Condition
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.ownership import takeover_on
from hooks.loadbalancers.plan.rules import own_rules
from hooks.loadbalancers.plan.seals import SEAL_AGE, has_sealed
from hooks.loadbalancers.plan.share_tags import Share, describe, share_order
from hooks.loadbalancers.plan.takeover_tag import Takeover
from hooks.loadbalancers.plan.whose import Whose
from hooks.loadbalancers.request import LoadBalancerRequest
from hooks.names import ANNOTATION_TAKEOVER_FROM, REASON_NO_INSTANCES, TAG_TAKEOVER

#: How many of the nodes' networks a message names.
_NAMED_NETWORKS = 5
#: Reason: the Service changes to another address.
CHANGING_ADDRESS = "ChangingAddress"


def find_candidates(facts: Facts) -> tuple[PublicIpAddress, ...]:
    """Return the addresses whose rules have to be read: ours, and those that may become ours.

    Lists by tags show what has any of the tags, so most of what they show is somebody else's.
    """
    request, owner = facts.request, facts.owner
    recorded = request.recorded.address
    named = {recorded.ip if recorded else request.spec.adopt.address, *request.recorded.changing}
    ours = [each for each in facts.state.addresses if owner.has_address(each)]
    if not request.is_deleting:
        claimed = request.recorded.claimed
        has_claimed = claimed and any(each.ip_address == claimed.ip for each in ours)
        is_changing = request.asks_another or request.recorded.change is not None
        if has_claimed and not (facts.acquiring.place or owner.share or is_changing):
            return tuple(ours)
        named.add(request.spec.address)

    def is_named(address: PublicIpAddress) -> bool:
        return address.ip_address in named or facts.acquiring.names(address)

    return tuple(
        each
        for each in facts.state.addresses
        if each in ours
        or owner.may_take(each)
        or owner.is_source_of(each)
        or owner.has_share(each)
        or (is_named(each) and not owner.has_another_mark(each))
    )


def may_claim(facts: Facts) -> bool:
    """Tell whether something may become ours, which depends on the Service as it is now.

    No address that shows is ours, or one is that of a Service of our name. Or the Service changes
    to another address, so that one comes and one goes.
    """
    owner, addresses = facts.owner, facts.state.addresses
    whose = [owner.whose(each) for each in addresses]
    is_made_again = Whose.INHERITED in whose or any(map(owner.earlier_users, addresses))
    request, has_one = facts.request, whose.count(Whose.OURS) == 1
    is_changing = request.asks_another or request.recorded.change is not None
    return not has_one or is_made_again or Whose.SHARED in whose or is_changing


def find_held(facts: Facts) -> PublicIpAddress | None:
    """Return the address that is ours: the recorded one, else the first that the Service shows.

    Else it is the one with the most rules that have members, or with the most rules, or the first.
    Of the addresses of a share, it is the first of them.
    """
    claimed, own = facts.request.recorded.claimed, own_addresses(facts)
    shared = [each for each in own if facts.owner.has_share(each)]
    is_other = claimed and all(each.ip_address != claimed.ip for each in shared)
    if shared and not is_other:
        return min(shared, key=share_order)

    shown = facts.service.shown if facts.service else ()

    def rank(address: PublicIpAddress) -> tuple[bool, int, int, int, str]:
        place = (*shown, address.ip_address).index(address.ip_address)
        is_claimed = claimed is not None and claimed.ip == address.ip_address
        rules = own_rules(facts.owner, facts.on(address.id).state.rules)
        serving = sum(bool(facts.state.members_of(each.id)) for each in rules)
        return not is_claimed, place, -serving, -len(rules), address.ip_address

    return min(own, key=rank, default=None)


def own_addresses(facts: Facts) -> list[PublicIpAddress]:
    """Return the addresses that are ours, also those from which somebody removed tags.

    For a deletion, an address of our share that nobody uses is among them.
    """
    owner, is_deleting = facts.owner, facts.request.is_deleting
    return [
        each
        for each in facts.state.addresses
        if owner.whose(each) is Whose.OURS
        or may_restore(facts, each)
        or (is_deleting and is_left_behind(facts, each))
    ]


def is_left_behind(facts: Facts, address: PublicIpAddress) -> bool:
    """Tell whether nobody uses an address of our share: it has neither tag nor rule of a user."""
    owner, here = facts.owner, facts.on(address.id).state
    contents: tuple[Resource, ...] = (*here.rules, *here.firewall)
    is_unused = owner.whose(address) is Whose.SHARED and owner.has_address(address)
    return is_unused and not any(map(owner.has_another_mark, contents))


def is_second(facts: Facts, address: PublicIpAddress) -> bool:
    """Tell whether an address of ours never was the Service's: two replicas may each get one.

    Without a status nothing tells that.
    """
    recorded = facts.request.recorded
    is_lost = recorded.claimed is None and recorded.change is None
    was_ours = recorded.former is not None and recorded.former.ip == address.ip_address
    return address != find_held(facts) and not (was_ours or is_lost)


def unused_takeover(facts: Facts, address: PublicIpAddress) -> Takeover | None:
    """Return the takeover by which an address with our mark came from another cluster.

    None if there is none, or it came to serve here: the takeover ends after that.
    """
    takeover, former = takeover_from_elsewhere(facts, address), facts.request.recorded.former
    is_unused = (
        takeover in facts.owner.takeovers
        and facts.owner.whose(address) is Whose.OURS
        and address != find_held(facts)
        and not (former is not None and former.ip == address.ip_address)
    )
    return takeover if is_unused else None


def takeover_from_elsewhere(facts: Facts, address: PublicIpAddress) -> Takeover | None:
    """Return the takeover from another cluster that an address shows, whoever makes it."""
    takeover = takeover_on(address)
    return takeover if takeover and takeover.source[0] != facts.cluster_id else None


def may_have_served(facts: Facts, address: PublicIpAddress) -> bool:
    """Tell whether clients may use an address that the status does not mention.

    It has rules of ours, and the status names no change: it may have been lost.
    """
    rules = own_rules(facts.owner, facts.on(address.id).state.rules)
    return facts.request.recorded.change is None and bool(rules)


def may_restore(facts: Facts, address: PublicIpAddress) -> bool:
    """Tell whether an address is ours though somebody removed tags from it."""
    recorded = facts.request.recorded.claimed_as(address.ip_address)
    return facts.owner.may_restore(recorded, address, facts.on(address.id).state.rules)


def lacks_tags(facts: Facts, address: PublicIpAddress) -> bool:
    """Tell whether somebody removed tags from an address that was wholly ours."""
    is_whole = facts.owner.whose(address) is Whose.OURS
    is_taken = facts.owner.is_source_of(address)
    return not (is_whole or is_taken) and may_restore(facts, address)


def find_unproven(facts: Facts) -> PublicIpAddress | None:
    """Return the address that a call of ours may have acquired, if nobody is seen to use it.

    Our record names it: that call recorded the address when CloudStack showed it as free, and its
    outcome is unknown. A call that CloudStack refused has removed its record.
    """
    is_proven = has_sealed(facts.owner.mark, facts.seal_key, facts.acquiring)
    return _find_unused(facts) if is_proven else None


def _find_unused(facts: Facts) -> PublicIpAddress | None:
    """Return the address that the record names, if it is allocated and has nothing on it."""
    record = facts.acquiring
    for address in facts.state.addresses:
        state = facts.on(address.id).state
        is_used = address.tags or state.rules or state.firewall or state.forwards
        is_new = address.state in ("Allocated", "Allocating")
        if record.names(address) and is_new and not is_used:
            return None if find_unfit(facts, address) else address
    return None


def find_claimable(facts: Facts) -> PublicIpAddress | None:
    """Return the unproven address while our record is new enough to speak for a live Service."""
    is_recent = abs(facts.now - facts.acquiring.since) <= SEAL_AGE
    return find_unproven(facts) if is_recent else None


def find_unclaimed(facts: Facts) -> PublicIpAddress | None:
    """Return the address of a record that nothing confirms, if nobody is seen to use it.

    The record is too old, the CloudStack key that seals it was replaced, or somebody else wrote it.
    """
    return None if find_claimable(facts) else _find_unused(facts)


def find_takeable(facts: Facts) -> PublicIpAddress | None:
    """Return an address of a Service of our name, here or in the cluster to take over from."""
    wanted = facts.request.spec.address

    def rank(address: PublicIpAddress) -> tuple[bool, str]:
        return not own_rules(facts.owner, facts.on(address.id).state.rules), address.ip_address

    takeable = [
        each
        for each in facts.state.addresses
        if facts.owner.may_take(each)
        and not facts.owner.share
        and wanted in ("", each.ip_address)
        and (facts.owner.whose(each) is Whose.FROM_TAKEOVER or find_unfit(facts, each) is None)
    ]
    return min(takeable, key=rank, default=None)


def find_begun(facts: Facts) -> PublicIpAddress | None:
    """Return an address that we have begun to take over, and not given our mark yet."""
    begun = filter(facts.owner.takes_over, facts.state.addresses)
    return min(begun, key=lambda each: each.ip_address, default=None)


def is_still_asked_for(facts: Facts, found: PublicIpAddress) -> bool:
    """Tell whether the Service still wants an address that we have begun to take over."""
    owner, wanted = facts.owner, facts.request.spec.address
    cluster, _ = owner.takeover_of(found).source
    is_inherited = cluster == owner.cluster
    is_named = wanted == found.ip_address or not (wanted or find_held(facts))
    if is_inherited:
        return is_named and find_unfit(facts, found) is None
    return is_named and cluster in (None, owner.takeover_from)


def refuse_takeover(facts: Facts, found: PublicIpAddress) -> Condition | None:
    """Return the condition of an address that another cluster takes over; None if none does.

    Or the one of a takeover that no tag can say, because the ids of the two clusters are too long.
    """
    takeover, owner = takeover_on(found), facts.owner
    if (length := len(owner.takeover_of(found).text)) > MAX_TAG_LENGTH:
        message = (
            f"The tag {TAG_TAKEOVER} on {found.ip_address} would have {length} characters, and "
            f"CloudStack takes {MAX_TAG_LENGTH}: the ids of the two clusters are too long together"
        )
        return not_ready("AddressInUse", message)
    if takeover is None or takeover.by[0] in (owner.cluster, owner.takeover_from):
        return None
    message = (
        f"{found.ip_address} is being taken over by the same Service of cluster {takeover.by[0]}. "
        f"If that is gone, remove tag {TAG_TAKEOVER} in CloudStack"
    )
    return not_ready("AddressInUse", message)


def in_own_order(request: LoadBalancerRequest, ips: Sequence[str]) -> list[str]:
    """Sort addresses in an order of the Service's own, the same in every call.

    Two Services that choose at the same time seldom choose the same address. One Service that
    chooses twice does: Metacontroller may show it the status from before its first choice again.
    """
    chooser = request.chooser
    return sorted(ips, key=lambda ip: hashlib.sha256(f"{chooser} {ip}".encode()).digest())


def find_unfit(facts: Facts, found: PublicIpAddress) -> Condition | None:
    """Return the condition that says why an address cannot have our rules; None if it can."""
    ip = found.ip_address
    is_free = facts.owner.whose(found) in (Whose.UNMARKED, Whose.SHARED)
    if not is_free and not facts.owner.may_take(found):
        return not_ready("AddressInUse", f"{ip} belongs to {describe(found.tags)}")
    if found.is_source_nat:
        return not_ready("AddressIsSourceNAT", f"{ip} is the source NAT address of its network")
    if found.is_static_nat:
        return not_ready("AddressIsStaticNAT", f"{ip} is the static NAT address of a VM")
    if place := _place_elsewhere(facts, found):
        message = f"{ip} belongs to {place}, the members to {_describe_network(facts)}"
        return not_ready("AddressElsewhere", message)
    return unsettled(found) if found.state == "Releasing" else None


def network_of(facts: Facts, found: PublicIpAddress) -> str:
    """Return the id of the network that an address of ours serves.

    A VPC's address serves one tier: that of its rules with nodes on it, which no status can change,
    else the recorded one, else that of its rules, else that of the members.
    """
    if not found.vpc_id:
        return found.network_id
    nodes = facts.request.instances
    own = own_rules(facts.owner, facts.on(found.id).state.rules)
    tiers = [each.network_id for each in own]
    serving = (each for each in tiers if not nodes or any(node.is_on(each) for node in nodes))
    if tier := next(serving, ""):
        return tier
    recorded = facts.request.recorded.claimed_as(found.ip_address)
    is_known = recorded is not None and recorded.ip == found.ip_address
    named = recorded.network_id if recorded and is_known else ""
    return named or next(iter(tiers), "") or facts.request.network_id


def _place_elsewhere(facts: Facts, found: PublicIpAddress) -> str:
    """Name what an address belongs to, if our rules cannot be there; empty if they can."""
    vpc_id = facts.network.vpc_id if facts.network else ""
    is_elsewhere = found.network_id not in ("", facts.request.network_id)
    if found.vpc_id != vpc_id:
        network = f"network {found.network_id}" if found.network_id else "no VPC"
        return f"VPC {found.vpc_id}" if found.vpc_id else network
    if vpc_id and is_elsewhere:
        return f"tier {found.network_id} of the VPC, which has rules there and no other tier can"
    return f"network {found.network_id}" if is_elsewhere else ""


def _describe_network(facts: Facts) -> str:
    of_vpc = f", a tier of VPC {facts.tier.vpc_id}" if facts.tier else ""
    return f"network {facts.request.network_id}{of_vpc}"


def refuse_foreign(found: PublicIpAddress) -> Condition:
    """Return the condition of an address that another cluster has."""
    message = f"{found.ip_address} belongs to {describe(found.tags)}, and is left as it is. "
    if Share.read(found.tags):
        message += "A shared address is not taken over: ask for another share, or for another name"
    else:
        message += (
            f"If that cluster is gone, annotate the Service with {ANNOTATION_TAKEOVER_FROM} and "
            "its id"
        )
    return not_ready("ForeignCluster", message)


def refuse_unconfirmed(request: LoadBalancerRequest) -> Condition:
    """Return the condition of a load balancer whose Service, read now, does not ask for one."""
    service = request.spec.service
    message = (
        f"No Service {request.service_namespace}/{service.name} with UID {service.uid} asks for a "
        "load balancer: no address is claimed for it"
    )
    return not_ready("ServiceNotConfirmed", message)


def refuse_without_nodes(facts: Facts) -> Condition | None:
    """Return the condition that says that no node is on the network that the Service names.

    It may be another cluster's: a Service may name any network that the account sees.
    """
    request = facts.request
    if any(each.is_on(request.network_id) for each in request.instances):
        return None
    name = facts.network.name if facts.network else request.network_id
    if not request.instances:
        message = f"No CloudStackInstance is known yet, so none is seen to be on network {name}"
        return not_ready(REASON_NO_INSTANCES, message)
    found = join_names(request.networks, limit=_NAMED_NETWORKS) or "no network"
    message = f"No node of this cluster is on network {name}; they are on {found}"
    return not_ready("NetworkWithoutNodes", message)


def unsettled(found: PublicIpAddress) -> Condition:
    """Return the condition of an address that CloudStack is busy with."""
    message = f"{found.ip_address} is in state {found.state} in CloudStack"
    return not_ready(f"Address{re.sub('[^A-Za-z]', '', found.state)[:64]}", message)


def not_ready(reason: str, message: str) -> Condition:
    """Return the condition AddressReady, False."""
    return Condition("AddressReady", "False", reason, message)
