"""Decides which VM is a node's: no doubt is left, or there is none."""

from collections.abc import Collection, Iterable

from hooks.cloudstack.models.compute import Scope, VirtualMachine
from hooks.cloudstack.node_vms import parse_provider_id
from hooks.targetclusters.healing.plan.model import NodeState

#: Characters of an id. Who names the account may name a server of his own.
MAX_ID = 64
NOT_OURS = "its provider id is not one of CloudStack"
GONE = "its VM is gone, or another account's"


def why_not_touched(vm: VirtualMachine, scope: Scope, members: Collection[str] | None) -> str:
    """Say why no command about a VM is sent; empty if one may be.

    Args:
        vm: as CloudStack shows it.
        scope: whose VMs are repaired.
        members: the ids, in lower case, of the VMs of the Kubernetes Service cluster; None where
            the spec names none.
    """
    if not (scope.account or scope.domain or scope.project_id):
        return "whose VMs these keys may repair is not known: let them call listAccounts"
    if not scope.covers(vm):
        return f"its VM belongs to another account than {scope}"
    if members is not None and vm.id.lower() not in members:
        return f"its VM {vm.id} is not one of the Kubernetes Service cluster's"
    return ""


def find_vm_of(
    node: NodeState,
    nodes: Iterable[NodeState],
    listed: Iterable[VirtualMachine],
    scope: Scope,
    members: frozenset[str] | None = None,
) -> VirtualMachine | str:
    """Return a node's VM, or why none is taken for it.

    The VM is the one of the provider id, else the only one of the node's name, which proves little:
    names are unique within one network of CloudStack alone. So a VM of the name must also have one
    of the node's addresses, or the id that the node's firmware says.

    It must belong to the account that the keys belong to, though they may see others', and to the
    Kubernetes Service cluster where one is named; and no other node may claim it: what a cluster
    says of its nodes is trusted no further than that.

    Args:
        node: the node.
        nodes: all nodes of the cluster.
        listed: the VMs of its provider id or, if it has none, of its name.
        scope: whose VMs are repaired.
        members: the ids, in lower case, of the VMs of the Kubernetes Service cluster; None where
            the spec names none.
    """
    if not (scope.account or scope.domain or scope.project_id):
        return "whose VMs these keys may repair is not known: let them call listAccounts"
    found = _named(node, listed, scope) if node.provider_id else _alike(node, listed, scope)
    if isinstance(found, str):
        return found
    if len(found.id) > MAX_ID:
        return "the id of its VM is longer than one of CloudStack"
    if why_not := why_not_touched(found, scope, members):
        return why_not
    claiming = [each.name for each in nodes if each.name != node.name and _claims(each, found)]
    if claiming:
        return f"its VM is claimed by the node {claiming[0]} too"
    return found


def _named(node: NodeState, listed: Iterable[VirtualMachine], scope: Scope) -> VirtualMachine | str:
    """Return the VM of a provider id."""
    vm_id = parse_provider_id(node.provider_id)
    if vm_id is None:
        return NOT_OURS
    found = next((vm for vm in listed if vm.id.lower() == vm_id.lower() and vm.exists), None)
    if found is None:
        return GONE
    return found if scope.covers(found) else f"its VM belongs to another account than {scope}"


def _alike(node: NodeState, listed: Iterable[VirtualMachine], scope: Scope) -> VirtualMachine | str:
    """Return the VM of a node's name."""
    alike = [vm for vm in listed if vm.name == node.name and vm.exists and scope.covers(vm)]
    if len(alike) != 1:
        return f"{len(alike)} VMs have its name ({scope}); a provider id would name one"
    [vm] = alike
    if _is_witnessed(node, vm):
        return vm
    return (
        f"the VM {vm.id} has its name, but none of its addresses, nor its system UUID; "
        "a provider id would name one"
    )


def _is_witnessed(node: NodeState, vm: VirtualMachine) -> bool:
    """Tell whether the node knows of the VM what only its guest sees."""
    if node.system_uuid.lower() == vm.id.lower():
        return True
    own = {address for nic in vm.nics for address in (nic.ip_address, nic.ip6_address) if address}
    return any(address in own for address in node.addresses)


def _claims(node: NodeState, vm: VirtualMachine) -> bool:
    """Tell whether a node may be on a VM: by its provider id, or by its name if it has none."""
    if node.provider_id:
        named = parse_provider_id(node.provider_id)
        return named is not None and named.lower() == vm.id.lower()
    return node.name.lower() == vm.name.lower()
