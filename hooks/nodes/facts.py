"""What is read before a node is planned: all VMs and, before a deletion, everything once more."""

from dataclasses import replace

from hooks.cloudstack import Snapshot
from hooks.cloudstack.errors import InvalidParameter
from hooks.cloudstack.models.compute import VirtualMachine
from hooks.http.bounded_json import Json
from hooks.kube.client import NotFound
from hooks.kube.objects import is_true, part
from hooks.names import CLOUDSTACK_API
from hooks.nodes.context import CallContext
from hooks.nodes.plan.absence import MissingNodes
from hooks.nodes.plan.facts import Facts
from hooks.nodes.plan.match import Missing, match_vm
from hooks.nodes.plan.plan import is_deletion_due
from hooks.nodes.request import NodeRequest

#: Where the API server lists Nodes and Instances.
NODES_PATH = "/api/v1/nodes"
INSTANCES_PATH = f"/apis/{CLOUDSTACK_API}/cloudstackinstances"


def observe(request: NodeRequest, node: Json, context: CallContext) -> Facts:
    """Read what the plan needs; more only where a deletion is due.

    Args:
        request: the Node as Metacontroller sent it, and its Instance.
        node: the newest Node that is known.
        context: where to read.

    Raises:
        CloudStackError: no complete list of VMs could be read.
        KubeError: a deletion is due, and the API server does not answer.
    """
    snapshot = context.cloud.snapshot(context.deadline)
    name, provider_id = node["metadata"]["name"], part(node, "spec").get("providerID") or ""
    facts = Facts(
        cached=request.node,
        node=node,
        instance=request.instance,
        match=match_vm(name, provider_id, snapshot, lambda: context.cloud.scope(context.deadline)),
        taken_at=snapshot.taken_at,
        region=context.cloud.config.region,
        legacy_labels=context.config.legacy_node_labels,
        missing_grace=context.config.node_missing_grace,
        guard_hold=context.config.node_guard_hold,
        termination_taints=context.config.node_termination_taints,
    )
    match facts.match:
        case Missing(str() as vm_id):
            uid = str(node["metadata"].get("uid"))
            subject = uid, vm_id, facts.absence.since
            seen = context.absences.note(facts.name, subject, snapshot.taken_monotonic)
            facts = replace(facts, seen=seen)
            if is_deletion_due(facts):
                return _with_missing_nodes(facts, vm_id, snapshot, context)
        case _:
            context.absences.forget(facts.name)
    return facts


def _with_missing_nodes(
    facts: Facts, vm_id: str, snapshot: Snapshot, context: CallContext
) -> Facts:
    """Read the Node again, find which other nodes are missing, and ask for the VM by its id.

    Another Node of the same name, or one with another VM, is left to the call that brings it.
    """
    node = context.kube.get(f"{NODES_PATH}/{facts.name}", deadline=context.deadline)
    if _identity(node) != _identity(facts.node):
        return facts
    return replace(facts, node=node, missing_nodes=_missing_nodes(vm_id, snapshot, context))


def _identity(node: Json) -> tuple[object, object]:
    return part(node, "metadata").get("uid"), part(node, "spec").get("providerID")


def _missing_nodes(vm_id: str, snapshot: Snapshot, context: CallContext) -> MissingNodes:
    present = {vm.id.lower() for vm in snapshot.vms if vm.exists}
    instances = list(context.kube.list(INSTANCES_PATH, deadline=context.deadline))
    missing = tuple(
        str(part(instance, "metadata").get("name", ""))
        for instance in instances
        if str(part(instance, "spec").get("instanceID", "")).lower() not in present
    )
    ready = tuple(name for name in missing if _is_ready(name, context))
    return MissingNodes(len(instances), missing, ready, gone=_is_gone(vm_id, context))


def _is_ready(name: str, context: CallContext) -> bool:
    try:
        return is_true(context.kube.get(f"{NODES_PATH}/{name}", deadline=context.deadline), "Ready")
    except NotFound:
        return False


def _is_gone(vm_id: str, context: CallContext) -> bool:
    """Ask for one VM by its id: an unknown id is a clear no, any other refusal is an error."""
    try:
        found = context.cloud.client.list_all(
            VirtualMachine, context.deadline, id=vm_id, details="min"
        )
    except InvalidParameter as error:
        if error.says_unknown(vm_id):
            return True
        raise
    return not any(vm.exists for vm in found)
