"""What a node is to become: labels, Instance, and what Metacontroller cannot write."""

from dataclasses import replace

from hooks import names
from hooks.cloudstack.models.compute import VirtualMachine
from hooks.cloudstack.node_vms import format_provider_id, parse_provider_id
from hooks.http.bounded_json import Json
from hooks.http.texts import join_names
from hooks.kube.events import Event, Reference
from hooks.kube.objects import is_deleting, is_true, items, labels, part
from hooks.nodes.plan.absence import is_overdue
from hooks.nodes.plan.actions import AddressPatch, NodeAction, NodeDeletion, SpecPatch
from hooks.nodes.plan.addresses import (
    UnusableAddressesError,
    desired_addresses,
    observed_addresses,
)
from hooks.nodes.plan.events import (
    MAX_NAMED,
    contradiction_event,
    is_uninitialised,
    malformed_event,
    not_found_event,
    unknown_annotation_events,
    warning,
)
from hooks.nodes.plan.facts import Facts
from hooks.nodes.plan.guard import is_confirmed, reason_to_keep
from hooks.nodes.plan.instance import (
    kept_instance,
    malformed_instance,
    missing_instance,
    present_instance,
    rivals_instance,
)
from hooks.nodes.plan.labels import desired_labels, explain_zone
from hooks.nodes.plan.match import (
    Ambiguous,
    Foreign,
    Found,
    Malformed,
    Missing,
)
from hooks.nodes.plan.rivals import keeper
from hooks.webhook.contract import DecoratorResponse, Plan

#: Seconds until Metacontroller calls again for a node that is not Ready.
NOT_READY_RESYNC = 15.0
#: Seconds until Metacontroller calls again for a node that has no VM, or several.
NOT_FOUND_RESYNC = 30.0

NodePlan = Plan[NodeAction]


def plan_node(facts: Facts) -> NodePlan:
    """Decide what is answered for a node, and which single write comes next.

    A write is planned only when the answer changes nothing on the Node: Metacontroller's own
    update carries the version in its cache, and would be refused after a write of ours.
    """
    if isinstance(facts.match, Foreign):
        return Plan(DecoratorResponse(labels={}, attachments=[]))
    made = _plan(facts, facts.match)
    return replace(made, events=(*made.events, *unknown_annotation_events(facts.node)))


def _plan(facts: Facts, match: Found | Missing | Ambiguous | Malformed) -> NodePlan:
    match match:
        case Ambiguous(vms):
            named = ", ".join(f"{vm.name} ({vm.id})" for vm in vms)
            text = f"{len(vms)} VMs have the node's name, and none of them is used: {named}"
            event = warning(facts.node, names.EVENT_INSTANCE_AMBIGUOUS, text)
            return _answer_without_labels(kept_instance(facts), event)
        case Malformed() as malformed:
            event = malformed_event(facts.node, malformed)
            return _answer_without_labels([malformed_instance(facts, event.message)], event)
        case Missing(str() as vm_id) as missing:
            return _missing(facts, vm_id, missing)
        case Missing() as missing:  # Nothing is deleted: it may be another cloud's node.
            event = not_found_event(facts.node, missing)
            return _answer_without_labels(_instance_without_vm(facts), event)
        case Found(vm):
            return _found(facts, vm)


def is_deletion_due(facts: Facts) -> bool:
    """Tell whether a node is to be deleted, if its VM is really gone."""
    return (
        not is_true(facts.node, "Ready")
        and not is_deleting(facts.node)
        and facts.seen is not None
        and is_overdue(facts.seen, grace=facts.missing_grace)
    )


def _found(facts: Facts, vm: VirtualMachine) -> NodePlan:
    """Plan a node whose VM is known, unless another Node keeps that VM; both are told."""
    if not facts.rivals:
        return _initialised(facts, vm)
    claimants = [facts.node, *facts.rivals]
    kept_by = part(keeper(vm, claimants), "metadata").get("name")
    named = join_names(sorted(each["metadata"]["name"] for each in claimants), limit=MAX_NAMED)
    text = f"VM {vm.name} ({vm.id}) is claimed by the nodes {named}; {kept_by} keeps it"
    event = warning(facts.node, names.EVENT_INSTANCE_CLAIMED_TWICE, text)
    if kept_by != facts.name:
        instance = rivals_instance(facts, vm, text)
        return _answer_without_labels([instance], event)
    plan = _initialised(facts, vm)
    return replace(plan, events=(*plan.events, event))


def _initialised(facts: Facts, vm: VirtualMachine) -> NodePlan:
    desired = desired_labels(
        facts.cached, vm, region=facts.region, legacy=facts.legacy_labels, zones=facts.zones
    )
    response = DecoratorResponse(
        labels=dict(desired), attachments=[present_instance(facts, vm, desired)]
    )
    if not is_true(facts.node, "Ready"):
        response["resyncAfterSeconds"] = NOT_READY_RESYNC
    if not desired.items() <= labels(facts.cached).items() or is_deleting(facts.node):
        return Plan(response, (), _zone_events(facts, vm, desired))
    is_waiting = is_uninitialised(facts.node)
    try:
        addresses = desired_addresses(facts.node, vm)
    except UnusableAddressesError as error:
        event = warning(facts.node, names.EVENT_ADDRESSES_UNUSABLE, str(error))
        return Plan(response, () if is_waiting else _spec_patch(facts.node, vm), (event,))
    if addresses != observed_addresses(facts.node):
        return Plan(response, (AddressPatch(*_version(facts.node), addresses),))
    event = Event(Reference.to(facts.node), names.EVENT_SYNCED, "Node synced successfully")
    return Plan(response, _spec_patch(facts.node, vm), (event,) if is_waiting else ())


def _zone_events(facts: Facts, vm: VirtualMachine, desired: dict[str, str]) -> tuple[Event, ...]:
    """Say once, as the label is set, why it is not the zone's name alone."""
    is_set = labels(facts.cached).get(names.LABEL_ZONE) == desired.get(names.LABEL_ZONE)
    why = "" if is_set else explain_zone(vm, facts.zones)
    return (warning(facts.node, names.EVENT_ZONE_LABEL, why),) if why else ()


def _spec_patch(node: Json, vm: VirtualMachine) -> tuple[NodeAction, ...]:
    """Plan provider id and taints as one write: a node is never released without its id."""
    observed = _taints(node)
    taints = [taint for taint in observed if taint.get("key") != names.TAINT_UNINITIALIZED]
    provider_id = part(node, "spec").get("providerID")
    new_id = format_provider_id(vm.id) if taints != observed and not provider_id else None
    if parse_provider_id(new_id or provider_id or ""):
        others = [taint for taint in taints if taint.get("key") != names.TAINT_SHUTDOWN]
        if is_true(node, "Ready") or vm.state == "Running":
            taints = others
        elif vm.state == "Stopped" and others == taints:
            taints = [*taints, {"key": names.TAINT_SHUTDOWN, "effect": "NoSchedule"}]
    return () if taints == observed else (SpecPatch(*_version(node), new_id, tuple(taints)),)


def _missing(facts: Facts, vm_id: str, missing: Missing) -> NodePlan:
    ready, rebuilt = is_true(facts.node, "Ready"), bool(missing.namesakes)
    response = DecoratorResponse(
        labels={},
        attachments=[missing_instance(facts, vm_id, ready=ready, rebuilt=rebuilt)],
        resyncAfterSeconds=NOT_FOUND_RESYNC if ready else NOT_READY_RESYNC,
    )
    waiting = (not_found_event(facts.node, missing),) if is_uninitialised(facts.node) else ()
    if ready:
        return Plan(response, (), (*waiting, contradiction_event(facts.node, missing)))
    if facts.survey is None or facts.seen is None or not is_deletion_due(facts):
        return Plan(response, (), waiting)
    reason = reason_to_keep(
        facts.survey,
        facts.seen,
        hold=facts.guard_hold,
        confirmed=is_confirmed(facts.node),
    )
    if not reason and not facts.is_gone:
        reason = "CloudStack still knows its VM by id"
    if reason:
        text = f"VM {vm_id} is gone, the node is kept: {reason}"
        held = warning(facts.node, names.EVENT_DELETION_HELD, text)
        return Plan(response, (), (*waiting, held))
    text = f"Deleting node {facts.name} because it does not exist in the cloud provider"
    event = Event(Reference.to(facts.node), names.EVENT_DELETING_NODE, text)
    return Plan(response, (NodeDeletion(*_version(facts.node)),), (event,))


def _instance_without_vm(facts: Facts) -> list[Json]:
    """Return what is left of the Instance of a node without provider id whose VM is not found."""
    vm_id = str(part(facts.instance or {}, "spec").get("instanceID") or "")
    if facts.is_recorded_vm_listed or not vm_id:
        return kept_instance(facts)
    ready = is_true(facts.node, "Ready")
    return [missing_instance(facts, vm_id, ready=ready, rebuilt=False)]


def _answer_without_labels(instances: list[Json], event: Event) -> NodePlan:
    response = DecoratorResponse(
        labels={}, attachments=instances, resyncAfterSeconds=NOT_FOUND_RESYNC
    )
    return Plan(response, (), (event,))


def _taints(node: Json) -> list[Json]:
    return items(node, "spec", "taints")


def _version(node: Json) -> tuple[str, str, str]:
    """Return the Node's name, its uid and its version."""
    metadata = node["metadata"]
    return metadata["name"], metadata.get("uid") or "", metadata.get("resourceVersion") or ""
