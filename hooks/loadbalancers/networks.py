"""Reads networks, and chooses the members' before there is an address: one that can balance.

What a network offers is kept for ten minutes. The list of a VPC tier may be replaced at any time:
its items say which one they are of, so a list that is out of date shows without another call.
"""

from dataclasses import replace

from hooks.cloudstack import Cloud
from hooks.cloudstack.errors import InvalidParameter
from hooks.cloudstack.models.firewall import NetworkAcl, NetworkAclList
from hooks.cloudstack.models.network import Network
from hooks.http.deadline import Deadline
from hooks.loadbalancers.context import CallContext
from hooks.loadbalancers.plan.networks import why_not_served
from hooks.loadbalancers.request import LoadBalancerRequest


def choose_network(
    request: LoadBalancerRequest, cloud: Cloud, deadline: Deadline
) -> LoadBalancerRequest:
    """Return the request with the first of the nodes' networks that can balance.

    If none can, it is the first: the work that follows says why. Raises CloudStackError.
    """
    is_given = request.has_network or request.chosen_network_id
    if request.is_deleting or is_given or len(request.networks) < 2:
        return request
    for network_id in request.networks:
        network = read_network(network_id, cloud, deadline)
        if network and not why_not_served(network, internal=request.spec.internal):
            return replace(request, chosen_network_id=network_id)
    return replace(request, chosen_network_id=request.networks[0])


def read_network(network_id: str, cloud: Cloud, deadline: Deadline) -> Network | None:
    """Read a network; None if there is none with this id that we may see.

    Raises CloudStackError.
    """
    if not network_id:
        return None
    try:
        return cloud.network(network_id, deadline)
    except InvalidParameter as error:
        if error.says_unknown(network_id):
            return None
        raise


def read_acl(
    tier: Network, cloud: Cloud, deadline: Deadline
) -> tuple[Network, tuple[NetworkAcl, ...]]:
    """List the items of the list that a tier has now; return the tier with it.

    A list without items does not say which one it is: then the tier is read again.
    Raises CloudStackError.
    """
    items = cloud.client.list_all(NetworkAcl, deadline, network_id=tier.id)
    if {each.acl_id for each in items} == {tier.acl_id}:
        return tier, items
    return cloud.network_now(tier.id, deadline) or tier, items


def read_items_of_vpc(vpc_id: str, cloud: Cloud, deadline: Deadline) -> tuple[NetworkAcl, ...]:
    """List the items of all lists of a VPC, one list after the other. Raises CloudStackError."""
    items: list[NetworkAcl] = []
    for each in cloud.client.list_all(NetworkAclList, deadline, vpc_id=vpc_id):
        try:
            if each.vpc_id:
                items += cloud.client.list_all(NetworkAcl, deadline, acl_id=each.id)
        except InvalidParameter as error:
            if not error.says_unknown(each.id, "aclid"):
                raise
    return tuple(items)


def sees_nodes(request: LoadBalancerRequest, context: CallContext) -> bool:
    """Tell whether CloudStack shows us the VM of a node, where no status says what there was.

    Raises CloudStackError.
    """
    if request.recorded.condition("AddressReady").status:
        return False
    shown = {each.id for each in context.cloud.snapshot(context.deadline).vms if each.exists}
    return any(each.vm_id in shown for each in request.instances)
