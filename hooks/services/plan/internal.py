"""Reads whether a Service asks for an internal load balancer, and refuses what that cannot do."""

from hooks import names
from hooks.http.bounded_json import Json
from hooks.kube.objects import finalizers, items, part
from hooks.services.plan.values import Reader, annotation_path

#: Annotations that an internal load balancer contradicts, and why.
_CONTRADICTING = {
    names.ANNOTATION_SHARED_ADDRESS: "is not shared",
    names.ANNOTATION_CERTIFICATE: "takes no certificate",
    names.ANNOTATION_TAKEOVER_FROM: "is not taken over from another cluster",
}
_FIELD, _NAME = annotation_path(names.ANNOTATION_INTERNAL), names.ANNOTATION_INTERNAL


def read_internal(spec: Json, reader: Reader) -> bool:
    """Tell whether a Service asks for an internal load balancer.

    CloudStack makes one without a protocol, so each port must be plain TCP.
    """
    if not reader.flag(names.ANNOTATION_INTERNAL):
        return False
    for key, problem in _CONTRADICTING.items():
        if reader.annotations.get(key, "").strip():
            message = f"an internal load balancer {problem}; remove this annotation, or {_NAME}"
            reader.refuse(annotation_path(key), message)
    if reader.annotations.get(names.ANNOTATION_PROXY_PROTOCOL, "false").strip().lower() != "false":
        message = f"an internal load balancer does not speak it; remove this annotation, or {_NAME}"
        reader.refuse(annotation_path(names.ANNOTATION_PROXY_PROTOCOL), message)
    if reader.annotations.get(names.ANNOTATION_KEEP_IP, "false").strip().lower() == "true":
        message = "an internal address goes with the load balancer: CloudStack cannot keep it"
        reader.ignore(annotation_path(names.ANNOTATION_KEEP_IP), message)
    for index, port in enumerate(items(spec, "ports")):
        if port.get("protocol") == "UDP":
            message = "UDP has no internal load balancer in CloudStack; write TCP"
            reader.refuse(f"spec.ports[{index}].protocol", message)
    return True


def has_internal(present: Json) -> bool | None:
    """Tell whether the address of a load balancer is internal; None where it has none yet.

    An internal address has no id in CloudStack: the status has the IP in its place.
    """
    address = part(present, "status", "address")
    return address.get("id") == address.get("ip") if address.get("id") else None


def refuse_change(present: Json, spec: Json, reader: Reader) -> None:
    """Refuse to make the load balancer of a live Service internal, or public, once it has one.

    Args:
        present: the CloudStackLoadBalancer; empty if there is none.
        spec: what the Service asks for.
        reader: notes what is refused.
    """
    before = has_internal(present)
    if before is not None and before is not bool(spec.get("internal")):
        what = "an internal address" if before else "a public address"
        reader.refuse(
            _FIELD,
            f"the Service has {what}, which cannot change on a live Service; write "
            f'"{str(before).lower()}", or delete the Service and create it again',
        )


def refuse_before_takeover(service: Json, present: Json, adopt: Json, reader: Reader) -> None:
    """Refuse an internal load balancer where another provider's address is still there.

    It would stay open, and nobody would clean it up once that provider's finalizer is removed.

    Args:
        service: asks for an internal one.
        present: the CloudStackLoadBalancer; empty if there is none.
        adopt: what the other provider left.
        reader: notes what is refused.
    """
    is_left = adopt.get("address") and names.SERVICE_FINALIZER in finalizers(service)
    if is_left and has_internal(present) is None:
        reader.refuse(
            _FIELD,
            f"the Service has {adopt['address']} from another provider, which would stay open; "
            'write "false", which takes it over, or delete the Service and create it again',
        )
