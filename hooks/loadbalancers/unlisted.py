"""Reads the Nodes of members that the request has no CloudStackInstance of.

An Instance goes with its Node, but people can delete it, or the CRD with all of them. They come to
the hook one by one, so one that is gone says nothing of the others, and nothing of the Node.
"""

from collections.abc import Iterable, Mapping

from hooks.cloudstack.node_vms import parse_provider_id
from hooks.kube.client import NotFound
from hooks.kube.kinds import NODE
from hooks.kube.objects import is_deleting, part
from hooks.kube.patterns import OBJECT_NAME
from hooks.loadbalancers.context import CallContext
from hooks.loadbalancers.instances import Instance
from hooks.loadbalancers.request import LoadBalancerRequest

#: Of how many VMs the names of the Nodes are remembered, those that are gone among them.
MOST_NAMES = 20_000


class NodeNames:
    """Which name each VM's Node has, which need not be the VM's; losing it costs little."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def note(self, instances: Iterable[Instance]) -> Mapping[str, str]:
        """Note the Instances of a request; return all that is known, by VM id."""
        if len(self._names) > MOST_NAMES:
            self._names = {}
        self._names |= {each.vm_id: each.name for each in instances}
        return self._names


def read_unlisted(
    members: Iterable[Mapping[str, str]], request: LoadBalancerRequest, context: CallContext
) -> Mapping[str, str]:
    """Return the members whose Node lives and whose Instance is gone: Node names by VM id.

    A Node is looked for under the name that it had when this process last saw its Instance, else
    under its VM's, and must name that VM. Raises KubeError.
    """
    if request.is_deleting or not request.instances:
        return {}
    known = {each.vm_id for each in request.instances}
    named = {each.name for each in request.instances}
    found = {
        vm_id: context.node_names.get(vm_id, vm_name)
        for listed in members
        for vm_id, vm_name in listed.items()
    }
    return {
        vm_id: name
        for vm_id, name in found.items()
        if vm_id not in known and name not in named and _lives(name, vm_id, context)
    }


def _lives(name: str, vm_id: str, context: CallContext) -> bool:
    """Tell whether a Node of this name is there to stay, and is the VM's."""
    if not OBJECT_NAME.fullmatch(name):
        return False
    try:
        node = context.kube.get(NODE.path(name=name), deadline=context.deadline)
    except NotFound:
        return False
    provider_id = part(node, "spec").get("providerID") or ""
    return parse_provider_id(provider_id) == vm_id and not is_deleting(node)
