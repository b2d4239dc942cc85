"""Reads internal load balancers: those of the tier, or ours wherever they are."""

from collections.abc import Mapping

from hooks.cloudstack.models.loadbalancing import InternalLoadBalancer
from hooks.loadbalancers.context import CallContext
from hooks.loadbalancers.plan.facts import Facts
from hooks.loadbalancers.plan.networks import may_be_internal
from hooks.names import TAG_SERVICE_UID


def read_balancers(facts: Facts, context: CallContext) -> tuple[InternalLoadBalancer, ...]:
    """List the internal load balancers of the tier, and for a deletion ours on any.

    They are listed where the Service asks for one, or may have had one. Raises CloudStackError.
    """
    request, tier = facts.request, facts.tier
    may_have_had = request.is_deleting and tier is not None and may_be_internal(tier)
    if not (request.spec.internal or may_have_had):
        return ()
    wheres: list[Mapping[str, object]] = [{"network_id": tier.id}] if tier else []
    if request.is_deleting:
        wheres.append({"tags": {TAG_SERVICE_UID: request.spec.service.uid}})
    found: dict[str, InternalLoadBalancer] = {}
    for where in wheres:
        listed = context.cloud.client.list_all(InternalLoadBalancer, context.deadline, **where)
        found |= {each.id: each for each in listed}
    return tuple(found.values())
