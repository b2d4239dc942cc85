"""Decides whether a Service, as it is now, still wants its load balancer."""

from dataclasses import dataclass

from hooks.http.bounded_json import Json
from hooks.kube.objects import annotations, is_deleting, part
from hooks.names import ANNOTATION_DISABLED, LOAD_BALANCER_CLASS


@dataclass(frozen=True, slots=True)
class LiveService:
    """A Service as the API server has it now.

    Attributes:
        wants: it still wants its load balancer.
        resource_version, finalizers: as they were read; empty if the Service is gone.
    """

    wants: bool
    resource_version: str = ""
    finalizers: tuple[str, ...] = ()


def still_wants(service: Json, uid: str) -> bool:
    """Tell whether a Service has this UID, and is of a kind that we serve.

    The setting DEFAULT_LOAD_BALANCER_CLASS does not matter here. It is for Services that never
    had a load balancer.
    """
    spec = part(service, "spec")
    return (
        part(service, "metadata").get("uid") == uid
        and not is_deleting(service)
        and spec.get("type") == "LoadBalancer"
        and spec.get("loadBalancerClass") in (None, "", LOAD_BALANCER_CLASS)
        and str(annotations(service).get(ANNOTATION_DISABLED)).strip().lower() != "true"
    )
