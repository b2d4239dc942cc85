"""Reads the Nodes of members that the request has no CloudStackInstance of.

An Instance goes with its Node, but people can delete it, or the CRD with all of them. They come to
the hook one by one, so one that is gone says nothing of the others, and nothing of the Node.
"""

from collections.abc import Iterable, Mapping

from hooks.cloudstack.node_vms import parse_provider_id
from hooks.kube.client import KubeError, NotFound
from hooks.kube.kinds import NODE
from hooks.kube.objects import is_deleting, part
from hooks.kube.patterns import OBJECT_NAME
from hooks.loadbalancers.context import CallContext
from hooks.loadbalancers.request import LoadBalancerRequest


def read_unlisted(
    members: Iterable[Mapping[str, str]], request: LoadBalancerRequest, context: CallContext
) -> Mapping[str, str]:
    """Return the members whose Node lives and whose Instance is gone: Node names by VM id.

    A Node is looked for under the name that it had when this process last saw its Instance, else
    under its VM's, and must name that VM. One that cannot be read counts as alive. After a
    scale-down, all load balancers together ask once a minute for each that is gone.
    """
    if request.is_deleting or not request.instances:
        return {}
    known = {each.vm_id for each in request.instances}
    named = {each.name for each in request.instances}
    found = {
        vm_id: context.seen_nodes.name_of(vm_id) or vm_name
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
    if not OBJECT_NAME.fullmatch(name) or context.seen_nodes.is_gone(vm_id, context.monotonic()):
        return False
    try:
        node = context.kube.get(NODE.path(name=name), deadline=context.deadline)
    except NotFound:
        context.seen_nodes.note_gone(vm_id, context.monotonic())
        return False
    except KubeError:
        return True
    provider_id = part(node, "spec").get("providerID") or ""
    return parse_provider_id(provider_id) == vm_id and not is_deleting(node)
