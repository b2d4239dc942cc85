"""Sets what happens outside of the API: a VM that dies, a state that is shown wrong, a role."""

from collections.abc import Iterable, Mapping

from simulator.commands.virtual_machines import forget
from simulator.commands.vm_changes import touch
from simulator.model import Account, Entity, KubernetesCluster, VirtualMachine
from simulator.registry import ADMIN_ONLY, REGISTRY
from simulator.world import World

VM_STATES = frozenset(
    {
        "Destroyed", "Error", "Expunging", "Migrating", "Running", "Shutdown", "Starting",
        "Stopped", "Stopping", "Unknown",
    }
)  # fmt: skip
CLUSTER_STATES = frozenset(
    {
        "Alert", "Created", "Destroyed", "Destroying", "Error", "Importing", "Recovering",
        "RemovingNodes", "Running", "Scaling", "ScalingStoppedCluster", "Starting", "Stopped",
        "Stopping", "Upgrading",
    }
)  # fmt: skip
FIELDS = {
    "virtualmachine": ("state", "shows"),
    "kubernetescluster": ("state", "shows"),
    "account": ("denied",),
}


class StagingError(ValueError):
    """Something cannot be set; str() names the field and says what would be right."""


def stage(world: World, kind: str, name: str, fields: Mapping[str, object]) -> None:
    """Set fields of an object, found by its id, else by its name."""
    if kind not in FIELDS:
        raise StagingError(f"kind: {kind!r} is none of {', '.join(FIELDS)}")
    for field in fields:
        if field not in FIELDS[kind]:
            raise StagingError(
                f"{field}: not a field of a {kind}; known: {', '.join(FIELDS[kind])}"
            )
    tables: dict[str, Iterable[Entity]] = {
        "virtualmachine": world.vms, "kubernetescluster": world.clusters, "account": world.accounts
    }  # fmt: skip
    found = find(tables[kind], kind, name)
    if isinstance(found, Account):
        found.denied = denied(fields["denied"])
    elif isinstance(found, VirtualMachine):
        stage_vm(world, found, fields)
    elif isinstance(found, KubernetesCluster):
        if "state" in fields:
            found.state = state(fields["state"], CLUSTER_STATES)
        if "shows" in fields:
            found.shows = shown(fields["shows"], CLUSTER_STATES)


def find(table: Iterable[Entity], kind: str, name: str) -> Entity:
    """Return the only object of an id or a name."""
    named = [each for each in table if name in {each.id, each.name}]
    if len(named) != 1:
        raise StagingError(f"name: {len(named)} {kind}s have the name or id {name!r}, not one")
    return named[0]


def stage_vm(world: World, vm: VirtualMachine, fields: Mapping[str, object]) -> None:
    """Set a VM's state; one that is being expunged is gone."""
    if "state" in fields:
        vm.state = state(fields["state"], VM_STATES)
        touch(world, vm)
        if vm.state == "Expunging":
            forget(world, vm)
    if "shows" in fields:
        vm.shows = shown(fields["shows"], VM_STATES)


def state(value: object, known: frozenset[str]) -> str:
    """Return a state, if it is one."""
    if not isinstance(value, str) or value not in known:
        raise StagingError(f"state: {value!r} is none of {', '.join(sorted(known))}")
    return value


def shown(value: object, known: frozenset[str]) -> str | None:
    """Return the state that lists are to show; None for the true one."""
    return None if value is None else state(value, known)


def denied(value: object) -> frozenset[str]:
    """Return the commands that a role is not to allow."""
    known = {*REGISTRY, *ADMIN_ONLY}
    if not isinstance(value, list) or not known.issuperset(value):
        raise StagingError(f"denied: a list of commands, not {value!r}")
    return frozenset(value)
