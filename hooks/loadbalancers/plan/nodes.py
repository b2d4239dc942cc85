"""Decides which nodes may be members, and on which network."""

from collections import Counter
from dataclasses import dataclass

from hooks.loadbalancers.request import Instance, LoadBalancerRequest


@dataclass(frozen=True, slots=True)
class Membership:
    """The nodes that should be members.

    Attributes:
        wanted: the nodes that may serve and are on the network.
        joining: those of them that CloudStack has a VM for, so that they may be added.
        off_network: names of the nodes that may serve but are not on the network.
        blind: there is no Instance at all, so nothing is known and no member is removed.
    """

    wanted: tuple[Instance, ...]
    joining: tuple[Instance, ...]
    off_network: tuple[str, ...]
    blind: bool


def choose_network(request: LoadBalancerRequest) -> str:
    """Return the id of the members' network, empty if no node is on any.

    This is the network of the address that we have, else the one that most nodes are on. Of
    several, it is the one that is the default network of most nodes, then the one in use.
    """
    recorded = request.recorded.address
    if recorded and not recorded.is_choice and recorded.network_id:
        return recorded.network_id
    serving = [each for each in request.instances if each.serves]
    selected = [each for each in serving if _is_selected(request, each)]
    nodes: Counter[str] = Counter()
    defaults: Counter[str] = Counter()
    for instance in selected or serving or request.instances:
        nodes.update({each.network_id for each in instance.attachments})
        defaults.update({each.network_id for each in instance.attachments if each.default})
    used = request.recorded.network_id
    return max(
        nodes, key=lambda each: (nodes[each], defaults[each], each == used, each), default=""
    )


def membership(request: LoadBalancerRequest, network_id: str) -> Membership:
    """Find the nodes that may serve: stable node set, node selector, a NIC on the network."""
    serving = [each for each in request.instances if each.serves and _is_selected(request, each)]
    wanted = tuple(each for each in serving if each.on(network_id))
    return Membership(
        wanted=wanted,
        joining=tuple(each for each in wanted if not each.missing),
        off_network=tuple(each.name for each in serving if not each.on(network_id)),
        blind=not request.instances,
    )


def _is_selected(request: LoadBalancerRequest, instance: Instance) -> bool:
    return request.spec.node_selector.items() <= instance.labels.items()
