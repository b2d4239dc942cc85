"""Reads the nodes of a target, as far as repairs depend on them."""

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.http.texts import one_line
from hooks.kube.client import Kube, NotFound
from hooks.kube.kinds import NODE
from hooks.kube.objects import find_condition, is_deleting, is_true, items, labels, part
from hooks.kube.patterns import MAX_NAME
from hooks.kube.times import read_time
from hooks.names import ANNOTATION_HEAL, LABEL_ZONE, TERMINATION_TAINTS
from hooks.targetclusters.healing.plan.model import NodeState

PAGE_SIZE = "50"
#: Nodes that are read. A cluster with more is not repaired.
MAX_NODES = 10_000
_CONTROL_PLANE = (
    "node-role.kubernetes.io/control-plane",
    "node-role.kubernetes.io/controlplane",
    "node-role.kubernetes.io/master",
    "node-role.kubernetes.io/etcd",
)
#: What an API server allows as a name.
_NAME = re.compile(rf"[a-z0-9]([-a-z0-9.]{{0,{MAX_NAME - 2}}}[a-z0-9])?")
_MAX_ADDRESSES = 16


class TooManyNodes(Exception):
    """The target has more nodes than are read."""


def list_nodes(target: Kube, deadline: Deadline) -> tuple[NodeState, ...]:
    """Return all nodes that are not being deleted. Raises KubeError, TooManyNodes."""
    found: list[NodeState] = []
    for node in target.list(NODE.path(), deadline=deadline, params={"limit": PAGE_SIZE}):
        if not is_deleting(node):
            found.append(read_node(node))
        if len(found) > MAX_NODES:
            raise TooManyNodes(f"the cluster has more than {MAX_NODES} nodes")
    return tuple(found)


def get_node(target: Kube, name: str, deadline: Deadline) -> NodeState | None:
    """Return a node as it is now; None if it is gone or going. Raises KubeError."""
    try:
        node = target.get(NODE.path(name=name), deadline=deadline)
    except NotFound:
        return None
    return None if is_deleting(node) else read_node(node)


def read_node(node: Json) -> NodeState:
    """Read a node."""
    metadata, spec = part(node, "metadata"), part(node, "spec")
    marks, provider_id = part(metadata, "annotations"), spec.get("providerID")
    return NodeState(
        name=read_name(metadata.get("name")),
        uid=one_line(metadata.get("uid"), MAX_NAME),
        is_ready=is_true(node, "Ready"),
        provider_id=provider_id if isinstance(provider_id, str) else "",
        cordoned=bool(spec.get("unschedulable")),
        left_alone=is_left_alone(marks),
        control_plane=any(label in labels(node) for label in _CONTROL_PLANE),
        leaving=_leaving(node),
        allowed=str(marks.get(ANNOTATION_HEAL, "")).strip().lower() == "true",
        addresses=_addresses(node),
        system_uuid=one_line(part(node, "status", "nodeInfo").get("systemUUID"), MAX_NAME),
        zone=one_line(labels(node).get(LABEL_ZONE), MAX_NAME),
        created=read_moment(metadata.get("creationTimestamp")),
        changed=read_moment(find_condition(node, "Ready").get("lastTransitionTime")),
    )


def read_name(name: object) -> str:
    """Read a name or a UID. One that no API server writes is replaced: nothing is found by that."""
    text = str(name)
    if _NAME.fullmatch(text):
        return text
    return f"not-a-name-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:16]}"


def is_left_alone(marks: Mapping[str, object]) -> bool:
    """Tell whether a Node's or a pod's annotations forbid repairs: whatever is not "true" does."""
    return str(marks.get(ANNOTATION_HEAL, "true")).strip().lower() != "true"


def _leaving(node: Json) -> str:
    taints = (each.get("key") for each in items(node, "spec", "taints") if isinstance(each, dict))
    found = next((key for key in taints if key in TERMINATION_TAINTS), "")
    return f"the node has the taint {found}" if found else ""


def _addresses(node: Json) -> tuple[str, ...]:
    """Return the first internal addresses that are any, each as `ipaddress` writes it."""
    found = []
    for each in items(node, "status", "addresses"):
        if isinstance(each, dict) and each.get("type") == "InternalIP":
            with suppress(ValueError):
                found.append(str(ip_address(str(each.get("address")))))
    return tuple(found[:_MAX_ADDRESSES])


def read_moment(value: object) -> float | None:
    """Read a time in epoch seconds; None where it is missing or malformed."""
    return read_time(value) if isinstance(value, str) else None
