"""What is read of a Service's request: the Service and its CloudStackLoadBalancer.

Their shape is checked here; the plan reads the dicts, because the answer repeats parts of them.
"""

from typing import Annotated, Literal

import msgspec

from hooks.http.bounded_json import Json
from hooks.kube.services import load_balancer_name
from hooks.names import CLOUDSTACK_API, LOAD_BALANCER_KIND
from hooks.services.plan.facts import Facts
from hooks.settings.config import Config
from hooks.webhook.requests import (
    ConditionView,
    NamespacedMetadata,
    NonEmpty,
    NoObjects,
    Object,
    PortNumber,
    View,
    convert,
    exactly,
    raw_objects,
)

#: The key under which Metacontroller lists load balancers among a Service's attachments.
ATTACHMENTS = f"{LOAD_BALANCER_KIND}.{CLOUDSTACK_API}"


class _ManagedFields(View, frozen=True):
    manager: str = ""
    time: str = ""
    fields_v1: dict[str, dict[str, Json]] = msgspec.field(name="fieldsV1", default_factory=dict)


class _ServiceMetadata(NamespacedMetadata, frozen=True, kw_only=True):
    managed_fields: tuple[_ManagedFields, ...] = ()


class _Port(View, frozen=True):
    port: PortNumber
    name: str = ""
    protocol: str = ""
    node_port: PortNumber | None = None


class _ClientIP(View, frozen=True):
    timeout_seconds: Annotated[int, msgspec.Meta(ge=1, le=86400)] | None = None


class _AffinityConfig(View, frozen=True):
    client_ip: _ClientIP = msgspec.field(name="clientIP", default=_ClientIP())


class _Spec(View, frozen=True):
    type: str = ""
    load_balancer_class: str = ""
    load_balancer_ip: str = msgspec.field(name="loadBalancerIP", default="")
    load_balancer_source_ranges: tuple[str, ...] = ()
    session_affinity: str = ""
    session_affinity_config: _AffinityConfig = _AffinityConfig()
    external_traffic_policy: str = ""
    ip_families: tuple[str, ...] = ()
    ports: tuple[_Port, ...] = ()


class _Ingress(View, frozen=True):
    ip: str = ""


class _Published(View, frozen=True):
    ingress: tuple[_Ingress, ...] = ()


class _Status(View, frozen=True):
    conditions: tuple[ConditionView, ...] = ()
    load_balancer: _Published = _Published()


class _Service(Object, frozen=True, kw_only=True):
    kind: Literal["Service"]
    api_version: Annotated[str, exactly("v1")] = "v1"
    metadata: _ServiceMetadata
    spec: _Spec = _Spec()
    status: _Status = _Status()


class _BalancedPort(View, frozen=True):
    public_port: PortNumber
    protocol: NonEmpty


class _LoadBalancerSpec(View, frozen=True):
    ports: tuple[_BalancedPort, ...] = ()
    source_ranges: tuple[str, ...] = ()


class _Members(View, frozen=True):
    assigned: int | None = None
    wanted: int | None = None
    missing: tuple[str, ...] = ()


class _LoadBalancerStatus(View, frozen=True):
    address: Json | None = None
    address_change: Json | None = None
    rules: tuple[Json, ...] = ()
    members: _Members | None = None
    conditions: tuple[ConditionView, ...] = ()


class _LoadBalancer(Object, frozen=True, kw_only=True):
    spec: _LoadBalancerSpec = _LoadBalancerSpec()
    status: _LoadBalancerStatus = _LoadBalancerStatus()


class _Request(View, frozen=True):
    object: _Service
    attachments: dict[Annotated[str, exactly(ATTACHMENTS)], dict[str, _LoadBalancer]] = (
        msgspec.field(default_factory=dict)
    )
    related: NoObjects = msgspec.field(default_factory=dict)


def read(body: Json, config: Config, *, now: float) -> Facts:
    """Read a sync request.

    Args:
        body: the request.
        config: the settings of the process.
        now: epoch seconds.

    Raises:
        BadRequest: naming the field that is missing or of another type.
    """
    convert(body, _Request)
    service: Json = body["object"]
    key = f"{service['metadata']['namespace']}/{load_balancer_name(service['metadata']['uid'])}"
    load_balancers = raw_objects(body, "attachments", ATTACHMENTS)
    return Facts(
        service=service,
        load_balancer=load_balancers.get(key) or {},
        now=now,
        default_class=config.default_load_balancer_class,
        former_cluster_name=config.former_cluster_name,
        default_network=config.default_load_balancer_network,
    )
