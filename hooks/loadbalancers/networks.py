"""Reads networks, and chooses the members' before there is an address: one that can balance."""

from dataclasses import replace

from hooks.cloudstack import Cloud
from hooks.cloudstack.errors import InvalidParameter
from hooks.cloudstack.models.network import Network
from hooks.http.deadline import Deadline
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
        if network is not None and not why_not_served(network):
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
