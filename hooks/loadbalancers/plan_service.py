"""Whether a Service, as it is now, still wants the load balancer that was made for it."""

from hooks.names import ANNOTATION_DISABLED, LOAD_BALANCER_CLASS
from hooks.webhook import Json


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
