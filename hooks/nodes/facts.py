"""What is read before a node is planned: all VMs and, before a deletion, a second look."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from hooks.cloudstack import Cloud, Snapshot
from hooks.cloudstack.commands.compute import list_virtual_machines
from hooks.cloudstack.errors import InvalidParameter
from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import Kube, NotFound
from hooks.names import API_VERSION, CLOUDSTACK_GROUP
from hooks.nodes.plan.instance import recorded_absence
from hooks.nodes.plan.lifecycle import MissingNodes, deletion_due, prolonged_absence
from hooks.nodes.plan.match import Missing, is_present, match_vm
from hooks.nodes.plan.plan import Facts, Settings, is_ready

#: Where the API server lists Instances.
INSTANCES = f"/apis/{CLOUDSTACK_GROUP}/{API_VERSION}/cloudstackinstances"
NODES = "/api/v1/nodes"


@dataclass(frozen=True)
class Sources:
    """Where facts about nodes are read, and what limits the reading.

    Attributes:
        clock: epoch seconds.
    """

    cloud: Cloud
    kube: Kube
    deadline: Deadline
    settings: Settings
    clock: Callable[[], float]


def observe(held: Json, node: Json, instance: Json | None, sources: Sources) -> Facts:
    """Read what the plan needs; the second look only where a deletion is due.

    Raises:
        CloudStackError: no whole snapshot could be had.
        KubeError: a deletion is due, and the API server does not answer.
    """
    snapshot = sources.cloud.snapshot(sources.deadline)
    name = node["metadata"]["name"]
    provider_id = (node.get("spec") or {}).get("providerID") or ""
    facts = Facts(
        held=held,
        node=node,
        instance=instance,
        match=match_vm(name, provider_id, snapshot),
        taken_at=snapshot.taken_at,
        region=sources.cloud.region,
        now=sources.clock(),
    )
    match facts.match:
        case Missing(str() as instance_id) if not is_ready(node):
            absence = prolonged_absence(recorded_absence(instance), snapshot.taken_at)
            if deletion_due(absence, now=facts.now, grace=sources.settings.missing_grace):
                return _second_look(facts, instance_id, snapshot, sources)
    return facts


def _second_look(facts: Facts, instance_id: str, snapshot: Snapshot, sources: Sources) -> Facts:
    """Read the Node as it is now, count who else is missing, and ask for the VM by its id."""
    path = f"{NODES}/{facts.node['metadata']['name']}"
    node = sources.kube.get(path, deadline=sources.deadline)
    missing_nodes = _missing_nodes(instance_id, snapshot, sources)
    return replace(facts, node=node, missing_nodes=missing_nodes)


def _missing_nodes(instance_id: str, snapshot: Snapshot, sources: Sources) -> MissingNodes:
    living = {vm.id.lower() for vm in snapshot.machines if is_present(vm)}
    instances = list(sources.kube.list(INSTANCES, deadline=sources.deadline))
    missing = tuple(
        str(instance["metadata"]["name"])
        for instance in instances
        if str((instance.get("spec") or {}).get("instanceID", "")).lower() not in living
    )
    ready = tuple(name for name in missing if _is_ready_now(name, sources))
    return MissingNodes(len(instances), missing, ready, gone=_is_gone(instance_id, sources))


def _is_ready_now(name: str, sources: Sources) -> bool:
    try:
        return is_ready(sources.kube.get(f"{NODES}/{name}", deadline=sources.deadline))
    except NotFound:
        return False


def _is_gone(instance_id: str, sources: Sources) -> bool:
    """Ask for one VM by its id; an unknown id is a clean no, any other refusal is an error."""
    try:
        found = list_virtual_machines(
            sources.cloud.client, id=instance_id, details="min", deadline=sources.deadline
        )
    except InvalidParameter:
        return True
    return not any(map(is_present, found))
