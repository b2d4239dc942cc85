"""Decides which address a Service shares with others of its namespace, and what keeps it from one.

Of several addresses of one share, as two Services have acquired that came at the same time, the
first is the share's. Which one that is, CloudStack's times of allocation say, the same to all.
"""

from hooks.cloudstack.models.network import PublicIpAddress
from hooks.kube.conditions import Condition
from hooks.loadbalancers.plan.actions import JoinShare
from hooks.loadbalancers.plan.allocations import LEAST_VERSION
from hooks.loadbalancers.plan.claims import find_unfit, not_ready
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.leases import lease_on
from hooks.loadbalancers.plan.rules import own_rules
from hooks.loadbalancers.plan.share_tags import Share, share_order, user_key
from hooks.loadbalancers.plan.whose import Whose
from hooks.names import ANNOTATION_SHARED_ADDRESS

#: What a person does about a Service whose share changes.
_AGAIN = "delete the Service and create it again, or write the annotation as it was"


def find_share(facts: Facts) -> PublicIpAddress | None:
    """Return the address of the share that the Service asks for; None if it has none yet."""
    found = [
        each
        for each in facts.state.addresses
        if facts.owner.has_share(each) and each.state != "Releasing"
    ]
    return min(found, key=share_order, default=None)


def find_earlier(facts: Facts, held: PublicIpAddress) -> PublicIpAddress | None:
    """Return the share's address that a Service goes to from a later one of the same share.

    A Service that names another one stays. None if it has the right one.
    """
    first = find_share(facts)
    if first is None or not facts.still_wants or not facts.owner.has_share(held):
        return None
    is_asked_for = facts.request.spec.address in ("", first.ip_address)
    is_later = first.id != held.id and facts.owner.whose(first) is Whose.SHARED
    return first if is_later and is_asked_for and not find_unfit(facts, first) else None


def join_share(facts: Facts, found: PublicIpAddress) -> JoinShare:
    """Add the tag that makes the Service a user of a shared address."""
    owner = facts.owner
    tags = ((user_key(owner.uid), owner.service),)
    return JoinShare("address", (found.id,), (found.ip_address,), tags, owner.share)


def refuse_share(facts: Facts, found: PublicIpAddress | None) -> Condition | None:
    """Return the condition that says why a Service gets no shared address; None if it may.

    `found` is the share's address; None if it has none yet.
    """
    spec, owner = facts.request.spec, facts.owner
    if not owner.share:
        return None
    if not facts.version.at_least(*LEAST_VERSION):
        least = ".".join(map(str, LEAST_VERSION))
        message = f"A shared address needs CloudStack {least} or newer, which drops released tags"
        return not_ready("SharedAddressNotServed", message)
    for each in facts.state.addresses:
        share = Share.read(each.tags)
        named = share and (share.cluster, share.namespace, share.name)
        if spec.takeover_from and named == (spec.takeover_from, owner.namespace, owner.share):
            message = (
                f"{each.ip_address} is shared address {owner.share} of cluster "
                f"{spec.takeover_from}. A shared address is not taken over: delete its Services "
                "there, or ask for another share"
            )
            return not_ready("SharedTakeoverNotServed", message)
    if found is None:
        return None
    if spec.address not in ("", found.ip_address):
        return not_ready("SharedAddressDiffers", _differs(facts, found))
    return find_unfit(facts, found)


def refuse_change(facts: Facts, held: PublicIpAddress) -> Condition | None:
    """Return the condition of a Service that asks for another share, or address, than it is on.

    It goes on serving where it is. None if it asks for neither.
    """
    owner, share = facts.owner, Share.read(held.tags)
    present, wanted = share.name if share else "", owner.share
    if present != wanted:
        asked = f"shared address {wanted}" if wanted else "an address of its own"
        has = f"shared address {present}" if present else "an address of its own"
        message = (
            f"The Service asks for {asked} and has {has}, {held.ip_address}. That cannot change on "
            f"a live Service: {_AGAIN}"
        )
        return not_ready("SharedAddressChangeNotServed", message)
    if share is None or find_earlier(facts, held):
        return None
    first = find_share(facts) or held
    if first.id != held.id or facts.request.spec.address not in ("", held.ip_address):
        return not_ready("SharedAddressDiffers", _differs(facts, first))
    return None


def is_shared(held: PublicIpAddress) -> bool:
    """Tell whether an address is one of a share: its tags say so, and no wish of a Service."""
    return Share.read(held.tags) is not None


def is_leaving(facts: Facts, address: PublicIpAddress) -> bool:
    """Tell whether another Service may be releasing a shared address that this one has just joined.

    Who leaves takes the lease first, and looks for users then. Who joins tags first, and looks for
    a lease then. So one of the two sees the other. A Service with a rule there was seen.
    """
    is_new = not own_rules(facts.owner, facts.on(address.id).state.rules)
    return Share.read(address.tags) is not None and is_new and bool(lease_on(address))


def serves_until(facts: Facts, second: PublicIpAddress, kept: PublicIpAddress) -> bool:
    """Tell whether a second address serves, and the one to be kept does not yet."""
    before, after = (facts.on(each.id).state.rules for each in (second, kept))
    return bool(own_rules(facts.owner, before)) and not own_rules(facts.owner, after)


def _differs(facts: Facts, first: PublicIpAddress) -> str:
    owner, asked = facts.owner, facts.request.spec.address
    users = ", ".join(owner.other_users(first)) or "no other Service"
    return (
        f"Shared address {owner.share} is {first.ip_address}, used by {users}, and this Service "
        f"asks for {asked or 'another one'}. All Services of a share have one address: ask for "
        f"{first.ip_address}, or write another name into annotation {ANNOTATION_SHARED_ADDRESS}"
    )
