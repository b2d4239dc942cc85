"""What is read before a node is planned: all VMs and, before a deletion, everything once more."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from functools import partial

from hooks.cloudstack import Snapshot
from hooks.cloudstack.errors import InvalidParameter
from hooks.cloudstack.models.compute import VirtualMachine
from hooks.http.bounded_json import Json
from hooks.kube.client import NotFound
from hooks.kube.kinds import NODE
from hooks.kube.objects import is_deleting, is_true, labels, part
from hooks.kube.patterns import OBJECT_NAME
from hooks.kube.times import timestamp
from hooks.names import LABEL_REGION
from hooks.nodes.context import INSTANCES_PATH, CallContext
from hooks.nodes.plan.absence import SeenAbsence
from hooks.nodes.plan.events import is_uninitialised
from hooks.nodes.plan.facts import Facts
from hooks.nodes.plan.guard import Survey, SurveyedNode, is_confirmed, reason_to_keep
from hooks.nodes.plan.instance import of_vm, owner_of
from hooks.nodes.plan.labels import is_label_value
from hooks.nodes.plan.match import Found, Missing, is_same_vm, match_vm
from hooks.nodes.plan.plan import is_deletion_due
from hooks.nodes.request import NodeRequest

#: Where the API server lists Nodes.
NODES_PATH = NODE.path()


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
        is_recorded_vm_listed=_is_listed(request.instance, snapshot),
    )
    match facts.match:
        case Missing(str() as vm_id):
            subject = str(node["metadata"].get("uid")), vm_id, facts.absence.since
            seen = context.absences.note(facts.name, subject, snapshot.taken_monotonic)
            facts = replace(facts, seen=seen)
            if is_deletion_due(facts):
                return _before_deletion(facts, seen, snapshot, context)
        case Found(vm):
            context.absences.forget(facts.name)
            return _with_others(facts, vm, snapshot, context)
        case _:
            context.absences.forget(facts.name)
    return facts


def _with_others(
    facts: Facts, vm: VirtualMachine, snapshot: Snapshot, context: CallContext
) -> Facts:
    """Read the other Nodes that claim a VM, and all zones where a label cannot hold its zone's."""
    zones = () if is_label_value(vm.zone_name) else context.cloud.zones(context.deadline)
    return replace(facts, rivals=_rivals(facts, vm, snapshot, context), zones=zones)


def _is_listed(instance: Json | None, snapshot: Snapshot) -> bool:
    vm = snapshot.find(str(part(instance or {}, "spec").get("instanceID") or ""))
    return vm is not None and vm.exists


def _rivals(
    facts: Facts, vm: VirtualMachine, snapshot: Snapshot, context: CallContext
) -> tuple[Json, ...]:
    """Read the other Nodes that claim a VM, by Instances that may be some seconds old.

    A Node that waits and has its labels was answered before, so its Instance is there. Before it is
    initialised, the Node with the VM's name is looked for too, which may have no Instance yet.
    """
    waits = is_uninitialised(facts.node) and LABEL_REGION in labels(facts.node)
    listed = context.nodes_by_vm.rivals_of(facts.name, vm.id, context, announced=waits)
    namesake = vm.name.lower()
    looks = waits and namesake not in (facts.name, *listed) and OBJECT_NAME.fullmatch(namesake)
    found = []
    for other in (*listed, namesake) if looks else listed:
        with suppress(NotFound):
            node = context.kube.get(f"{NODES_PATH}/{other}", deadline=context.deadline)
            provider_id = part(node, "spec").get("providerID") or ""
            if other not in listed:
                scope = partial(context.cloud.scope, context.deadline)
                claims = match_vm(other, provider_id, snapshot, scope) == Found(vm)
            else:
                claims = is_same_vm(node, vm.id) or not provider_id
            if claims:
                found.append(node)
    return tuple(found)


def read_again(node: Json, context: CallContext) -> Json:
    """Read a Node again; one that is gone, or another one of its name, reads as deleted.

    Another one is left to the call that brings it: half of what is known here is of the former.

    Raises:
        KubeError: the API server does not answer.
    """
    path = f"{NODES_PATH}/{node['metadata']['name']}"
    try:
        found = context.kube.get(path, deadline=context.deadline)
    except NotFound:
        return as_deleted(node, context)
    is_same = part(found, "metadata").get("uid") == part(node, "metadata").get("uid")
    return found if is_same else as_deleted(node, context)


def as_deleted(node: Json, context: CallContext) -> Json:
    """Return a Node that is no more as one that is being deleted: nothing is planned for it."""
    marked = {"deletionTimestamp": timestamp(context.clock())}
    return {**node, "metadata": {**node["metadata"], **marked}}


def _before_deletion(
    facts: Facts, seen: SeenAbsence, snapshot: Snapshot, context: CallContext
) -> Facts:
    """Read the Node again; then what may keep it; and ask for the VM by its id if nothing does."""
    node, vm_id = read_again(facts.node, context), seen.vm_id
    if is_deleting(node) or not is_same_vm(node, vm_id):
        return replace(facts, node=node)
    survey = Survey(owner_of(of_vm(facts.instance, vm_id)), snapshot.owners)
    confirmed = is_confirmed(node)
    if survey.has_owner and not confirmed:
        read = partial(_survey, snapshot, context)
        nodes = context.surveys.get(snapshot.taken_monotonic, read, context.deadline)
        survey = replace(survey, nodes=nodes)
    reason = reason_to_keep(survey, seen, hold=facts.guard_hold, confirmed=confirmed)
    is_gone = not reason and _is_gone(vm_id, context)
    return replace(facts, node=node, survey=survey, is_gone=is_gone)


def _survey(snapshot: Snapshot, context: CallContext) -> tuple[SurveyedNode, ...]:
    """Find out of all our nodes whose VMs are missing."""
    listed = {vm.id.lower() for vm in snapshot.vms if vm.exists}
    instances = context.kube.list(INSTANCES_PATH, deadline=context.deadline)
    return tuple(_surveyed(instance, listed, snapshot, context) for instance in instances)


def _surveyed(
    instance: Json, listed: Collection[str], snapshot: Snapshot, context: CallContext
) -> SurveyedNode:
    """Find out whether a node's VM is missing, by the Node's own provider id as it is now."""
    name = str(part(instance, "metadata").get("name", ""))
    found = SurveyedNode(name, owner_of(instance))
    if str(part(instance, "spec").get("instanceID", "")).lower() in listed:
        return found
    try:
        node = context.kube.get(f"{NODES_PATH}/{name}", deadline=context.deadline)
    except NotFound:
        return replace(found, is_missing=True)
    provider_id = part(node, "spec").get("providerID") or ""
    now = match_vm(name, provider_id, snapshot, lambda: context.cloud.scope(context.deadline))
    if not isinstance(now, Missing):
        return found
    is_ready, is_rebuilt = is_true(node, "Ready"), bool(now.vm_id and now.namesakes)
    return replace(found, is_missing=True, is_ready=is_ready, is_rebuilt=is_rebuilt)


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
