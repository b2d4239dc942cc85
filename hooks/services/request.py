"""Reads a request: which fields of a Service and its load balancer are read, and of which type."""

from hooks.http.bounded_json import Json
from hooks.names import CLOUDSTACK_API, LOAD_BALANCER_KIND
from hooks.services.plan.facts import Facts, load_balancer_name
from hooks.webhook.contract import BadRequest
from hooks.webhook.requests import Map, Required, Shape, check, decorator_request

#: The key under which Metacontroller lists load balancers among a Service's attachments.
ATTACHMENTS = f"{LOAD_BALANCER_KIND}.{CLOUDSTACK_API}"

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


def read(body: Json, *, now: float) -> Facts:
    """Read a sync request.

    Args:
        body: the request.
        now: epoch seconds.

    Raises:
        BadRequest: naming the field that is missing or of another type.
    """
    request = decorator_request(body, spec=_SPEC, status=_STATUS)
    service = request["object"]
    check(service["metadata"], _METADATA, "object.metadata")
    if service.get("kind") != "Service":
        raise BadRequest("object.kind", f"is {service.get('kind')!r}, must be Service")
    key = f"{service['metadata']['namespace']}/{load_balancer_name(service)}"
    load_balancer = request["attachments"].get(ATTACHMENTS, {}).get(key)
    check(load_balancer, _LOAD_BALANCER, f"attachments[{ATTACHMENTS!r}][{key!r}]")
    return Facts(service=service, load_balancer=load_balancer or {}, now=now)
