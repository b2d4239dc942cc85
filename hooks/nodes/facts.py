"""What is read before a node is planned: all VMs and, before a deletion, everything once more."""

from dataclasses import dataclass, replace

from hooks.cloudstack import Cloud, Snapshot
from hooks.cloudstack.errors import InvalidParameter
from hooks.cloudstack.models.compute import VirtualMachine
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import Kube, NotFound
from hooks.kube.objects import is_true, part
from hooks.names import CLOUDSTACK_API
from hooks.nodes.absences import Absences
from hooks.nodes.plan.absence import MissingNodes
from hooks.nodes.plan.facts import Facts
from hooks.nodes.plan.match import Missing, match_vm
from hooks.nodes.plan.plan import is_deletion_due
from hooks.nodes.request import NodeRequest
from hooks.settings.config import Config

#: Where the API server lists Nodes and Instances.
NODES = "/api/v1/nodes"
INSTANCES = f"/apis/{CLOUDSTACK_API}/cloudstackinstances"


@dataclass(frozen=True)
class Sources:
    """Where facts about nodes are read, and until when."""

    cloud: Cloud
    kube: Kube
    deadline: Deadline
    config: Config
    absences: Absences


def observe(request: NodeRequest, node: Json, sources: Sources) -> Facts:
    """Read what the plan needs; more only where a deletion is due.

    Args:
        request: the Node as Metacontroller sent it, and its Instance.
        node: the newest Node that is known.
        sources: where to read.

    Raises:
        CloudStackError: no complete list of VMs could be read.
        KubeError: a deletion is due, and the API server does not answer.
    """
    snapshot = sources.cloud.snapshot(sources.deadline)
    provider_id = part(node, "spec").get("providerID") or ""
    facts = Facts(
        cached=request.node,
        node=node,
        instance=request.instance,
        match=match_vm(node["metadata"]["name"], provider_id, snapshot),
        taken_at=snapshot.taken_at,
        region=sources.cloud.config.region,
        legacy_labels=sources.config.legacy_node_labels,
        missing_grace=sources.config.node_missing_grace,
        guard_hold=sources.config.node_guard_hold,
    )
    match facts.match:
        case Missing(str() as vm_id):
            uid = str(node["metadata"].get("uid"))
            subject = uid, vm_id, facts.absence.since
            seen = sources.absences.note(facts.name, subject, snapshot.taken_monotonic)
            facts = replace(facts, seen=seen)
            if is_deletion_due(facts):
                return _with_missing_nodes(facts, vm_id, snapshot, sources)
        case _:
            sources.absences.forget(facts.name)
    return facts


def _with_missing_nodes(facts: Facts, vm_id: str, snapshot: Snapshot, sources: Sources) -> Facts:
    """Read the Node again, find which other nodes are missing, and ask for the VM by its id.

    Another Node of the same name, or one with another VM, is left to the call that brings it.
    """
    node = sources.kube.get(f"{NODES}/{facts.name}", deadline=sources.deadline)
    if _identity(node) != _identity(facts.node):
        return facts
    return replace(facts, node=node, missing_nodes=_missing_nodes(vm_id, snapshot, sources))


def _identity(node: Json) -> tuple[object, object]:
    return part(node, "metadata").get("uid"), part(node, "spec").get("providerID")


def _missing_nodes(vm_id: str, snapshot: Snapshot, sources: Sources) -> MissingNodes:
    present = {vm.id.lower() for vm in snapshot.vms if vm.exists}
    instances = list(sources.kube.list(INSTANCES, deadline=sources.deadline))
    missing = tuple(
        str(part(instance, "metadata").get("name", ""))
        for instance in instances
        if str(part(instance, "spec").get("instanceID", "")).lower() not in present
    )
    ready = tuple(name for name in missing if _is_ready(name, sources))
    return MissingNodes(len(instances), missing, ready, gone=_is_gone(vm_id, sources))


def _is_ready(name: str, sources: Sources) -> bool:
    try:
        return is_true(sources.kube.get(f"{NODES}/{name}", deadline=sources.deadline), "Ready")
    except NotFound:
        return False


def _is_gone(vm_id: str, sources: Sources) -> bool:
    """Ask for one VM by its id: an unknown id is a clear no, any other refusal is an error."""
    try:
        found = sources.cloud.client.list_all(
            VirtualMachine, sources.deadline, id=vm_id, details="min"
        )
    except InvalidParameter as error:
        if error.says_unknown(vm_id):
            return True
        raise
    return not any(vm.exists for vm in found)
