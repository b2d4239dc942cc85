"""Which VM a node is: the one that its provider id names, else the one of its name."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from hooks.cloudstack.models.compute import Scope, Snapshot, VirtualMachine
from hooks.cloudstack.node_vms import namesakes, parse_provider_id
from hooks.http.bounded_json import Json
from hooks.kube.objects import part

#: What is meant to be one of them, and what the ids of VMs look like.
_OURS = re.compile(r"\s*(?:external-)?cloudstack\s*:", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ANYBODYS = Scope()


@dataclass(frozen=True)
class Found:
    """The node's VM."""

    vm: VirtualMachine


@dataclass(frozen=True)
class Missing:
    """CloudStack has no VM for the node.

    Attributes:
        vm_id: the id in the node's provider id; None where it has none.
        namesakes: living VMs with the node's name, if an id is missing; else those of others than
            the scope's, which are not taken.
        scope: where a VM of the node's name was looked for.
    """

    vm_id: str | None
    namesakes: tuple[VirtualMachine, ...] = ()
    scope: Scope = _ANYBODYS


@dataclass(frozen=True)
class Ambiguous:
    """Several VMs have the node's name."""

    vms: tuple[VirtualMachine, ...]


@dataclass(frozen=True)
class Foreign:
    """The node belongs to another cloud."""

    provider_id: str


@dataclass(frozen=True)
class Malformed:
    """The node's provider id is meant to be CloudStack's, and can name no VM.

    Attributes:
        provider_id: as the node has it.
        namesakes: living VMs with the node's name.
    """

    provider_id: str
    namesakes: tuple[VirtualMachine, ...] = ()


Match = Found | Missing | Ambiguous | Foreign | Malformed


def is_same_vm(node: Json, vm_id: str) -> bool:
    """Tell whether a Node's provider id names a VM."""
    named = parse_provider_id(part(node, "spec").get("providerID") or "")
    return named is not None and named.lower() == vm_id.lower()


def match_vm(name: str, provider_id: str, snapshot: Snapshot, scope: Callable[[], Scope]) -> Match:
    """Find the VM of a node: by its id whoever has it and wherever, by its name in the scope.

    Args:
        name: the node's name.
        provider_id: the node's `spec.providerID`; empty where it has none.
        snapshot: every VM that is seen.
        scope: returns whose VMs may be found by name; called only if a name is looked for.
    """
    if not provider_id:
        return _by_name(name, snapshot, scope())
    if not _OURS.match(provider_id):
        return Foreign(provider_id)
    vm_id = parse_provider_id(provider_id) or ""
    vm = snapshot.find(vm_id)
    if vm and vm.exists:
        return Found(vm)
    alike = namesakes(name, snapshot, where := scope())
    if not vm and not _UUID.fullmatch(vm_id):
        return Malformed(provider_id, alike)
    return Missing(vm_id, alike, where)


def _by_name(name: str, snapshot: Snapshot, scope: Scope) -> Found | Ambiguous | Missing:
    match namesakes(name, snapshot, scope):
        case ():
            others = namesakes(name, snapshot, _ANYBODYS)
            return Missing(None, others, scope)
        case (vm,):
            return Found(vm)
        case several:
            return Ambiguous(several)
