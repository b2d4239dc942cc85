"""What people are told of a node: where its VM was looked for in vain, and what would help."""

from hooks import names
from hooks.cloudstack.models.compute import VirtualMachine
from hooks.cloudstack.node_vms import format_provider_id
from hooks.http.bounded_json import Json
from hooks.http.texts import join_names, quote
from hooks.kube.annotations import unknown_annotations
from hooks.kube.events import Event, Reference
from hooks.kube.field_paths import join_path
from hooks.kube.objects import annotations, items, part
from hooks.nodes.plan.match import Malformed, Missing

#: How many of anything a message names.
MAX_NAMED = 5

_ANEW = "delete the Node and restart kubelet, which registers it again"


def warning(node: Json, reason: str, message: str) -> Event:
    """Return a Warning about a Node."""
    return Event(Reference.to(node), reason, message, "Warning")


def is_uninitialised(node: Json) -> bool:
    """Tell whether a Node waits for its cloud controller."""
    taints = items(node, "spec", "taints")
    return any(taint.get("key") == names.TAINT_UNINITIALIZED for taint in taints)


def malformed_event(node: Json, malformed: Malformed) -> Event:
    """Say which provider id names no VM, and which one would."""
    right = "external-cloudstack://ID, with the id of its VM,"
    if len(malformed.namesakes) == 1:
        right = format_provider_id(malformed.namesakes[0].id)
    text = (
        f"spec.providerID is {quote(malformed.provider_id)}, which names no VM; {right} would be "
        f"right. A provider id never changes: correct kubelet's --provider-id, {_ANEW}"
    )
    return warning(node, names.EVENT_PROVIDER_ID_MALFORMED, text)


def not_found_event(node: Json, missing: Missing) -> Event:
    """Say where a VM was looked for, and what would help; by the node's name, if it has no id."""
    name = part(node, "metadata").get("name")
    text, found = f"CloudStack has no VM named {name} in {missing.scope}", missing.namesakes
    if missing.vm_id:
        where = f"in {missing.scope}" if missing.scope.project_id else "that the keys see"
        text = f"CloudStack has no VM {missing.vm_id} {where}"
        helps = "kubelet's --provider-id, or the keys or project-id of the cloud-config, is wrong"
        if found:
            helps = f"VM {_named(found)} has the node's name: {_ANEW}"
    elif others := sorted({f"{vm.account} of domain {vm.domain_path}" for vm in found}):
        account = join_names(others, limit=MAX_NAMED)
        helps = f"account {account} has one: account and domain in the cloud-config can name it"
    else:
        helps = (
            "rename the VM or the node, give kubelet the VM's id as --provider-id, or correct "
            "project-id, account or domain in the cloud-config"
        )
    waits = is_uninitialised(node)
    reason = names.EVENT_NOT_INITIALISED if waits else names.EVENT_INSTANCE_NOT_FOUND
    return warning(node, reason, f"{text}; {helps}")


def contradiction_event(node: Json, missing: Missing) -> Event:
    """Say that a node is Ready without a VM, and what to do if its VM was rebuilt."""
    kept = "but the node is Ready: it is not deleted, and serves no load balancer"
    lost = f"CloudStack has no VM {missing.vm_id}, {kept}"
    if not missing.namesakes:
        return warning(node, names.EVENT_DELETION_HELD, lost)
    named = _named(missing.namesakes)
    text = f"{lost}. VM {named} has its name: if it was rebuilt, {_ANEW} with the new provider id"
    return warning(node, names.EVENT_INSTANCE_REPLACED, text)


def unknown_annotation_events(node: Json) -> tuple[Event, ...]:
    """Name each annotation of ours that does not exist, and the nearest that does."""
    prefix, known = names.NODE_ANNOTATION_PREFIX, names.ANNOTATION_CONFIRM_DELETION
    unknown = unknown_annotations(annotations(node), prefix, (known.removeprefix(prefix),))
    found = [(join_path("metadata.annotations", key), message) for key, message in unknown]
    return tuple(
        warning(node, names.EVENT_UNKNOWN_ANNOTATION, f"{path}: {message}")
        for path, message in found
    )


def _named(vms: tuple[VirtualMachine, ...]) -> str:
    return join_names([f"{vm.name} ({vm.id})" for vm in vms], limit=MAX_NAMED)
