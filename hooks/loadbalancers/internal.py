"""Reads internal load balancers: those of the tier, or ours wherever they are."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from hooks.cloudstack.errors import Forbidden
from hooks.cloudstack.models.loadbalancing import InternalLoadBalancer
from hooks.http.deadline import Deadline
from hooks.loadbalancers.context import CallContext
from hooks.loadbalancers.networks import read_network
from hooks.loadbalancers.partial_lists import PartialLists
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.networks import may_be_internal
from hooks.loadbalancers.plan.rules import own_rules
from hooks.names import TAG_SERVICE_UID


def read_balancers(
    facts: Facts, context: CallContext, lists: PartialLists
) -> tuple[InternalLoadBalancer, ...]:
    """List the internal load balancers that matter.

    Where they are unknown, a Service that neither asks for one nor is known to have one goes on;
    its deletion does not end. Raises CloudStackError.
    """
    is_needed = facts.request.spec.internal or facts.request.recorded.has_claimed(internal=True)
    return lists.read("balancers", partial(_read, facts, context), (), is_needed=is_needed)


def _read(
    facts: Facts, context: CallContext, deadline: Deadline
) -> tuple[InternalLoadBalancer, ...]:
    """List those that matter.

    Those of the tier, for a Service that has its address there; none for one that has a public
    address. Until it has one, and for a deletion, ours may be on any tier, whatever the Service
    asks for now: a call may have died, or a status be lost. An account that may not list them has
    made none. Raises CloudStackError.
    """
    request = facts.request
    is_internal = request.spec.internal
    is_settled = request.recorded.has_claimed(internal=is_internal) and not request.is_deleting
    wheres: list[Mapping[str, object]] = []
    if is_settled:
        wheres += [{"network_id": facts.tier.id}] if is_internal and facts.tier else []
    elif (tiers := _tiers(facts, context, deadline)) is not None:
        wheres += [{"network_id": each} for each in tiers]
        wheres.append({"tags": {TAG_SERVICE_UID: request.spec.service.uid}})
    found: dict[str, InternalLoadBalancer] = {}
    try:
        for where in wheres:
            listed = context.cloud.client.list_all(InternalLoadBalancer, deadline, **where)
            found |= {each.id: each for each in listed}
    except Forbidden:
        if is_internal:
            raise
    balancers = tuple(found.values())
    return balancers if is_internal or request.is_deleting else _own(facts, balancers)


def _tiers(facts: Facts, context: CallContext, deadline: Deadline) -> tuple[str, ...] | None:
    """Return the networks that may have internal load balancers of ours.

    None if networks are known, and none of them may have any. Raises CloudStackError.
    """
    request = facts.request
    ids = dict.fromkeys((request.network_id, *request.networks))
    read = [read_network(each, context.cloud, deadline) for each in ids]
    known = [each for each in read if each is not None]
    tiers = tuple(each.id for each in known if may_be_internal(each))
    return None if known and not (tiers or request.spec.internal) else tiers


def _own(
    facts: Facts, balancers: tuple[InternalLoadBalancer, ...]
) -> tuple[InternalLoadBalancer, ...]:
    known = replace(facts, state=replace(facts.state, rules=balancers))
    ids = {each.id for each in own_rules(known.owner, balancers)}
    return tuple(each for each in balancers if each.id in ids)
