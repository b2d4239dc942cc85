"""Reads a request into what the plan needs: the Service, its load balancer, and the time."""

from dataclasses import dataclass
from typing import cast

from hooks.http.bounded_json import Json
from hooks.names import API_VERSION, CLOUDSTACK_GROUP, LOAD_BALANCER_KIND, LOAD_BALANCER_READY
from hooks.webhook.contract import BadRequest
from hooks.webhook.requests import Map, Required, Shape, check, decorator_request

#: Outer key of the attachments in a request.
ATTACHMENTS = f"{LOAD_BALANCER_KIND}.{CLOUDSTACK_GROUP}/{API_VERSION}"

_CONDITIONS: Shape = [
    {"type": str, "status": str, "reason": str, "message": str, "lastTransitionTime": str}
]
_SPEC: Shape = {
    "type": str,
    "loadBalancerClass": str,
    "loadBalancerIP": str,
    "loadBalancerSourceRanges": [str],
    "sessionAffinity": str,
    "externalTrafficPolicy": str,
    "ipFamilies": [str],
    "ports": [{"name": str, "protocol": str, "port": Required(int), "nodePort": int}],
}
_STATUS: Shape = {
    "conditions": _CONDITIONS,
    "loadBalancer": {"ingress": [{"ip": str, "ipMode": str, "hostname": str}]},
}
_METADATA: Shape = {
    "namespace": Required(str),
    "uid": Required(str),
    "annotations": Map(str),
    "finalizers": [str],
    "managedFields": [
        {"manager": str, "time": str, "fieldsV1": {"f:metadata": {"f:finalizers": {}}}}
    ],
}
_LOAD_BALANCER: Shape = {
    "metadata": {"creationTimestamp": str, "finalizers": [str]},
    "spec": {"adopt": {}},
    "status": {
        "observedGeneration": int,
        "address": {"ip": str, "published": bool},
        "rules": [{"protocol": str}],
        "ruleSummary": str,
        "members": {"assigned": int, "wanted": int},
        "memberSummary": str,
        "conditions": _CONDITIONS,
    },
}


@dataclass(frozen=True)
class Facts:
    """What is known of a Service when a call begins.

    Attributes:
        service: the Service as Metacontroller saw it.
        load_balancer: its CloudStackLoadBalancer, where there is one.
        now: epoch seconds.
    """

    service: Json
    load_balancer: Json | None
    now: float

    @property
    def has_load_balancer(self) -> bool:
        """Tell whether the load balancer is there to stay."""
        return self.load_balancer is not None and not is_deleting(self.load_balancer)

    @property
    def is_ours(self) -> bool:
        """Tell whether the Service has, or had, a load balancer from us."""
        return self.load_balancer is not None or self.own_condition is not None

    @property
    def own_condition(self) -> Json | None:
        """Answer the condition that says that a Service is ours."""
        return condition(self.service, LOAD_BALANCER_READY)


def read(body: Json, *, now: float) -> Facts:
    """Read a sync request.

    Raises:
        BadRequest: naming the field that is missing or of another type.
    """
    request = decorator_request(body, spec=_SPEC, status=_STATUS)
    service = request["object"]
    check(service["metadata"], _METADATA, "object.metadata")
    if service.get("kind") != "Service":
        raise BadRequest("object.kind", f"is {service.get('kind')!r}, must be Service")
    attachments = request["attachments"].get(ATTACHMENTS, {})
    key = f"{service['metadata']['namespace']}/{load_balancer_name(service)}"
    load_balancer: Json | None = attachments.get(key)
    check(load_balancer, _LOAD_BALANCER, f"attachments[{ATTACHMENTS!r}][{key!r}]")
    return Facts(service=service, load_balancer=load_balancer, now=now)


def load_balancer_name(service: Json) -> str:
    """Name a Service's load balancer as cloud controller managers do: `a` and its UID."""
    uid: str = service["metadata"]["uid"]
    return ("a" + uid.replace("-", ""))[:32]


def parts(obj: Json, *path: str) -> Json:
    """Look up an object's part; one that is missing or null is empty."""
    for key in path:
        obj = obj.get(key) or {}
    return obj


def annotations(service: Json) -> dict[str, str]:
    """Answer a Service's annotations; null values are left out."""
    given = parts(service, "metadata", "annotations")
    return {key: value for key, value in given.items() if value is not None}


def finalizers(obj: Json) -> tuple[str, ...]:
    """Answer what an object waits for before it is gone."""
    return tuple(parts(obj, "metadata").get("finalizers") or ())


def condition(obj: Json, condition_type: str) -> Json | None:
    """Find a condition in an object's status."""
    for found in parts(obj, "status").get("conditions") or ():
        if found.get("type") == condition_type:
            return cast("Json", found)
    return None


def is_deleting(obj: Json) -> bool:
    """Tell whether an object's deletion was asked for."""
    return bool(parts(obj, "metadata").get("deletionTimestamp"))
