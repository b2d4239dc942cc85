"""Decides which nodes may be members, and on which network."""

from collections import Counter

from hooks.loadbalancers.request import Instance, LoadBalancerRequest


def choose_network(request: LoadBalancerRequest) -> str:
    """Return the id of the members' network, empty if no node is on any.

    This is the network of the address that we have, else the one that most nodes are on. Of
    several, it is the one that is the default network of most nodes, then the one in use.
    """
    recorded = request.recorded.address
    if recorded and not recorded.is_choice and recorded.network_id:
        return recorded.network_id
    serving = [each for each in request.instances if each.observed.serves_load_balancers]
    nodes: Counter[str] = Counter()
    defaults: Counter[str] = Counter()
    for instance in serving_nodes(request) or serving or request.instances:
        nodes.update({each.network_id for each in instance.observed.networks})
        defaults.update({each.network_id for each in instance.observed.networks if each.default})
    used = request.recorded.network_id
    return max(
        nodes, key=lambda each: (nodes[each], defaults[each], each == used, each), default=""
    )


def serving_nodes(request: LoadBalancerRequest) -> tuple[Instance, ...]:
    """Return the nodes that may serve: in the stable node set, and matching the node selector."""
    selector = request.spec.node_selector.items()
    return tuple(
        each
        for each in request.instances
        if each.observed.serves_load_balancers and selector <= each.metadata.labels.items()
    )
