"""The writes on Nodes that Metacontroller cannot do: addresses, provider id, taints, deletion."""

from typing import assert_never

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import Kube
from hooks.nodes.plan.plan import AddressPatch, NodeAction, NodeDeletion, SpecPatch


def perform(action: NodeAction, kube: Kube, deadline: Deadline) -> Json | None:
    """Do one action; return the Node as it is then, None where it is gone.

    Raises:
        Conflict: the Node is not the one, or not in the version, that was planned for.
        KubeError: the API server refused or did not answer.
    """
    path = f"/api/v1/nodes/{action.node}"
    match action:
        case AddressPatch():
            # A merge patch: the default patch merges the list by type, and of two InternalIPs
            # one would be lost.
            return kube.patch(f"{path}/status", body_of(action), deadline=deadline)
        case SpecPatch():
            return kube.patch(path, body_of(action), deadline=deadline)
        case NodeDeletion(_, uid, version):
            preconditions = {"uid": uid, "resourceVersion": version}
            kube.delete(path, deadline=deadline, options={"preconditions": preconditions})
            return None
        case _:
            assert_never(action)


def body_of(action: AddressPatch | SpecPatch) -> Json:
    """Write an action as a JSON merge patch that fails on another node of the same name."""
    match action:
        case AddressPatch(_, uid, addresses):
            shown = [{"type": kind, "address": address} for kind, address in addresses]
            return {"metadata": {"uid": uid}, "status": {"addresses": shown}}
        case SpecPatch():
            spec: Json = {"taints": [dict(taint) for taint in action.taints] or None}
            if action.provider_id is not None:
                spec["providerID"] = action.provider_id
            metadata = {"uid": action.uid, "resourceVersion": action.resource_version}
            return {"metadata": metadata, "spec": spec}
        case _:
            assert_never(action)
