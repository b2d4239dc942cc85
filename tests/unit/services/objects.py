"""Services and their load balancers as an API server has them, to be changed by each test."""

from hooks.http.bounded_json import Json
from hooks.services.plan.facts import Facts
from hooks.services.request import ATTACHMENTS

UID = "dc3ed357-aad6-4abe-b5aa-fa5d09595d75"
NAME = "adc3ed357aad64abeb5aafa5d09595d7"
KEY = f"default/{NAME}"
#: 2026-03-01T10:00:00Z
NOW = 1772359200.0
EARLIER = "2026-03-01T09:00:00Z"
PREFIX = "service.beta.kubernetes.io/cloudstack-load-balancer-"
CONDITION = "cloudstack.targetcluster.example.com/LoadBalancerReady"
OLD_FINALIZER = "service.kubernetes.io/load-balancer-cleanup"


def port(number: int = 80, node_port: int | None = 30080, **others: object) -> Json:
    """Make one port of a Service; without a node port where that is None."""
    made: Json = {"port": number, "protocol": "TCP", "targetPort": 8080, **others}
    if node_port is not None:
        made["nodePort"] = node_port
    return made


def service(
    annotations: dict[str, str] | None = None,
    *,
    metadata: Json | None = None,
    status: Json | None = None,
    **spec: object,
) -> Json:
    """Make a Service of type LoadBalancer; annotation keys get the provider's prefix."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "web",
            "namespace": "default",
            "uid": UID,
            "resourceVersion": "256",
            "annotations": {PREFIX + key: value for key, value in (annotations or {}).items()},
            **(metadata or {}),
        },
        "spec": {
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"],
            "ports": [port()],
            "sessionAffinity": "None",
            **spec,
        },
        "status": status or {"loadBalancer": {}},
    }


def own_condition(status: str = "True", reason: str = "Ready", message: str = "") -> Json:
    """Make the condition by which a Service is ours."""
    return {
        "type": CONDITION,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": EARLIER,
    }


def ours(condition: Json | None = None, ip: str = "") -> Json:
    """Make the status of a Service that is ours."""
    ingress = {"ingress": [{"ip": ip, "ipMode": "VIP"}]} if ip else {}
    return {"loadBalancer": ingress, "conditions": [condition or own_condition()]}


def load_balancer(spec: Json | None = None, status: Json | None = None, **metadata: object) -> Json:
    """Make a Service's CloudStackLoadBalancer, of generation 1, that has not answered."""
    made: Json = {
        "apiVersion": "cloudstack.targetcluster.example.com/v1alpha1",
        "kind": "CloudStackLoadBalancer",
        "metadata": {
            "name": NAME,
            "namespace": "default",
            "uid": "0f3cf4a9-9ac6-4e1e-9a5e-6d8c0f1b4d11",
            "generation": 1,
            "finalizers": ["metacontroller.io/compositecontroller-cloudstack-loadbalancers"],
            **metadata,
        },
        "spec": spec or {},
    }
    if status is not None:
        made["status"] = status
    return made


def serving(ip: str = "203.0.113.7", **status: object) -> Json:
    """Make the status of a load balancer that serves."""
    return {
        "observedGeneration": 1,
        "address": {"ip": ip, "id": "ip-1", "published": True},
        "rules": [{"name": f"{NAME}-tcp-80", "protocol": "tcp", "publicPort": 80}],
        "ruleSummary": "1/1",
        "members": {"assigned": 2, "wanted": 2},
        "memberSummary": "2/2",
        "conditions": [ready()],
        **status,
    }


def ready(status: str = "True", reason: str = "Ready", message: str = "") -> Json:
    """Make a load balancer's condition Ready."""
    return {
        "type": "Ready",
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": EARLIER,
    }


def condition(condition_type: str, status: str = "True") -> Json:
    """Make another of a load balancer's conditions."""
    return {**ready(status), "type": condition_type}


def request(observed: Json, balancer: Json | None = None) -> Json:
    """Make a sync request as Metacontroller sends it."""
    return {
        "controller": {"kind": "DecoratorController"},
        "object": observed,
        "attachments": {ATTACHMENTS: {KEY: balancer} if balancer else {}},
        "related": {},
        "finalizing": False,
    }


def facts(observed: Json, balancer: Json | None = None, *, default_class: bool = True) -> Facts:
    """Make what the hook knows of a Service."""
    return Facts(observed, balancer or {}, NOW, default_class, "kubernetes")
