"""Which VM a node's provider id or name means.

external-cloudstack://ID        our provider ids, and the existing external provider's
external-cloudstack:///ID       the same with an empty region
cloudstack:///ID                Cluster API's
cloudstack://REGION/ID          the in-tree provider's
"""

import re

from hooks.cloudstack.models.compute import (
    Scope,
    Snapshot,
    VirtualMachine,
    host_part,
    is_same_host,
)

_PROVIDER_ID = re.compile(r"(?:external-)?cloudstack://(?:[^/]*/)?(?P<id>[^/]{1,64})")


def format_provider_id(vm_id: str) -> str:
    """Return the provider id of a VM."""
    return f"external-cloudstack://{vm_id}"


def parse_provider_id(provider_id: str) -> str | None:
    """Return the VM's id; None where the provider id is another cloud's, or malformed."""
    match = _PROVIDER_ID.fullmatch(provider_id)
    return match["id"] if match else None


def namesakes(name: str, snapshot: Snapshot, scope: Scope) -> tuple[VirtualMachine, ...]:
    """Compare names exactly, then ignoring case, then without a domain that only one of them has.

    The first match decides.

    If several match alike, those in the scope's zone are taken.
    """
    alike = snapshot.by_host.get(host_part(name), ())
    existing = tuple(vm for vm in alike if vm.exists and scope.covers(vm))
    for found in (
        tuple(vm for vm in existing if vm.name == name),
        tuple(vm for vm in existing if vm.name.lower() == name.lower()),
        tuple(vm for vm in existing if is_same_host(vm.name, name)),
    ):
        if found:
            return tuple(vm for vm in found if vm.zone_id == scope.zone_id) or found
    return ()
