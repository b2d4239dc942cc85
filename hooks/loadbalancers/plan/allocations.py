"""Tells which tags an older CloudStack kept of an earlier allocation of an address.

From 4.18 on, an address's tags go when it is released, so they alone say whose it is. Before
(cloudstack#6620), whoever gets the address next has our mark on it.
"""

from dataclasses import replace

from hooks.cloudstack.models.network import PublicIpAddress
from hooks.cloudstack.models.tags import Resource
from hooks.loadbalancers.plan.actions import Associate
from hooks.loadbalancers.plan.claims import find_candidates
from hooks.loadbalancers.plan.facts import CloudState, Facts
from hooks.loadbalancers.plan.share_tags import is_tag_of_ours
from hooks.loadbalancers.plan.whose import Whose

#: The first version all of whose releases drop an address's tags when it is released.
LEAST_VERSION = (4, 18)
#: Marks by which an address and what is on it is ours, or may become ours.
_LINKED = (Whose.OURS, Whose.INHERITED, Whose.FROM_TAKEOVER)


def without_stale_tags(facts: Facts) -> CloudState:
    """Return the state without tags of ours that an older CloudStack kept over a release.

    An address without them is nobody's, as it is with a newer CloudStack.
    """
    if facts.version.at_least(*LEAST_VERSION):
        return facts.state
    stale = {each.id for each in find_candidates(facts) if _is_stale(facts, each)}
    addresses = tuple(
        _untagged(each) if each.id in stale else each for each in facts.state.addresses
    )
    return replace(facts.state, addresses=addresses)


def _is_stale(facts: Facts, address: PublicIpAddress) -> bool:
    """Tell whether nothing but the mark of an address says that this allocation is ours.

    What does: the time that the status records, the choice that the status holds or this call
    made, or a mark on what is on the address, since a release takes all of that along.
    """
    owner, here = facts.owner, facts.state.on(address.id)
    status, done = facts.request.recorded, facts.call_state.done
    is_former = status.former is not None and status.former.ip == address.ip_address
    recorded = status.former if is_former else status.address
    if owner.whose(address) not in _LINKED or any(isinstance(each, Associate) for each in done):
        return False
    if address.ip_address in status.changing and not is_former:
        return False  # the Service changes to it
    if recorded and recorded.ip == address.ip_address:
        is_choice = not recorded.id
        if is_choice or recorded.allocated_at is None or recorded.is_of(address):
            return False
    contents: tuple[Resource, ...] = (*here.rules, *here.firewall)
    return not any(owner.whose(each) in _LINKED for each in contents)


def _untagged(address: PublicIpAddress) -> PublicIpAddress:
    return replace(address, tags=tuple(each for each in address.tags if not is_tag_of_ours(each)))
