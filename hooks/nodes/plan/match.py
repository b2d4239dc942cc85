"""Which VM a node is: the one that its provider id names, else the one of its name.

external-cloudstack://ID        our provider ids, and the existing external provider's
external-cloudstack:///ID       the same with an empty region
cloudstack:///ID                Cluster API's
cloudstack://REGION/ID          the in-tree provider's
"""

import re
from dataclasses import dataclass

from hooks.cloudstack.models.compute import Snapshot, VirtualMachine, host_part

_PROVIDER_ID = re.compile(r"(?:external-)?cloudstack://(?:[^/]*/)?(?P<id>[^/]+)")


@dataclass(frozen=True)
class Found:
    """The node's VM."""

    vm: VirtualMachine


@dataclass(frozen=True)
class Missing:
    """CloudStack has no VM for the node.

    Attributes:
        vm_id: the id in the node's provider id; None where it has none.
    """

    vm_id: str | None


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


def match_vm(name: str, provider_id: str, snapshot: Snapshot) -> Match:
    """Find the VM of a node.

    Args:
        name: the node's name.
        provider_id: the node's `spec.providerID`; empty where it has none.
        snapshot: every VM of the account or project.
    """
    if not provider_id:
        return _by_name(name, snapshot)
    vm_id = parse_provider_id(provider_id)
    if vm_id is None:
        return Foreign(provider_id)
    vm = snapshot.by_id.get(vm_id) or snapshot.by_id.get(vm_id.lower())
    return Found(vm) if vm and vm.exists else Missing(vm_id)


def _by_name(name: str, snapshot: Snapshot) -> Match:
    """Compare names exactly, then ignoring case, then without domains; the first match decides."""
    existing = tuple(vm for vm in snapshot.by_host.get(host_part(name), ()) if vm.exists)
    for found in (
        tuple(vm for vm in existing if vm.name == name),
        tuple(vm for vm in existing if vm.name.lower() == name.lower()),
        existing,
    ):
        if len(found) == 1:
            return Found(found[0])
        if found:
            return Ambiguous(found)
    return Missing(None)
