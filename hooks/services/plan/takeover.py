"""What other providers leave on a Service and in CloudStack, and what of it is taken over."""

from hooks import names
from hooks.http.bounded_json import Json
from hooks.kube.objects import annotations, finalizers, items, part
from hooks.kube.services import load_balancer_name
from hooks.services.plan import values
from hooks.services.plan.facts import Facts

#: `spec.adopt` where there is nothing to take over.
NOTHING_TO_ADOPT: Json = {"address": "", "associatedByController": False, "names": []}

#: Annotations that only providers write, never users.
_PROVIDER_ANNOTATIONS = (
    names.ANNOTATION_ID,
    names.ANNOTATION_NETWORK_ID,
    names.ANNOTATION_IP_ASSOCIATED,
)


def find_adoptable(facts: Facts, cluster_name: str) -> Json:
    """Return what another provider may have made: its address, and the names of its rules.

    Signs of another provider are the finalizer of cloud controller managers, its annotations, and
    an address in a status that is not ours.
    """
    service, present = facts.service, annotations(facts.service)
    shown = [each.get("ip") for each in items(service, "status", "loadBalancer", "ingress")]
    if names.ANNOTATION_ID in present:  # the fork wrote the address down beside its id
        shown.append(present.get(names.ANNOTATION_ADDRESS))
    address = next(filter(None, map(_ipv4, shown)), "")
    signs = (
        address
        or names.SERVICE_FINALIZER in finalizers(service)
        or any(key in present for key in _PROVIDER_ANNOTATIONS)
    )
    if facts.is_ours or not signs:
        return NOTHING_TO_ADOPT
    return {
        "address": address,
        "associatedByController": bool(address) and _was_associated(service, address),
        "names": former_rule_names(service, cluster_name),
    }


def former_rule_names(service: Json, cluster_name: str) -> list[str]:
    """Return the names that other providers give to a Service's rules.

    The existing provider writes `a<uid>-tcp-80`, its fork `K8s_svc_CLUSTER_NAMESPACE_NAME-tcp-80`,
    the one that was part of Kubernetes `a<uid>-80`. Ports that cannot be served have none.
    """
    metadata = service["metadata"]
    prefix = load_balancer_name(service["metadata"]["uid"])
    fork = f"K8s_svc_{cluster_name}_{metadata['namespace']}_{metadata['name']}"[:255]
    found: list[str] = []
    for port in items(service, "spec", "ports")[: values.MAX_PORTS]:
        protocol = (port.get("protocol") or "TCP").lower()
        for variant in ("tcp", "tcp-proxy") if protocol == "tcp" else (protocol,):
            found += (f"{start}-{variant}-{port['port']}" for start in (prefix, fork))
        found.append(f"{prefix}-{port['port']}")
    return list(dict.fromkeys(found))


def find_other_provider(facts: Facts) -> str:
    """Return who put another provider's finalizer on a Service of ours, and when.

    Empty where nobody did: the finalizer was there before the load balancer, and is about to be
    removed. The API server notes who wrote a field last, and when (`metadata.managedFields`).
    """
    ours_since = part(facts.load_balancer, "metadata").get("creationTimestamp")
    for entry in items(facts.service, "metadata", "managedFields"):
        written = part(entry, "fieldsV1", "f:metadata", "f:finalizers")
        time = entry.get("time") or ""
        if ours_since and time > ours_since and f'v:"{names.SERVICE_FINALIZER}"' in written:
            return f"{entry.get('manager') or 'somebody'} at {time}"
    return ""


def obsolete_annotations(service: Json) -> list[str]:
    """Return the annotations of other providers, which mislead once the address is gone."""
    present = annotations(service)
    obsolete = [key for key in _PROVIDER_ANNOTATIONS if key in present]
    if names.ANNOTATION_ID in present and names.ANNOTATION_ADDRESS in present:
        obsolete.append(names.ANNOTATION_ADDRESS)
    return obsolete


def _ipv4(text: str | None) -> str:
    try:
        return values.ipv4_address(text or "")
    except values.InvalidValue:
        return ""


def _was_associated(service: Json, address: str) -> bool:
    """Tell whether the other provider would release the address with the Service.

    The fork always does. The existing provider does, unless the Service asks for an address that
    somebody else had allocated.
    """
    present = annotations(service)
    requested = _ipv4(part(service, "spec").get("loadBalancerIP"))
    noted = present.get(names.ANNOTATION_IP_ASSOCIATED, "").strip().lower() == "true"
    return names.ANNOTATION_ID in present or noted or requested != address
