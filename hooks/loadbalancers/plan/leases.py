"""Says which actions need a lease on an address, and what a lease says.

A lease is a tag. CloudStack refuses a tag whose key is there, so of several calls one gets it, and
no address changes hands between that call's last look and its write.
"""

import re

from hooks.cloudstack.models.loadbalancing import InternalLoadBalancer
from hooks.cloudstack.models.network import PublicIpAddress
from hooks.kube.times import moment
from hooks.loadbalancers.plan.actions import (
    Action,
    CloseFirewall,
    DeleteRule,
    Release,
    Retag,
    UntagAddress,
)
from hooks.loadbalancers.plan.claims import find_held
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.ownership import value
from hooks.loadbalancers.recorded import LONGEST_CALL
from hooks.names import TAG_LEASE

_LEASE = re.compile(r"\S+ (?P<seconds>\d{1,4})s \S+")


def needs_lease(action: Action, facts: Facts) -> bool:
    """Tell whether an action hands an address over, or takes down what is on one.

    Rules of an address that serves on are changed without. The address of internal load balancers
    is nobody's: each of them is one Service's, and none is taken over.
    """
    match action:
        case Release() | UntagAddress() | Retag():
            return True
        case DeleteRule(own) if _is_internal(own.id, facts):
            return False
        case DeleteRule() | CloseFirewall():
            return facts.request.is_deleting or find_address(action, facts) != find_held(facts)
        case _:
            return False


def _is_internal(rule_id: str, facts: Facts) -> bool:
    return any(
        each.id == rule_id and isinstance(each, InternalLoadBalancer) for each in facts.state.rules
    )


def find_address(action: Action, facts: Facts) -> PublicIpAddress | None:
    """Return the address that an action changes, or changes something on; None if it is gone.

    What is taken over in a network ACL list is taken over with the Service's address.
    """
    match action:
        case (
            Retag((own, *_))
            | Release(own, _)
            | UntagAddress(own)
            | DeleteRule(own)
            | CloseFirewall(own)
        ):
            pass
        case _:
            return None
    if own.kind == "ACL item":
        return find_held(facts)
    places = {each.id: each.public_ip_id for each in facts.state.rules}
    places |= {each.id: each.public_ip_id for each in facts.state.firewall}
    address_id = own.id if own.kind == "address" else places.get(own.id)
    return next((each for each in facts.state.addresses if each.id == address_id), None)


def new_lease(now: float, seconds: float, call: str) -> str:
    """Return the text of a lease.

    Args:
        now: epoch seconds; since when it holds is for people to read.
        seconds: for which it holds, counted by whoever sees it.
        call: the call's name.
    """
    return f"{moment(now)} {min(seconds, LONGEST_CALL):.0f}s {call}"


def lease_seconds(text: str) -> float:
    """Return for how long a lease holds at most; what says nothing usable, as the longest call."""
    found = _LEASE.fullmatch(text)
    return min(float(found["seconds"]), LONGEST_CALL) if found else LONGEST_CALL


def lease_on(address: PublicIpAddress) -> str:
    """Return the text of the lease on an address, empty if there is none."""
    return value(address, TAG_LEASE)
