"""What is read of a request: the Node and its CloudStackInstance.

Their shape is checked here; the plan reads the dicts, because the answer repeats parts of them.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from hooks.http.bounded_json import Json
from hooks.names import CLOUDSTACK_API, INSTANCE_KIND
from hooks.webhook.requests import (
    ConditionView,
    NoObjects,
    Object,
    View,
    convert,
    exactly,
    raw_objects,
)

#: The key under which Metacontroller lists Instances among a Node's attachments.
INSTANCES = f"{INSTANCE_KIND}.{CLOUDSTACK_API}"


class _Spec(View, frozen=True):
    provider_id: str = msgspec.field(name="providerID", default="")
    taints: tuple[dict[str, str], ...] = ()


class _NodeInfo(View, frozen=True):
    kubelet_version: str = ""


class _Status(View, frozen=True):
    addresses: tuple[dict[str, str], ...] = ()
    conditions: tuple[ConditionView, ...] = ()
    node_info: _NodeInfo = _NodeInfo()


class _Node(Object, frozen=True, kw_only=True):
    kind: Literal["Node"] = "Node"
    api_version: Annotated[str, exactly("v1")] = "v1"
    spec: _Spec = _Spec()
    status: _Status = _Status()


class _Instance(Object, frozen=True, kw_only=True):
    spec: Json = msgspec.field(default_factory=dict)
    observed: Json = msgspec.field(default_factory=dict)


class _Request(View, frozen=True):
    object: _Node
    attachments: dict[Annotated[str, exactly(INSTANCES)], dict[str, _Instance]] = msgspec.field(
        default_factory=dict
    )
    related: NoObjects = msgspec.field(default_factory=dict)


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
    convert(body, _Request)
    node: Json = body["object"]
    instances = raw_objects(body, "attachments", INSTANCES)
    return NodeRequest(node, instances.get(node["metadata"]["name"]))
