"""Reads the nodes of a target, as far as repairs depend on them."""

import hashlib
import re

from hooks.http.bounded_json import Json
from hooks.http.deadline import Deadline
from hooks.http.texts import one_line
from hooks.kube.client import Kube, NotFound
from hooks.kube.kinds import NODE
from hooks.kube.objects import is_deleting, is_true, labels, part
from hooks.names import ANNOTATION_HEAL
from hooks.targetclusters.healing.plan.model import NodeState

PAGE_SIZE = "50"
#: Nodes that are read. A cluster with more is not repaired.
MAX_NODES = 10_000
_CONTROL_PLANE = (
    "node-role.kubernetes.io/control-plane",
    "node-role.kubernetes.io/controlplane",
    "node-role.kubernetes.io/master",
)
_MAX_NAME = 253
#: What an API server allows as a name.
_NAME = re.compile(rf"[a-z0-9]([-a-z0-9.]{{0,{_MAX_NAME - 2}}}[a-z0-9])?")


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
        name=_read_name(metadata.get("name")),
        uid=one_line(metadata.get("uid"), _MAX_NAME),
        is_ready=is_true(node, "Ready"),
        provider_id=provider_id if isinstance(provider_id, str) else "",
        cordoned=bool(spec.get("unschedulable")),
        left_alone=str(marks.get(ANNOTATION_HEAL, "true")).strip().lower() == "false",
        control_plane=any(label in labels(node) for label in _CONTROL_PLANE),
    )


def _read_name(name: object) -> str:
    """Read a node's name. One that no API server allows is replaced: no node is read by that."""
    text = str(name)
    if _NAME.fullmatch(text):
        return text
    return f"not-a-name-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:16]}"
