"""Which VM a node is: the one that its provider id names, else the one of its name.

external-cloudstack://ID        our provider ids, and the existing external provider's
external-cloudstack:///ID       the same with an empty region
cloudstack:///ID                Cluster API's
cloudstack://REGION/ID          the in-tree provider's
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from hooks.cloudstack.models.compute import Scope, Snapshot, VirtualMachine, host_part
from hooks.http.bounded_json import Json
from hooks.kube.objects import part

_PROVIDER_ID = re.compile(r"(?:external-)?cloudstack://(?:[^/]*/)?(?P<id>[^/]{1,64})")
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


Match = Found | Missing | Ambiguous | Foreign


def format_provider_id(vm_id: str) -> str:
    """Return the provider id of a VM."""
    return f"external-cloudstack://{vm_id}"


def parse_provider_id(provider_id: str) -> str | None:
    """Return the VM's id; None where the provider id is another cloud's, or malformed."""
    match = _PROVIDER_ID.fullmatch(provider_id)
    return match["id"] if match else None


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
    vm_id = parse_provider_id(provider_id)
    if vm_id is None:
        return Foreign(provider_id)
    vm = snapshot.by_id.get(vm_id) or snapshot.by_id.get(vm_id.lower())
    if vm and vm.exists:
        return Found(vm)
    match _by_name(name, snapshot, where := scope()):
        case Found(namesake):
            return Missing(vm_id, (namesake,), where)
        case Ambiguous(namesakes):
            return Missing(vm_id, namesakes, where)
    return Missing(vm_id, scope=where)


def _by_name(name: str, snapshot: Snapshot, scope: Scope) -> Found | Ambiguous | Missing:
    """Compare names exactly, then ignoring case, then without domains; the first match decides.

    If several match alike, one in the scope's zone is taken.
    """
    named = [vm for vm in snapshot.by_host.get(host_part(name), ()) if vm.exists]
    existing = tuple(vm for vm in named if scope.covers(vm))
    for found in (
        tuple(vm for vm in existing if vm.name == name),
        tuple(vm for vm in existing if vm.name.lower() == name.lower()),
        existing,
    ):
        near = tuple(vm for vm in found if vm.zone_id == scope.zone_id) or found
        if len(near) == 1:
            return Found(near[0])
        if near:
            return Ambiguous(near)
    return Missing(None, tuple(named), scope)
