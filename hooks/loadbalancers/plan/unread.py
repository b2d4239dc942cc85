"""Decides what waits while CloudStack does not list a part of what there is: the rest goes on.

What is not known is neither changed nor taken for absent. So nothing is opened because of it, no
address changes hands or is released, and a deletion does not end.
"""

from hooks.http.texts import join_sentences
from hooks.kube.conditions import Condition
from hooks.loadbalancers.plan.claims import own_addresses
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.firewall import FirewallPlan, firewall_condition
from hooks.names import REASON_CLOUDSTACK_REFUSED


def leave_open(facts: Facts) -> FirewallPlan | None:
    """Leave what admits the sources as it is, as it is not known; None if it is."""
    what = "Its items in network ACL lists" if facts.tier else "The firewall rules of the address"
    words = facts.state.unread.get("items" if facts.tier else "firewall")
    if not words:
        return None
    message = f"{what} are unknown, and none is added, changed or removed: {words}"
    return FirewallPlan(firewall_condition("Unknown", REASON_CLOUDSTACK_REFUSED, message))


def refuse_change(facts: Facts) -> Condition | None:
    """Return why no address changes hands, if one would: not all is known that is on them."""
    words = facts.state.unread_on_addresses
    recorded = facts.request.recorded
    is_changing = facts.request.asks_another or recorded.change is not None
    if not words or not (is_changing or len(own_addresses(facts)) > 1):
        return None
    why = join_sentences(words, limit=len(words))
    message = f"Not all is known that is on the addresses, so none changes: {why}"
    return Condition("AddressReady", "Unknown", REASON_CLOUDSTACK_REFUSED, message)
