"""Writes to Nodes what Metacontroller cannot: addresses, provider id, taints, deletion."""

from typing import assert_never

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.kube.client import Kube
from hooks.nodes.facts import NODES_PATH
from hooks.nodes.plan.actions import AddressPatch, NodeAction, NodeDeletion, SpecPatch


def perform(action: NodeAction, kube: Kube, deadline: Deadline) -> Json | None:
    """Do one action and return the Node as it is then; None where it is deleted.

    Raises:
        Conflict: the Node is not the one, or not in the version, that was planned for.
        KubeError: the API server refused or did not answer.
    """
    path = f"{NODES_PATH}/{action.node}"
    version = {"uid": action.uid, "resourceVersion": action.resource_version}
    match action:
        case AddressPatch():
            # A merge patch: the default patch merges the list by type, and would lose one of
            # two InternalIPs.
            listed = [{"type": kind, "address": address} for kind, address in action.addresses]
            body: Json = {"metadata": version, "status": {"addresses": listed}}
            return kube.patch(f"{path}/status", body, deadline=deadline)
        case SpecPatch():
            spec: Json = {"taints": list(action.taints) or None}
            if action.provider_id is not None:
                spec["providerID"] = action.provider_id
            return kube.patch(path, {"metadata": version, "spec": spec}, deadline=deadline)
        case NodeDeletion():
            kube.delete(path, deadline=deadline, options={"preconditions": version})
            return None
        case _:
            assert_never(action)
