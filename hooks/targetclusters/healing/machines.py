"""Reads the VMs of nodes in CloudStack, and those of a control plane that does not answer.

On which VMs a control plane runs is said by the cluster itself, as long as it answers, and found as
for any node. They are kept in the journal, with where the kubeconfig led to: under another server
or authority the name may be another cluster's.
"""

import hashlib
from collections.abc import Iterable

from hooks.cloudstack import Cloud
from hooks.cloudstack.models.compute import VirtualMachine
from hooks.cloudstack.node_vms import parse_provider_id
from hooks.cloudstack.operations import find_vm
from hooks.http.deadline import Deadline
from hooks.http.texts import join_sentences
from hooks.targetclusters.healing.plan.model import Machine, NodeState
from hooks.targetclusters.healing.plan.vms import find_vm_of, why_not_touched
from hooks.targetclusters.healing.vm_leases import server_of

#: VMs of a control plane that are remembered; one has three, rarely five or seven.
MAX_MACHINES = 9
#: Nodes whose VMs are looked for to see whether the account is that of the cluster.
MAX_SAMPLE = 3


def _list_vms(cloud: Cloud, node: NodeState, reads: Deadline) -> tuple[VirtualMachine, ...]:
    """List the VMs that a node may be on, and no others: an account may have very many.

    Raises:
        CloudStackError: CloudStack gives no answer.
    """
    if not node.provider_id:
        return cloud.client.list_all(VirtualMachine, reads, name=node.name)
    vm_id = parse_provider_id(node.provider_id)
    vm = find_vm(cloud.client, vm_id, reads) if vm_id else None
    return (vm,) if vm else ()


def find_node_vm(
    cloud: Cloud,
    node: NodeState,
    nodes: tuple[NodeState, ...],
    members: frozenset[str] | None,
    reads: Deadline,
) -> VirtualMachine | str:
    """Return a node's VM as it is now, or why none is taken for it; arguments as of `find_vm_of`.

    Raises:
        CloudStackError: CloudStack gives no answer.
    """
    listed = _list_vms(cloud, node, reads)
    return find_vm_of(node, nodes, listed, cloud.scope(reads), members)


def why_none_seen(
    cloud: Cloud, nodes: tuple[NodeState, ...], members: frozenset[str] | None, reads: Deadline
) -> str:
    """Say that an account has the VM of none of the first nodes that are ready; empty if of one.

    Args:
        cloud: the account.
        nodes: all nodes of the cluster.
        members: as `find_vm_of` takes them.
        reads: for all of it.

    Raises:
        CloudStackError: CloudStack gives no answer.
    """
    ready = sorted((node for node in nodes if node.is_ready), key=lambda each: each.name)
    reasons = []
    for node in ready[:MAX_SAMPLE]:
        vm = find_node_vm(cloud, node, nodes, members, reads)
        if not isinstance(vm, str):
            return ""
        reasons.append(f"{node.name}: {vm}")
    if not reasons:
        return ""
    return "the CloudStack account has the VM of no node: " + join_sentences(
        reasons, limit=MAX_SAMPLE
    )


def find_machines(
    cloud: Cloud, nodes: tuple[NodeState, ...], members: frozenset[str] | None, reads: Deadline
) -> tuple[Machine, ...]:
    """Return the VMs of a control plane whose nodes a person has not taken for himself.

    Args:
        cloud: the account.
        nodes: all nodes of the cluster.
        members: as `find_vm_of` takes them.
        reads: for all of it.

    Raises:
        CloudStackError: CloudStack gives no answer.
    """
    found: list[Machine] = []
    for node in sorted(nodes, key=lambda each: each.name):
        is_taken = node.cordoned or node.left_alone or node.leaving
        if not node.control_plane or is_taken or len(found) == MAX_MACHINES:
            continue
        vm = find_node_vm(cloud, node, nodes, members, reads)
        if not isinstance(vm, str):
            found.append(Machine(node.name, vm.id))
    return tuple(found)


def find_stopped(
    cloud: Cloud, machines: Iterable[Machine], members: frozenset[str] | None, reads: Deadline
) -> tuple[Machine, ...]:
    """Return those of the VMs that are stopped. Raises CloudStackError."""
    found = ((each, read_machine(cloud, each, members, reads)) for each in machines)
    return tuple(each for each, vm in found if vm is not None and vm.state == "Stopped")


def read_machine(
    cloud: Cloud, machine: Machine, members: frozenset[str] | None, reads: Deadline
) -> VirtualMachine | None:
    """Return a VM as it is now; None if it is gone or not to be touched. Raises CloudStackError."""
    vm = find_vm(cloud.client, machine.vm, reads)
    if vm is None or vm.id != machine.vm:
        return None
    return None if why_not_touched(vm, cloud.scope(reads), members) else vm


def account_of(cloud: Cloud, reads: Deadline) -> str:
    """Return whose VMs these keys repair, and in which CloudStack; empty if that is not known.

    Raises:
        CloudStackError: CloudStack gives no answer.
    """
    scope = cloud.scope(reads)
    whose = (scope.account, scope.domain, scope.project_id)
    if not any(whose):
        return ""
    told = "\n".join((server_of(cloud.config.api_url), *whose))
    return hashlib.sha256(told.lower().encode()).hexdigest()[:16]
