"""Which of several Nodes keeps a VM that all of them claim."""

from collections.abc import Sequence

from hooks.cloudstack.models.compute import VirtualMachine, is_same_host
from hooks.http.bounded_json import Json
from hooks.kube.objects import part
from hooks.nodes.plan.events import is_uninitialised


def keeper(vm: VirtualMachine, nodes: Sequence[Json]) -> Json:
    """Return the Node whose name is the VM's, as names are compared for a match; else the oldest.

    One that is initialised keeps what it has from older ones that wait.

    Args:
        vm: what they claim.
        nodes: at least one.
    """
    return min(nodes, key=lambda node: _rank(vm, node))


def _rank(vm: VirtualMachine, node: Json) -> tuple[int, bool, str, str]:
    metadata = part(node, "metadata")
    name = str(metadata.get("name", ""))
    alike = (
        name == vm.name,
        name.lower() == vm.name.lower(),
        is_same_host(name, vm.name),
        True,
    )
    # Times as Kubernetes writes them sort as text; one without is new.
    created = str(metadata.get("creationTimestamp") or "~")
    return alike.index(True), is_uninitialised(node), created, name
