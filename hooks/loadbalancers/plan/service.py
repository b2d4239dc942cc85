"""Whether a Service, as it is now, still wants the load balancer that was made for it."""

from dataclasses import dataclass

from hooks.http.bounded_json import Json
from hooks.names import ANNOTATION_DISABLED, LOAD_BALANCER_CLASS


@dataclass(frozen=True, slots=True)
class LiveService:
    """A Service as the API server has it now.

    Attributes:
        wants: it still wants its load balancer.
        resource_version, finalizers: as they were read; empty where there is no Service any more.
    """

    wants: bool
    resource_version: str = ""
    finalizers: tuple[str, ...] = ()


def still_wants(service: Json, uid: str) -> bool:
    """Tell whether a Service is the one of this UID, and of a kind that we serve.

    The setting DEFAULT_LOAD_BALANCER_CLASS does not count: it decides only for Services that
    never had a load balancer.
    """
    metadata = service.get("metadata") or {}
    spec = service.get("spec") or {}
    notes = metadata.get("annotations") or {}
    return (
        metadata.get("uid") == uid
        and not metadata.get("deletionTimestamp")
        and spec.get("type") == "LoadBalancer"
        and spec.get("loadBalancerClass") in (None, "", LOAD_BALANCER_CLASS)
        and str(notes.get(ANNOTATION_DISABLED)).strip().lower() != "true"
    )
