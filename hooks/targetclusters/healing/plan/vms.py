"""Decides which VM is a node's: no doubt is left, or there is none."""

from collections.abc import Iterable

from hooks.cloudstack.models.compute import Scope, Snapshot, VirtualMachine
from hooks.cloudstack.node_vms import namesakes, parse_provider_id
from hooks.targetclusters.healing.plan.model import NodeState

#: Characters of an id. Who names the account may name a server of his own.
MAX_ID = 64


def find_vm_of(
    node: NodeState, nodes: Iterable[NodeState], snapshot: Snapshot, scope: Scope
) -> VirtualMachine | str:
    """Return a node's VM, or why none is taken for it.

    The VM is the one of the provider id, else the only one of the node's name. It must belong to
    the account that the keys belong to, though they may see others', and no other node may claim
    it: what a cluster says of its nodes is not trusted further than the account reaches.

    Args:
        node: the node.
        nodes: all nodes of the cluster.
        snapshot: every VM that the keys see.
        scope: whose VMs are repaired.
    """
    if node.provider_id:
        vm_id = parse_provider_id(node.provider_id)
        if vm_id is None:
            return "its provider id is not one of CloudStack"
        vm = snapshot.find(vm_id)
        if vm is None or not vm.exists:
            return "its VM is gone, or another account's"
        if not scope.covers(vm):
            return f"its VM belongs to another account than {scope}"
    else:
        alike = namesakes(node.name, snapshot, scope)
        if len(alike) != 1:
            return f"{len(alike)} VMs have its name ({scope}); a provider id would name one"
        vm = alike[0]
    if len(vm.id) > MAX_ID:
        return "the id of its VM is longer than one of CloudStack"
    claiming = [each.name for each in nodes if each.name != node.name and _claims(each, vm)]
    if claiming:
        return f"its VM is claimed by the node {claiming[0]} too"
    return vm


def _claims(node: NodeState, vm: VirtualMachine) -> bool:
    """Tell whether a node may be on a VM: by its provider id, or by its name if it has none."""
    if node.provider_id:
        named = parse_provider_id(node.provider_id)
        return named is not None and named.lower() == vm.id.lower()
    return node.name.lower() == vm.name.lower()
