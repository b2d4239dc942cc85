"""What a node is to become: labels, Instance, and what Metacontroller cannot write."""

from dataclasses import dataclass, field

from hooks.cloudstack.models import VirtualMachine
from hooks.http.bounded_json import Json
from hooks.kube.events import Event, Reference
from hooks.names import (
    ANNOTATION_CONFIRM_DELETION,
    EVENT_ADDRESSES_UNUSABLE,
    EVENT_DELETING_NODE,
    EVENT_DELETION_HELD,
    EVENT_INSTANCE_AMBIGUOUS,
    EVENT_INSTANCE_NOT_FOUND,
    EVENT_SYNCED,
    TAINT_SHUTDOWN,
    TAINT_UNINITIALIZED,
)
from hooks.nodes.plan.addresses import (
    Address,
    UnusableAddressesError,
    desired_addresses,
    observed_addresses,
)
from hooks.nodes.plan.instance import instance_kept, instance_missing, instance_of, recorded_absence
from hooks.nodes.plan.labels import desired_labels, serves_load_balancers
from hooks.nodes.plan.lifecycle import MissingNodes, deletion_due, held, prolonged_absence
from hooks.nodes.plan.match import Ambiguous, Foreign, Found, Match, Missing
from hooks.nodes.plan.provider_id import format_provider_id, parse_provider_id
from hooks.webhook.contract import DecoratorResponse, Plan

#: A node that is not Ready is looked at again after this many seconds.
NOT_READY_RESYNC = 15.0
#: A node without a VM is looked at again after this many seconds.
NOT_FOUND_RESYNC = 30.0


@dataclass(frozen=True)
class Settings:
    """What an operator may choose about nodes.

    Attributes:
        legacy_labels: `auto`, `true` or `false`: the labels of kubelets up to 1.16.
        missing_grace: seconds that a VM must be missing before its node is deleted.
        guard_hold: seconds for which many vanished nodes are kept.
    """

    legacy_labels: str = "auto"
    missing_grace: float = 60.0
    guard_hold: float = 600.0


@dataclass(frozen=True)
class Facts:
    """What is known of a node and its VM.

    Attributes:
        held: the Node as Metacontroller holds it: its own write will carry this version.
        node: the Node as it was last seen; newer than `held` after a write of ours.
        instance: the Instance as it stands; None where there is none.
        match: the node's VM.
        taken_at: when the snapshot of all VMs was taken, in epoch seconds.
        region: the configured region; empty for the zone.
        now: epoch seconds.
        census: what is looked up before a deletion; None where none is due.
    """

    held: Json
    node: Json
    instance: Json | None
    match: Match
    taken_at: float
    region: str
    now: float
    missing_nodes: MissingNodes | None = None


@dataclass(frozen=True)
class AddressPatch:
    """Set `status.addresses`, whole and in this order."""

    node: str
    uid: str
    addresses: tuple[Address, ...]


@dataclass(frozen=True)
class SpecPatch:
    """Set the provider id (None leaves it) and all taints in one write, on this version only.

    The same patch of another version is equal: it has been written, and something reverted it.
    """

    node: str
    uid: str
    resource_version: str = field(compare=False)
    provider_id: str | None
    taints: tuple[tuple[tuple[str, str], ...], ...]


@dataclass(frozen=True)
class NodeDeletion:
    """Delete the Node, of this uid and version only."""

    node: str
    uid: str
    resource_version: str


NodeAction = AddressPatch | SpecPatch | NodeDeletion
NodePlan = Plan[NodeAction]


def plan_node(facts: Facts, settings: Settings) -> NodePlan:
    """Decide what a node is told, and which single write comes next.

    A write is planned only when the answer changes nothing on the Node: Metacontroller's own
    update carries the version it holds, and would be lost after a write of ours.
    """
    match facts.match:
        case Foreign():
            return Plan(DecoratorResponse(labels={}, attachments=[]))
        case Ambiguous(vms):
            return _ambiguous(facts, vms)
        case Missing(str() as instance_id):
            return _missing(facts, instance_id, settings)
        case Missing():
            return _not_found(facts)
        case Found(vm):
            return _found(facts, vm, settings)


def _found(facts: Facts, vm: VirtualMachine, settings: Settings) -> NodePlan:
    present = _labels(facts.held)
    labels = desired_labels(facts.held, vm, region=facts.region, legacy=settings.legacy_labels)
    instance = instance_of(
        _name(facts), {**present, **labels}, vm, serves=serves_load_balancers(facts.node)
    )
    response = DecoratorResponse(labels=dict(labels), attachments=[instance])
    if not is_ready(facts.node):
        response["resyncAfterSeconds"] = NOT_READY_RESYNC
    answer_changes_node = any(present.get(label) != value for label, value in labels.items())
    if answer_changes_node or facts.node["metadata"].get("deletionTimestamp"):
        return Plan(response)
    try:
        addresses = desired_addresses(facts.node, vm)
    except UnusableAddressesError as error:
        event = _event(facts, EVENT_ADDRESSES_UNUSABLE, str(error), warning=True)
        initialised = not _has_taint(facts.node, TAINT_UNINITIALIZED)
        actions = _spec_patch(facts.node, vm) if initialised else ()
        return Plan(response, actions, (event,))
    if addresses != observed_addresses(facts.node):
        return Plan(response, (AddressPatch(_name(facts), _uid(facts), addresses),))
    actions = _spec_patch(facts.node, vm)
    events: tuple[Event, ...] = ()
    if actions and _has_taint(facts.node, TAINT_UNINITIALIZED):
        events = (_event(facts, EVENT_SYNCED, "Node synced successfully"),)
    return Plan(response, actions, events)


def _spec_patch(node: Json, vm: VirtualMachine) -> tuple[NodeAction, ...]:
    """Plan provider id and taints as one write: a node is never released without its id."""
    spec = node.get("spec") or {}
    observed = spec.get("taints") or []
    provider_id = spec.get("providerID") or ""
    taints = [taint for taint in observed if taint.get("key") != TAINT_UNINITIALIZED]
    initialise = len(taints) != len(observed)
    wanted_id = format_provider_id(vm.id) if initialise and not provider_id else None
    if parse_provider_id(wanted_id or provider_id):
        taints = _shutdown_taints(taints, stopped=vm.state == "Stopped", ready=is_ready(node))
    if taints == observed and wanted_id is None:
        return ()
    metadata = node["metadata"]
    return (
        SpecPatch(
            node=metadata["name"],
            uid=metadata.get("uid", ""),
            resource_version=metadata.get("resourceVersion", ""),
            provider_id=wanted_id,
            taints=tuple(tuple(sorted(taint.items())) for taint in taints),
        ),
    )


def _shutdown_taints(taints: list[Json], *, stopped: bool, ready: bool) -> list[Json]:
    tainted = any(taint.get("key") == TAINT_SHUTDOWN for taint in taints)
    if ready and tainted:
        return [taint for taint in taints if taint.get("key") != TAINT_SHUTDOWN]
    if stopped and not ready and not tainted:
        return [*taints, {"key": TAINT_SHUTDOWN, "effect": "NoSchedule"}]
    return taints


def _missing(facts: Facts, instance_id: str, settings: Settings) -> NodePlan:
    ready = is_ready(facts.node)
    absence = prolonged_absence(recorded_absence(facts.instance), facts.taken_at)
    kept = instance_kept(
        _name(facts),
        _labels(facts.held),
        facts.instance or {},
        serves=serves_load_balancers(facts.node),
    )
    instance = instance_missing(kept, instance_id, absence, ready=ready)
    response = DecoratorResponse(
        labels={}, attachments=[instance], resyncAfterSeconds=NOT_READY_RESYNC
    )
    if ready:
        response["resyncAfterSeconds"] = NOT_FOUND_RESYNC
        text = f"CloudStack has no VM {instance_id}, but the node is Ready: nothing is deleted"
        return Plan(response, (), (_event(facts, EVENT_DELETION_HELD, text, warning=True),))
    due = deletion_due(absence, now=facts.now, grace=settings.missing_grace)
    if not due or facts.missing_nodes is None or facts.node["metadata"].get("deletionTimestamp"):
        return Plan(response)
    reason = held(
        facts.missing_nodes,
        absence,
        now=facts.now,
        hold=settings.guard_hold,
        confirmed=_confirmed(facts.node),
    )
    if reason:
        text = f"VM {instance_id} is gone, the node is kept: {reason}"
        return Plan(response, (), (_event(facts, EVENT_DELETION_HELD, text, warning=True),))
    text = f"Deleting node {_name(facts)} because it does not exist in the cloud provider"
    version = facts.node["metadata"].get("resourceVersion", "")
    deletion = NodeDeletion(_name(facts), _uid(facts), version)
    return Plan(response, (deletion,), (_event(facts, EVENT_DELETING_NODE, text),))


def _not_found(facts: Facts) -> NodePlan:
    """Answer a node that no VM has the name of; it may be another cloud's, so it is left alone."""
    text = f"CloudStack has no VM named {_name(facts)} in this project and zone"
    event = _event(facts, EVENT_INSTANCE_NOT_FOUND, text, warning=True)
    return Plan(_unchanged(facts), (), (event,))


def _ambiguous(facts: Facts, vms: tuple[VirtualMachine, ...]) -> NodePlan:
    named = ", ".join(f"{vm.name} ({vm.id})" for vm in vms)
    text = f"{len(vms)} VMs have the node's name, none is taken: {named}"
    event = _event(facts, EVENT_INSTANCE_AMBIGUOUS, text, warning=True)
    return Plan(_unchanged(facts), (), (event,))


def _unchanged(facts: Facts) -> DecoratorResponse:
    attachments = []
    if facts.instance is not None:
        serves = serves_load_balancers(facts.node)
        attachments = [
            instance_kept(_name(facts), _labels(facts.held), facts.instance, serves=serves)
        ]
    return DecoratorResponse(
        labels={}, attachments=attachments, resyncAfterSeconds=NOT_FOUND_RESYNC
    )


def is_ready(node: Json) -> bool:
    """Tell whether the node's Ready condition is True; one that says nothing is not Ready."""
    conditions = (node.get("status") or {}).get("conditions") or []
    return any(
        condition.get("type") == "Ready" and condition.get("status") == "True"
        for condition in conditions
    )


def _has_taint(node: Json, key: str) -> bool:
    return any(taint.get("key") == key for taint in (node.get("spec") or {}).get("taints") or [])


def _confirmed(node: Json) -> bool:
    annotations = node["metadata"].get("annotations") or {}
    return annotations.get(ANNOTATION_CONFIRM_DELETION) == "true"


def _labels(node: Json) -> dict[str, str]:
    return dict(node["metadata"].get("labels") or {})


def _name(facts: Facts) -> str:
    return str(facts.node["metadata"]["name"])


def _uid(facts: Facts) -> str:
    return str(facts.node["metadata"].get("uid", ""))


def _event(facts: Facts, reason: str, message: str, *, warning: bool = False) -> Event:
    return Event(Reference.to(facts.node), reason, message, "Warning" if warning else "Normal")
