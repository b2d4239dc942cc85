"""Reads a request: which fields of a Node are read, of which type, and the Node's Instance."""

from dataclasses import dataclass

from hooks.http.bounded_json import Json
from hooks.names import CLOUDSTACK_API, INSTANCE_KIND
from hooks.webhook.requests import Map, Shape, decorator_request

#: The key under which Metacontroller lists Instances among a Node's attachments.
INSTANCES = f"{INSTANCE_KIND}.{CLOUDSTACK_API}"

_SPEC: Shape = {"providerID": str, "taints": [Map(str)]}
_STATUS: Shape = {
    "addresses": [{"type": str, "address": str}],
    "conditions": [{"type": str, "status": str}],
    "nodeInfo": {"kubeletVersion": str},
}


@dataclass(frozen=True)
class NodeRequest:
    """A Node as Metacontroller sent it, and its Instance; None where there is none."""

    node: Json
    instance: Json | None


def read(body: Json) -> NodeRequest:
    """Read a sync request.

    Raises:
        BadRequest: naming the field that is missing or of another type.
    """
    request = decorator_request(body, spec=_SPEC, status=_STATUS)
    node = request["object"]
    instances = request["attachments"].get(INSTANCES, {})
    return NodeRequest(node, instances.get(node["metadata"]["name"]))
